//! Sampling at given places (spatial transformers, Jaderberg et al. 2015), as ONNX Runtime's `GridSample`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "places in an image; what is not finite or far outside ends at the border"
)]

use candle_core::{DType, Device, Result as CandleResult, Tensor};
use rayon::prelude::*;

use super::Operator;
use crate::{
    onnx::{
        Apply, Importer, OnnxError, Value,
        encode::{flag, text},
        proto::AttributeProto,
    },
    run::Inputs,
    shapes::{Arguments, Dims},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridSample {
    pub mode: Interpolation,
    pub border: Border,
    /// Whether −1 and 1 are the centres of the corner pixels, rather than the image's edges.
    pub align_corners: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    Linear,
    /// The even one of two that are as near.
    Nearest,
    Cubic,
}

/// What lies beyond the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    Zeros,
    Edge,
    Reflection,
}

/// Before opset 20 the modes were called `bilinear` and `bicubic`.
pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let operator = GridSample {
        mode: match apply.text("mode")?.unwrap_or("linear") {
            "linear" | "bilinear" => Interpolation::Linear,
            "nearest" => Interpolation::Nearest,
            "cubic" | "bicubic" => Interpolation::Cubic,
            other => return Err(apply.fault(format!("mode {other:?} is unknown"))),
        },
        border: match apply.text("padding_mode")?.unwrap_or("zeros") {
            "zeros" => Border::Zeros,
            "border" => Border::Edge,
            "reflection" => Border::Reflection,
            other => return Err(apply.fault(format!("padding_mode {other:?} is unknown"))),
        },
        align_corners: apply.flag("align_corners"),
    };
    let (x, grid) = (importer.first(apply)?, importer.operand(apply, 1)?);
    Ok(vec![Value::Flow(importer.emit(
        apply,
        operator.into(),
        &[x, grid],
    ))])
}

impl Operator for GridSample {
    fn name(&self) -> &'static str {
        "GridSample"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let (x, grid) = (inputs.dims(0)?, inputs.dims(1)?);
        let refuse = || format!("places {grid:?} in images {x:?}");
        let ([batch, channels, spatial @ ..], [grids, to @ .., axes]) = (x, grid) else {
            return Err(refuse());
        };
        // One grid may serve the whole batch.
        if !(1..=3).contains(&spatial.len())
            || spatial.len() != *axes
            || to.len() != *axes
            || (grids != batch && *grids != 1)
            || spatial.contains(&0)
        {
            return Err(refuse());
        }
        Ok(vec![[&[*batch, *channels], to].concat()])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let (x, grid) = (inputs.get(0)?, inputs.get(1)?);
        let spatial = &x.dims()[2..];
        let (pixels, places) = (
            spatial.iter().product::<usize>(),
            dims[0][2..].iter().product::<usize>(),
        );
        let channels = dims[0][1];
        let on_host = |x: &Tensor| x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let (values, coordinates) = (on_host(x)?, on_host(grid)?);
        let of_image = coordinates.len() / grid.dim(0)?.max(1);
        let mut sampled = vec![0f32; dims[0].iter().product()];
        if !sampled.is_empty() {
            let images = sampled.par_chunks_mut(channels * places);
            images.enumerate().for_each(|(image, sampled)| {
                let coordinates = match grid.dims()[0] {
                    1 => coordinates.as_slice(),
                    _ => &coordinates[image * of_image..][..of_image],
                };
                let values = &values[image * channels * pixels..][..channels * pixels];
                let mut taps = Vec::new();
                for (place, at) in coordinates.chunks(spatial.len()).enumerate() {
                    self.taps(at, spatial, &mut taps);
                    for channel in 0..channels {
                        let plane = &values[channel * pixels..][..pixels];
                        let sum = taps
                            .iter()
                            .map(|(pixel, weight)| plane[*pixel] * weight)
                            .sum();
                        sampled[channel * places + place] = sum;
                    }
                }
            });
        }
        let sampled = Tensor::from_vec(sampled, dims[0].as_slice(), &Device::Cpu)?;
        Ok(vec![sampled.to_device(x.device())?.to_dtype(x.dtype())?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        let mode = match self.mode {
            Interpolation::Linear => "linear",
            Interpolation::Nearest => "nearest",
            Interpolation::Cubic => "cubic",
        };
        let border = match self.border {
            Border::Zeros => "zeros",
            Border::Edge => "border",
            Border::Reflection => "reflection",
        };
        vec![
            text("mode", mode),
            text("padding_mode", border),
            flag("align_corners", self.align_corners),
        ]
    }
}

impl GridSample {
    /// Which pixels of an image of `spatial` dimensions the place `at` (last dimension first) is made of, with their weights.
    fn taps(self, at: &[f32], spatial: &[usize], taps: &mut Vec<(usize, f32)>) {
        taps.clear();
        taps.push((0, 1.));
        for (&length, &normalised) in spatial.iter().zip(at.iter().rev()) {
            let along = self.along(normalised, length);
            let before = std::mem::take(taps);
            for (pixel, weight) in before {
                let here = along.iter().flatten();
                taps.extend(here.map(|(index, share)| (pixel * length + index, weight * share)));
            }
        }
    }

