//! Training, for baselines: mini-batch gradient descent with momentum on images in memory.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "counts of images and pixels; weights are in single precision"
)]

mod augmentation;
mod initial;
mod loss;
mod sgd;

use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use crate::error::{NetworkError, Result};
use crate::graph::{Network, ParameterKind, Weights};
use crate::run::Executor;

pub use augmentation::Augmentation;
pub use initial::initial_weights;
pub use loss::Loss;
pub use sgd::{Schedule, Sgd};

/// Labelled images.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// `[images, channels, height, width]`, one after the other.
    pub pixels: &'a [u8],
    /// One class per image, from 0.
    pub labels: &'a [u32],
    /// x = (pixel/255 − mean)/deviation, for each channel.
    pub mean: &'a [f32],
    pub deviation: &'a [f32],
}

/// How to train.
#[derive(Clone, Debug)]
pub struct TrainingOptions {
    pub loss: Loss,
    pub epochs: usize,
    /// Images per step. A last, smaller batch of an epoch is left out.
    pub batch: usize,
    pub sgd: Sgd,
    pub augmentation: Augmentation,
    /// Of the order of the images, augmentation and dropout: the same seed gives the same weights.
    pub seed: u64,
}

/// How far training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingProgress {
    /// From 1.
    pub epoch: usize,
    pub epochs: usize,
    /// Images of this epoch that were learnt from.
    pub done: usize,
    pub total: usize,
    /// Mean over this epoch so far.
    pub loss: f32,
    pub images_per_second: f64,
}

/// What training gives.
#[derive(Clone, Debug)]
pub struct Trained {
    pub weights: Weights,
    /// Mean over the last epoch, in training mode.
    pub loss: f32,
    /// The fraction of the training images, as they are, that the trained network gets wrong.
    pub training_error: f64,
}

/// Trains `network` from `weights` (see [`initial_weights`]) on `device`, and calls `progress` after every step.
///
/// # Errors
/// [`NetworkError::Input`] if pixels, labels and network do not fit each other, or the loss is no longer finite.
pub fn train(
    network: &Network,
    weights: &Weights,
    set: &TrainingSet<'_>,
    options: &TrainingOptions,
    device: &Device,
    mut progress: impl FnMut(&TrainingProgress),
) -> Result<Trained> {
    let images = Images::new(network, set)?;
    let (variables, weights) = sgd::variables(network, weights, device)?;
    let executor = Executor::new(network, &weights, device)?;
    let steps_per_epoch = images.count / options.batch.max(1);
    if steps_per_epoch == 0 {
        return Err(NetworkError::Input(format!(
            "{} images are less than a batch of {}",
            images.count, options.batch
        )));
    }
    let mut descent = options
        .sgd
        .start(variables, options.epochs * steps_per_epoch);
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut order: Vec<usize> = (0..images.count).collect();
    let mut mean_loss = f32::NAN;
    for epoch in 1..=options.epochs {
        rng.shuffle(&mut order);
        let started = Instant::now();
        let mut sum = 0.;
        for (step, batch) in (1..).zip(order.chunks_exact(options.batch)) {
            let x = images.batch(batch, |image| {
                options.augmentation.apply(image, &images.dims, &mut rng)
            });
            let x = images.tensor(x, device)?;
            let labels: Vec<u32> = batch.iter().map(|image| set.labels[*image]).collect();
            let pass = executor.train(&x, &mut rng)?;
            let loss = options.loss.of(&pass.output, &labels)?;
            descent.step(&loss.backward()?, pass.statistics)?;
            sum += loss.to_dtype(DType::F32)?.to_scalar::<f32>()?;
            mean_loss = sum / step as f32;
            if !mean_loss.is_finite() {
                return Err(NetworkError::Input(format!(
                    "the loss is no longer finite in epoch {epoch}: take a smaller learning rate than {}",
                    options.sgd.learning_rate
                )));
            }
            progress(&TrainingProgress {
                epoch,
                epochs: options.epochs,
                done: step * options.batch,
                total: steps_per_epoch * options.batch,
                loss: mean_loss,
                images_per_second: (step * options.batch) as f64 / started.elapsed().as_secs_f64(),
            });
        }
    }
    let weights: Weights = weights
        .iter()
        .map(|(name, tensor)| Ok((name.to_owned(), tensor.detach().copy()?)))
        .collect::<Result<_>>()?;
    let training_error = error(&executor, &images, set.labels)?;
    Ok(Trained {
        weights,
        loss: mean_loss,
        training_error,
    })
}

