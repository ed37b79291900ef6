//! Reductions, softmax, order statistics and running sums.

use candle_core::{DType, Result, Tensor, WithDType, bail};
use candle_nn::ops;

use super::Inputs;
use crate::graph::{ArgMax, Reduce, Reduction};

pub(crate) fn reduce(attributes: Reduce, inputs: &Inputs<'_>) -> Result<Tensor> {
    let x = inputs.get(0)?;
    let axes: Vec<usize> = match inputs.optional_integers(1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes
            .into_iter()
            .map(|axis| x.normalize_axis(axis))
            .collect::<Result<_>>()?,
        None if attributes.noop_without_axes => Vec::new(),
        None => (0..x.rank()).collect(),
    };
    let kept: Vec<usize> = (0..x.rank())
        .filter(|axis| attributes.keep_dims || !axes.contains(axis))
        .map(|axis| {
            if axes.contains(&axis) {
                1
            } else {
                x.dims()[axis]
            }
        })
        .collect();
    let result = if x.dtype().is_float() && x.elem_count() > 0 {
        floats(attributes.kind, x, &axes)?
    } else if x.dtype().is_float() {
        fold(x, &axes, |values: Vec<f32>| {
            of_floats(attributes.kind, &values)
        })?
    } else {
        fold(&x.to_dtype(DType::I64)?, &axes, |values: Vec<i64>| {
            of_integers(attributes.kind, &values)
        })?
    };
    result.to_dtype(x.dtype())?.reshape(kept)
}

fn floats(kind: Reduction, x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let extreme = |step: fn(&Tensor, usize) -> Result<Tensor>| {
        axes.iter().try_fold(x.clone(), |x, axis| step(&x, *axis))
    };
    match kind {
        Reduction::Mean => x.mean_keepdim(axes),
        Reduction::Sum => x.sum_keepdim(axes),
        Reduction::Max => extreme(Tensor::max_keepdim),
        Reduction::Min => extreme(Tensor::min_keepdim),
        Reduction::Product => fold(&x.to_dtype(DType::F32)?, axes, |values: Vec<f32>| {
            values.iter().product()
        }),
        Reduction::L1 => x.abs()?.sum_keepdim(axes),
        Reduction::L2 => x.sqr()?.sum_keepdim(axes)?.sqrt(),
        Reduction::SumSquare => x.sqr()?.sum_keepdim(axes),
        Reduction::LogSum => x.sum_keepdim(axes)?.log(),
        Reduction::LogSumExp => {
            let max = extreme(Tensor::max_keepdim)?;
            x.broadcast_sub(&max)?.exp()?.sum_keepdim(axes)?.log()? + max
        }
    }
}

/// Of a few numbers, or of none: numpy's neutral elements.
fn of_floats(kind: Reduction, values: &[f32]) -> f32 {
    let sum = || values.iter().sum::<f32>();
    let squares = || values.iter().map(|value| value * value).sum::<f32>();
    match kind {
        #[expect(clippy::cast_precision_loss)]
        Reduction::Mean => sum() / values.len() as f32,
        Reduction::Sum => sum(),
        Reduction::Max => values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        Reduction::Min => values.iter().copied().fold(f32::INFINITY, f32::min),
        Reduction::Product => values.iter().product(),
        Reduction::L1 => values.iter().map(|value| value.abs()).sum(),
        Reduction::L2 => squares().sqrt(),
        Reduction::SumSquare => squares(),
        Reduction::LogSum => sum().ln(),
        Reduction::LogSumExp => values.iter().map(|value| value.exp()).sum::<f32>().ln(),
    }
}

