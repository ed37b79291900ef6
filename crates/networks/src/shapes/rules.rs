//! One rule per operator: the dimensions of its outputs.

use candle_core::DType;

use super::Value;
use crate::graph::{ConvTranspose, KeepAspect, MaxPoolPositions, Op, PoolKind, Resize};
use crate::window::Window;

type Dims = Vec<usize>;

/// A node's inputs before running.
pub(super) struct Arguments<'a>(pub &'a [Option<&'a Value>]);

impl<'a> Arguments<'a> {
    fn dims(&self, index: usize) -> Result<&'a [usize], String> {
        self.optional(index)
            .ok_or_else(|| format!("input {index} is missing"))
    }

    fn optional(&self, index: usize) -> Option<&'a [usize]> {
        Some(&self.value(index)?.dims)
    }

    fn value(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index).copied().flatten()
    }

    /// The elements of an integer input that a shape depends on.
    fn integers(&self, index: usize) -> Result<Vec<i64>, String> {
        self.elements(index, DType::I64)
    }

    fn optional_integers(&self, index: usize) -> Result<Option<Vec<i64>>, String> {
        self.value(index).map(|_| self.integers(index)).transpose()
    }

    fn elements<T: candle_core::WithDType>(
        &self,
        index: usize,
        dtype: DType,
    ) -> Result<Vec<T>, String> {
        let value = self
            .value(index)
            .ok_or_else(|| format!("input {index} is missing"))?;
        let Some(known) = &value.known else {
            return Err(format!(
                "the shape of its result depends on the images' content (input {index})"
            ));
        };
        let elements = known
            .to_dtype(dtype)
            .and_then(|known| known.flatten_all()?.to_vec1());
        elements.map_err(|error| error.to_string())
    }
}