/// The fraction of images whose highest output is not their label's.
fn error(executor: &Executor, images: &Images<'_>, labels: &[u32]) -> Result<f64> {
    let mut wrong = 0;
    let all: Vec<usize> = (0..images.count).collect();
    for batch in all.chunks(256) {
        let x = images.tensor(images.batch(batch, |image| image), executor.device())?;
        let classes: Vec<u32> = executor.infer(&x)?.argmax(1)?.to_vec1()?;
        wrong += batch
            .iter()
            .zip(classes)
            .filter(|(image, class)| labels[**image] != *class)
            .count();
    }
    Ok(wrong as f64 / images.count as f64)
}

/// A training set that fits a network.
struct Images<'a> {
    set: &'a TrainingSet<'a>,
    count: usize,
    /// `[channels, height, width]`
    dims: [usize; 3],
}

impl<'a> Images<'a> {
    fn new(network: &Network, set: &'a TrainingSet<'a>) -> Result<Self> {
        let dims: [usize; 3] = network.input().dims.as_slice().try_into().map_err(|_| {
            NetworkError::Input(format!(
                "{} does not take images of [channels, height, width]",
                network.name()
            ))
        })?;
        let (count, expected) = (
            set.labels.len(),
            set.labels.len() * dims.iter().product::<usize>(),
        );
        if set.pixels.len() != expected
            || set.mean.len() != dims[0]
            || set.deviation.len() != dims[0]
        {
            return Err(NetworkError::Input(format!(
                "{} pixels and means for {} channels, where {count} labels and images of {dims:?} need {expected} and {}",
                set.pixels.len(),
                set.mean.len(),
                dims[0]
            )));
        }
        let classes = network
            .infer_shapes(1)?
            .of(network.output())
            .iter()
            .product::<usize>();
        if let Some(label) = set.labels.iter().find(|label| **label as usize >= classes) {
            return Err(NetworkError::Input(format!(
                "a label is {label}, but the network has {classes} outputs"
            )));
        }
        Ok(Self { set, count, dims })
    }

    /// The given images, each as `change` makes it, normalised.
    fn batch(&self, images: &[usize], mut change: impl FnMut(Vec<u8>) -> Vec<u8>) -> Vec<f32> {
        let length = self.dims.iter().product::<usize>();
        let plane = self.dims[1] * self.dims[2];
        let mut normalised = Vec::with_capacity(images.len() * length);
        for image in images {
            let pixels = change(self.set.pixels[image * length..][..length].to_vec());
            for (channel, pixels) in pixels.chunks(plane.max(1)).enumerate() {
                let (mean, deviation) = (self.set.mean[channel], self.set.deviation[channel]);
                normalised.extend(
                    pixels
                        .iter()
                        .map(|pixel| (f32::from(*pixel) / 255. - mean) / deviation),
                );
            }
        }
        normalised
    }

    fn tensor(&self, batch: Vec<f32>, device: &Device) -> Result<Tensor> {
        let [channels, height, width] = self.dims;
        Ok(Tensor::from_vec(
            batch,
            ((), channels, height, width),
            device,
        )?)
    }
}

/// Whether descent moves a parameter.
fn is_trainable(network: &Network, name: &str) -> bool {
    network
        .parameters()
        .iter()
        .any(|parameter| parameter.name == name && parameter.kind == ParameterKind::Trainable)
}
