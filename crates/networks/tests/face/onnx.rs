//! ONNX files that are whole, and files that are not.

use std::io::{Seek as _, SeekFrom, Write as _};

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use referee_networks::onnx::proto::{
    AttributeProto, FunctionProto, StringStringEntryProto, TensorProto,
    tensor_proto::{DataLocation, DataType},
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

fn draft() -> Draft {
    Draft::new(18)
        .input("x", DataType::Float, &[0, 3])
        .output("y", DataType::Float, &[0, 3])
}

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value.into()),
    }
}

/// x + a tensor in a side file, described by `entries`.
fn external(entries: &[(&str, &str)]) -> Draft {
    draft()
        .tensor(TensorProto {
            name: Some("shift".into()),
            dims: vec![3],
            data_type: Some(DataType::Float as i32),
            data_location: Some(DataLocation::External as i32),
            external_data: entries
                .iter()
                .map(|(key, value)| entry(key, value))
                .collect(),
            ..TensorProto::default()
        })
        .node("Add", &["x", "shift"], &["y"], &[])
}

/// A side file of two unused bytes and the numbers 10, 20, 30.
fn side_file(directory: &tempfile::TempDir) -> SideFiles {
    let path = directory.path().join("part.bin");
    let numbers: Vec<u8> = [10f32, 20.0, 30.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(&[&[7, 7], numbers.as_slice()].concat()))
        .expect("writes");
    let mut side_files = SideFiles::default();
    side_files
        .add("model.onnx.data", &path)
        .expect("a plain file");
    side_files
}

#[test]
fn external_data_is_read_from_its_range() {
    let directory = tempfile::tempdir().expect("a directory");
    let side_files = side_file(&directory);
    let open = |entries: &[(&str, &str)]| {
        OnnxFile::decode(external(entries).bytes().into(), side_files.clone())
            .and_then(|file| run(&file))
    };
    let whole = [
        ("location", "model.onnx.data"),
        ("offset", "2"),
        ("length", "12"),
    ];
    assert_eq!(
        open(&whole).expect("whole"),
        [11.0, 18.0, 33.0, 6.0, 25.0, 24.0]
    );
    for (entries, sentence) in [
        (vec![("location", "other.data")], "was not sent"),
        (
            vec![("location", "../model.onnx.data")],
            "not a bare file name",
        ),
        (vec![("location", "/etc/passwd")], "not a bare file name"),
        (vec![("location", "..")], "not a bare file name"),
        (vec![("offset", "2")], "not a bare file name"),
        (
            vec![("location", "model.onnx.data"), ("offset", "3")],
            "which has 14",
        ),
        (
            vec![("location", "model.onnx.data"), ("offset", "-1")],
            "offset is \"-1\"",
        ),
        (
            vec![
                ("location", "model.onnx.data"),
                ("offset", "18446744073709551615"),
                ("length", "12"),
            ],
            "which has 14",
        ),
        (
            vec![("location", "model.onnx.data"), ("length", "8")],
            "8 bytes for F32 [3], which take 12",
        ),
    ] {
        let refused = open(&entries).expect_err(sentence).to_string();
        assert!(
            refused.contains(sentence) && refused.contains("shift"),
            "{refused}"
        );
    }
}

#[test]
fn a_side_file_that_is_a_link_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let link = directory.path().join("model.onnx.data");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("links");
    assert!(matches!(
        SideFiles::default().add("model.onnx.data", &link),
        Err(OnnxError::Io { .. })
    ));
}

#[test]
fn side_files_are_found_beside_the_model() {
    let directory = tempfile::tempdir().expect("a directory");
    let model = directory.path().join("model.onnx");
    let draft = external(&[("location", "weights.bin"), ("offset", "4")]);
    std::fs::write(&model, draft.bytes()).expect("writes");
    std::fs::write(directory.path().join("weights.bin"), [0u8; 16]).expect("writes");
    assert_eq!(
        run(&OnnxFile::open_beside(&model).expect("whole")).expect("runs")[..3],
        [1.0, -2.0, 3.0]
    );
}

/// Weights over 2 GiB: in a side file they are read from where they lie, in the ONNX file itself refused.
#[test]
fn more_than_two_gib_is_read_from_a_side_file_only() {
    const TWO_GIB: u64 = 2 << 30;
    let directory = tempfile::tempdir().expect("a directory");
    // Holes, which take no place on the disk.
    let with_hole = |name: &str, begin: &[u8], end: &[u8]| {
        let path = directory.path().join(name);
        let mut file = std::fs::File::create(&path).expect("created");
        file.write_all(begin).expect("writes");
        file.seek(SeekFrom::Start(TWO_GIB)).expect("a hole");
        file.write_all(end).expect("writes");
        path
    };
    let numbers = [10f32, 20.0, 30.0].map(f32::to_le_bytes).concat();
    with_hole("model.onnx.data", b"", &numbers);
    let offset = TWO_GIB.to_string();
    let small = external(&[("location", "model.onnx.data"), ("offset", &offset)]);
    let model = directory.path().join("model.onnx");
    std::fs::write(&model, small.bytes()).expect("writes");
    let file = OnnxFile::open_beside(&model).expect("whole");
    assert_eq!(run(&file).expect("runs")[..3], [11.0, 18.0, 33.0]);

    let large = with_hole("large.onnx", &small.bytes(), &[0]);
    let refused = OnnxFile::open(&large, SideFiles::default());
    let refused = refused.expect_err("too large").to_string();
    assert!(
        refused.starts_with(
            "2147483649 bytes in one ONNX file; the limit is 2 GiB. Send the weights as safetensors"
        ),
        "{refused}"
    );
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
