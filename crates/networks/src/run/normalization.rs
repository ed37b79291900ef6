//! Normalisations.

use candle_core::{Result, Tensor};

use super::Inputs;
use crate::graph::{BatchNorm, LocalResponseNorm};

/// Batch normalisation with the stored statistics: one multiplication and one addition per element.
pub(crate) fn batch_norm(attributes: &BatchNorm, inputs: &Inputs<'_>) -> Result<Tensor> {
    let x = inputs.get(0)?;
    let (scale, shift, mean, variance) = (
        inputs.get(1)?,
        inputs.get(2)?,
        inputs.get(3)?,
        inputs.get(4)?,
    );
    let factor = (scale / (variance + attributes.epsilon)?.sqrt()?)?;
    let offset = (shift - (mean * &factor)?)?;
    x.broadcast_mul(&per_channel(&factor, x)?)?
        .broadcast_add(&per_channel(&offset, x)?)
}

/// What batch normalisation gives in training mode.
pub(crate) struct Trained {
    pub output: Tensor,
    /// The new running mean, `[channels]`.
    pub mean: Tensor,
    /// The new running variance, `[channels]`.
    pub variance: Tensor,
}

/// Batch normalisation with the batch's own statistics (Ioffe and Szegedy 2015, algorithm 1). The batch is normalised
/// by its variance with 1/B; the running variance takes the unbiased one with 1/(B − 1), B counting positions too.
pub(crate) fn batch_norm_training(attributes: &BatchNorm, inputs: &Inputs<'_>) -> Result<Trained> {
    let x = inputs.get(0)?;
    let (scale, shift) = (inputs.get(1)?, inputs.get(2)?);
    let channels = x.dim(1)?;
    let others: Vec<usize> = (0..x.rank()).filter(|axis| *axis != 1).collect();
    let count = (x.elem_count() / channels) as f64;

    let mean = x.mean_keepdim(others.as_slice())?;
    let centred = x.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(others.as_slice())?;
    let normalised = centred.broadcast_div(&(&variance + attributes.epsilon)?.sqrt()?)?;
    let output = normalised
        .broadcast_mul(&per_channel(scale, x)?)?
        .broadcast_add(&per_channel(shift, x)?)?;

    let moved = |running: &Tensor, batch: Tensor| {
        (running.detach() * (1. - attributes.momentum))?
            + (batch.detach().reshape(channels)? * attributes.momentum)?
    };
    let unbiased = (&variance * (count / (count - 1.).max(1.)))?;
    Ok(Trained {
        output,
        mean: moved(inputs.get(3)?, mean)?,
        variance: moved(inputs.get(4)?, unbiased)?,
    })
}

/// A vector over channels, shaped so that it broadcasts over `x [batch, channels, …]`.
fn per_channel(vector: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut dims = vec![1; x.rank()];
    dims[1] = vector.elem_count();
    vector.reshape(dims)
}

/// Local response normalisation across channels. `x`: `[batch, channels, …]`, same shape out.
pub(crate) fn local_response_norm(attributes: &LocalResponseNorm, x: &Tensor) -> Result<Tensor> {
    let LocalResponseNorm {
        size,
        alpha,
        beta,
        bias,
    } = *attributes;
    let channels = x.dim(1)?;
    let padded = x.sqr()?.pad_with_zeros(1, (size - 1) / 2, size / 2)?;
    let mut sum = padded.narrow(1, 0, channels)?;
    for shift in 1..size {
        sum = (sum + padded.narrow(1, shift, channels)?)?;
    }
    x / sum.affine(alpha / size as f64, bias)?.powf(beta)?
}
