//! One rule per operator: the dimensions of its outputs.

mod arrangement;
mod products;

use candle_core::DType;

use super::{Value, elements, is_countable};
use crate::graph::{MaxPoolPositions, Op, PoolKind};
use crate::window::Window;

pub(crate) type Dims = Vec<usize>;

/// A node's inputs before running.
pub(crate) struct Arguments<'a>(pub(super) &'a [Option<&'a Value>]);

impl<'a> Arguments<'a> {
    pub(crate) fn dims(&self, index: usize) -> Result<&'a [usize], String> {
        self.optional(index)
            .ok_or_else(|| format!("input {index} is missing"))
    }

    pub(crate) fn optional(&self, index: usize) -> Option<&'a [usize]> {
        Some(&self.value(index)?.dims)
    }

    fn value(&self, index: usize) -> Option<&'a Value> {
        self.0.get(index).copied().flatten()
    }

    /// The elements of an integer input that a shape depends on.
    pub(crate) fn integers(&self, index: usize) -> Result<Vec<i64>, String> {
        self.elements(index, DType::I64)
    }

    pub(crate) fn optional_integers(&self, index: usize) -> Result<Option<Vec<i64>>, String> {
        self.value(index).map(|_| self.integers(index)).transpose()
    }

    pub(crate) fn elements<T: candle_core::WithDType>(
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
#[expect(clippy::too_many_lines, reason = "a rule for each operator")]
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
            if *channels == 0 {
                return Err("images without channels arrive".into());
            }
            if *channels != per_group.saturating_mul(attributes.groups) {
                return Err(format!(
                    "{channels} channels arrive in {} groups, but the weight is {:?}",
                    attributes.groups,
                    inputs.dims(1)?
                ));
            }
            let window = Window::convolution(attributes, spatial, window)?;
            [&[*batch, *out], window.output()].concat()
        }
        Op::ConvTranspose(attributes) => {
            products::conv_transpose(attributes, x()?, inputs.dims(1)?)?
        }
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
        Op::MatMul => products::matmul(x()?, inputs.dims(1)?)?,
        Op::Einsum { equation } => products::einsum(equation, inputs)?,
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
        Op::Concat { axis } => arrangement::concat(*axis, inputs)?,
        Op::Split { axis } => return arrangement::split(*axis, inputs, outputs),
        Op::Slice => arrangement::slice(inputs)?,
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
        Op::Reshape { allow_zero } => {
            arrangement::reshape(x()?, &inputs.integers(1)?, *allow_zero)?
        }
        Op::Flatten { axis } => {
            let x = x()?;
            let axis = if *axis == x.len() as i64 {
                x.len()
            } else {
                normalise(*axis, x.len())?
            };
            vec![elements(&x[..axis]) as usize, elements(&x[axis..]) as usize]
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
        Op::Pad(_) => arrangement::pad(inputs)?,
        Op::Resize(attributes) => arrangement::resize(attributes, inputs)?,
        Op::Col2Im { .. } => {
            let (image, block) = (
                lengths(&inputs.integers(1)?)?,
                lengths(&inputs.integers(2)?)?,
            );
            let [batch, rows, ..] = x()? else {
                return Err("[batch, channels·block, positions] is needed".into());
            };
            let taps = elements(&block) as usize;
            if taps == 0 || !is_countable(&block) {
                return Err(format!("blocks of {block:?}"));
            }
            [&[*batch, rows / taps], image.as_slice()].concat()
        }
        Op::DepthToSpace { block, .. } => match *x()? {
            [batch, channels, height, width]
                if *block > 0 && channels % block.saturating_mul(*block) == 0 =>
            {
                vec![
                    batch,
                    channels / block.saturating_mul(*block),
                    height.saturating_mul(*block),
                    width.saturating_mul(*block),
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
                    channels.saturating_mul(block.saturating_mul(*block)),
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
        Op::Listed(listed) => return listed.operator().dims(inputs),
    };
    Ok(vec![dims])
}

/// `axis`, counted from the end where negative.
pub(crate) fn normalise(axis: i64, rank: usize) -> Result<usize, String> {
    let from_start = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(from_start)
        .ok()
        .filter(|axis| *axis < rank)
        .ok_or_else(|| format!("axis {axis} of {rank} dimensions"))
}

fn normalised(axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    axes.iter().map(|axis| normalise(*axis, rank)).collect()
}

pub(crate) fn lengths(values: &[i64]) -> Result<Dims, String> {
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
