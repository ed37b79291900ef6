//! Trains a network of the zoo on Fashion-MNIST and writes its weights: what the demo's competitors do.
//!
//!     train_fashion_mnist ARCHITECTURE EPOCHS LEARNING_RATE [OUT.safetensors]
//!
//! The data set is Debian's `dataset-fashion-mnist`, or lies in `REFEREE_FASHION_MNIST`.

use std::io::Read;
use std::path::PathBuf;
use std::time::Instant;

use candle_core::{Device, Tensor};
use flate2::read::GzDecoder;
use referee_networks::train::{
    Augmentation, Loss, Schedule, Sgd, TrainingOptions, TrainingSet, initial_weights, train,
};
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{Executor, Weights};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [architecture, epochs, learning_rate, rest @ ..] = arguments.as_slice() else {
        return Err(
            "usage: train_fashion_mnist ARCHITECTURE EPOCHS LEARNING_RATE [OUT.safetensors]".into(),
        );
    };
    let network = zoo::build(
        &architecture.parse()?,
        &ZooOptions {
            num_classes: 10,
            input: [1, 28, 28],
        },
    )?;
    let (pixels, labels) = read("train")?;
    let set = TrainingSet {
        pixels: &pixels,
        labels: &labels,
        mean: &[0.],
        deviation: &[1.],
    };
    let options = TrainingOptions {
        loss: Loss::CrossEntropy,
        epochs: epochs.parse()?,
        batch: 64,
        sgd: Sgd {
            learning_rate: learning_rate.parse()?,
            momentum: 0.9,
            weight_decay: 1e-4,
            schedule: Schedule::Cosine,
        },
        augmentation: Augmentation::default(),
        seed: 1,
    };

    let started = Instant::now();
    let weights = initial_weights(&network, 1)?;
    let trained = train(
        &network,
        &weights,
        &set,
        &options,
        &Device::Cpu,
        |progress| {
            if progress.done == progress.total {
                let (epoch, loss, rate) =
                    (progress.epoch, progress.loss, progress.images_per_second);
                eprintln!("epoch {epoch}: loss {loss:.4}, {rate:.0} images/s");
            }
        },
    )?;
    println!(
        "{architecture}: {:.1} s, training error {:.4}, test error {:.4}",
        started.elapsed().as_secs_f64(),
        trained.training_error,
        test_error(&Executor::new(&network, &trained.weights, &Device::Cpu)?)?
    );
    if let [out] = rest {
        save(&trained.weights, out)?;
    }
    Ok(())
}

fn test_error(executor: &Executor) -> Result<f64, Failure> {
    let (pixels, labels) = read("t10k")?;
    let pixels: Vec<f32> = pixels
        .iter()
        .map(|pixel| f32::from(*pixel) / 255.)
        .collect();
    let images = Tensor::from_vec(pixels, (labels.len(), 1, 28, 28), &Device::Cpu)?;
    let classes: Vec<u32> = executor.infer(&images)?.argmax(1)?.to_vec1()?;
    let wrong = classes
        .iter()
        .zip(&labels)
        .filter(|(class, label)| class != label)
        .count();
    Ok(f64::from(u32::try_from(wrong)?) / f64::from(u32::try_from(labels.len())?))
}

fn save(weights: &Weights, out: &str) -> Result<(), Failure> {
    let tensors: std::collections::HashMap<&str, Tensor> = weights
        .iter()
        .map(|(name, tensor)| (name, tensor.clone()))
        .collect();
    Ok(candle_core::safetensors::save(&tensors, out)?)
}

/// Images and labels of one part, `train` or `t10k`, from files in LeCun's IDX format: a header, then bytes.
fn read(part: &str) -> Result<(Vec<u8>, Vec<u32>), Failure> {
    let directory = std::env::var("REFEREE_FASHION_MNIST");
    let directory = PathBuf::from(directory.unwrap_or("/usr/share/datasets/fashion-mnist".into()));
    let bytes = |file: String, header: usize| -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        GzDecoder::new(std::fs::File::open(directory.join(file))?).read_to_end(&mut bytes)?;
        Ok(bytes.split_off(header))
    };
    let pixels = bytes(format!("{part}-images-idx3-ubyte.gz"), 16)?;
    let labels = bytes(format!("{part}-labels-idx1-ubyte.gz"), 8)?;
    Ok((pixels, labels.into_iter().map(u32::from).collect()))
}
