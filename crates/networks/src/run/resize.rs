//! Resizing images as ONNX's `Resize` does: one axis after the other, each as a matrix of weights.

mod integers;

use candle_core::{DType, Result, Tensor, bail};

use super::{Inputs, arrange::signed};
use crate::graph::{KeepAspect, Resize, ResizeCoordinates, ResizeMode, ResizeRounding};

/// Of one axis: an image of 16384 pixels made as large again.
const MOST_WEIGHTS: usize = 1 << 28;

/// `dims`: the result's, from the shape rule.
///
/// Between pixels that are integers, what follows the point is cut off, as in ONNX Runtime; with antialiasing each axis is rounded, as
/// in Pillow, whose filter that is.
pub(crate) fn resize(attributes: &Resize, inputs: &Inputs<'_>, dims: &[usize]) -> Result<Tensor> {
    let mut x = inputs.get(0)?.clone();
    let own = x.dtype();
    let between = !own.is_float() && attributes.mode != ResizeMode::Nearest;
    let axes: Vec<usize> = match &attributes.axes {
        Some(axes) => axes
            .iter()
            .map(|axis| x.normalize_axis(*axis))
            .collect::<Result<_>>()?,
        None => (0..x.rank()).collect(),
    };
    let numbers = |index: usize| match inputs
        .optional(index)
        .filter(|input| input.elem_count() > 0)
    {
        Some(input) => input
            .to_dtype(DType::F64)?
            .flatten_all()?
            .to_vec1::<f64>()
            .map(Some),
        None => Ok(None),
    };
    let (scales, common) = match numbers(3)? {
        Some(sizes) => (None, common_ratio(attributes, &x, &axes, &sizes)),
        None => (numbers(2)?, None),
    };
    let regions = numbers(1)?;
    let cropped = attributes.coordinates == ResizeCoordinates::TfCropAndResize;
    let mut resized = Vec::with_capacity(axes.len());
    for (index, axis) in axes.iter().copied().enumerate() {
        let (from, to) = (x.dim(axis)?, dims[axis]);
        #[expect(clippy::cast_precision_loss)]
        let ratio = to as f64 / from as f64;
        let region = regions
            .as_ref()
            .and_then(|regions| Some((*regions.get(index)?, *regions.get(axes.len() + index)?)));
        let axis_of = Axis {
            from,
            to,
            scale: match &scales {
                Some(scales) => scales[index],
                None => common.unwrap_or(ratio),
            },
            is_scale_given: scales.is_some(),
            region: region.unwrap_or((0.0, 1.0)),
        };
        #[expect(clippy::float_cmp, reason = "exactly no scaling")]
        if from == to && axis_of.scale == 1.0 && !cropped {
            continue;
        }
        if from == 0 {
            bail!("axis {axis} has no pixels");
        }
        resized.push((axis, axis_of));
    }
    let is_linear = attributes.mode == ResizeMode::Linear && !attributes.antialias && !cropped;
    let is_image = resized.iter().all(|(axis, _)| axis + 2 >= x.rank());
    if between && is_linear && is_image && !resized.is_empty() {
        return integers::linear(attributes.coordinates, &x, &resized);
    }
    if between {
        x = x.to_dtype(DType::F32)?;
    }
    // Pillow begins with the width.
    for (axis, axis_of) in resized.iter().rev() {
        x = axis_of.apply(attributes, &x, *axis)?;
        if between && attributes.antialias {
            x = (x + 0.5)?.floor()?;
        }
    }
    if between {
        x = x.to_dtype(own)?;
    }
    Ok(x)
}

/// By what all axes are scaled, where the result only has to fit into `sizes`, or to cover them.
#[expect(clippy::cast_precision_loss, reason = "lengths of images")]
fn common_ratio(attributes: &Resize, x: &Tensor, axes: &[usize], sizes: &[f64]) -> Option<f64> {
    let ratios = axes
        .iter()
        .zip(sizes)
        .map(|(axis, size)| size / x.dims()[*axis] as f64);
    match attributes.keep_aspect {
        KeepAspect::Stretch => None,
        KeepAspect::NotLarger => ratios.reduce(f64::min),
        KeepAspect::NotSmaller => ratios.reduce(f64::max),
    }
}

/// One axis that is resized.
struct Axis {
    from: usize,
    to: usize,
    scale: f64,
    /// In single precision, by the file; else it follows from the lengths.
    is_scale_given: bool,
    /// The part of the axis that `tf_crop_and_resize` shows, as fractions of its length.
    region: (f64, f64),
}

