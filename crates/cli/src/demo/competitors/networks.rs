//! Competitors who submit not answers but networks, trained here, for the referee to run.

use anyhow::Result;
use candle_core::Device;
use referee_networks::onnx::encode;
use referee_networks::train::{
    Augmentation, Loss, Schedule, Sgd, TrainingOptions, TrainingProgress, TrainingSet,
    initial_weights, train,
};
use referee_networks::zoo::{ZooOptions, build};

use super::{CLASSES, Training};

/// Of Fashion-MNIST's training pixels, from 0 to 1.
const MEAN: f32 = 0.286;
const DEVIATION: f32 = 0.353;
/// Height and width of the images.
const SIDE: usize = 28;

/// One who competes with a network of the zoo.
pub struct NetworkCompetitor {
    pub handle: &'static str,
    pub method: &'static str,
    pub description: &'static str,
    /// As the zoo calls it.
    pub architecture: &'static str,
    pub format: NetworkFormat,
    epochs: usize,
    learning_rate: f64,
}

/// What kind of file it submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFormat {
    Safetensors,
    /// Which says nothing of how images become its input, so that the form does.
    Onnx,
}

impl NetworkFormat {
    pub fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
        }
    }
}

/// From the weakest to the strongest.
pub const NETWORKS: [NetworkCompetitor; 4] = [
    NetworkCompetitor {
        handle: "perceptron-net",
        method: "Perceptron, as a network",
        description: "One layer of weights (Rosenblatt 1958) under the cross-entropy loss: 2 epochs of stochastic gradient \
                      descent with momentum 0.9 in batches of 100, the rate falling from 0.02 to 0 along half a cosine.",
        architecture: "perceptron",
        format: NetworkFormat::Safetensors,
        epochs: 2,
        learning_rate: 0.02,
    },
    NetworkCompetitor {
        handle: "mlp-onnx",
        method: "MLP, 128 hidden units, as ONNX",
        description: "784-128-10 with ReLU under the cross-entropy loss, in an ONNX file: 3 epochs of stochastic gradient \
                      descent with momentum 0.9 in batches of 100, the rate falling from 0.05 to 0.",
        architecture: "mlp(128)",
        format: NetworkFormat::Onnx,
        epochs: 3,
        learning_rate: 0.05,
    },
    NetworkCompetitor {
        handle: "mlp-net",
        method: "MLP, 512 and 256 hidden units, as a network",
        description: "784-512-256-10 with ReLU (Rumelhart, Hinton and Williams 1986) under the cross-entropy loss: 4 epochs of \
                      stochastic gradient descent with momentum 0.9 in batches of 100, the rate falling from 0.05 to 0.",
        architecture: "mlp(512,256)",
        format: NetworkFormat::Safetensors,
        epochs: 4,
        learning_rate: 0.05,
    },
    NetworkCompetitor {
        handle: "lenet5",
        method: "LeNet-5",
        description: "Two convolutions with subsampling and three layers (LeCun et al. 1998) under the cross-entropy loss: 4 \
                      epochs of stochastic gradient descent with momentum 0.9 in batches of 100, the rate falling from 0.05 to 0.",
        architecture: "lenet5",
        format: NetworkFormat::Safetensors,
        epochs: 4,
        learning_rate: 0.05,
    },
];

/// A trained network.
pub struct TrainedNetwork {
    /// On all training images.
    pub error: f64,
    pub file: Vec<u8>,
}

impl NetworkCompetitor {
    /// Trains for its epochs, or for `most_epochs` if those are fewer.
    pub fn train(
        &self,
        training: &Training,
        most_epochs: Option<usize>,
        progress: impl FnMut(&TrainingProgress),
    ) -> Result<TrainedNetwork> {
        let network = build(
            &self.architecture.parse()?,
            &ZooOptions {
                num_classes: CLASSES,
                input: [1, SIDE, SIDE],
            },
        )?;
        let pixels = pixels(training);
        let labels = training.labels.iter().map(|&label| u32::try_from(label));
        let labels = labels.collect::<Result<Vec<u32>, _>>()?;
        let set = TrainingSet {
            pixels: &pixels,
            labels: &labels,
            mean: &[MEAN],
            deviation: &[DEVIATION],
        };
        let options = TrainingOptions {
            loss: Loss::CrossEntropy,
            epochs: most_epochs.map_or(self.epochs, |most| most.min(self.epochs)),
            batch: 100,
            sgd: Sgd {
                learning_rate: self.learning_rate,
                momentum: 0.9,
                weight_decay: 0.0,
                schedule: Schedule::Cosine,
            },
            augmentation: Augmentation::default(),
            seed: 1958,
        };
        let weights = initial_weights(&network, options.seed)?;
        let trained = train(&network, &weights, &set, &options, &Device::Cpu, progress)?;
        let recipe = recipe();
        let metadata = [("architecture", self.architecture), ("preprocess", &recipe)];
        Ok(TrainedNetwork {
            error: trained.training_error,
            file: match self.format {
                NetworkFormat::Safetensors => trained.weights.to_safetensors(&metadata)?,
                NetworkFormat::Onnx => encode(&network, &trained.weights)?,
            },
        })
    }
}

/// How images become the networks' input.
pub fn recipe() -> String {
    format!("{{\"mean\":[{MEAN}],\"std\":[{DEVIATION}]}}")
}

/// `[N, 1, 28, 28]` from 0 to 255, as they were before they became fractions.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes divided by 255 before"
)]
fn pixels(training: &Training) -> Vec<u8> {
    let pixels = training.images.iter();
    pixels.map(|pixel| (255.0 * pixel).round() as u8).collect()
}