/// The dimensions of each of a node's `outputs`.
pub(super) fn output_dims(
    op: &Op,
    inputs: &Arguments<'_>,
    outputs: usize,
) -> Result<Vec<Dims>, String> {
    let x = || inputs.dims(0);
    let dims = match op {
        Op::Convolution(attributes) => {
            let ([batch, channels, spatial @ ..], [out, per_group, window @ ..]) =
                (x()?, inputs.dims(1)?)
            else {
                return Err(format!("[batch, channels, …] is needed, not {:?}", x()?));
            };
            if *channels != per_group * attributes.groups {
                return Err(format!(
                    "{channels} channels arrive in {} groups, but the weight is {:?}",
                    attributes.groups,
                    inputs.dims(1)?
                ));
            }
            let window = Window::convolution(attributes, spatial, window)?;
            [&[*batch, *out], window.output()].concat()
        }
        Op::ConvTranspose(attributes) => conv_transpose(attributes, x()?, inputs.dims(1)?)?,
        Op::Linear => {
            let (x, weight) = (x()?, inputs.dims(1)?);
            match (x.split_last(), weight) {
                (Some((features, leading)), [out, inner]) if features == inner => {
                    [leading, &[*out]].concat()
                }
                _ => return Err(format!("{x:?} arrives, but the weight is {weight:?}")),
            }
        }
        Op::Gemm(attributes) => {
            let ([a0, a1], [b0, b1]) = (x()?, inputs.dims(1)?) else {
                return Err("two matrices are needed".into());
            };
            let (rows, inner) = if attributes.transpose_a {
                (a1, a0)
            } else {
                (a0, a1)
            };
            let (inner_b, columns) = if attributes.transpose_b {
                (b1, b0)
            } else {
                (b0, b1)
            };
            if inner != inner_b {
                return Err(format!(
                    "matrices of {rows}×{inner} and {inner_b}×{columns} do not multiply"
                ));
            }
            vec![*rows, *columns]
        }
        Op::MatMul => matmul(x()?, inputs.dims(1)?)?,
        Op::Einsum { equation } => einsum(equation, inputs)?,
        Op::Lstm(attributes) => {
            let [steps, batch, _] = *x()? else {
                return Err(format!("[steps, batch, in] is needed, not {:?}", x()?));
            };
            let (hidden, directions) = (attributes.hidden, attributes.direction.backwards().len());
            let last = vec![directions, batch, hidden];
            return Ok(vec![
                vec![steps, directions, batch, hidden],
                last.clone(),
                last,
            ]);
        }
        Op::BatchNorm(_)
        | Op::InstanceNorm { .. }
        | Op::LayerNorm { .. }
        | Op::GroupNorm { .. }
        | Op::LocalResponseNorm(_)
        | Op::Activation(_)
        | Op::Unary(_)
        | Op::Cast { .. }
        | Op::CastLike
        | Op::ScatterElements { .. }
        | Op::ScatterNd(_)
        | Op::Trilu { .. }
        | Op::Dropout { .. }
        | Op::Identity
        | Op::QuantizeLinear { .. }
        | Op::DequantizeLinear { .. }
        | Op::Softmax { .. }
        | Op::LogSoftmax { .. }
        | Op::CumSum { .. } => x()?.to_vec(),
        Op::Pool(attributes)
        | Op::MaxPoolPositions(MaxPoolPositions {
            pool: attributes, ..
        }) => match x()? {
            [batch, channels, spatial @ ..] => [
                &[*batch, *channels],
                Window::pool(attributes, spatial)?.output(),
            ]
            .concat(),
            dims => return Err(format!("[batch, channels, …] is needed, not {dims:?}")),
        },
        Op::GlobalPool(PoolKind::Max | PoolKind::Average) => {
            let x = x()?;
            x.iter()
                .enumerate()
                .map(|(axis, length)| if axis < 2 { *length } else { 1 })
                .collect()
        }
        Op::AdaptiveAveragePool { output } => match x()? {
            [batch, channels, spatial @ ..] if spatial.len() == output.len() => {
                [&[*batch, *channels], output.as_slice()].concat()
            }
            dims => return Err(format!("pooling to {output:?} from {dims:?}")),
        },
        Op::PRelu | Op::Binary(_) | Op::Compare(_) => broadcast(x()?, inputs.dims(1)?)?,
        Op::Where => broadcast(&broadcast(x()?, inputs.dims(1)?)?, inputs.dims(2)?)?,
        Op::Reduce(attributes) => {
            let axes = inputs.optional_integers(1)?.filter(|axes| !axes.is_empty());
            let axes = match axes {
                Some(axes) => axes,
                None if attributes.noop_without_axes => return Ok(vec![x()?.to_vec()]),
                None => (0..x()?.len() as i64).collect(),
            };
            reduced(x()?, &axes, attributes.keep_dims)?
        }
        Op::ArgMax(attributes) => reduced(x()?, &[attributes.axis], attributes.keep_dims)?,
        Op::TopK { axis, .. } => {
            let mut dims = x()?.to_vec();
            let axis = normalise(*axis, dims.len())?;
            let k = inputs
                .integers(1)?
                .first()
                .copied()
                .and_then(|k| usize::try_from(k).ok());
            dims[axis] = k
                .filter(|k| *k <= dims[axis])
                .ok_or("k is larger than the axis")?;
            return Ok(vec![dims.clone(), dims]);
        }
        Op::Concat { axis } => concat(*axis, inputs)?,
        Op::Split { axis } => return split(*axis, inputs, outputs),
        Op::Slice => slice(inputs)?,
        Op::Gather { axis } => {
            let axis = normalise(*axis, x()?.len())?;
            [&x()?[..axis], inputs.dims(1)?, &x()?[axis + 1..]].concat()
        }
        Op::GatherElements { .. } => inputs.dims(1)?.to_vec(),
        Op::GatherNd { batch_dims } => match inputs.dims(1)?.split_last() {
            Some((depth, leading)) if batch_dims + depth <= x()?.len() => {
                [leading, &x()?[batch_dims + depth..]].concat()
            }
            _ => return Err(format!("indices {:?} into {:?}", inputs.dims(1)?, x()?)),
        },
        Op::Reshape { allow_zero } => reshape(x()?, &inputs.integers(1)?, *allow_zero)?,
        Op::Flatten { axis } => {
            let x = x()?;
            let axis = if *axis == x.len() as i64 {
                x.len()
            } else {
                normalise(*axis, x.len())?
            };
            vec![x[..axis].iter().product(), x[axis..].iter().product()]
        }
        Op::Squeeze => {
            let x = x()?;
            let axes = match inputs.optional_integers(1)? {
                Some(axes) => normalised(&axes, x.len())?,
                None => (0..x.len()).filter(|axis| x[*axis] == 1).collect(),
            };
            if let Some(axis) = axes.iter().find(|axis| x[**axis] != 1) {
                return Err(format!("axis {axis} of {x:?} is not of length 1"));
            }
            (0..x.len())
                .filter(|axis| !axes.contains(axis))
                .map(|axis| x[axis])
                .collect()
        }
        Op::Unsqueeze => {
            let axes = inputs.integers(1)?;
            let rank = x()?.len() + axes.len();
            let axes = normalised(&axes, rank)?;
            let mut rest = x()?.iter().copied();
            (0..rank)
                .map(|axis| {
                    if axes.contains(&axis) {
                        1
                    } else {
                        rest.next().unwrap_or(1)
                    }
                })
                .collect()
        }
        Op::Transpose { permutation } => {
            let x = x()?;
            if permutation.is_empty() {
                return Ok(vec![x.iter().rev().copied().collect()]);
            }
            let mut sorted = permutation.clone();
            sorted.sort_unstable();
            if sorted != (0..x.len()).collect::<Vec<_>>() {
                return Err(format!(
                    "{permutation:?} does not permute {} dimensions",
                    x.len()
                ));
            }
            permutation.iter().map(|axis| x[*axis]).collect()
        }
        Op::Expand => broadcast(x()?, &lengths(&inputs.integers(1)?)?)?,
        Op::Tile => {
            let repeats = lengths(&inputs.integers(1)?)?;
            if repeats.len() != x()?.len() {
                return Err(format!(
                    "{} repeats for {} dimensions",
                    repeats.len(),
                    x()?.len()
                ));
            }
            x()?.iter()
                .zip(repeats)
                .map(|(length, repeat)| length.saturating_mul(repeat))
                .collect()
        }
        Op::Pad(_) => pad(inputs)?,
        Op::Resize(attributes) => resize(attributes, inputs)?,
        Op::Col2Im { .. } => {
            let (image, block) = (
                lengths(&inputs.integers(1)?)?,
                lengths(&inputs.integers(2)?)?,
            );
            let ([batch, rows, ..], taps) = (x()?, block.iter().product::<usize>().max(1)) else {
                return Err("[batch, channels·block, positions] is needed".into());
            };
            [&[*batch, rows / taps], image.as_slice()].concat()
        }
        Op::DepthToSpace { block, .. } => match *x()? {
            [batch, channels, height, width] if *block > 0 && channels % (block * block) == 0 => {
                vec![
                    batch,
                    channels / (block * block),
                    height * block,
                    width * block,
                ]
            }
            _ => return Err(format!("blocks of {block} from {:?}", x()?)),
        },
        Op::SpaceToDepth { block } => match *x()? {
            [batch, channels, height, width]
                if *block > 0 && height % block == 0 && width % block == 0 =>
            {
                vec![
                    batch,
                    channels * block * block,
                    height / block,
                    width / block,
                ]
            }
            _ => return Err(format!("blocks of {block} from {:?}", x()?)),
        },
        Op::Constant(literal) => literal.dims.clone(),
        Op::ConstantOfShape(_) => lengths(&inputs.integers(0)?)?,
        Op::Range => vec![range_length(inputs)?],
        Op::Shape { start, end } => vec![shape_range(*start, *end, x()?.len()).len()],
        Op::Size => Vec::new(),
    };
    Ok(vec![dims])
}