/// What is beyond 64 bits saturates, as in ONNX Runtime.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn of_integers(kind: Reduction, values: &[i64]) -> i64 {
    let wide = || values.iter().map(|value| i128::from(*value));
    let sum = || wide().sum::<i128>();
    let squares = || wide().fold(0, |sum: i128, value| sum.saturating_add(value * value));
    let held = |value: i128| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let largest = || values.iter().copied().max();
    match kind {
        Reduction::Mean => held(sum() / (values.len() as i128).max(1)),
        Reduction::Sum => held(sum()),
        Reduction::Max => largest().unwrap_or(i64::MIN),
        Reduction::Min => values.iter().copied().min().unwrap_or(i64::MAX),
        Reduction::Product => held(wide().fold(1, i128::saturating_mul)),
        Reduction::L1 => held(wide().map(i128::abs).sum()),
        Reduction::L2 => (squares() as f64).sqrt() as i64,
        Reduction::SumSquare => held(squares()),
        Reduction::LogSum => (sum() as f64).ln() as i64,
        Reduction::LogSumExp => {
            let largest = largest().unwrap_or(0) as f64;
            let rest: f64 = values.iter().map(|v| (*v as f64 - largest).exp()).sum();
            (largest + rest.ln()) as i64
        }
    }
}

/// `f` of the elements along `axes`, on the host; the axes stay with length 1.
fn fold<T: WithDType>(x: &Tensor, axes: &[usize], f: impl Fn(Vec<T>) -> T) -> Result<Tensor> {
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let count: usize = axes.iter().map(|axis| x.dims()[*axis]).product();
    let results: usize = kept.iter().map(|axis| x.dims()[*axis]).product();
    let values: Vec<T> = x.permute(order)?.flatten_all()?.to_vec1()?;
    let reduced: Vec<T> = (0..results)
        .map(|at| f(values[at * count..(at + 1) * count].to_vec()))
        .collect();
    let dims: Vec<usize> = (0..x.rank())
        .map(|axis| {
            if axes.contains(&axis) {
                1
            } else {
                x.dims()[axis]
            }
        })
        .collect();
    Tensor::from_vec(reduced, dims, x.device())
}

pub(crate) fn softmax(x: &Tensor, axis: i64) -> Result<Tensor> {
    let axis = x.normalize_axis(axis)?;
    if axis + 1 == x.rank() {
        ops::softmax_last_dim(&x.contiguous()?)
    } else {
        ops::softmax(x, axis)
    }
}

pub(crate) fn log_softmax(x: &Tensor, axis: i64) -> Result<Tensor> {
    ops::log_softmax(x, x.normalize_axis(axis)?)
}

/// `x` as rows of `axis`, `[others, length]`, and what the others were; its elements as numbers that lie in the same order.
struct Rows {
    values: Vec<i64>,
    length: usize,
    axis: usize,
    /// x's dimensions with `axis` last.
    dims: Vec<usize>,
}

impl Rows {
    /// `nan` is where elements that are no numbers come in the order.
    fn of(x: &Tensor, axis: i64, nan: i64) -> Result<Self> {
        let axis = x.normalize_axis(axis)?;
        let last = x.rank() - 1;
        let moved = x.transpose(axis, last)?;
        let values = if x.dtype().is_float() {
            let floats: Vec<f32> = moved.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            floats.into_iter().map(|value| rank(value, nan)).collect()
        } else {
            moved.to_dtype(DType::I64)?.flatten_all()?.to_vec1()?
        };
        Ok(Self {
            values,
            length: x.dim(axis)?,
            axis,
            dims: moved.dims().to_vec(),
        })
    }

    fn iter(&self) -> impl Iterator<Item = &[i64]> {
        self.values.chunks(self.length.max(1))
    }

    /// Results of `length` for each row, back in x's order.
    fn back<T: WithDType>(&self, values: Vec<T>, length: usize, like: &Tensor) -> Result<Tensor> {
        let mut dims = self.dims.clone();
        let last = dims.len() - 1;
        dims[last] = length;
        Tensor::from_vec(values, dims, like.device())?
            .transpose(self.axis, last)?
            .contiguous()
    }
}

