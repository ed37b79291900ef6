//! ONNX files as a library writes them, small enough to read.

use std::collections::BTreeSet;

use prost::Message;
use referee_networks::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataType, tensor_shape_proto::Dimension, tensor_shape_proto::dimension,
    type_proto,
};
use referee_networks::onnx::{OnnxError, OnnxFile, SideFiles};

/// A file being written; the methods add to it.
pub struct Draft {
    pub model: ModelProto,
}

impl Draft {
    pub fn new(opset: i64) -> Self {
        let own = OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(opset),
        };
        Self {
            model: ModelProto {
                ir_version: Some(8),
                producer_name: Some("test".into()),
                opset_import: vec![own],
                graph: Some(GraphProto::default()),
                ..ModelProto::default()
            },
        }
    }

    pub fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().expect("made with one")
    }

    pub fn ir(mut self, version: i64) -> Self {
        self.model.ir_version = Some(version);
        self
    }

    /// An input of any batch size where `dims` begins with 0.
    pub fn input(mut self, name: &str, kind: DataType, dims: &[i64]) -> Self {
        self.graph().input.push(declared(name, kind, dims));
        self
    }

    pub fn output(mut self, name: &str, kind: DataType, dims: &[i64]) -> Self {
        self.graph().output.push(declared(name, kind, dims));
        self
    }

    pub fn tensor(mut self, tensor: TensorProto) -> Self {
        self.graph().initializer.push(tensor);
        self
    }

    pub fn floats(self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.tensor(floats(name, dims, values))
    }

    pub fn integers(self, name: &str, values: &[i64]) -> Self {
        let count = i64::try_from(values.len()).expect("few");
        self.tensor(TensorProto {
            name: Some(name.into()),
            dims: vec![count],
            data_type: Some(DataType::Int64 as i32),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        })
    }

    pub fn node(
        mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[AttributeProto],
    ) -> Self {
        self.graph()
            .node
            .push(node(operator, inputs, outputs, attributes));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    pub fn open(&self) -> Result<OnnxFile, OnnxError> {
        OnnxFile::decode(self.bytes().into(), SideFiles::default())
    }
}

pub fn node(
    operator: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[AttributeProto],
) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    NodeProto {
        op_type: Some(operator.into()),
        name: Some(format!("{operator}_of_{}", outputs[0])),
        input: owned(inputs),
        output: owned(outputs),
        attribute: attributes.to_vec(),
        ..NodeProto::default()
    }
}

pub fn declared(name: &str, kind: DataType, dims: &[i64]) -> ValueInfoProto {
    let dim = |&length: &i64| Dimension {
        value: Some(if length == 0 {
            dimension::Value::DimParam("batch".into())
        } else {
            dimension::Value::DimValue(length)
        }),
        ..Dimension::default()
    };
    let shape = TensorShapeProto {
        dim: dims.iter().map(dim).collect(),
    };
    let tensor = type_proto::Tensor {
        elem_type: Some(kind as i32),
        shape: Some(shape),
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

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float as i32),
        raw_data: Some(
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect::<Vec<u8>>()
                .into(),
        ),
        ..TensorProto::default()
    }
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(AttributeType::Int as i32),
        ..AttributeProto::default()
    }
}

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        ints: values.to_vec(),
        r#type: Some(AttributeType::Ints as i32),
        ..AttributeProto::default()
    }
}

pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        s: Some(value.as_bytes().to_vec().into()),
        r#type: Some(AttributeType::String as i32),
        ..AttributeProto::default()
    }
}

pub fn body(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        g: Some(graph),
        r#type: Some(AttributeType::Graph as i32),
        ..AttributeProto::default()
    }
}

/// Numbers between −0.5 and 0.5, always the same.
pub fn some(count: usize) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(5);
    (0..count).map(|_| rng.f32() - 0.5).collect()
}

/// The codes of notices.
pub fn codes(notices: &[referee_scoring::Notice]) -> BTreeSet<&str> {
    notices.iter().map(|notice| notice.code.as_str()).collect()
}