/// `axis`, counted from the end where negative.
fn normalise(axis: i64, rank: usize) -> Result<usize, String> {
    let from_start = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(from_start)
        .ok()
        .filter(|axis| *axis < rank)
        .ok_or_else(|| format!("axis {axis} of {rank} dimensions"))
}

fn normalised(axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    axes.iter().map(|axis| normalise(*axis, rank)).collect()
}

fn lengths(values: &[i64]) -> Result<Dims, String> {
    let length = |value: &i64| usize::try_from(*value).map_err(|_| format!("a length of {value}"));
    values.iter().map(length).collect()
}

/// The part of a shape that a `Shape` operator gives.
pub(super) fn shape_range(start: i64, end: Option<i64>, rank: usize) -> std::ops::Range<usize> {
    let clamp =
        |at: i64| (if at < 0 { at + rank as i64 } else { at }).clamp(0, rank as i64) as usize;
    let (start, end) = (clamp(start), end.map_or(rank, clamp));
    start.min(end)..end
}

/// numpy's broadcasting of two shapes.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Dims, String> {
    let rank = a.len().max(b.len());
    let length = |dims: &[usize], axis: usize| {
        (axis + dims.len())
            .checked_sub(rank)
            .map_or(1, |axis| dims[axis])
    };
    (0..rank)
        .map(|axis| match (length(a, axis), length(b, axis)) {
            (a, b) if a == b => Ok(a),
            (1, length) | (length, 1) => Ok(length),
            _ => Err(format!("shapes {a:?} and {b:?} do not broadcast")),
        })
        .collect()
}

