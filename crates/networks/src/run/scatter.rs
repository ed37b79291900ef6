//! Picking and placing single elements by index.

use candle_core::{DType, Result, Tensor, WithDType, bail};

use super::arrange::{position, signed};
use crate::graph::Combine;

/// x[i][index[i][j][k]][k] for axis 1, and so on (ONNX's `GatherElements`, PyTorch's `gather`).
pub(crate) fn gather_elements(x: &Tensor, indices: &Tensor, axis: i64) -> Result<Tensor> {
    let axis = x.normalize_axis(axis)?;
    let mut x = x.clone();
    for (at, &length) in indices.dims().iter().enumerate() {
        if at != axis {
            x = x.narrow(at, 0, length)?;
        }
    }
    x.contiguous()?
        .gather(&counted_from_start(indices, x.dim(axis)?)?, axis)
}

fn counted_from_start(indices: &Tensor, length: usize) -> Result<Tensor> {
    let given: Vec<i64> = indices.to_dtype(DType::I64)?.flatten_all()?.to_vec1()?;
    let absolute: Result<Vec<i64>> = given
        .into_iter()
        .map(|index| position(index, length).map(signed))
        .collect();
    Tensor::from_vec(absolute?, indices.dims(), indices.device())
}

/// The reverse: `updates` put where `indices` say along `axis`.
pub(crate) fn scatter_elements(
    x: &Tensor,
    indices: &Tensor,
    updates: &Tensor,
    axis: i64,
    combine: Combine,
) -> Result<Tensor> {
    let axis = x.normalize_axis(axis)?;
    let fits = indices.dims() == updates.dims()
        && indices.rank() == x.rank()
        && (0..x.rank()).all(|at| at == axis || indices.dims()[at] <= x.dims()[at]);
    if !fits {
        bail!(
            "updates {:?} at {:?} into {:?}",
            updates.dims(),
            indices.dims(),
            x.dims()
        );
    }
    let along: Vec<i64> = counted_from_start(indices, x.dim(axis)?)?
        .flatten_all()?
        .to_vec1()?;
    let stride = |at: usize| x.dims()[at + 1..].iter().product::<usize>();
    let mut places = Vec::with_capacity(along.len());
    for (element, along) in along.into_iter().enumerate() {
        let mut rest = element;
        let mut place = usize::try_from(along).unwrap_or(0) * stride(axis);
        for at in (0..x.rank()).rev() {
            if at != axis {
                place += rest % indices.dims()[at] * stride(at);
            }
            rest /= indices.dims()[at];
        }
        places.push(place..place + 1);
    }
    put(x, updates, &places, combine)
}

/// `updates` put at each row of `indices`.
pub(crate) fn scatter_nd(
    x: &Tensor,
    indices: &Tensor,
    updates: &Tensor,
    combine: Combine,
) -> Result<Tensor> {
    let Some((&depth, leading)) = indices.dims().split_last() else {
        bail!("the indices have no dimension")
    };
    let (Some(lengths), Some(inner)) = (x.dims().get(..depth), x.dims().get(depth..)) else {
        bail!("indices of {depth} into {:?}", x.dims());
    };
    if updates.dims() != [leading, inner].concat() {
        bail!(
            "updates {:?} at {:?} into {:?}",
            updates.dims(),
            indices.dims(),
            x.dims()
        );
    }
    let rows: Vec<i64> = indices.to_dtype(DType::I64)?.flatten_all()?.to_vec1()?;
    let block: usize = inner.iter().product();
    let mut places = Vec::with_capacity(leading.iter().product());
    for row in 0..leading.iter().product::<usize>() {
        let mut at = 0;
        for (index, &length) in rows[row * depth..(row + 1) * depth].iter().zip(lengths) {
            at = at * length + position(*index, length)?;
        }
        places.push(at * block..(at + 1) * block);
    }
    put(x, updates, &places, combine)
}

fn put(
    x: &Tensor,
    updates: &Tensor,
    places: &[std::ops::Range<usize>],
    combine: Combine,
) -> Result<Tensor> {
    if x.dtype() != updates.dtype() {
        bail!("{:?} does not go into {:?}", updates.dtype(), x.dtype());
    }
    if x.dtype().is_float() {
        let (wide, updates) = (x.to_dtype(DType::F32)?, updates.to_dtype(DType::F32)?);
        return put_as(&wide, &updates, places, |old: f32, new| match combine {
            Combine::Replace => new,
            Combine::Add => old + new,
            Combine::Multiply => old * new,
            Combine::Max => old.max(new),
            Combine::Min => old.min(new),
        })?
        .to_dtype(x.dtype());
    }
    let (wide, updates) = (x.to_dtype(DType::I64)?, updates.to_dtype(DType::I64)?);
    put_as(&wide, &updates, places, |old: i64, new| match combine {
        Combine::Replace => new,
        Combine::Add => old.wrapping_add(new),
        Combine::Multiply => old.wrapping_mul(new),
        Combine::Max => old.max(new),
        Combine::Min => old.min(new),
    })?
    .to_dtype(x.dtype())
}

fn put_as<T: WithDType>(
    x: &Tensor,
    updates: &Tensor,
    places: &[std::ops::Range<usize>],
    combine: impl Fn(T, T) -> T,
) -> Result<Tensor> {
    let mut values: Vec<T> = x.flatten_all()?.to_vec1()?;
    let updates: Vec<T> = updates.flatten_all()?.to_vec1()?;
    for (place, update) in places.iter().cloned().flatten().zip(updates) {
        values[place] = combine(values[place], update);
    }
    Tensor::from_vec(values, x.dims(), x.device())
}

/// The part of each matrix on one side of a diagonal, zero elsewhere.
pub(crate) fn triangle(x: &Tensor, diagonal: i64, upper: bool) -> Result<Tensor> {
    let [.., rows, columns] = *x.dims() else {
        bail!("matrices are needed, not {:?}", x.dims())
    };
    let (rows, columns) = (signed(rows), signed(columns));
    let kept = |row: i64, column: i64| {
        let from_diagonal = column.saturating_sub(row).saturating_sub(diagonal);
        if upper {
            from_diagonal >= 0
        } else {
            from_diagonal <= 0
        }
    };
    let mask: Vec<u8> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| u8::from(kept(row, column))))
        .collect();
    let mask =
        Tensor::from_vec(mask, &x.dims()[x.rank() - 2..], x.device())?.broadcast_as(x.shape())?;
    mask.where_cond(x, &x.zeros_like()?)
}
