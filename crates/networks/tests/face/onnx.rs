//! ONNX files that are whole, and files that are not.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use referee_networks::onnx::proto::{
    AttributeProto, FunctionProto, TensorProto, tensor_proto::DataType,
};
use referee_networks::onnx::{self, Feed, OnnxError, OnnxFile, SideFiles};
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{ElementType, Executor, train};

use crate::onnx_files::{Draft, body, declared, floats, int, node};

/// The output `y` for two images `x` of three numbers.
pub fn run(file: &OnnxFile) -> Result<Vec<f32>, OnnxError> {
    let image = Feed::Image {
        dims: vec![3],
        element: ElementType::F32,
        fixed_batch: None,
    };
    let imported = file.network("test", vec![("x".into(), image)], "y")?;
    let images = Tensor::from_vec(vec![1f32, -2.0, 3.0, -4.0, 5.0, -6.0], (2, 3), &Device::Cpu)
        .expect("six");
    let output =
        Executor::new(&imported.network, &imported.weights, &Device::Cpu)?.infer(&images)?;
    Ok(output
        .flatten_all()
        .and_then(|output| output.to_vec1())
        .expect("numbers"))
}

/// The graph of [`run`], without nodes.
pub fn draft() -> Draft {
    Draft::new(18)
        .input("x", DataType::Float, &[0, 3])
        .output("y", DataType::Float, &[0, 3])
}

#[test]
fn a_file_that_was_cut_off_is_called_that() {
    let whole = draft().node("Relu", &["x"], &["y"], &[]).bytes();
    let cut = whole[..whole.len() - 20].to_vec();
    let refused = OnnxFile::decode(cut.into(), SideFiles::default());
    let refused = refused.expect_err("cut off").to_string();
    assert!(
        refused.ends_with("it was cut off; send it again"),
        "{refused}"
    );
}

#[test]
fn opsets_from_7_to_28_are_accepted() {
    for (opset, accepted) in [(6, false), (7, true), (28, true), (29, false)] {
        let mut draft = draft().node("Relu", &["x"], &["y"], &[]);
        draft.model.opset_import[0].version = Some(opset);
        assert_eq!(draft.open().is_ok(), accepted, "opset {opset}");
    }
}

