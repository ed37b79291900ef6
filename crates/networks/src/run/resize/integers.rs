//! Pixels between pixels that are integers: in the very steps of ONNX Runtime, because what follows the point is cut off, and a
//! rounding to just below a whole number costs that.

use candle_core::{DType, Result, Tensor, bail};

use super::Axis;
use crate::graph::ResizeCoordinates;

/// The two pixels around a result pixel along one axis, and how far they are.
struct Between {
    first: usize,
    second: usize,
    to_first: f32,
    to_second: f32,
}

/// `x […, height, width]` with those of its last two axes that are `resized`, linearly.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "pixels, as single precision holds them"
)]
pub(super) fn linear(
    coordinates: ResizeCoordinates,
    x: &Tensor,
    resized: &[(usize, Axis)],
) -> Result<Tensor> {
    if x.elem_count() == 0 {
        bail!("the image has no pixels");
    }
    let mut dims = x.dims().to_vec();
    let rank = dims.len();
    let along = |axis: usize| match resized.iter().find(|(other, _)| *other == axis) {
        Some((_, axis)) => axis.between(coordinates),
        None => Axis::whole(x.dims()[axis]).between(coordinates),
    };
    let rows = match rank.checked_sub(2) {
        Some(axis) => along(axis),
        None => Axis::whole(1).between(coordinates),
    };
    let columns = along(rank - 1);
    let width = dims[rank - 1];
    let height = rank.checked_sub(2).map_or(1, |axis| dims[axis]);
    let values: Vec<i64> = x.to_dtype(DType::I64)?.flatten_all()?.to_vec1()?;
    let mut result = Vec::new();
    for plane in values.chunks(height * width) {
        for row in &rows {
            for column in &columns {
                let pixel = |row: usize, column: usize| plane[row * width + column] as f32;
                let sum = column.to_second * row.to_second * pixel(row.first, column.first)
                    + column.to_first * row.to_second * pixel(row.first, column.second)
                    + column.to_second * row.to_first * pixel(row.second, column.first)
                    + column.to_first * row.to_first * pixel(row.second, column.second);
                result.push(sum as i64);
            }
        }
    }
    dims[rank - 1] = columns.len();
    if rank > 1 {
        dims[rank - 2] = rows.len();
    }
    Tensor::from_vec(result, dims, x.device())?.to_dtype(x.dtype())
}

impl Axis {
    /// An axis that is not resized.
    fn whole(length: usize) -> Self {
        Self {
            from: length,
            to: length,
            scale: 1.0,
            is_scale_given: true,
            region: (0.0, 1.0),
        }
    }

    fn between(&self, coordinates: ResizeCoordinates) -> Vec<Between> {
        let last = self.from - 1;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "coordinates of pixels, within the image"
        )]
        let between = |at: usize| {
            let source = self.single(coordinates, at).clamp(0.0, last as f32);
            let first = (source as usize).min(last);
            let second = (first + 1).min(last);
            if first == second {
                return Between {
                    first,
                    second,
                    to_first: 0.5,
                    to_second: 0.5,
                };
            }
            Between {
                first,
                second,
                to_first: (source - first as f32).abs(),
                to_second: (source - second as f32).abs(),
            }
        };
        (0..self.to).map(between).collect()
    }

    /// Where in the source the centre of result pixel `at` lies, reckoned in single precision.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "coordinates of pixels"
    )]
    fn single(&self, coordinates: ResizeCoordinates, at: usize) -> f32 {
        let scale = if self.is_scale_given {
            self.scale as f32
        } else {
            self.to as f32 / self.from as f32
        };
        match coordinates {
            ResizeCoordinates::HalfPixel => (at as f32 + 0.5) / scale - 0.5,
            ResizeCoordinates::PytorchHalfPixel if self.to > 1 => (at as f32 + 0.5) / scale - 0.5,
            ResizeCoordinates::AlignCorners if self.to > 1 => {
                at as f32 * (self.from - 1) as f32 / (self.to - 1) as f32
            }
            ResizeCoordinates::Asymmetric => at as f32 / scale,
            other => self.source(other, at) as f32,
        }
    }
}
