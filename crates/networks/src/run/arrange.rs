//! Where numbers go: joining, splitting, slicing, picking, repeating, padding. No number changes.
//!
//! The dimensions of every result come from the operators' shape rules, which have checked the arguments.

use candle_core::{Device, Result, Tensor, bail};

use super::Inputs;
use crate::graph::{DepthToSpaceMode, PadMode, Scalar};
use crate::shapes;

pub(crate) fn concat(inputs: &Inputs<'_>, axis: i64) -> Result<Tensor> {
    let tensors = inputs.all()?;
    let Some(first) = tensors.first() else {
        bail!("nothing to join")
    };
    let axis = first.normalize_axis(axis)?;
    // candle cannot join tensors without elements.
    let filled: Vec<&Tensor> = tensors
        .iter()
        .copied()
        .filter(|tensor| tensor.elem_count() > 0)
        .collect();
    match filled.as_slice() {
        [] => Ok((*first).clone()),
        [only] => Ok((*only).clone()),
        several => Tensor::cat(several, axis),
    }
}

/// Parts of the given dimensions, one after the other along `axis`.
pub(crate) fn split(x: &Tensor, axis: i64, parts: &[Vec<usize>]) -> Result<Vec<Tensor>> {
    let axis = x.normalize_axis(axis)?;
    let mut start = 0;
    let mut results = Vec::with_capacity(parts.len());
    for part in parts {
        results.push(x.narrow(axis, start, part[axis])?);
        start += part[axis];
    }
    Ok(results)
}

/// `x[starts:ends:steps]` along `axes`, by numpy's rules; `dims` is what comes out.
pub(crate) fn slice(inputs: &Inputs<'_>, dims: &[usize]) -> Result<Tensor> {
    let mut x = inputs.get(0)?.clone();
    let starts = inputs.integers(1)?;
    let given_axes = inputs.optional_integers(3)?;
    let steps = inputs.optional_integers(4)?;
    for (index, start) in starts.into_iter().enumerate() {
        let axis = match &given_axes {
            Some(axes) => x.normalize_axis(axes[index])?,
            None => index,
        };
        let (length, step, count) = (
            signed(x.dim(axis)?),
            steps.as_ref().map_or(1, |steps| steps[index]),
            dims[axis],
        );
        if count == 0 {
            x = x.narrow(axis, 0, 0)?;
            continue;
        }
        let start = if start < 0 {
            start.saturating_add(length)
        } else {
            start
        };
        let start = start.clamp(0, if step < 0 { length - 1 } else { length });
        x = if step == 1 {
            x.narrow(axis, usize::try_from(start).unwrap_or(0), count)?
        } else {
            pick(
                &x,
                axis,
                &(0..signed(count))
                    .map(|at| start + at * step)
                    .collect::<Vec<_>>(),
            )?
        };
    }
    Ok(x)
}

/// `x` at `indices` along `axis`; negative ones count from the end.
pub(crate) fn gather(x: &Tensor, indices: &Tensor, axis: i64, dims: &[usize]) -> Result<Tensor> {
    let axis = x.normalize_axis(axis)?;
    let positions: Vec<i64> = indices
        .to_dtype(candle_core::DType::I64)?
        .flatten_all()?
        .to_vec1()?;
    match positions.as_slice() {
        [only] => {
            let at = position(*only, x.dim(axis)?)?;
            x.narrow(axis, at, 1)?.reshape(dims)
        }
        positions => pick(x, axis, positions)?.reshape(dims),
    }
}

/// `x` at each row of `indices` (ONNX's `GatherND`).
pub(crate) fn gather_nd(
    x: &Tensor,
    indices: &Tensor,
    batch_dims: usize,
    dims: &[usize],
) -> Result<Tensor> {
    let Some((&depth, leading)) = indices.dims().split_last() else {
        bail!("the indices have no dimension")
    };
    let lengths = &x.dims()[batch_dims..batch_dims + depth];
    let rows: Vec<i64> = indices.flatten_all()?.to_vec1()?;
    let batches: usize = x.dims()[..batch_dims].iter().product();
    let per_batch = leading
        .iter()
        .product::<usize>()
        .checked_div(batches)
        .unwrap_or(0);
    let positions_in_batch: usize = lengths.iter().product();
    let mut positions = Vec::with_capacity(leading.iter().product());
    for row in 0..leading.iter().product::<usize>() {
        let mut at = 0;
        for (index, &length) in rows[row * depth..(row + 1) * depth].iter().zip(lengths) {
            at = at * length + position(*index, length)?;
        }
        let batch = row.checked_div(per_batch).unwrap_or(0);
        positions.push(signed(batch * positions_in_batch + at));
    }
    let inner: usize = x.dims()[batch_dims + depth..].iter().product();
    let flat = x.reshape((batches * positions_in_batch, inner))?;
    pick(&flat, 0, &positions)?.reshape(dims)
}

