use candle_core::{DType, Device, Tensor};

use super::Model;
use crate::Op;

/// More than this many filters are not drawn.
const MOST: usize = 512;

impl Model {
    /// The filters of the first weight layer, if that is a convolution in two dimensions over one or three channels:
    /// `[n, height, width, channels]`, each filter stretched so that its weights run from 0 to 255.
    pub fn first_filters(&self) -> Option<([usize; 4], Vec<u8>)> {
        let network = self.executor.network();
        let first = network.nodes().iter().find(|node| {
            let weights = node.inputs.get(1).copied().flatten();
            weights.is_some_and(|weights| network.parameter_of(weights).is_some())
                && matches!(
                    node.op,
                    Op::Convolution(_) | Op::Linear | Op::Gemm(_) | Op::MatMul
                )
        })?;
        if !matches!(first.op, Op::Convolution(_)) {
            return None;
        }
        stretched(self.executor.parameter(first.inputs[1]?)?)
    }
}

/// `weights`: `[n, channels, height, width]`.
fn stretched(weights: &Tensor) -> Option<([usize; 4], Vec<u8>)> {
    let (n, channels, height, width) = weights.dims4().ok()?;
    if n > MOST || !matches!(channels, 1 | 3) || height * width == 1 {
        return None;
    }
    let weights = weights
        .to_device(&Device::Cpu)
        .and_then(|weights| weights.to_dtype(DType::F32))
        .ok()?;
    let weights: Vec<f32> = weights
        .permute((0, 2, 3, 1))
        .ok()?
        .flatten_all()
        .ok()?
        .to_vec1()
        .ok()?;
    let mut pixels = Vec::with_capacity(weights.len());
    for filter in weights.chunks_exact(channels * height * width) {
        let low = filter.iter().copied().fold(f32::INFINITY, f32::min);
        let high = filter.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = if high > low {
            255.0 / (high - low)
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 255"
        )]
        pixels.extend(
            filter
                .iter()
                .map(|weight| ((weight - low) * scale).round() as u8),
        );
    }
    Some(([n, height, width, channels], pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_runs_from_0_to_255_with_its_channels_last() {
        // One filter of three channels, 1 × 2: channel c is [c, −c].
        let weights = [0.0_f32, 0.0, 1.0, -1.0, 2.0, -2.0];
        let weights = Tensor::from_slice(&weights, (1, 3, 1, 2), &Device::Cpu).expect("a tensor");
        let (shape, pixels) = stretched(&weights).expect("filters");
        assert_eq!(shape, [1, 1, 2, 3]);
        assert_eq!(pixels, [128, 191, 255, 128, 64, 0]);
    }
}
