use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};

use crate::graph::{Network, Op, Weights};

/// Random weights to start training from: normal with variance 2/fan-in for convolutions and linear layers (He, Zhang,
/// Ren and Sun 2015); biases and shifts 0, scales and running variances 1. The same seed gives the same weights.
pub fn initial_weights(network: &Network, seed: u64) -> Result<Weights> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut constant = HashMap::new();
    for node in network.nodes() {
        let ones: &[usize] = match node.op {
            Op::BatchNorm(_) => &[1, 4],
            Op::InstanceNorm { .. } | Op::LayerNorm { .. } | Op::GroupNorm { .. } => &[1],
            _ => &[],
        };
        for input in ones.iter().filter_map(|input| node.inputs[*input]) {
            constant.insert(input, 1_f32);
        }
    }
    let tensors = network.parameters().iter().map(|parameter| {
        let count = parameter.dims.iter().product();
        let fan_in = parameter.dims.iter().skip(1).product::<usize>().max(1);
        let deviation = (2. / fan_in as f64).sqrt();
        let values: Vec<f32> = match (constant.get(&parameter.value), parameter.dims.len()) {
            (Some(value), _) => vec![*value; count],
            (None, 0 | 1) => vec![0.; count],
            (None, _) => (0..count)
                .map(|_| (normal(&mut rng) * deviation) as f32)
                .collect(),
        };
        Ok((
            parameter.name.clone(),
            Tensor::from_vec(values, parameter.dims.as_slice(), &Device::Cpu)?,
        ))
    });
    tensors.collect()
}

/// A standard normal number (Box and Muller 1958).
fn normal(rng: &mut fastrand::Rng) -> f64 {
    let radius = (-2. * (1. - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}