    /// The same along one axis.
    fn along(self, normalised: f32, length: usize) -> [Option<(usize, f32)>; 4] {
        let count = length as f32;
        let (low, high, mut x) = if self.align_corners {
            (0., count - 1., f32::midpoint(normalised, 1.) * (count - 1.))
        } else {
            (-0.5, count - 0.5, ((normalised + 1.) * count - 1.) / 2.)
        };
        let tap = |at: f32, weight: f32| {
            let index = match self.border {
                Border::Zeros if (0. ..count).contains(&at) => at,
                // Not a number stays one, as elsewhere.
                Border::Zeros if at.is_nan() => 0.,
                Border::Zeros => return None,
                Border::Edge => at.clamp(0., count - 1.),
                Border::Reflection => reflected(at, low, high),
            };
            Some((usize::min(index as usize, length - 1), weight))
        };
        if self.mode == Interpolation::Nearest {
            return [tap(x.round_ties_even(), 1.), None, None, None];
        }
        if x < low || x > high {
            x = match self.border {
                Border::Zeros => x,
                // A cubic's four pixels end at the border each.
                Border::Edge if self.mode == Interpolation::Cubic => x,
                Border::Edge => x.clamp(0., count - 1.),
                Border::Reflection => reflected(x, low, high),
            };
        }
        let (first, share) = (x.floor(), x - x.floor());
        if self.mode == Interpolation::Linear {
            return [tap(first, 1. - share), tap(first + 1., share), None, None];
        }
        let weights = cubic(share);
        [
            tap(first - 1., weights[0]),
            tap(first, weights[1]),
            tap(first + 1., weights[2]),
            tap(first + 2., weights[3]),
        ]
    }
}

/// x, mirrored at `low` and `high` as often as it takes.
fn reflected(x: f32, low: f32, high: f32) -> f32 {
    let range = high - low;
    if range <= 0. {
        return low;
    }
    let (beyond, near, far) = if x < low {
        (low - x, low, high)
    } else if x > high {
        (x - high, high, low)
    } else {
        return x;
    };
    let turns = (beyond / range).trunc();
    let rest = beyond - turns * range;
    let inwards = if x < low { rest } else { -rest };
    if turns % 2. == 0. {
        near + inwards
    } else {
        far - inwards
    }
}

/// Keys' cubic convolution (1981) with a = −3/4, at `share` behind the second of four pixels.
fn cubic(share: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let outer = |x: f32| ((A * x - 5. * A) * x + 8. * A) * x - 4. * A;
    let inner = |x: f32| ((A + 2.) * x - (A + 3.)) * x * x + 1.;
    [
        outer(share + 1.),
        inner(share),
        inner(1. - share),
        outer(2. - share),
    ]
}
