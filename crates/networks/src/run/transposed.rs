//! Transposed convolution: each pixel lays down a window of weights, and windows that overlap add up.

use candle_core::{Result, Tensor};

use super::arrange;
use crate::graph::ConvTranspose;

/// `x [batch, channels, spatial…]`, `weight [channels, out / groups, window…]`; `dims`: the result's, from the shape rule.
pub(crate) fn conv_transpose(
    attributes: &ConvTranspose,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    dims: &[usize],
) -> Result<Tensor> {
    let groups = attributes.groups;
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    let per_group = channels / groups;
    let positions: usize = x.dims()[2..].iter().product();
    let columns = weight.elem_count() / channels.max(1);
    let pixels = x.reshape((batch, groups, per_group, positions))?;
    let weights = weight
        .reshape((1, groups, per_group, columns))?
        .t()?
        .contiguous()?;
    let laid = weights
        .broadcast_matmul(&pixels)?
        .reshape((batch, groups * columns, positions))?;
    let window: Vec<i64> = weight.dims()[2..]
        .iter()
        .map(|&length| arrange::signed(length))
        .collect();
    let pads = [attributes.begin.as_slice(), &attributes.end].concat();
    let result = arrange::col2im(
        &laid,
        &window,
        dims,
        &attributes.dilation,
        &pads,
        &attributes.stride,
    )?;
    match bias {
        Some(bias) => {
            let mut per_channel = vec![1; dims.len()];
            per_channel[1] = bias.elem_count();
            result.broadcast_add(&bias.reshape(per_channel)?)
        }
        None => Ok(result),
    }
}