/// `x` at `positions` along `axis`.
fn pick(x: &Tensor, axis: usize, positions: &[i64]) -> Result<Tensor> {
    let length = x.dim(axis)?;
    let positions: Vec<i64> = positions
        .iter()
        .map(|at| position(*at, length).map(signed))
        .collect::<Result<_>>()?;
    let count = positions.len();
    x.contiguous()?
        .index_select(&Tensor::from_vec(positions, count, x.device())?, axis)
}

pub(super) fn position(index: i64, length: usize) -> Result<usize> {
    let from_start = if index < 0 {
        index.saturating_add(signed(length))
    } else {
        index
    };
    match usize::try_from(from_start) {
        Ok(at) if at < length => Ok(at),
        _ => bail!("index {index} of {length}"),
    }
}

pub(super) fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

pub(crate) fn transpose(x: &Tensor, permutation: &[usize]) -> Result<Tensor> {
    if permutation.is_empty() {
        x.permute((0..x.rank()).rev().collect::<Vec<_>>())
    } else {
        x.permute(permutation)
    }
}

pub(crate) fn tile(x: &Tensor, repeats: &[i64]) -> Result<Tensor> {
    x.repeat(
        repeats
            .iter()
            .map(|&repeat| usize::try_from(repeat).unwrap_or(0))
            .collect::<Vec<_>>(),
    )
}

/// More of `x` at both ends of its axes, or less where a pad is negative.
pub(crate) fn pad(mode: PadMode, inputs: &Inputs<'_>) -> Result<Tensor> {
    let mut x = inputs.get(0)?.clone();
    let (pads, given_axes) = (inputs.integers(1)?, inputs.optional_integers(3)?);
    let count = pads.len() / 2;
    for index in 0..count {
        let axis = given_axes
            .as_ref()
            .map_or(Ok(index), |axes| x.normalize_axis(axes[index]))?;
        let (before, after) = (pads[index], pads[count + index]);
        let length = signed(x.dim(axis)?);
        if before == 0 && after == 0 {
            continue;
        }
        x = match mode {
            PadMode::Constant => {
                let crop = (
                    before.min(0).saturating_neg(),
                    after.min(0).saturating_neg(),
                );
                let kept = length.saturating_sub(crop.0).saturating_sub(crop.1);
                let (Ok(start), Ok(kept)) = (usize::try_from(crop.0), usize::try_from(kept)) else {
                    bail!("more is cropped than there is");
                };
                let cropped = x.narrow(axis, start, kept)?;
                constant(
                    &cropped,
                    axis,
                    [before.max(0), after.max(0)],
                    inputs.optional(2),
                )?
            }
            mode => {
                if length == 0 {
                    bail!("an axis without elements has nothing to pad with");
                }
                let source = |at: i64| match mode {
                    PadMode::Edge => at.clamp(0, length - 1),
                    PadMode::Wrap => at.rem_euclid(length),
                    // …2 1 0 1 2… without the edge twice.
                    _ => {
                        let period = (2 * (length - 1)).max(1);
                        let at = at.rem_euclid(period);
                        at.min(period - at)
                    }
                };
                pick(
                    &x,
                    axis,
                    &(-before..length + after).map(source).collect::<Vec<_>>(),
                )?
            }
        };
    }
    Ok(x)
}

fn constant(x: &Tensor, axis: usize, pads: [i64; 2], value: Option<&Tensor>) -> Result<Tensor> {
    let border = |length: i64| {
        let mut dims = x.dims().to_vec();
        dims[axis] = usize::try_from(length).unwrap_or(0);
        match value {
            Some(value) => value
                .reshape(())?
                .to_dtype(x.dtype())?
                .broadcast_as(dims)?
                .contiguous(),
            None => Tensor::zeros(dims, x.dtype(), x.device()),
        }
    };
    let (before, after) = (border(pads[0])?, border(pads[1])?);
    let parts: Vec<&Tensor> = [&before, x, &after]
        .into_iter()
        .filter(|part| part.elem_count() > 0)
        .collect();
    if parts.is_empty() {
        Ok(x.clone())
    } else {
        Tensor::cat(&parts, axis)
    }
}

/// Blocks of depth become blocks of pixels (ONNX's `DepthToSpace`; `Crd` is PyTorch's pixel shuffle).
pub(crate) fn depth_to_space(x: &Tensor, block: usize, mode: DepthToSpaceMode) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let deep = channels / (block * block);
    let (split, order): (_, [usize; 6]) = match mode {
        DepthToSpaceMode::Dcr => (
            [batch, block, block, deep, height, width],
            [0, 3, 4, 1, 5, 2],
        ),
        DepthToSpaceMode::Crd => (
            [batch, deep, block, block, height, width],
            [0, 1, 4, 2, 5, 3],
        ),
    };
    x.reshape(&split[..])?.permute(&order[..])?.reshape((
        batch,
        deep,
        height * block,
        width * block,
    ))
}

