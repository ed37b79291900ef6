//! Deformable convolution (Dai et al. 2017; with a mask, Zhu et al. 2018) in two dimensions, as
//! `torchvision.ops.deform_conv2d` and ONNX's `DeformConv`: the pixels under a window are sampled where the offsets say,
//! and what was sampled is multiplied by the weights as in any convolution.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "places in an image, checked to be inside"
)]

use candle_core::{DType, Result as CandleResult, Tensor};
use rayon::prelude::*;

use super::Operator;
use crate::{
    graph::{Convolution, Padding},
    onnx::{
        Apply, Importer, OnnxError, Value,
        encode::{size, sizes},
        proto::AttributeProto,
    },
    run::Inputs,
    shapes::{Arguments, Dims},
    window::Window,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeformConv {
    pub convolution: Convolution,
    /// Into how many parts the channels fall that are sampled alike.
    pub offset_groups: usize,
}

pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let pads = apply.sizes("pads")?.unwrap_or_else(|| vec![0; 4]);
    let [top, left, bottom, right] = *pads else {
        return Err(apply.fault(format!(
            "pads is {pads:?}; only two dimensions are supported"
        )));
    };
    let operator = DeformConv {
        convolution: Convolution {
            stride: apply.steps("strides", 2)?,
            dilation: apply.steps("dilations", 2)?,
            padding: Padding::Explicit {
                begin: vec![top, left],
                end: vec![bottom, right],
            },
            groups: apply.size("group", 1)?.max(1),
        },
        offset_groups: apply.size("offset_group", 1)?.max(1),
    };
    let inputs = vec![
        Some(importer.first(apply)?),
        Some(importer.weight(apply.input(1)?)),
        Some(importer.operand(apply, 2)?),
        apply.optional(3).map(|bias| importer.weight(bias)),
        importer.optional(apply, 4),
    ];
    let outputs = importer.emit_all(apply, operator.into(), inputs, 1);
    Ok(outputs.into_iter().map(Value::Flow).collect())
}

impl Operator for DeformConv {
    fn name(&self) -> &'static str {
        "DeformConv"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let (x, weight) = (inputs.dims(0)?, inputs.dims(1)?);
        let (&[batch, channels, height, width], &[out, per_group, rows, columns]) = (x, weight)
        else {
            return Err(format!(
                "[batch, channels, height, width] is needed, not {x:?} with weights {weight:?}"
            ));
        };
        let groups = self.convolution.groups;
        if channels == 0
            || channels != per_group.saturating_mul(groups)
            || out % groups != 0
            || channels % self.offset_groups != 0
        {
            return Err(format!(
                "{channels} channels arrive in {groups} groups, {} of offsets, but the weight is {weight:?}",
                self.offset_groups
            ));
        }
        let window = Window::convolution(&self.convolution, &[height, width], &[rows, columns])?;
        let taps = rows
            .saturating_mul(columns)
            .saturating_mul(self.offset_groups);
        let places = |count: usize| [&[batch, count], window.output()].concat();
        let of = |index: usize, what: &str, expected: Dims| match inputs.optional(index) {
            Some(dims) if dims != expected => {
                Err(format!("its {what} is {dims:?}, expected {expected:?}"))
            }
            _ => Ok(()),
        };
        inputs.dims(2)?;
        of(2, "offset", places(taps.saturating_mul(2)))?;
        of(3, "bias", vec![out])?;
        of(4, "mask", places(taps))?;
        Ok(vec![places(out)])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let (x, weight) = (inputs.get(0)?, inputs.get(1)?);
        let (out, _, rows, columns) = weight.dims4()?;
        let (_, channels, height, width) = x.dims4()?;
        let window = Window::convolution(&self.convolution, &[height, width], &[rows, columns]);
        let sampling = Sampling {
            window: window.map_err(candle_core::Error::msg)?,
            channels,
            offset_groups: self.offset_groups,
        };
        let groups = self.convolution.groups;
        let inner = channels / groups * rows * columns;
        let places = sampling.window.output_positions();
        let weight = weight
            .reshape((groups, out / groups, inner))?
            .contiguous()?;
        let host = |x: &Tensor| x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let mut images = Vec::with_capacity(x.dim(0)?);
        for image in 0..x.dim(0)? {
            let mask = inputs.optional(4).map(|mask| host(&mask.get(image)?));
            let sampled = sampling.columns(
                &host(&x.get(image)?)?,
                &host(&inputs.get(2)?.get(image)?)?,
                mask.transpose()?.as_deref(),
            );
            let sampled = Tensor::from_vec(sampled, (groups, inner, places), x.device())?;
            let product = weight.matmul(&sampled.to_dtype(x.dtype())?)?;
            images.push(product.reshape(&dims[0][1..])?);
        }
        let product = Tensor::stack(&images, 0)?;
        Ok(vec![match inputs.optional(3) {
            Some(bias) => product.broadcast_add(&bias.reshape((1, out, 1, 1))?)?,
            None => product,
        }])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        let convolution = &self.convolution;
        let mut attributes = vec![
            sizes("strides", &convolution.stride),
            sizes("dilations", &convolution.dilation),
            size("group", convolution.groups),
            size("offset_group", self.offset_groups),
        ];
        if let Padding::Explicit { begin, end } = &convolution.padding {
            attributes.push(sizes("pads", &[begin.as_slice(), end].concat()));
        }
        attributes
    }

    /// Those of a convolution with such weights.
    fn macs(&self, inputs: &[&[usize]], output: &[usize]) -> u64 {
        let elements = crate::shapes::elements;
        elements(output).saturating_mul(elements(&inputs[1][1..]))
    }

    fn is_weight_layer(&self) -> bool {
        true
    }
}