/// (in − 1)·stride + the window's reach, less what is cropped, for each spatial dimension.
fn conv_transpose(
    attributes: &ConvTranspose,
    x: &[usize],
    weight: &[usize],
) -> Result<Dims, String> {
    let ([batch, channels, spatial @ ..], [inner, per_group, window @ ..]) = (x, weight) else {
        return Err(format!("[batch, channels, …] is needed, not {x:?}"));
    };
    let ConvTranspose {
        stride,
        dilation,
        begin,
        end,
        output_padding,
        groups,
    } = attributes;
    let rank = spatial.len();
    let per_axis = [window, stride, dilation, begin, end, output_padding];
    if channels != inner
        || *groups == 0
        || channels % groups != 0
        || per_axis.iter().any(|values| values.len() != rank)
    {
        return Err(format!(
            "{x:?} arrives, but the weight is {weight:?} in {groups} groups"
        ));
    }
    let length = |axis: usize| {
        let reach = window[axis]
            .checked_sub(1)?
            .checked_mul(dilation[axis])?
            .checked_add(1)?;
        let full = spatial[axis]
            .checked_sub(1)?
            .checked_mul(stride[axis])?
            .checked_add(reach)?;
        full.checked_add(output_padding[axis])?
            .checked_sub(begin[axis].checked_add(end[axis])?)
    };
    let lengths: Option<Dims> = (0..rank).map(length).collect();
    let lengths = lengths
        .ok_or_else(|| format!("{spatial:?} cannot be enlarged with windows of {window:?}"))?;
    Ok([
        &[*batch, per_group.saturating_mul(*groups)],
        lengths.as_slice(),
    ]
    .concat())
}

fn matmul(a: &[usize], b: &[usize]) -> Result<Dims, String> {
    let refuse = || format!("{a:?} and {b:?} do not multiply");
    let (Some((inner, rows)), false) = (a.split_last(), b.is_empty()) else {
        return Err(refuse());
    };
    let (inner_b, columns) = match b {
        [inner] => (inner, &[][..]),
        [.., inner, columns] => (inner, std::slice::from_ref(columns)),
        [] => return Err(refuse()),
    };
    if inner != inner_b {
        return Err(refuse());
    }
    let (rows, leading_a) = match rows.split_last() {
        Some((row, leading)) => (std::slice::from_ref(row), leading),
        None => (&[][..], &[][..]),
    };
    let leading = broadcast(leading_a, &b[..b.len().saturating_sub(2)])?;
    Ok([leading.as_slice(), rows, columns].concat())
}