impl Axis {
    fn apply(&self, attributes: &Resize, x: &Tensor, axis: usize) -> Result<Tensor> {
        if attributes.mode == ResizeMode::Nearest
            && attributes.coordinates != ResizeCoordinates::TfCropAndResize
        {
            let positions: Vec<i64> = (0..self.to)
                .map(|at| self.nearest(attributes, at))
                .collect();
            return x
                .contiguous()?
                .index_select(&Tensor::from_vec(positions, self.to, x.device())?, axis);
        }
        if self.to.saturating_mul(self.from) > MOST_WEIGHTS {
            bail!(
                "resizing {} pixels to {} takes too many weights",
                self.from,
                self.to
            );
        }
        let mut matrix = vec![0f32; self.to * self.from];
        let mut beyond = vec![0f32; self.to];
        for (at, row) in matrix.chunks_mut(self.from).enumerate() {
            let source = self.source(attributes.coordinates, at);
            #[expect(clippy::cast_precision_loss)]
            let outside = source < 0.0 || source > (self.from - 1) as f64;
            if attributes.coordinates == ResizeCoordinates::TfCropAndResize && outside {
                beyond[at] = 1.0;
                continue;
            }
            match attributes.mode {
                ResizeMode::Nearest => {
                    row[usize::try_from(self.nearest(attributes, at)).unwrap_or(0)] = 1.0;
                }
                ResizeMode::Linear => self.weigh(
                    attributes,
                    source,
                    1.0,
                    |distance| (1.0 - distance).max(0.0),
                    row,
                ),
                ResizeMode::Cubic => self.weigh(
                    attributes,
                    source,
                    2.0,
                    |distance| cubic(distance, attributes.cubic_a),
                    row,
                ),
            }
        }
        let matrix =
            Tensor::from_vec(matrix, (self.to, self.from), x.device())?.to_dtype(x.dtype())?;
        let last = x.rank() - 1;
        let moved = x.transpose(axis, last)?.contiguous()?;
        let rows = moved.reshape(((), self.from))?.matmul(&matrix.t()?)?;
        let mut dims = moved.dims().to_vec();
        dims[last] = self.to;
        let mut result = rows.reshape(dims)?;
        if beyond.contains(&1.0) {
            #[expect(clippy::cast_possible_truncation)]
            let fill = beyond
                .into_iter()
                .map(|beyond| beyond * attributes.extrapolation_value as f32)
                .collect::<Vec<_>>();
            result = result.broadcast_add(
                &Tensor::from_vec(fill, self.to, x.device())?.to_dtype(x.dtype())?,
            )?;
        }
        result.transpose(axis, last)?.contiguous()
    }

    /// Where in the source the centre of result pixel `at` lies.
    #[expect(clippy::cast_precision_loss, reason = "lengths of images")]
    fn source(&self, coordinates: ResizeCoordinates, at: usize) -> f64 {
        let (at, from, to) = (at as f64, self.from as f64, self.to as f64);
        match coordinates {
            ResizeCoordinates::PytorchHalfPixel | ResizeCoordinates::AlignCorners
                if self.to <= 1 =>
            {
                0.0
            }
            ResizeCoordinates::HalfPixel | ResizeCoordinates::PytorchHalfPixel => {
                self.scaled_back(at + 0.5) - 0.5
            }
            ResizeCoordinates::HalfPixelSymmetric => {
                // The length is rounded down; the centre stays where it was.
                let adjustment = to / (self.scale * from);
                let centre = from / 2.0;
                centre * (1.0 - adjustment) + (at + 0.5) / self.scale - 0.5
            }
            // Also with scales, as PyTorch and ONNX Runtime have it; ONNX's reference takes the length before rounding down.
            ResizeCoordinates::AlignCorners => at * (from - 1.0) / (to - 1.0),
            ResizeCoordinates::Asymmetric => self.scaled_back(at),
            ResizeCoordinates::TfCropAndResize => {
                let (start, end) = self.region;
                if self.to > 1 {
                    start * (from - 1.0) + at * (end - start) * (from - 1.0) / (to - 1.0)
                } else {
                    0.5 * (start + end) * (from - 1.0)
                }
            }
        }
    }

    /// In the precision of the scale: 4 at a scale of 0.8 is 5, not 4.9999999, which is another pixel.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the scale was in single precision"
    )]
    fn scaled_back(&self, at: f64) -> f64 {
        if self.is_scale_given {
            f64::from(at as f32 / self.scale as f32)
        } else {
            at / self.scale
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "coordinates of pixels")]
    fn nearest(&self, attributes: &Resize, at: usize) -> i64 {
        let source = self.source(attributes.coordinates, at);
        let rounded = match attributes.rounding {
            ResizeRounding::RoundPreferFloor => (source - 0.5).ceil(),
            ResizeRounding::RoundPreferCeil => (source + 0.5).floor(),
            ResizeRounding::Floor => source.floor(),
            ResizeRounding::Ceil => source.ceil(),
        };
        (rounded as i64).clamp(0, signed(self.from) - 1)
    }

    /// Adds the weights of the pixels around `source` to `row`. With antialiasing, the kernel is as wide as a result pixel.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "coordinates of pixels"
    )]
    fn weigh(
        &self,
        attributes: &Resize,
        source: f64,
        radius: f64,
        kernel: impl Fn(f64) -> f64,
        row: &mut [f32],
    ) {
        let stretch = if attributes.antialias {
            self.scale.min(1.0)
        } else {
            1.0
        };
        let reach = radius / stretch;
        let (first, last) = (
            (source - reach).ceil() as i64,
            (source + reach).floor() as i64,
        );
        let end = signed(self.from) - 1;
        let inside = |pixel: i64| (0..=end).contains(&pixel);
        let weights: Vec<(i64, f64)> = (first..=last)
            .filter(|&pixel| inside(pixel) || !attributes.exclude_outside)
            .map(|pixel| (pixel, kernel((source - pixel as f64).abs() * stretch)))
            .collect();
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        for (pixel, weight) in weights {
            row[usize::try_from(pixel.clamp(0, end)).unwrap_or(0)] += (weight / total) as f32;
        }
    }
}

/// Keys' cubic convolution kernel.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}