struct Sampling {
    window: Window,
    channels: usize,
    offset_groups: usize,
}

impl Sampling {
    /// What the weights are multiplied by: `[channels, taps, places]` of one image.
    fn columns(&self, x: &[f32], offset: &[f32], mask: Option<&[f32]>) -> Vec<f32> {
        let (taps, places) = (self.window.taps(), self.window.output_positions());
        let pixels = self.window.input_positions();
        let mut columns = vec![0f32; self.channels * taps * places];
        let of_channel = columns.par_chunks_mut(taps * places).enumerate();
        of_channel.for_each(|(channel, columns)| {
            let plane = &x[channel * pixels..][..pixels];
            let group = channel / (self.channels / self.offset_groups);
            for (tap, columns) in columns.chunks_mut(places).enumerate() {
                let tap_of_all = group * taps + tap;
                let (down, right) =
                    offset[tap_of_all * 2 * places..][..2 * places].split_at(places);
                for (place, column) in columns.iter_mut().enumerate() {
                    let [y, x] = self.place(tap, place);
                    let sampled = self.sample(plane, y + down[place], x + right[place]);
                    let weight = mask.map_or(1., |mask| mask[tap_of_all * places + place]);
                    *column = sampled * weight;
                }
            }
        });
        columns
    }

    /// Where a tap lies without an offset.
    fn place(&self, tap: usize, place: usize) -> [f32; 2] {
        let w = &self.window;
        let along = |axis: usize, at: usize, tap: usize| {
            (at * w.stride[axis] + tap * w.dilation[axis]) as f32 - w.begin[axis] as f32
        };
        [
            along(1, place / w.output[2], tap / w.size[2]),
            along(2, place % w.output[2], tap % w.size[2]),
        ]
    }

    /// Between the four pixels around, zero beyond the image.
    fn sample(&self, plane: &[f32], y: f32, x: f32) -> f32 {
        let [_, height, width] = self.window.input;
        let pixel = |y: f32, x: f32| {
            let inside = (0. ..height as f32).contains(&y) && (0. ..width as f32).contains(&x);
            if inside {
                plane[y as usize * width + x as usize]
            } else {
                0.
            }
        };
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = (y - top, x - left);
        // Far outside, where an offset is not finite for example, nothing is there.
        if !down.is_finite() || !right.is_finite() {
            return 0.;
        }
        (pixel(top, left) * (1. - right) + pixel(top, left + 1.) * right) * (1. - down)
            + (pixel(top + 1., left) * (1. - right) + pixel(top + 1., left + 1.) * right) * down
    }
}