/// Shapes of `ij,jk->ik`; an ellipsis stands for dimensions that broadcast.
fn einsum(equation: &str, inputs: &Arguments<'_>) -> Result<Dims, String> {
    let equation: String = equation.split_whitespace().collect();
    let (terms, result) = match equation.split_once("->") {
        Some((terms, result)) => (terms, Some(result)),
        None => (equation.as_str(), None),
    };
    let mut letters = std::collections::BTreeMap::<char, usize>::new();
    let mut ellipsis: Dims = Vec::new();
    for (index, term) in terms.split(',').enumerate() {
        let dims = inputs.dims(index)?;
        let named = term.chars().filter(|letter| *letter != '.').count();
        let mut rest = dims.iter();
        let covered = dims
            .len()
            .checked_sub(named)
            .ok_or_else(|| format!("{term} for {dims:?}"))?;
        let (before, after) = term.split_once("...").unwrap_or((term, ""));
        for letter in before.chars() {
            let length = rest.next().copied().unwrap_or(1);
            let known = letters.entry(letter).or_insert(length);
            *known = (*known).max(length);
        }
        let dotted: Dims = if term.contains('.') {
            rest.by_ref().take(covered).copied().collect()
        } else {
            Vec::new()
        };
        ellipsis = broadcast(&ellipsis, &dotted)?;
        for letter in after.chars() {
            let length = rest.next().copied().unwrap_or(1);
            let known = letters.entry(letter).or_insert(length);
            *known = (*known).max(length);
        }
    }
    let result = match result {
        Some(result) => result.to_owned(),
        None => {
            let once = |letter: &&char| terms.matches(**letter).count() == 1;
            let dots = if terms.contains("...") { "..." } else { "" };
            dots.to_owned() + &letters.keys().filter(once).collect::<String>()
        }
    };
    let (before, after) = match result.split_once("...") {
        Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
        None => (result, None),
    };
    let length = |letter: char| {
        letters
            .get(&letter)
            .copied()
            .ok_or_else(|| format!("{letter} comes from no input"))
    };
    let mut dims = before.chars().map(length).collect::<Result<Dims, _>>()?;
    if let Some(after) = after {
        dims.extend(ellipsis);
        dims.extend(after.chars().map(length).collect::<Result<Dims, _>>()?);
    }
    Ok(dims)
}

fn reduced(x: &[usize], axes: &[i64], keep_dims: bool) -> Result<Dims, String> {
    let axes = normalised(axes, x.len())?;
    let kept =
        x.iter()
            .enumerate()
            .filter_map(|(axis, length)| match (axes.contains(&axis), keep_dims) {
                (false, _) => Some(*length),
                (true, true) => Some(1),
                (true, false) => None,
            });
    Ok(kept.collect())
}

fn concat(axis: i64, inputs: &Arguments<'_>) -> Result<Dims, String> {
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

fn split(axis: i64, inputs: &Arguments<'_>, outputs: usize) -> Result<Vec<Dims>, String> {
    let x = inputs.dims(0)?;
    let axis = normalise(axis, x.len())?;
    let sizes = match inputs.optional_integers(1)? {
        Some(sizes) => lengths(&sizes)?,
        None => {
            let size = x[axis].div_ceil(outputs.max(1));
            (0..outputs)
                .map(|part| size.min(x[axis].saturating_sub(part * size)))
                .collect()
        }
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

fn slice(inputs: &Arguments<'_>) -> Result<Dims, String> {
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

fn reshape(x: &[usize], shape: &[i64], allow_zero: bool) -> Result<Dims, String> {
    let refuse = || format!("{x:?} cannot become {shape:?}");
    let total: usize = x.iter().product();
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
        let others = super::elements(&dims) as usize;
        dims[axis] = if others == 0 { 0 } else { total / others };
    }
    if super::elements(&dims) == total as u64 {
        Ok(dims)
    } else {
        Err(refuse())
    }
}

fn pad(inputs: &Arguments<'_>) -> Result<Dims, String> {
    let mut dims = inputs.dims(0)?.to_vec();
    let pads = inputs.integers(1)?;
    let axes = match inputs.optional_integers(3)? {
        Some(axes) => normalised(&axes, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    for (index, axis) in axes.iter().enumerate() {
        let padded = (dims[*axis] as i64)
            .saturating_add(pads[index])
            .saturating_add(pads[axes.len() + index]);
        dims[*axis] = usize::try_from(padded).map_err(|_| "more is cropped than there is")?;
    }
    Ok(dims)
}

fn resize(attributes: &Resize, inputs: &Arguments<'_>) -> Result<Dims, String> {
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

fn range_length(inputs: &Arguments<'_>) -> Result<usize, String> {
    let scalar = |index| {
        let elements: Vec<f64> = inputs.elements(index, DType::F64)?;
        elements
            .first()
            .copied()
            .ok_or_else(|| format!("input {index} is empty"))
    };
    let (start, limit, delta) = (scalar(0)?, scalar(1)?, scalar(2)?);
    let length = ((limit - start) / delta).ceil().max(0.);
    if length.is_finite() {
        Ok(length as usize)
    } else {
        Err(format!("a range from {start} to {limit} by {delta}"))
    }
}
