//! Softmax regression (multinomial logistic regression): the linear model that knows how sure it is.

use ndarray::{Array1, Array2, Axis};

use super::{Batches, CLASSES, Competitor, Format, Rule, Training, cross_entropy_gradient};

pub const COMPETITOR: Competitor = Competitor {
    handle: "softmax-regression",
    method: "Softmax regression",
    description: "A linear model under the cross-entropy loss, 10 epochs of stochastic gradient descent in batches \
                  of 100 with a step that falls from 0.2 to 0.",
    format: Format::NpyScores,
    train,
};

const EPOCHS: u16 = 10;
const BATCH: u16 = 100;
const FIRST_STEP: f32 = 0.2;

fn train(training: &Training) -> Rule {
    let mut weights = Array2::<f32>::zeros((training.images.ncols(), CLASSES));
    let mut bias = Array1::<f32>::zeros(CLASSES);
    let mut batches = Batches::new(training.labels.len(), BATCH, 1989);
    for epoch in 0..EPOCHS {
        let step = FIRST_STEP * (1.0 - f32::from(epoch) / f32::from(EPOCHS)) / f32::from(BATCH);
        for batch in batches.shuffled() {
            let images = training.images.select(Axis(0), batch);
            let mut gradient = images.dot(&weights) + &bias;
            cross_entropy_gradient(&mut gradient, batch.iter().map(|&i| training.labels[i]));
            weights.scaled_add(-step, &images.t().dot(&gradient));
            bias.scaled_add(-step, &gradient.sum_axis(Axis(0)));
        }
    }
    Box::new(move |images| images.dot(&weights) + &bias)
}
