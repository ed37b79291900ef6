//! Products of integers, which candle has none of: in double precision where their sums are exact there, else number by number.

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

/// Up to here every integer is a number of double precision.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether sums of `terms` products of elements of `a` and `b` are exact in double precision.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(super) fn is_exact(a: &Tensor, b: &Tensor, terms: usize) -> Result<bool> {
    let largest = |x: &Tensor| {
        let x = x.to_dtype(DType::F64)?.abs()?.flatten_all()?;
        x.max(0)?.to_scalar::<f64>()
    };
    if a.elem_count() == 0 || b.elem_count() == 0 {
        return Ok(true);
    }
    Ok(largest(a)? * largest(b)? * (terms as f64) < EXACT)
}

/// `f` of operands in double precision, as integers.
pub(super) fn by_floats(
    a: &Tensor,
    b: &Tensor,
    f: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    f(&a.to_dtype(DType::F64)?, &b.to_dtype(DType::F64)?)?.to_dtype(DType::I64)
}

/// Stacks of matrices, `[batch, rows, inner]` by `[batch, inner, columns]`; what is beyond 64 bits wraps.
pub(super) fn stacked(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((batch, rows, inner), (_, _, columns)) = (a.dims3()?, b.dims3()?);
    let values = |x: &Tensor| x.flatten_all()?.to_vec1::<i64>();
    let (a_values, b_values) = (values(a)?, values(b)?);
    let mut product = vec![0_i64; batch * rows * columns];
    product
        .par_chunks_mut(columns.max(1))
        .enumerate()
        .for_each(|(row, product)| {
            let of_b = &b_values[row / rows.max(1) * inner * columns..];
            for (at, factor) in a_values[row * inner..(row + 1) * inner].iter().enumerate() {
                for (sum, other) in product.iter_mut().zip(&of_b[at * columns..]) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(*other));
                }
            }
        });
    Tensor::from_vec(product, (batch, rows, columns), a.device())
}
