//! A multilayer perceptron with one hidden layer, trained by backpropagation (Rumelhart, Hinton and Williams 1986).

use ndarray::{Array1, Array2, ArrayRef2, Axis, Zip};

use super::{Batches, CLASSES, Competitor, Format, Rule, Training, cross_entropy_gradient};

pub const COMPETITOR: Competitor = Competitor {
    handle: "mlp-256",
    method: "MLP, 256 hidden units",
    description: "784-256-10 with ReLU under the cross-entropy loss, 12 epochs of stochastic gradient descent with \
                  momentum 0.9 in batches of 200, the step falling from 0.1 to 0; He's initial weights.",
    format: Format::CanonicalRecord,
    train,
};

const HIDDEN: usize = 256;
const EPOCHS: u16 = 12;
const BATCH: u16 = 200;
const FIRST_STEP: f32 = 0.1;
const MOMENTUM: f32 = 0.9;

fn train(training: &Training) -> Rule {
    let mut random = fastrand::Rng::with_seed(1986);
    let mut hidden = Layer::new(training.images.ncols(), HIDDEN, &mut random);
    let mut output = Layer::new(HIDDEN, CLASSES, &mut random);
    let mut batches = Batches::new(training.labels.len(), BATCH, 1986);
    for epoch in 0..EPOCHS {
        let step = FIRST_STEP * (1.0 - f32::from(epoch) / f32::from(EPOCHS)) / f32::from(BATCH);
        for batch in batches.shuffled() {
            let images = training.images.select(Axis(0), batch);
            let activations = hidden.forward(&images).mapv_into(relu);
            let mut gradient = output.forward(&activations);
            cross_entropy_gradient(&mut gradient, batch.iter().map(|&i| training.labels[i]));
            let mut hidden_gradient = gradient.dot(&output.weights.t());
            Zip::from(&mut hidden_gradient)
                .and(&activations)
                .for_each(|gradient, &activation| {
                    if activation == 0.0 {
                        *gradient = 0.0;
                    }
                });
            output.descend(step, &activations, &gradient);
            hidden.descend(step, &images, &hidden_gradient);
        }
    }
    Box::new(move |images| output.forward(&hidden.forward(images).mapv_into(relu)))
}

fn relu(x: f32) -> f32 {
    x.max(0.0)
}

/// A linear layer and its momentum.
struct Layer {
    weights: Array2<f32>,
    bias: Array1<f32>,
    weights_velocity: Array2<f32>,
    bias_velocity: Array1<f32>,
}

impl Layer {
    /// Weights uniform with He's variance, 2 / `inputs`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a layer has far fewer than 2^24 inputs"
    )]
    fn new(inputs: usize, outputs: usize, random: &mut fastrand::Rng) -> Self {
        let bound = (6.0 / inputs as f32).sqrt();
        Self {
            weights: Array2::from_shape_simple_fn((inputs, outputs), || {
                bound * (2.0 * random.f32() - 1.0)
            }),
            bias: Array1::zeros(outputs),
            weights_velocity: Array2::zeros((inputs, outputs)),
            bias_velocity: Array1::zeros(outputs),
        }
    }

    /// `[N, inputs]` to `[N, outputs]`.
    fn forward(&self, x: &ArrayRef2<f32>) -> Array2<f32> {
        x.dot(&self.weights) + &self.bias
    }

    /// One step against the gradient, given the layer's input and the gradient of the loss by its output.
    fn descend(&mut self, step: f32, input: &Array2<f32>, gradient: &Array2<f32>) {
        self.weights_velocity *= MOMENTUM;
        self.weights_velocity
            .scaled_add(-step, &input.t().dot(gradient));
        self.weights += &self.weights_velocity;
        self.bias_velocity *= MOMENTUM;
        self.bias_velocity
            .scaled_add(-step, &gradient.sum_axis(Axis(0)));
        self.bias += &self.bias_velocity;
    }
}
