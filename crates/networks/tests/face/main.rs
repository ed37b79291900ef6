//! The crate's face, from outside.

#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    clippy::many_single_char_names,
    reason = "tests count little, compare what is exact, and call tensors what formulas call them"
)]

mod exports;
mod fuse;
mod gradients;
mod hostile;
mod integers;
mod kernels;
mod masks;
mod models;
mod onnx;
mod onnx_files;
mod order;
mod side_files;
mod training;
mod zoo;

use candle_core::{Device, Tensor};
use referee_networks::{Network, Weights, train::initial_weights};

/// Random numbers between −1 and 1.
fn random(dims: &[usize], seed: u64) -> Tensor {
    let mut rng = fastrand::Rng::with_seed(seed);
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| rng.f32() * 2. - 1.)
        .collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// Random weights in which no scale is 1, no shift 0 and no statistic trivial.
fn random_weights(network: &Network, seed: u64) -> Weights {
    let initial = initial_weights(network, seed).unwrap();
    initial
        .iter()
        .zip(seed..)
        .map(|((name, tensor), seed)| {
            let noise = (random(tensor.dims(), seed) * 0.2).unwrap();
            let tensor = if tensor.rank() == 1 {
                (tensor + noise).unwrap()
            } else {
                tensor.clone()
            };
            (name.to_owned(), tensor)
        })
        .collect()
}

/// The largest difference, relative to the largest element of `expected`.
fn difference(actual: &Tensor, expected: &Tensor) -> f32 {
    let largest = |x: &Tensor| {
        x.abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    };
    largest(&(actual - expected).unwrap()) / largest(expected)
}
