//! Matrix products.

use candle_core::{Result, Tensor, bail};

use super::integers;
use crate::graph::Gemm;

/// x·weightᵀ + bias. `x […, in]`, `weight [out, in]`, `bias [out]`; result `[…, out]`.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let Some((features, leading)) = x.dims().split_last() else {
        bail!("a linear layer needs at least one dimension");
    };
    let (out, inner) = weight.dims2()?;
    if *features != inner {
        bail!("{features} features arrive, but the weight is [{out}, {inner}]");
    }
    let rows = leading.iter().product::<usize>();
    let product = x.reshape((rows, inner))?.matmul(&weight.t()?)?;
    let product = match bias {
        Some(bias) => product.broadcast_add(bias)?,
        None => product,
    };
    product.reshape([leading, &[out]].concat())
}

/// alpha·a'·b' + beta·c, the accents for optional transposition.
pub(crate) fn gemm(
    attributes: &Gemm,
    a: &Tensor,
    b: &Tensor,
    c: Option<&Tensor>,
) -> Result<Tensor> {
    let a = if attributes.transpose_a {
        a.t()?
    } else {
        a.clone()
    };
    let b = if attributes.transpose_b {
        b.t()?
    } else {
        b.clone()
    };
    #[expect(clippy::float_cmp, reason = "exactly 1 needs no scaling")]
    let scaled = |x: Tensor, factor: f64| if factor == 1. { Ok(x) } else { x * factor };
    let product = scaled(a.matmul(&b)?, attributes.alpha)?;
    match c {
        Some(c) => product.broadcast_add(&scaled(c.clone(), attributes.beta)?),
        None => Ok(product),
    }
}

/// As `numpy.matmul`: vectors are rows or columns, leading dimensions broadcast. Integers wrap in 64 bits.
pub(crate) fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() != b.dtype() {
        bail!(
            "{:?} and {:?} do not mix; a Cast is missing",
            a.dtype(),
            b.dtype()
        );
    }
    let inner = a.dims().last().copied().unwrap_or_default();
    if !a.dtype().is_float() && integers::is_exact(a, b, inner)? {
        return integers::by_floats(a, b, matmul);
    }
    match (a.rank(), b.rank()) {
        (0, _) | (_, 0) => bail!("a matrix product of scalars"),
        (1, _) if !a.dtype().is_float() => {
            let product = matmul(&a.unsqueeze(0)?, b)?;
            product.squeeze(
                product
                    .rank()
                    .saturating_sub(if b.rank() == 1 { 1 } else { 2 }),
            )
        }
        (_, 1) if !a.dtype().is_float() => {
            let product = matmul(a, &b.unsqueeze(1)?)?;
            product.squeeze(product.rank() - 1)
        }
        (1, 1) => a.unsqueeze(0)?.matmul(&b.unsqueeze(1)?)?.reshape(()),
        (1, _) => {
            let product = a.unsqueeze(0)?.broadcast_matmul(&laid_out(b)?)?;
            product.squeeze(product.rank() - 2)
        }
        (_, 1) => {
            let product = laid_out(a)?.broadcast_matmul(&b.unsqueeze(1)?)?;
            product.squeeze(product.rank() - 1)
        }
        // One product of many rows instead of many small ones.
        (rank, 2) if rank > 2 && a.dtype().is_float() => {
            let (rows, columns) = (a.elem_count() / a.dim(rank - 1)?.max(1), b.dim(1)?);
            let product = a.reshape((rows, a.dim(rank - 1)?))?.matmul(&laid_out(b)?)?;
            product.reshape([&a.dims()[..rank - 1], &[columns]].concat())
        }
        (..=4, ..=4) if a.dtype().is_float() => laid_out(a)?.broadcast_matmul(&laid_out(b)?),
        _ => stacked(a, b),
    }
}

/// candle multiplies along two leading dimensions at most, and no integers: there is one.
fn stacked(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let rank = a.rank().max(b.rank());
    let dim = |x: &Tensor, at: usize| {
        (at + x.rank())
            .checked_sub(rank)
            .map_or(1, |at| x.dims()[at])
    };
    let leading: Vec<usize> = (0..rank - 2).map(|at| dim(a, at).max(dim(b, at))).collect();
    let stack = |x: &Tensor| {
        let matrix = &x.dims()[x.rank() - 2..];
        let all = x.broadcast_as([leading.as_slice(), matrix].concat())?;
        all.reshape(((), matrix[0], matrix[1]))
    };
    let product = if a.dtype().is_float() {
        stack(a)?.matmul(&stack(b)?)?
    } else {
        integers::stacked(&stack(a)?, &stack(b)?)?
    };
    let (_, rows, columns) = product.dims3()?;
    product.reshape([leading.as_slice(), &[rows, columns]].concat())
}

/// As candle multiplies it: in rows or in columns, one matrix after the other.
fn laid_out(x: &Tensor) -> Result<Tensor> {
    if x.is_contiguous() || (x.rank() >= 2 && x.t()?.is_contiguous()) {
        Ok(x.clone())
    } else {
        x.contiguous()
    }
}
