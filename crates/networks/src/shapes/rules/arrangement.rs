//! Shapes of operators that move elements about.

use candle_core::DType;

use super::{Arguments, Dims, lengths, normalise, normalised};
use crate::graph::{KeepAspect, Resize};
use crate::shapes::{MOST_ELEMENTS, elements};

pub(super) fn concat(axis: i64, inputs: &Arguments<'_>) -> Result<Dims, String> {
    let mut dims = inputs.dims(0)?.to_vec();
    let axis = normalise(axis, dims.len())?;
    for index in 1..inputs.0.len() {
        let other = inputs.dims(index)?;
        let fits = other.len() == dims.len()
            && (0..dims.len()).all(|at| at == axis || dims[at] == other[at]);
        if !fits {
            return Err(format!(
                "{dims:?} and {other:?} do not join along axis {axis}"
            ));
        }
        dims[axis] += other[axis];
    }
    Ok(dims)
}

pub(super) fn split(
    axis: i64,
    inputs: &Arguments<'_>,
    outputs: usize,
) -> Result<Vec<Dims>, String> {
    let x = inputs.dims(0)?;
    let axis = normalise(axis, x.len())?;
    let sizes = if let Some(sizes) = inputs.optional_integers(1)? {
        lengths(&sizes)?
    } else {
        let size = x[axis].div_ceil(outputs.max(1));
        (0..outputs)
            .map(|part| size.min(x[axis].saturating_sub(part * size)))
            .collect()
    };
    if sizes.len() != outputs || sizes.iter().sum::<usize>() != x[axis] {
        return Err(format!("parts of {sizes:?} from an axis of {}", x[axis]));
    }
    let part = |size: usize| {
        let mut dims = x.to_vec();
        dims[axis] = size;
        dims
    };
    Ok(sizes.into_iter().map(part).collect())
}

pub(super) fn slice(inputs: &Arguments<'_>) -> Result<Dims, String> {
    let mut dims = inputs.dims(0)?.to_vec();
    let (starts, ends) = (inputs.integers(1)?, inputs.integers(2)?);
    let axes = match inputs.optional_integers(3)? {
        Some(axes) => normalised(&axes, dims.len())?,
        None => (0..starts.len()).collect(),
    };
    let steps = inputs
        .optional_integers(4)?
        .unwrap_or_else(|| vec![1; starts.len()]);
    if axes.len() != starts.len()
        || ends.len() != starts.len()
        || steps.len() != starts.len()
        || axes.len() > dims.len()
    {
        return Err("starts, ends, axes and steps differ in number".into());
    }
    for (((axis, start), end), step) in axes.into_iter().zip(starts).zip(ends).zip(steps) {
        dims[axis] = slice_length(dims[axis], start, end, step)?;
    }
    Ok(dims)
}

/// How many elements `start:end:step` picks from an axis, by numpy's rules.
fn slice_length(length: usize, start: i64, end: i64, step: i64) -> Result<usize, String> {
    let length = length as i64;
    let absolute = |at: i64| {
        if at < 0 {
            at.saturating_add(length)
        } else {
            at
        }
    };
    let count = match step {
        0 => return Err("a step of 0".into()),
        1.. => {
            let (start, end) = (
                absolute(start).clamp(0, length),
                absolute(end).clamp(0, length),
            );
            (end - start).max(0).div_euclid(step)
                + i64::from((end - start).max(0).rem_euclid(step) != 0)
        }
        _ => {
            let (start, end) = (
                absolute(start).clamp(-1, length - 1),
                absolute(end).clamp(-1, length - 1),
            );
            let step = step.saturating_neg();
            (start - end).max(0).div_euclid(step)
                + i64::from((start - end).max(0).rem_euclid(step) != 0)
        }
    };
    Ok(count as usize)
}

pub(super) fn reshape(x: &[usize], shape: &[i64], allow_zero: bool) -> Result<Dims, String> {
    let refuse = || format!("{x:?} cannot become {shape:?}");
    let total = elements(x) as usize;
    let mut dims = Vec::with_capacity(shape.len());
    let mut inferred = None;
    for (axis, length) in shape.iter().enumerate() {
        dims.push(match length {
            0 if !allow_zero => *x.get(axis).ok_or_else(refuse)?,
            -1 if inferred.is_none() => {
                inferred = Some(axis);
                1
            }
            length => usize::try_from(*length).map_err(|_| refuse())?,
        });
    }
    if let Some(axis) = inferred {
        let others = elements(&dims) as usize;
        dims[axis] = total.checked_div(others).unwrap_or(0);
    }
    if elements(&dims) == total as u64 {
        Ok(dims)
    } else {
        Err(refuse())
    }
}

pub(super) fn pad(inputs: &Arguments<'_>) -> Result<Dims, String> {
    let mut dims = inputs.dims(0)?.to_vec();
    let pads = inputs.integers(1)?;
    let axes = match inputs.optional_integers(3)? {
        Some(axes) => normalised(&axes, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    if let Some(pad) = pads.iter().find(|pad| pad.unsigned_abs() > MOST_ELEMENTS) {
        return Err(format!("a pad of {pad}"));
    }
    for (index, axis) in axes.iter().enumerate() {
        let padded = (dims[*axis] as i64)
            .saturating_add(pads[index])
            .saturating_add(pads[axes.len() + index]);
        dims[*axis] = usize::try_from(padded).map_err(|_| "more is cropped than there is")?;
    }
    Ok(dims)
}

pub(super) fn resize(attributes: &Resize, inputs: &Arguments<'_>) -> Result<Dims, String> {
    let mut dims = inputs.dims(0)?.to_vec();
    let axes = match &attributes.axes {
        Some(axes) => normalised(axes, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    let sizes = inputs.value(3).filter(|sizes| sizes.dims != [0]);
    if sizes.is_some() {
        let sizes = lengths(&inputs.integers(3)?)?;
        if sizes.len() != axes.len() {
            return Err(format!("{} sizes for {} axes", sizes.len(), axes.len()));
        }
        let ratios = axes
            .iter()
            .zip(&sizes)
            .map(|(axis, size)| *size as f64 / dims[*axis] as f64);
        let ratio = match attributes.keep_aspect {
            KeepAspect::Stretch => None,
            KeepAspect::NotLarger => ratios.reduce(f64::min),
            KeepAspect::NotSmaller => ratios.reduce(f64::max),
        };
        for (axis, size) in axes.into_iter().zip(sizes) {
            dims[axis] = ratio.map_or(size, |ratio| (ratio * dims[axis] as f64).round() as usize);
        }
        return Ok(dims);
    }
    let scales: Vec<f64> = inputs.elements(2, DType::F64)?;
    if scales.len() != axes.len() {
        return Err(format!("{} scales for {} axes", scales.len(), axes.len()));
    }
    for (axis, scale) in axes.into_iter().zip(scales) {
        // Scales are single precision in the file: 0.6 of 5 is 3, not 2.999….
        dims[axis] = f64::from(dims[axis] as f32 * scale as f32).floor() as usize;
    }
    Ok(dims)
}
