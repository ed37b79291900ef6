//! Normalisations.

use candle_core::{Result, Tensor, bail};

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
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
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
    if x.rank() < 2 {
        bail!("[batch, channels, …] is needed, not {:?}", x.dims());
    }
    let mut dims = vec![1; x.rank()];
    dims[1] = vector.elem_count();
    vector.reshape(dims)
}

/// More than any network has channels.
const MOST_NEIGHBOURS: usize = 1 << 16;

/// Local response normalisation across channels. `x`: `[batch, channels, …]`, same shape out.
pub(crate) fn local_response_norm(attributes: &LocalResponseNorm, x: &Tensor) -> Result<Tensor> {
    let LocalResponseNorm {
        size,
        alpha,
        beta,
        bias,
    } = *attributes;
    let channels = x.dim(1)?;
    if size == 0 || size > MOST_NEIGHBOURS {
        bail!("a sum over {size} channels");
    }
    let padded = x.sqr()?.pad_with_zeros(1, (size - 1) / 2, size / 2)?;
    let mut sum = padded.narrow(1, 0, channels)?;
    for shift in 1..size {
        sum = (sum + padded.narrow(1, shift, channels)?)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few channels")]
    let scaled = sum.affine(alpha / size as f64, bias)?;
    x / scaled.powf(beta)?
}

/// Each image's each channel by its own statistics. `x`: `[batch, channels, …]`; `scale`, `shift`: `[channels]`.
pub(crate) fn instance_norm(epsilon: f64, inputs: &Inputs<'_>) -> Result<Tensor> {
    let x = inputs.get(0)?;
    let rows = x.dims().iter().take(2).product();
    scale_and_shift(
        &standardize(x, rows, epsilon)?,
        &per_channel(inputs.get(1)?, x)?,
        &per_channel(inputs.get(2)?, x)?,
    )
}

/// Each image's each group of channels by its own statistics; scaled and shifted by channel.
pub(crate) fn group_norm(groups: usize, epsilon: f64, inputs: &Inputs<'_>) -> Result<Tensor> {
    let x = inputs.get(0)?;
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    if groups == 0 || channels % groups != 0 {
        bail!("{channels} channels in {groups} groups");
    }
    scale_and_shift(
        &standardize(x, batch * groups, epsilon)?,
        &per_channel(inputs.get(1)?, x)?,
        &per_channel(inputs.get(2)?, x)?,
    )
}

/// Over all dimensions from `axis` on (Ba, Kiros and Hinton 2016).
pub(crate) fn layer_norm(axis: i64, epsilon: f64, inputs: &Inputs<'_>) -> Result<Tensor> {
    let x = inputs.get(0)?;
    let axis = x.normalize_axis(axis)?;
    let normalised = standardize(x, x.dims()[..axis].iter().product(), epsilon)?;
    let scaled = match inputs.optional(1) {
        Some(scale) => normalised.broadcast_mul(scale)?,
        None => normalised,
    };
    match inputs.optional(2) {
        Some(shift) => scaled.broadcast_add(shift),
        None => Ok(scaled),
    }
}

/// (x − mean)/√(variance + ε) of each of `rows` equal parts, in x's shape.
fn standardize(x: &Tensor, rows: usize, epsilon: f64) -> Result<Tensor> {
    if rows == 0 || x.elem_count() == 0 {
        return Ok(x.clone());
    }
    let matrix = x.reshape((rows, x.elem_count() / rows))?;
    let centred = matrix.broadcast_sub(&matrix.mean_keepdim(1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(1)? + epsilon)?.sqrt()?;
    centred.broadcast_div(&deviation)?.reshape(x.dims())
}

fn scale_and_shift(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    x.broadcast_mul(scale)?.broadcast_add(shift)
}