pub(crate) fn space_to_depth(x: &Tensor, block: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let blocks = [batch, channels, height / block, block, width / block, block];
    let order = [0usize, 3, 5, 1, 2, 4];
    x.reshape(&blocks[..])?.permute(&order[..])?.reshape((
        batch,
        channels * block * block,
        height / block,
        width / block,
    ))
}

/// The sum of overlapping blocks laid at their places in an image (the adjoint of im2col).
///
/// `x`: `[batch, channels · taps, positions]`; `dims`: `[batch, channels, image…]`.
pub(crate) fn col2im(
    x: &Tensor,
    block: &[i64],
    dims: &[usize],
    dilations: &[usize],
    pads: &[usize],
    strides: &[usize],
) -> Result<Tensor> {
    let (batch, rows, positions) = x.dims3()?;
    let image = &dims[2..];
    let rank = image.len();
    let block: Vec<usize> = block
        .iter()
        .map(|&length| usize::try_from(length).unwrap_or(0))
        .collect();
    let or_ones = |values: &[usize]| {
        if values.is_empty() {
            vec![1; rank]
        } else {
            values.to_vec()
        }
    };
    let (dilations, strides) = (or_ones(dilations), or_ones(strides));
    let pads = if pads.is_empty() {
        vec![0; 2 * rank]
    } else {
        pads.to_vec()
    };
    if block.len() != rank
        || dilations.len() != rank
        || strides.len() != rank
        || pads.len() != 2 * rank
        || block.contains(&0)
        || strides.contains(&0)
    {
        bail!("block shape, dilations, pads and strides do not fit an image of {image:?}");
    }
    let mut steps = Vec::with_capacity(rank);
    for axis in 0..rank {
        let covered = dilations[axis]
            .saturating_mul(block[axis] - 1)
            .saturating_add(1);
        let padded = image[axis]
            .saturating_add(pads[axis])
            .saturating_add(pads[rank + axis]);
        match padded.checked_sub(covered) {
            Some(room) => steps.push(room / strides[axis] + 1),
            None => bail!("a block of {block:?} is larger than the image of {image:?}"),
        }
    }
    let taps: usize = block.iter().product();
    if shapes::elements(&steps) != positions as u64 || rows % taps != 0 {
        bail!(
            "{rows}×{positions} columns do not make an image of {image:?} with blocks of {block:?}"
        );
    }
    let values: Vec<f32> = x
        .to_dtype(candle_core::DType::F32)?
        .flatten_all()?
        .to_vec1()?;
    let pixels: usize = image.iter().product();
    let mut result = vec![0f32; batch * (rows / taps) * pixels];
    for (row, columns) in values.chunks(positions.max(1)).enumerate() {
        let (plane, tap) = (row / taps, unravel(row % taps, &block));
        for (position, value) in columns.iter().enumerate() {
            let step = unravel(position, &steps);
            let mut at = Some(0);
            for axis in 0..rank {
                let pixel = (step[axis] * strides[axis] + tap[axis] * dilations[axis])
                    .checked_sub(pads[axis]);
                let inside = pixel.filter(|&pixel| pixel < image[axis]);
                at = at.zip(inside).map(|(at, pixel)| at * image[axis] + pixel);
            }
            if let Some(at) = at {
                result[plane * pixels + at] += value;
            }
        }
    }
    Tensor::from_vec(result, dims, x.device())?.to_dtype(x.dtype())
}

/// The coordinates of element `at` of an array of `dims`.
fn unravel(mut at: usize, dims: &[usize]) -> Vec<usize> {
    let mut coordinates = vec![0; dims.len()];
    for (coordinate, length) in coordinates.iter_mut().zip(dims).rev() {
        *coordinate = at % length;
        at /= length;
    }
    coordinates
}

pub(crate) fn filled(value: Scalar, dims: &[usize], device: &Device) -> Result<Tensor> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "the run's precision")]
        Scalar::Float(value) => Tensor::full(value as f32, dims, device),
        Scalar::Integer(value) => Tensor::full(value, dims, device),
        Scalar::Bool(value) => Tensor::full(u8::from(value), dims, device),
    }
}

/// start, start + delta, … as many as `dims` says.
pub(crate) fn range(start: &Tensor, delta: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let count = dims.iter().product::<usize>();
    if start.dtype().is_float() {
        let scalar = |x: &Tensor| {
            x.to_dtype(candle_core::DType::F32)?
                .reshape(())?
                .to_scalar::<f32>()
        };
        let (start_at, delta) = (scalar(start)?, scalar(delta)?);
        #[expect(clippy::cast_precision_loss)]
        let values = (0..count)
            .map(|at| start_at + at as f32 * delta)
            .collect::<Vec<_>>();
        return Tensor::from_vec(values, count, start.device());
    }
    let (start_at, delta) = (
        start.reshape(())?.to_scalar::<i64>()?,
        delta.reshape(())?.to_scalar::<i64>()?,
    );
    let values = (0..signed(count))
        .map(|at| start_at.wrapping_add(at.wrapping_mul(delta)))
        .collect::<Vec<_>>();
    Tensor::from_vec(values, count, start.device())
}
