//! The matrix product of the `gemm` crate, on parts of larger matrices.

#![expect(unsafe_code, reason = "gemm takes pointers")]

use candle_core::WithDType;
use gemm::Parallelism;

/// A matrix in a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub elements: &'a [T],
    pub row_stride: usize,
    pub column_stride: usize,
}

/// The shape of a product's result in memory, its columns next to each other.
#[derive(Clone, Copy)]
pub(super) struct Destination {
    pub rows: usize,
    pub columns: usize,
    pub row_stride: usize,
}

/// left·right, `depth` being left's columns and right's rows; added to what is there where `accumulate`.
///
/// # Safety
/// `to` must point to (rows − 1)·`row_stride` + columns elements that nothing else reads or writes meanwhile, but for
/// those between its rows.
pub(super) unsafe fn product<T: WithDType>(
    to: *mut T,
    shape: Destination,
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    depth: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    let Destination {
        rows,
        columns,
        row_stride,
    } = shape;
    if rows == 0 || columns == 0 || depth == 0 {
        return;
    }
    let last = |matrix: &Matrix<'_, T>, rows: usize, columns: usize| {
        (rows - 1) * matrix.row_stride + (columns - 1) * matrix.column_stride
    };
    assert!(
        last(&left, rows, depth) < left.elements.len()
            && last(&right, depth, columns) < right.elements.len()
    );
    // SAFETY: the last elements read were just checked; the caller vouches for what is written. T is f32 or f64, which
    // gemm supports.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            to,
            1,
            row_stride.cast_signed(),
            accumulate,
            left.elements.as_ptr(),
            left.column_stride.cast_signed(),
            left.row_stride.cast_signed(),
            right.elements.as_ptr(),
            right.column_stride.cast_signed(),
            right.row_stride.cast_signed(),
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// left·right into `to`, whose `rows` lie one after the other; added to what is there where `accumulate`.
pub(super) fn contiguous_product<T: WithDType>(
    to: &mut [T],
    (rows, columns): (usize, usize),
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    depth: usize,
    accumulate: bool,
) {
    assert!(to.len() >= rows * columns);
    let shape = Destination {
        rows,
        columns,
        row_stride: columns,
    };
    // SAFETY: `to` has that many elements, as was just checked, and is borrowed mutably.
    unsafe {
        product(
            to.as_mut_ptr(),
            shape,
            left,
            right,
            depth,
            accumulate,
            Parallelism::None,
        );
    }
}
