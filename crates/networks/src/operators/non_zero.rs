//! Where something is not zero. How much that is decides a shape, so that it has to be known before a run: of masks that
//! the file holds, or that follow from shapes.

#![expect(clippy::cast_possible_wrap, reason = "positions in a tensor")]

use candle_core::{DType, Result as CandleResult, Tensor};

use super::Operator;
use crate::{
    ElementType,
    graph::Op,
    onnx::{Apply, Importer, OnnxError, Value, proto::AttributeProto},
    run::Inputs,
    shapes::{Arguments, Dims},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonZero;

pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let x = importer.in_graph(apply.input(0)?);
    Ok(vec![Value::Flow(importer.emit(
        apply,
        NonZero.into(),
        &[x],
    ))])
}

/// `Compress`: the slices of x where the condition holds; of all elements in a row, where no axis is given.
pub(super) fn read_compress(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let mut x = importer.first(apply)?;
    let condition = importer.in_graph(apply.input(1)?);
    let row = importer.integers(apply, "row", &[-1]);
    let in_a_row = || Op::Reshape { allow_zero: false };
    let places = importer.emit(apply, NonZero.into(), &[condition]);
    let places = importer.emit(apply, in_a_row(), &[places, row]);
    if !apply.has("axis") {
        x = importer.emit(apply, in_a_row(), &[x, row]);
    }
    let axis = apply.int("axis", 0);
    Ok(vec![Value::Flow(importer.emit(
        apply,
        Op::Gather { axis },
        &[x, places],
    ))])
}

impl Operator for NonZero {
    fn name(&self) -> &'static str {
        "NonZero"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let elements: Vec<f64> = inputs.elements(0, DType::F64)?;
        let count = elements.iter().filter(|element| **element != 0.).count();
        Ok(vec![vec![inputs.dims(0)?.len().max(1), count]])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?;
        let elements: Vec<f64> = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let places: Vec<usize> = (0..elements.len())
            .filter(|&at| elements[at] != 0.)
            .collect();
        let mut indices = Vec::with_capacity(dims[0].iter().product());
        let mut step = elements.len();
        let lengths = if x.rank() == 0 { &[1][..] } else { x.dims() };
        for &length in lengths {
            step /= length.max(1);
            indices.extend(places.iter().map(|at| (at / step.max(1) % length) as i64));
        }
        Ok(vec![Tensor::from_vec(
            indices,
            dims[0].as_slice(),
            x.device(),
        )?])
    }

    fn element(&self) -> Option<ElementType> {
        Some(ElementType::I64)
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        Vec::new()
    }
}
