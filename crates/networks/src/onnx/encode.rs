//! A network and its weights as an ONNX file, for other runtimes and as an upload.

mod operators;

pub(crate) use operators::pool as pooling;

use std::collections::HashSet;

use candle_core::{DType, Tensor};
use prost::Message;

use super::{
    OnnxError,
    error::Result,
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
        TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
        tensor_proto::DataType, tensor_shape_proto::Dimension, tensor_shape_proto::dimension,
        type_proto,
    },
};
use crate::{
    Activation, ElementType, Elements, Literal, Network, NetworkError, Node, Op, Shapes, ValueId,
    Weights,
};

/// `GroupNormalization` scales each channel from here on.
const OPSET: i64 = 21;
const IR_VERSION: i64 = 10;
/// Protobuf's own limit.
const MOST_BYTES: usize = (2 << 30) - 1;

/// The network as an ONNX file for batches of any size. Initialisers have the parameters' names; the input is called
/// `input` and the output `output`.
///
/// # Errors
/// [`OnnxError::TooLarge`] over 2 GiB, [`OnnxError::Node`] for an operator that ONNX has no counterpart of,
/// [`OnnxError::Network`] where a parameter is missing.
pub fn encode(network: &Network, weights: &Weights) -> Result<Vec<u8>> {
    weights.check(network)?;
    let mut encoder = Encoder {
        nodes: Vec::new(),
        initializers: Vec::new(),
        names: value_names(network),
        shapes: network.infer_shapes(network.input().fixed_batch.unwrap_or(1))?,
    };
    for parameter in network.parameters() {
        let tensor = weights
            .get(&parameter.name)
            .expect("Weights::check found it");
        encoder
            .initializers
            .push(of_tensor(&parameter.name, tensor)?);
    }
    for node in network.nodes() {
        encoder.node(node)?;
    }
    let input = network.input();
    let batch = input.fixed_batch.map_or_else(|| named("batch"), sized);
    let output_dims = encoder
        .shapes
        .of(network.output())
        .iter()
        .skip(1)
        .copied()
        .collect::<Vec<_>>();
    let image = [
        vec![batch.clone()],
        input.dims.iter().map(|&length| sized(length)).collect(),
    ]
    .concat();
    let answer = [vec![batch], output_dims.into_iter().map(sized).collect()].concat();
    let graph = GraphProto {
        name: Some(network.name().into()),
        node: encoder.nodes,
        initializer: encoder.initializers,
        input: vec![declared(
            &encoder.names[input.value.index()],
            input.element,
            image,
        )],
        output: vec![declared(
            &encoder.names[network.output().index()],
            ElementType::F32,
            answer,
        )],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("referee".into()),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(opset(network)),
        }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    let bytes = model.encoded_len();
    if bytes > MOST_BYTES {
        return Err(OnnxError::TooLarge {
            bytes: bytes as u64,
        });
    }
    Ok(model.encode_to_vec())
}

/// The newest that one of its operators needs.
fn opset(network: &Network) -> i64 {
    let of_operator = |node: &Node| match &node.op {
        Op::Listed(listed) => listed.operator().since(),
        _ => OPSET,
    };
    network
        .nodes()
        .iter()
        .map(of_operator)
        .fold(OPSET, i64::max)
}

struct Encoder {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// By value.
    names: Vec<String>,
    shapes: Shapes,
}

impl Encoder {
    fn name(&self, value: ValueId) -> String {
        self.names[value.index()].clone()
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        let outputs: Vec<String> = node
            .outputs
            .iter()
            .map(|&output| self.name(output))
            .collect();
        match node.activation {
            None => self.operator(node, outputs),
            Some(activation) => {
                let before = format!("{}/before", outputs[0]);
                self.operator(node, vec![before.clone()])?;
                self.activation(
                    &format!("{}/activation", node.name),
                    activation,
                    before,
                    outputs[0].clone(),
                );
                Ok(())
            }
        }
    }

