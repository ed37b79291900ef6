//! Where numbers go, beyond what [`crate::Op`] has: centred crops, reversed sequences, running products, diagonals.

#![expect(clippy::cast_possible_wrap, reason = "lengths of dimensions")]

use candle_core::{Result as CandleResult, Tensor, bail};

use super::Operator;
use crate::{
    ElementType,
    onnx::{
        Apply, Importer, OnnxError, Value, element_type,
        encode::{data_type, flag, int, ints},
        proto::AttributeProto,
    },
    run::{Inputs, elementwise::cast},
    shapes::{Arguments, Dims, lengths, normalise},
};

/// x cut, or filled with zeros, to a given length around its centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CenterCropPad {
    /// Absent: all.
    pub axes: Option<Vec<i64>>,
}

/// Running products along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CumProd {
    pub exclusive: bool,
    pub reverse: bool,
}

/// Ones on a diagonal, zeros elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EyeLike {
    /// How far above the main one.
    pub diagonal: i64,
    /// Absent: as x.
    pub to: Option<ElementType>,
}

/// The first elements of each sequence of a batch, as many as its length says, in reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReverseSequence {
    pub batch_axis: i64,
    pub time_axis: i64,
}

fn emit(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    op: crate::Op,
) -> Result<Vec<Value>, OnnxError> {
    apply.input(0)?;
    let inputs = importer.ids(apply);
    let outputs = importer.emit_all(apply, op, inputs, 1);
    Ok(outputs.into_iter().map(Value::Flow).collect())
}

pub(super) fn read_center_crop_pad(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let axes = apply.ints("axes").map(<[i64]>::to_vec);
    emit(importer, apply, CenterCropPad { axes }.into())
}

pub(super) fn read_cum_prod(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let operator = CumProd {
        exclusive: apply.flag("exclusive"),
        reverse: apply.flag("reverse"),
    };
    emit(importer, apply, operator.into())
}

pub(super) fn read_eye_like(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let to = i32::try_from(apply.int("dtype", 0)).unwrap_or(0);
    let operator = EyeLike {
        diagonal: apply.int("k", 0),
        to: apply
            .has("dtype")
            .then(|| element_type(&apply.name, to))
            .transpose()?,
    };
    emit(importer, apply, operator.into())
}

pub(super) fn read_reverse_sequence(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let operator = ReverseSequence {
        batch_axis: apply.int("batch_axis", 1),
        time_axis: apply.int("time_axis", 0),
    };
    emit(importer, apply, operator.into())
}

impl Operator for CenterCropPad {
    fn name(&self) -> &'static str {
        "CenterCropPad"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let mut dims = inputs.dims(0)?.to_vec();
        let shape = lengths(&inputs.integers(1)?)?;
        let axes = match &self.axes {
            Some(axes) => axes
                .iter()
                .map(|axis| normalise(*axis, dims.len()))
                .collect::<Result<_, _>>()?,
            None => (0..dims.len()).collect::<Vec<_>>(),
        };
        if axes.len() != shape.len() {
            return Err(format!("{} lengths for {} axes", shape.len(), axes.len()));
        }
        for (axis, length) in axes.into_iter().zip(shape) {
            dims[axis] = length;
        }
        Ok(vec![dims])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let mut x = inputs.get(0)?.clone();
        for (axis, &to) in dims[0].iter().enumerate() {
            let from = x.dim(axis)?;
            x = if to <= from {
                x.narrow(axis, (from - to) / 2, to)?
            } else {
                let before = (to - from) / 2;
                x.pad_with_zeros(axis, before, to - from - before)?
            };
        }
        Ok(vec![x.contiguous()?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        let axes = self
            .axes
            .iter()
            .map(|axes| ints("axes", axes.iter().copied()));
        axes.collect()
    }
}

impl Operator for CumProd {
    fn name(&self) -> &'static str {
        "CumProd"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        inputs.dims(1)?;
        Ok(vec![inputs.dims(0)?.to_vec()])
    }

    fn run(&self, inputs: &Inputs<'_>, _dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?;
        let axis = x.normalize_axis(inputs.integer(1)?)?;
        let length = x.dim(axis)?;
        let mut product = Tensor::ones_like(&x.narrow(axis, 0, length.min(1))?)?;
        let mut products = Vec::with_capacity(length);
        for step in 0..length {
            let at = if self.reverse {
                length - 1 - step
            } else {
                step
            };
            let next = (&product * x.narrow(axis, at, 1)?)?;
            let before = std::mem::replace(&mut product, next);
            products.push(if self.exclusive {
                before
            } else {
                product.clone()
            });
        }
        if self.reverse {
            products.reverse();
        }
        Ok(vec![if products.is_empty() {
            x.clone()
        } else {
            Tensor::cat(&products, axis)?
        }])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            flag("exclusive", self.exclusive),
            flag("reverse", self.reverse),
        ]
    }

    fn since(&self) -> i64 {
        26
    }
}

impl Operator for EyeLike {
    fn name(&self) -> &'static str {
        "EyeLike"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        match inputs.dims(0)? {
            matrix @ [_, _] => Ok(vec![matrix.to_vec()]),
            other => Err(format!("a matrix is needed, not {other:?}")),
        }
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?;
        let &[rows, columns] = dims[0].as_slice() else {
            bail!("a matrix is needed, not {:?}", dims[0]);
        };
        let ones = (0..rows * columns).map(|at| {
            let (row, column) = ((at / columns) as i64, (at % columns) as i64);
            i64::from(column.checked_sub(row) == Some(self.diagonal))
        });
        let eye = Tensor::from_iter(ones, x.device())?.reshape((rows, columns))?;
        Ok(vec![match self.to {
            Some(to) => cast(&eye, to)?,
            None => eye.to_dtype(x.dtype())?,
        }])
    }

    fn element(&self) -> Option<ElementType> {
        self.to
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        let mut attributes = vec![int("k", self.diagonal)];
        attributes.extend(self.to.map(|to| int("dtype", data_type(to) as i64)));
        attributes
    }
}

impl Operator for ReverseSequence {
    fn name(&self) -> &'static str {
        "ReverseSequence"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let x = inputs.dims(0)?;
        let (batch, time) = (
            normalise(self.batch_axis, x.len())?,
            normalise(self.time_axis, x.len())?,
        );
        if batch == time || inputs.dims(1)? != [x[batch]] {
            return Err(format!(
                "lengths {:?} of sequences {x:?}, the batch along axis {batch}",
                inputs.dims(1)?
            ));
        }
        Ok(vec![x.to_vec()])
    }

    fn run(&self, inputs: &Inputs<'_>, _dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?.contiguous()?;
        let (batch, time) = (
            x.normalize_axis(self.batch_axis)?,
            x.normalize_axis(self.time_axis)?,
        );
        let steps = x.dim(time)? as i64;
        let mut sequences = Vec::with_capacity(x.dim(batch)?);
        for (at, length) in inputs.integers(1)?.into_iter().enumerate() {
            if !(0..=steps).contains(&length) {
                bail!("a length of {length} of {steps} steps");
            }
            let order: Vec<i64> = (0..length).rev().chain(length..steps).collect();
            let order = Tensor::from_vec(order, x.dim(time)?, x.device())?;
            sequences.push(
                x.narrow(batch, at, 1)?
                    .contiguous()?
                    .index_select(&order, time)?,
            );
        }
        Ok(vec![if sequences.is_empty() {
            x
        } else {
            Tensor::cat(&sequences, batch)?
        }])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            int("batch_axis", self.batch_axis),
            int("time_axis", self.time_axis),
        ]
    }
}