/// Integers in the order of floating-point numbers; both zeros are the same.
fn rank(value: f32, nan: i64) -> i64 {
    let bits = i64::from((value + 0.0).to_bits().cast_signed());
    match value {
        value if value.is_nan() => nan,
        _ if bits < 0 => i64::from(i32::MIN) - bits,
        _ => bits,
    }
}

/// Better first.
fn better(a: i64, b: i64, largest: bool) -> std::cmp::Ordering {
    if largest { b.cmp(&a) } else { a.cmp(&b) }
}

/// Where NaN comes so that it is last.
fn worst(largest: bool) -> i64 {
    if largest { i64::MIN } else { i64::MAX }
}

/// The position of the largest (or smallest) element along an axis.
pub(crate) fn arg_max(attributes: &ArgMax, x: &Tensor) -> Result<Tensor> {
    let rows = Rows::of(x, attributes.axis, worst(!attributes.smallest))?;
    if rows.length == 0 {
        bail!("the axis has no elements");
    }
    let best = |row: &[i64]| {
        let mut best = 0;
        for (index, value) in row.iter().enumerate().skip(1) {
            let order = better(*value, row[best], !attributes.smallest);
            if order.is_lt() || (order.is_eq() && attributes.select_last) {
                best = index;
            }
        }
        i64::try_from(best).unwrap_or(i64::MAX)
    };
    let result = rows.back(rows.iter().map(best).collect(), 1, x)?;
    if attributes.keep_dims {
        Ok(result)
    } else {
        result.squeeze(rows.axis)
    }
}

/// The k largest (or smallest) elements along an axis in order, and where they are; the earlier of equal ones first.
pub(crate) fn top_k(x: &Tensor, k: usize, axis: i64, largest: bool) -> Result<Vec<Tensor>> {
    let rows = Rows::of(x, axis, worst(largest))?;
    if k > rows.length {
        bail!("the {k} best of {}", rows.length);
    }
    let mut positions = Vec::new();
    for row in rows.iter() {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| better(row[a], row[b], largest).then(a.cmp(&b)));
        positions.extend(
            order[..k]
                .iter()
                .map(|&at| i64::try_from(at).unwrap_or(i64::MAX)),
        );
    }
    let positions = rows.back(positions, k, x)?;
    let values = x.contiguous()?.gather(&positions, rows.axis)?;
    Ok(vec![values, positions])
}

/// Running sums along an axis; `exclusive` leaves an element out of its own sum, `reverse` starts at the end.
pub(crate) fn cumulative_sum(
    x: &Tensor,
    axis: i64,
    exclusive: bool,
    reverse: bool,
) -> Result<Tensor> {
    if x.dtype().is_float() {
        running(
            &x.to_dtype(DType::F64)?,
            axis,
            exclusive,
            reverse,
            |a: f64, b| a + b,
        )?
        .to_dtype(x.dtype())
    } else {
        running(x, axis, exclusive, reverse, i64::wrapping_add)
    }
}

fn running<T: WithDType>(
    x: &Tensor,
    axis: i64,
    exclusive: bool,
    reverse: bool,
    add: impl Fn(T, T) -> T,
) -> Result<Tensor> {
    let axis = x.normalize_axis(axis)?;
    let (length, inner) = (
        x.dims()[axis],
        x.dims()[axis + 1..].iter().product::<usize>(),
    );
    let mut values: Vec<T> = x.flatten_all()?.to_vec1()?;
    if length == 0 || inner == 0 {
        return Ok(x.clone());
    }
    for block in values.chunks_mut(length * inner) {
        for column in 0..inner {
            let mut sum = T::from_f64(0.0);
            for step in 0..length {
                let at = (if reverse { length - 1 - step } else { step }) * inner + column;
                let total = add(sum, block[at]);
                block[at] = if exclusive { sum } else { total };
                sum = total;
            }
        }
    }
    Tensor::from_vec(values, x.dims(), x.device())
}