    /// Adds one ONNX node.
    fn push(
        &mut self,
        name: &str,
        operator: &str,
        inputs: Vec<String>,
        outputs: Vec<String>,
        attributes: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            name: Some(name.into()),
            op_type: Some(operator.into()),
            input: inputs,
            output: outputs,
            attribute: attributes,
            ..NodeProto::default()
        });
    }

    /// A constant of this encoding's own, by its name.
    fn constant(&mut self, name: String, literal: &Literal) -> String {
        self.initializers.push(of_literal(&name, literal));
        name
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "attributes are single precision"
    )]
    fn activation(&mut self, name: &str, activation: Activation, x: String, y: String) {
        let (operator, attributes) = match activation {
            Activation::Clip { min, max } => {
                let min = self.constant(format!("{name}/min"), &Literal::float(min as f32));
                let max = self.constant(format!("{name}/max"), &Literal::float(max as f32));
                return self.push(name, "Clip", vec![x, min, max], vec![y], Vec::new());
            }
            // An operator of its own from opset 24 on only.
            Activation::Swish { alpha } => {
                let (scaled, gate) = (format!("{name}/scaled"), format!("{name}/gate"));
                let alpha = self.constant(format!("{name}/alpha"), &Literal::float(alpha as f32));
                self.push(
                    &scaled,
                    "Mul",
                    vec![x.clone(), alpha],
                    vec![scaled.clone()],
                    Vec::new(),
                );
                self.push(
                    &gate,
                    "Sigmoid",
                    vec![scaled.clone()],
                    vec![gate.clone()],
                    Vec::new(),
                );
                return self.push(name, "Mul", vec![x, gate], vec![y], Vec::new());
            }
            Activation::LeakyRelu { slope } => ("LeakyRelu", vec![float("alpha", slope)]),
            Activation::ThresholdedRelu { alpha }
            | Activation::Elu { alpha }
            | Activation::Celu { alpha } => (activation.name(), vec![float("alpha", alpha)]),
            Activation::Selu { alpha, gamma } => {
                ("Selu", vec![float("alpha", alpha), float("gamma", gamma)])
            }
            Activation::HardSigmoid { alpha, beta } => (
                "HardSigmoid",
                vec![float("alpha", alpha), float("beta", beta)],
            ),
            Activation::GeluTanh => ("Gelu", vec![text("approximate", "tanh")]),
            _ => (activation.name(), Vec::new()),
        };
        self.push(name, operator, vec![x], vec![y], attributes);
    }
}

/// A name for each value: its own where that is taken only once.
fn value_names(network: &Network) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut names = vec![String::new(); network.value_count()];
    let (input, output) = (network.input().value.index(), network.output().index());
    let mut give = |index: usize, name: &str| {
        let unique = if taken.insert(name.to_owned()) {
            name.to_owned()
        } else {
            format!("{name}_{index}")
        };
        taken.insert(unique.clone());
        names[index] = unique;
    };
    for parameter in network.parameters() {
        give(parameter.value.index(), &parameter.name);
    }
    give(input, "input");
    if output != input {
        give(output, "output");
    }
    for value in network
        .nodes()
        .iter()
        .flat_map(|node| &node.outputs)
        .filter(|value| value.index() != output)
    {
        give(value.index(), network.value_name(*value));
    }
    names
}

fn named(dimension: &str) -> Dimension {
    Dimension {
        value: Some(dimension::Value::DimParam(dimension.into())),
        ..Dimension::default()
    }
}

