//! The perceptron (Rosenblatt 1958), with one unit for each class: it learns from its mistakes only.

use ndarray::{Array1, Array2};

use super::{Batches, CLASSES, Competitor, Format, Rule, Training, argmax};

pub const COMPETITOR: Competitor = Competitor {
    handle: "perceptron",
    method: "Perceptron",
    description: "Rosenblatt's rule of 1958 for ten classes, 4 epochs: after a mistake the image is added to the \
                  weights of the right class and taken from those of the class that won. The last weights are used.",
    format: Format::NpyRanked,
    train,
};

const EPOCHS: usize = 4;

fn train(training: &Training) -> Rule {
    let mut weights = Array2::<f32>::zeros((CLASSES, training.images.ncols()));
    let mut bias = Array1::<f32>::zeros(CLASSES);
    let mut batches = Batches::new(training.labels.len(), 1, 1958);
    for _ in 0..EPOCHS {
        for &[example] in batches.shuffled().flat_map(<&[usize; 1]>::try_from) {
            let image = training.images.row(example);
            let (right, won) = (
                training.labels[example],
                argmax(&(weights.dot(&image) + &bias)),
            );
            if won != right {
                weights.row_mut(right).scaled_add(1.0, &image);
                weights.row_mut(won).scaled_add(-1.0, &image);
                bias[right] += 1.0;
                bias[won] -= 1.0;
            }
        }
    }
    Box::new(move |images| images.dot(&weights.t()) + &bias)
}