/// Weights so few that they began as constants of the graph.
#[test]
fn few_weights_that_are_transposed_run() {
    let draft = draft()
        .floats("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .node("Transpose", &["w"], &["weight"], &[])
        .node("MatMul", &["x", "weight"], &["y"], &[]);
    assert_eq!(
        run(&draft.open().expect("a file")).expect("runs"),
        [6.0, 12.0, -12.0, -27.0]
    );
}

/// As PyTorch writes fake quantisation: the zero point is cast to the type that the integers are to have.
#[test]
fn a_zero_point_that_is_cast_says_what_is_quantised_to() {
    let quantised = |operator: &str, attributes: &[AttributeProto]| {
        let draft = draft()
            .floats("scale", &[], &[1.0])
            .integers("zero", &[0])
            .node(operator, &["zero"], &["zero8"], attributes)
            .node("QuantizeLinear", &["x", "scale", "zero8"], &["x8"], &[])
            .node("DequantizeLinear", &["x8", "scale", "zero8"], &["y"], &[]);
        run(&draft.open().expect("a file"))
    };
    let to = |element: DataType| int("to", i64::from(element as i32));
    assert_eq!(
        quantised("Cast", &[to(DataType::Int8)]).expect("runs"),
        [1.0, -2.0, 3.0, -4.0, 5.0, -6.0]
    );
    assert_eq!(
        quantised("Cast", &[to(DataType::Uint8)]).expect("runs"),
        [1.0, 0.0, 3.0, 0.0, 5.0, 0.0]
    );
    let refused = quantised("Abs", &[]).expect_err("refused").to_string();
    assert!(refused.contains("its zero point"), "{refused}");
}

#[test]
fn local_functions_are_written_out() {
    // As torch.export writes them: a function with an attribute of its own, called twice with different values.
    let mut leaky = node("LeakyRelu", &["a"], &["b"], &[int("alpha", 0)]);
    leaky.attribute[0].ref_attr_name = Some("slope".into());
    let function = FunctionProto {
        name: Some("Leak".into()),
        domain: Some("local".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        attribute: vec!["slope".into()],
        node: vec![leaky],
        ..FunctionProto::default()
    };
    let call = |input: &str, output: &str, slope: f32| {
        let mut attribute = int("slope", 0);
        (attribute.i, attribute.f) = (None, Some(slope));
        let mut call = node("Leak", &[input], &[output], &[attribute]);
        call.domain = Some("local".into());
        call
    };
    let mut draft = draft();
    draft.graph().node = vec![call("x", "half", 0.5), call("half", "y", 0.25)];
    draft.model.functions = vec![function];
    assert_eq!(
        run(&draft.open().expect("a file")).expect("runs"),
        [1.0, -0.25, 3.0, -0.5, 5.0, -0.75]
    );
}

#[test]
fn a_function_that_calls_itself_ends() {
    let mut call = node("Loop", &["a"], &["b"], &[]);
    call.domain = Some("local".into());
    let function = FunctionProto {
        name: Some("Loop".into()),
        domain: Some("local".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: vec![call.clone(), call.clone()],
        ..FunctionProto::default()
    };
    let mut draft = draft();
    draft.graph().node = vec![
        node("Identity", &["x"], &["a"], &[]),
        call,
        node("Identity", &["b"], &["y"], &[]),
    ];
    draft.model.functions = vec![function];
    assert!(matches!(
        run(&draft.open().expect("a file")),
        Err(OnnxError::Limit { .. })
    ));
}

/// Negative numbers if it is so, absolute ones if not.
fn branches() -> [AttributeProto; 2] {
    let branch = |operator: &str| {
        let mut graph = Draft::new(18)
            .node(operator, &["x"], &["result"], &[])
            .model
            .graph
            .expect("a graph");
        graph.output = vec![declared("result", DataType::Float, &[0, 3])];
        graph
    };
    [
        body("then_branch", branch("Neg")),
        body("else_branch", branch("Abs")),
    ]
}

#[test]
fn a_constant_condition_chooses_its_branch() {
    let both = branches();
    for (condition, expected) in [
        (1u8, [-1.0, 2.0, -3.0, 4.0, -5.0, 6.0]),
        (0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ] {
        let condition = TensorProto {
            name: Some("condition".into()),
            data_type: Some(DataType::Bool as i32),
            raw_data: Some(vec![condition].into()),
            ..TensorProto::default()
        };
        let draft = draft()
            .tensor(condition)
            .node("If", &["condition"], &["y"], &both);
        assert_eq!(run(&draft.open().expect("a file")).expect("runs"), expected);
    }
}

/// As the older exporter of PyTorch writes `squeeze`: a branch for an axis of length 1, another for any else.
#[test]
fn a_condition_that_follows_from_shapes_chooses_its_branch() {
    let both = branches();
    let asked = |axis: i64, length: i64| {
        let draft = draft()
            .integers("axis", &[axis])
            .integers("length", &[length])
            .node("Shape", &["x"], &["shape"], &[])
            .node("Gather", &["shape", "axis"], &["found"], &[])
            .node("Equal", &["found", "length"], &["is_equal"], &[])
            .node("If", &["is_equal"], &["y"], &both);
        run(&draft.open().expect("a file"))
    };
    assert_eq!(
        asked(1, 3).expect("runs"),
        [-1.0, 2.0, -3.0, 4.0, -5.0, 6.0]
    );
    assert_eq!(asked(1, 1).expect("runs"), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let refused = asked(0, 1)
        .expect_err("of one image, but not of more")
        .to_string();
    assert!(
        refused.contains("If_of_y") && refused.contains("condition"),
        "{refused}"
    );
}

#[test]
fn what_is_no_network_is_said_so() {
    let cases = [
        (
            draft().node("Add", &["x", "nothing"], &["y"], &[]),
            "nothing computes its input nothing",
        ),
        (
            draft().node("Relu", &["x"], &["z"], &[]),
            "no node computes the output y",
        ),
        (
            draft()
                .floats("w", &[-3], &[])
                .node("Add", &["x", "w"], &["y"], &[]),
            "negative dimension",
        ),
        (
            draft()
                .floats("w", &[4], &[1.0; 3])
                .node("Add", &["x", "w"], &["y"], &[]),
            "12 bytes for F32 [4]",
        ),
        (
            draft()
                .floats("w", &[i64::MAX, i64::MAX], &[])
                .node("Add", &["x", "w"], &["y"], &[]),
            "too large",
        ),
        (
            draft().node("MaxPool", &["x"], &["y"], &[]),
            "kernel_shape is missing",
        ),
        (
            draft().node("Softmax", &["x"], &["y"], &[int("axis", 7)]),
            "7",
        ),
    ];
    for (draft, sentence) in cases {
        let refused = draft
            .open()
            .and_then(|file| run(&file))
            .expect_err(sentence)
            .to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
    let refused = OnnxFile::decode(b"PK\x03\x04".to_vec().into(), SideFiles::default())
        .expect_err("a zip")
        .to_string();
    assert!(refused.contains("torch.onnx.export"), "{refused}");
}

#[test]
fn the_zoo_survives_a_round_trip() {
    for name in [
        "perceptron",
        "mlp(32,16;tanh)",
        "lenet5",
        "resnet20",
        "squeezenet1_1",
        "alexnet_2012",
    ] {
        let input = if name.starts_with("squeeze") || name.starts_with("alex") {
            [3, 227, 227]
        } else {
            [1, 32, 32]
        };
        let network = zoo::build(
            &name.parse().expect("known"),
            &ZooOptions {
                num_classes: 10,
                input,
            },
        )
        .expect("fits");
        let weights = train::initial_weights(&network, 1).expect("weights");
        let file = onnx::encode(&network, &weights).expect("encodes");
        let file = OnnxFile::decode(file.into(), SideFiles::default()).expect("decodes");
        let feed = Feed::Image {
            dims: input.to_vec(),
            element: ElementType::F32,
            fixed_batch: None,
        };
        let again = file
            .network(name, vec![("input".into(), feed)], "output")
            .expect("imports");
        let images = Tensor::rand(-1f32, 1.0, [&[2], input.as_slice()].concat(), &Device::Cpu)
            .expect("noise");
        let of = |network, weights| {
            Executor::new(network, weights, &Device::Cpu)
                .and_then(|executor| executor.infer(&images))
        };
        let (before, after) = (
            of(&network, &weights).expect("runs"),
            of(&again.network, &again.weights).expect("runs"),
        );
        let difference = (before - after)
            .and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>())
            .expect("a number");
        assert!(difference < 1e-5, "{name}: {difference}");
        let (own, read) = (
            network.profile().expect("fits"),
            again.network.profile().expect("fits"),
        );
        assert_eq!(
            (own.parameters, own.macs, own.depth),
            (read.parameters, read.macs, read.depth),
            "{name}"
        );
    }
}

proptest! {
    /// One changed byte is a stranger's file: refused or run, never a panic.
    #[test]
    fn a_changed_byte_does_not_panic(at in 0usize..2000, byte: u8) {
        let mut bytes = draft()
            .tensor(floats("w", &[3], &[1.0, 2.0, 3.0]))
            .integers("shape", &[-1, 3])
            .node("Add", &["x", "w"], &["a"], &[])
            .node("Softmax", &["a"], &["b"], &[int("axis", 1)])
            .node("Reshape", &["b", "shape"], &["y"], &[])
            .bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(file) = OnnxFile::decode(bytes.into(), SideFiles::default()) {
            let _ = run(&file);
        }
    }
}