fn sized(length: usize) -> Dimension {
    Dimension {
        value: Some(dimension::Value::DimValue(signed(length))),
        ..Dimension::default()
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn declared(name: &str, element: ElementType, dims: Vec<Dimension>) -> ValueInfoProto {
    let tensor = type_proto::Tensor {
        elem_type: Some(data_type(element) as i32),
        shape: Some(TensorShapeProto { dim: dims }),
    };
    let of = TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(of),
        ..ValueInfoProto::default()
    }
}

pub(crate) fn data_type(element: ElementType) -> DataType {
    match element {
        ElementType::F16 => DataType::Float16,
        ElementType::BF16 => DataType::Bfloat16,
        ElementType::F32 => DataType::Float,
        ElementType::F64 => DataType::Double,
        ElementType::F8E4M3FN => DataType::Float8e4m3fn,
        ElementType::F8E4M3FNUZ => DataType::Float8e4m3fnuz,
        ElementType::F8E5M2 => DataType::Float8e5m2,
        ElementType::F8E5M2FNUZ => DataType::Float8e5m2fnuz,
        ElementType::F4E2M1 => DataType::Float4e2m1,
        ElementType::I2 => DataType::Int2,
        ElementType::I4 => DataType::Int4,
        ElementType::U2 => DataType::Uint2,
        ElementType::U4 => DataType::Uint4,
        ElementType::I8 => DataType::Int8,
        ElementType::I16 => DataType::Int16,
        ElementType::I32 => DataType::Int32,
        ElementType::I64 => DataType::Int64,
        ElementType::U8 => DataType::Uint8,
        ElementType::U16 => DataType::Uint16,
        ElementType::U32 => DataType::Uint32,
        ElementType::U64 => DataType::Uint64,
        ElementType::Bool => DataType::Bool,
    }
}

fn raw(name: &str, kind: DataType, dims: &[usize], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        data_type: Some(kind as i32),
        dims: dims.iter().map(|&length| signed(length)).collect(),
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    }
}

fn of_tensor(name: &str, tensor: &Tensor) -> Result<TensorProto> {
    let flat = tensor.flatten_all().map_err(NetworkError::from)?;
    let (kind, bytes) = match tensor.dtype() {
        DType::I64 => {
            let values: Vec<i64> = flat.to_vec1().map_err(NetworkError::from)?;
            (
                DataType::Int64,
                values.into_iter().flat_map(i64::to_le_bytes).collect(),
            )
        }
        DType::U8 => (
            DataType::Bool,
            flat.to_vec1::<u8>().map_err(NetworkError::from)?,
        ),
        _ => {
            let single = flat
                .to_dtype(DType::F32)
                .and_then(|flat| flat.to_vec1::<f32>())
                .map_err(NetworkError::from)?;
            (
                DataType::Float,
                single.into_iter().flat_map(f32::to_le_bytes).collect(),
            )
        }
    };
    Ok(raw(name, kind, tensor.dims(), bytes))
}

fn of_literal(name: &str, literal: &Literal) -> TensorProto {
    let (kind, bytes) = match &literal.elements {
        Elements::Float(values) => (
            DataType::Float,
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        ),
        Elements::Integer(values) => (
            DataType::Int64,
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        ),
        Elements::Bool(values) => (
            DataType::Bool,
            values.iter().map(|&value| u8::from(value)).collect(),
        ),
    };
    raw(name, kind, &literal.dims, bytes)
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(kind as i32),
        ..AttributeProto::default()
    }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: Some(value),
        ..attribute(name, AttributeType::Int)
    }
}

pub(crate) fn flag(name: &str, value: bool) -> AttributeProto {
    int(name, i64::from(value))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "attributes are single precision"
)]
pub(crate) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto {
        f: Some(value as f32),
        ..attribute(name, AttributeType::Float)
    }
}

pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        s: Some(value.as_bytes().to_vec().into()),
        ..attribute(name, AttributeType::String)
    }
}

pub(crate) fn ints(name: &str, values: impl IntoIterator<Item = i64>) -> AttributeProto {
    AttributeProto {
        ints: values.into_iter().collect(),
        ..attribute(name, AttributeType::Ints)
    }
}

/// A length, as an attribute.
pub(crate) fn size(name: &str, length: usize) -> AttributeProto {
    int(name, signed(length))
}

pub(crate) fn sizes(name: &str, values: &[usize]) -> AttributeProto {
    ints(name, values.iter().map(|&length| signed(length)))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "attributes are single precision"
)]
pub(crate) fn floats(name: &str, values: impl IntoIterator<Item = f64>) -> AttributeProto {
    AttributeProto {
        floats: values.into_iter().map(|value| value as f32).collect(),
        ..attribute(name, AttributeType::Floats)
    }
}

pub(crate) fn texts<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> AttributeProto {
    let bytes = |value: &str| value.as_bytes().to_vec().into();
    AttributeProto {
        strings: values.into_iter().map(bytes).collect(),
        ..attribute(name, AttributeType::Strings)
    }
}
