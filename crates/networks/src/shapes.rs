//! The shape of every value, without running the network.
//!
//! Shape arithmetic (a `Reshape` to the first half of a `Shape`) is folded: where all inputs of a node are known, its
//! own kernel computes the result, so that there is one definition of every operator.

#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "lengths of dimensions, negative only where ONNX counts from the end, far below 2^52"
)]

mod rules;

pub(crate) use rules::{Arguments, Dims, lengths, normalise};

use candle_core::{DType, Device, Tensor};

use crate::error::{NetworkError, Result};
use crate::graph::{Network, Node, Op, ValueId};
use crate::run::{self, Inputs};

/// Elements up to which a value is folded: shapes and indices, not images.
const FOLDED_ELEMENTS: usize = 1 << 16;

/// More elements than any value of a network has: what asks for them is an attack or a mistake.
const MOST_ELEMENTS: u64 = 1 << 31;

/// The dimensions of every value of a network at one batch size.
#[derive(Clone, Debug)]
pub struct Shapes {
    values: Vec<Option<Value>>,
}

/// What is known of a value before running.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub dims: Vec<usize>,
    /// Its elements, where they depend on the batch size alone.
    pub known: Option<Tensor>,
}

impl Shapes {
    /// The dimensions of a value that the output depends on.
    ///
    /// # Panics
    /// On a value that no node of the network makes any more, after fusing for example.
    pub fn of(&self, value: ValueId) -> &[usize] {
        &self.values[value.index()]
            .as_ref()
            .expect("a value that some node makes")
            .dims
    }

    /// A value's elements, where they follow from the batch size alone.
    pub fn known(&self, value: ValueId) -> Option<&Tensor> {
        self.values[value.index()].as_ref()?.known.as_ref()
    }
}

impl Network {
    /// The dimensions of every value for `batch` images.
    ///
    /// # Errors
    /// [`NetworkError::Node`] at the first node that what arrives does not fit, or whose result's shape depends on the
    /// images' content.
    pub fn infer_shapes(&self, batch: usize) -> Result<Shapes> {
        let mut values = vec![None; self.value_count()];
        let dims = [&[batch], self.input().dims.as_slice()].concat();
        values[self.input().value.index()] = Some(Value { dims, known: None });
        for parameter in self.parameters() {
            values[parameter.value.index()] = Some(Value {
                dims: parameter.dims.clone(),
                known: None,
            });
        }
        for node in self.nodes() {
            let outputs = infer_among(node, &values)?;
            for (output, value) in node.outputs.iter().zip(outputs) {
                values[output.index()] = Some(value);
            }
        }
        Ok(Shapes { values })
    }
}

/// [`infer_node`] for a node whose inputs are among `values`, which are indexed by their [`ValueId`].
pub(crate) fn infer_among(node: &Node, values: &[Option<Value>]) -> Result<Vec<Value>> {
    let inputs: Vec<Option<&Value>> = node
        .inputs
        .iter()
        .map(|input| input.and_then(|input| values[input.index()].as_ref()))
        .collect();
    infer_node(node, &inputs)
}

/// The shapes of a node's outputs, and their elements where all its inputs' are known.
pub(crate) fn infer_node(node: &Node, inputs: &[Option<&Value>]) -> Result<Vec<Value>> {
    let failed = |detail: String| NetworkError::Node {
        node: node.name.clone(),
        op: node.op.name(),
        detail,
    };
    let shapes = rules::output_dims(&node.op, &rules::Arguments(inputs), node.outputs.len())
        .map_err(failed)?;
    if let Some(dims) = shapes.iter().find(|dims| !is_countable(dims)) {
        return Err(failed(format!("its result would have the shape {dims:?}")));
    }
    let known = fold(node, inputs, &shapes).map_err(|error| failed(error.to_string()))?;
    Ok(shapes
        .into_iter()
        .enumerate()
        .map(|(index, dims)| Value {
            dims,
            known: known.get(index).cloned(),
        })
        .collect())
}

fn fold(
    node: &Node,
    inputs: &[Option<&Value>],
    shapes: &[Vec<usize>],
) -> candle_core::Result<Vec<Tensor>> {
    if shapes
        .iter()
        .any(|dims| elements(dims) > FOLDED_ELEMENTS as u64)
    {
        return Ok(Vec::new());
    }
    let device = Device::Cpu;
    let dims_of = |input: Option<&Value>| input.map(|value| value.dims.clone()).unwrap_or_default();
    match &node.op {
        Op::Constant(literal) => Ok(vec![run::tensor_of(literal, DType::F32, &device)?]),
        Op::Shape { start, end } => {
            let dims: Vec<i64> = dims_of(inputs[0])
                .iter()
                .map(|length| *length as i64)
                .collect();
            let range = rules::shape_range(*start, *end, dims.len());
            Ok(vec![Tensor::from_slice(
                &dims[range.clone()],
                range.len(),
                &device,
            )?])
        }
        Op::Size => Ok(vec![Tensor::new(
            elements(&dims_of(inputs[0])) as i64,
            &device,
        )?]),
        _ => {
            let known: Option<Vec<Option<&Tensor>>> = inputs
                .iter()
                .map(|input| match input {
                    None => Some(None),
                    Some(value) => value.known.as_ref().map(Some),
                })
                .collect();
            match known {
                Some(known) => run::infer_node(node, &Inputs(&known)),
                None => Ok(Vec::new()),
            }
        }
    }
}

/// The dimensions of a node's results, once its inputs have arrived: a run checks its arguments by the same rules.
pub(crate) fn output_dims(
    op: &Op,
    inputs: &Inputs<'_>,
    outputs: usize,
) -> candle_core::Result<Vec<Vec<usize>>> {
    let arrived = |tensor: &Tensor| Value {
        dims: tensor.dims().to_vec(),
        known: Some(tensor.clone()),
    };
    let values: Vec<Option<Value>> = inputs.0.iter().map(|input| input.map(arrived)).collect();
    let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
    let dims = rules::output_dims(op, &rules::Arguments(&values), outputs);
    let dims = dims.map_err(candle_core::Error::msg)?;
    match dims.iter().map(|dims| elements(dims)).max() {
        Some(most) if most > MOST_ELEMENTS => Err(candle_core::Error::msg(format!(
            "its result would have {most} elements"
        ))),
        _ => Ok(dims),
    }
}

/// What a `Shape` operator gives of an array.
pub(crate) fn shape_of(x: &Tensor, start: i64, end: Option<i64>) -> candle_core::Result<Tensor> {
    let range = rules::shape_range(start, end, x.rank());
    let dims: Vec<i64> = x.dims()[range]
        .iter()
        .map(|length| *length as i64)
        .collect();
    let count = dims.len();
    Tensor::from_vec(dims, count, x.device())
}

/// Whether a shape's elements can be counted even by who does not see that one of its lengths is 0.
pub(crate) fn is_countable(dims: &[usize]) -> bool {
    dims.iter()
        .try_fold(1_usize, |product, length| {
            product.checked_mul((*length).max(1))
        })
        .is_some()
}

/// The number of elements of a shape, at most `u64::MAX`.
pub(crate) fn elements(dims: &[usize]) -> u64 {
    dims.iter().fold(1, |product: u64, length| {
        product.saturating_mul(*length as u64)
    })
}
