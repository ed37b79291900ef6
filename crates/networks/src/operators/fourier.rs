//! The discrete Fourier transform along one axis, as a product with its matrix: images are short enough for that.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "lengths of images, and sines in single precision"
)]

use std::f64::consts::TAU;

use candle_core::{Device, Result as CandleResult, Tensor};

use super::Operator;
use crate::{
    Literal,
    onnx::{Apply, Importer, OnnxError, Value, encode::flag, proto::AttributeProto},
    run::Inputs,
    shapes::{Arguments, Dims, normalise},
};

/// Its matrix has the square of this.
const LONGEST: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fourier {
    pub inverse: bool,
    /// Whether the half of the frequencies that follows from the other is left out.
    pub one_sided: bool,
}

/// Before opset 20 the axis was an attribute, 1 where absent.
pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let operator = Fourier {
        inverse: apply.flag("inverse"),
        one_sided: apply.flag("onesided"),
    };
    let axis = if apply.opset < 20 {
        let name = format!("{}/axis", apply.name);
        Some(importer.literal(&name, Literal::integer(apply.int("axis", 1))))
    } else {
        importer.optional(apply, 2)
    };
    let inputs = vec![
        Some(importer.first(apply)?),
        importer.optional(apply, 1),
        axis,
    ];
    let outputs = importer.emit_all(apply, operator.into(), inputs, 1);
    Ok(outputs.into_iter().map(Value::Flow).collect())
}

/// What a transform is of.
struct Extent {
    axis: usize,
    /// Taken of the operand, which is cut or filled with zeros; 1 + half of `length` where the operand is one-sided.
    taken: usize,
    /// Of the transform.
    length: usize,
    /// In the result.
    given: usize,
}

impl Fourier {
    fn extent(self, x: &[usize], length: Option<i64>, axis: Option<i64>) -> Result<Extent, String> {
        let numbers = x.last().copied().unwrap_or_default();
        let axis = normalise(axis.unwrap_or(-2), x.len())?;
        if !(1..=2).contains(&numbers) || axis + 1 == x.len() {
            return Err(format!(
                "[…, 1 or 2] is needed, and another axis than the last, not {x:?}"
            ));
        }
        let returns_real = self.inverse && self.one_sided;
        let own = if returns_real {
            2 * x[axis].max(1) - 2
        } else {
            x[axis]
        };
        let length = match length {
            Some(length) => usize::try_from(length).map_err(|_| format!("a length of {length}"))?,
            None => own,
        };
        if length == 0 || length > LONGEST {
            return Err(format!(
                "a transform of length {length}; 1 to {LONGEST} is supported"
            ));
        }
        if self.one_sided && !self.inverse && numbers == 2 {
            return Err("a one-sided transform is of real numbers".into());
        }
        let half = length / 2 + 1;
        Ok(Extent {
            axis,
            taken: if returns_real { half } else { length },
            length,
            given: if self.one_sided && !self.inverse {
                half
            } else {
                length
            },
        })
    }
}

impl Operator for Fourier {
    fn name(&self) -> &'static str {
        "DFT"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let only = |index: usize| {
            let values = inputs.optional_integers(index)?;
            Ok::<_, String>(values.and_then(|values| values.first().copied()))
        };
        let mut dims = inputs.dims(0)?.to_vec();
        let extent = self.extent(&dims, only(1)?, only(2)?)?;
        dims[extent.axis] = extent.given;
        let last = dims.len() - 1;
        dims[last] = if self.inverse && self.one_sided { 1 } else { 2 };
        Ok(vec![dims])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?;
        let only = |index: usize| {
            let values = inputs.optional_integers(index)?;
            Ok::<_, candle_core::Error>(values.and_then(|values| values.first().copied()))
        };
        let extent = self.extent(x.dims(), only(1)?, only(2)?);
        let extent = extent.map_err(candle_core::Error::msg)?;
        let (axis, last) = (extent.axis, x.rank() - 1);
        let own = x.dim(axis)?;
        let x = if own < extent.taken {
            x.pad_with_zeros(axis, 0, extent.taken - own)?
        } else {
            x.narrow(axis, 0, extent.taken)?
        };
        // The axis last, and the numbers apart: rows to be multiplied by the matrix.
        let number = |index: usize| {
            let number = x.narrow(last, index, 1)?.squeeze(last)?;
            number.transpose(axis, last - 1)?.contiguous()
        };
        let [cos, sin] = self.matrix(&extent, x.device())?;
        let (cos, sin) = (cos.to_dtype(x.dtype())?, sin.to_dtype(x.dtype())?);
        let times = |x: &Tensor, matrix: &Tensor| {
            let rows = x.reshape(((), extent.taken))?.matmul(matrix)?;
            let mut dims = x.dims().to_vec();
            dims[last - 1] = extent.given;
            rows.reshape(dims)
        };
        // (a + ib)·(cos + i·sin)
        let real = number(0)?;
        let (mut re, mut im) = (times(&real, &cos)?, times(&real, &sin)?);
        if x.dim(last)? == 2 {
            let imaginary = number(1)?;
            re = (re - times(&imaginary, &sin)?)?;
            im = (im + times(&imaginary, &cos)?)?;
        }
        let numbers = if dims[0][last] == 1 {
            vec![re]
        } else {
            vec![re, im]
        };
        let back = numbers
            .iter()
            .map(|number| number.transpose(axis, last - 1));
        let numbers = back.collect::<CandleResult<Vec<_>>>()?;
        Ok(vec![Tensor::stack(&numbers, last)?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            flag("inverse", self.inverse),
            flag("onesided", self.one_sided),
        ]
    }
}

impl Fourier {
    /// Cosine and sine of each term, `[taken, given]`. Of a one-sided spectrum those between the first and the middle count
    /// twice, for their conjugates.
    fn matrix(self, extent: &Extent, device: &Device) -> CandleResult<[Tensor; 2]> {
        let count = extent.length as f64;
        let sign = if self.inverse { 1. } else { -1. };
        let returns_real = self.inverse && self.one_sided;
        let mut parts = [Vec::new(), Vec::new()];
        for from in 0..extent.taken {
            let times = if returns_real && from > 0 && 2 * from < extent.length {
                2.
            } else {
                1.
            };
            let scale = if self.inverse { times / count } else { 1. };
            for to in 0..extent.given {
                // Reduced first, so that the angle stays exact.
                let angle = sign * TAU * ((from * to) % extent.length) as f64 / count;
                parts[0].push((scale * angle.cos()) as f32);
                parts[1].push((scale * angle.sin()) as f32);
            }
        }
        let [cosines, sines] = parts;
        let shape = (extent.taken, extent.given);
        Ok([
            Tensor::from_vec(cosines, shape, device)?,
            Tensor::from_vec(sines, shape, device)?,
        ])
    }
}
