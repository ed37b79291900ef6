//! Integers of every width keep their own arithmetic. All figures are ONNX Runtime's (1.32), of the vectors in [`operands`].

use candle_core::{DType, Device, Tensor};
use referee_networks::onnx::proto::{TensorProto, tensor_proto::DataType};
use referee_networks::onnx::{Feed, OnnxError, OnnxFile};
use referee_networks::{ElementType, Executor};

use crate::onnx_files::{Draft, declared, int, ints, text};

/// A type's names, and its least and greatest number.
fn types() -> [(&'static str, DataType, i128, i128); 8] {
    [
        ("Int8", DataType::Int8, i8::MIN.into(), i8::MAX.into()),
        ("Uint8", DataType::Uint8, 0, u8::MAX.into()),
        ("Int16", DataType::Int16, i16::MIN.into(), i16::MAX.into()),
        ("Uint16", DataType::Uint16, 0, u16::MAX.into()),
        ("Int32", DataType::Int32, i32::MIN.into(), i32::MAX.into()),
        ("Uint32", DataType::Uint32, 0, u32::MAX.into()),
        ("Int64", DataType::Int64, i64::MIN.into(), i64::MAX.into()),
        ("Uint64", DataType::Uint64, 0, u64::MAX.into()),
    ]
}

/// The type's greatest and least number, one above its middle, 7 and 100; and five small ones.
fn operands(least: i128, greatest: i128) -> [[i128; 5]; 2] {
    [
        [greatest, least, greatest / 2 + 3, 7, 100],
        [3, 5, 2, 3, 100],
    ]
}

fn tensor(name: &str, kind: DataType, dims: &[i64], values: &[i128]) -> TensorProto {
    let width = match kind {
        DataType::Int8 | DataType::Uint8 => 1,
        DataType::Int16 | DataType::Uint16 => 2,
        DataType::Int32 | DataType::Uint32 => 4,
        _ => 8,
    };
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes()[..width].to_vec())
        .collect();
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(kind as i32),
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    }
}

/// The elements of the output `y`, as they are stored.
fn stored(file: &OnnxFile) -> Result<Tensor, OnnxError> {
    let image = Feed::Image {
        dims: vec![3],
        element: ElementType::F32,
        fixed_batch: None,
    };
    let imported = file.network("test", vec![("x".into(), image)], "y")?;
    let images = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).expect("zeros");
    Ok(Executor::new(&imported.network, &imported.weights, &Device::Cpu)?.infer(&images)?)
}

fn numbers(draft: &Draft, kind: DataType) -> Vec<i128> {
    let output = stored(&draft.open().expect("a file")).expect("runs");
    let values: Vec<i64> = output
        .to_dtype(DType::I64)
        .and_then(|output| output.flatten_all()?.to_vec1())
        .expect("integers");
    let number = |value: i64| match kind {
        DataType::Uint64 => i128::from(value.cast_unsigned()),
        _ => i128::from(value),
    };
    values.into_iter().map(number).collect()
}

fn draft(name: &str) -> (Draft, DataType) {
    let (_, kind, least, greatest) = types()
        .into_iter()
        .find(|(other, ..)| *other == name)
        .expect("a type");
    let [a, b] = operands(least, greatest);
    let mut draft = Draft::new(21)
        .input("x", DataType::Float, &[0, 3])
        .tensor(tensor("a", kind, &[5], &a))
        .tensor(tensor("b", kind, &[5], &b))
        .tensor(tensor("row", kind, &[1, 5], &a))
        .tensor(tensor("column", kind, &[5, 1], &b))
        .tensor(tensor("three", DataType::Int64, &[1], &[3]))
        .tensor(tensor("first", DataType::Int64, &[], &[0]));
    draft.graph().output = vec![declared("y", kind, &[5])];
    (draft, kind)
}

#[test]
fn every_type_has_its_own_arithmetic() {
    let table: Vec<(&str, &str, Vec<i128>)> = include!("integers/onnxruntime.in");
    for (name, operator, expected) in table {
        let (draft, mut kind) = draft(name);
        let draft = match operator.split_once(' ') {
            Some((operator, direction)) => draft.node(
                operator,
                &["a", "b"],
                &["y"],
                &[text("direction", direction)],
            ),
            None => match operator {
                "Abs" | "Neg" | "Sign" | "BitwiseNot" | "ArgMax" | "ArgMin" | "ReduceMax"
                | "ReduceMin" | "ReduceProd" | "ReduceSumSquare" => {
                    draft.node(operator, &["a"], &["y"], &[])
                }
                "CumSum" => draft.node(operator, &["a", "first"], &["y"], &[]),
                "TopK" => draft.node(operator, &["a", "three"], &["y", "at"], &[]),
                "MatMul" => draft.node(operator, &["row", "column"], &["y"], &[]),
                _ => draft.node(operator, &["a", "b"], &["y"], &[]),
            },
        };
        if operator.starts_with("Arg") || ["Less", "GreaterOrEqual", "Equal"].contains(&operator) {
            kind = DataType::Int64;
        }
        let found = numbers(&draft, kind);
        assert_eq!(found, expected, "{operator} of {name}");
    }
}

#[test]
fn integers_are_rectified_as_floats_are() {
    for (name, _, least, greatest) in types() {
        let (draft, kind) = draft(name);
        let draft = draft.node("Relu", &["a"], &["y"], &[]);
        let [a, _] = operands(least, greatest);
        assert_eq!(numbers(&draft, kind), a.map(|a| a.max(0)), "{name}");
    }
}

#[test]
fn casts_wrap_and_what_no_integer_holds_is_the_least() {
    let floats = [
        300.0,
        -1.0,
        1.9,
        -1.9,
        1e10,
        -1e10,
        3e9,
        f32::NAN,
        f32::INFINITY,
        255.9,
        -129.0,
    ];
    let least = i128::from(i32::MIN);
    let cases: [(DataType, [i128; 11]); 5] = [
        (DataType::Int8, [44, -1, 1, -1, 0, 0, 0, 0, 0, -1, 127]),
        (DataType::Uint8, [44, 255, 1, 255, 0, 0, 0, 0, 0, 255, 127]),
        (
            DataType::Uint16,
            [300, 65535, 1, 65535, 0, 0, 0, 0, 0, 255, 65407],
        ),
        (
            DataType::Int32,
            [300, -1, 1, -1, least, least, least, least, least, 255, -129],
        ),
        (
            DataType::Int64,
            [
                300,
                -1,
                1,
                -1,
                10_000_000_000,
                -10_000_000_000,
                3_000_000_000,
                i64::MIN.into(),
                i64::MIN.into(),
                255,
                -129,
            ],
        ),
    ];
    for (kind, expected) in cases {
        let draft = Draft::new(21)
            .input("x", DataType::Float, &[0, 3])
            .floats("a", &[11], &floats)
            .node("Cast", &["a"], &["y"], &[int("to", i64::from(kind as i32))]);
        assert_eq!(numbers(&draft, kind), expected, "{kind:?}");
    }
}

#[test]
fn long_integers_without_a_sign_are_positive_floats() {
    let (draft, _) = draft("Uint64");
    let to = int("to", i64::from(DataType::Float as i32));
    let output = stored(
        &draft
            .node("Cast", &["a"], &["y"], &[to])
            .open()
            .expect("a file"),
    );
    let floats: Vec<f32> = output.expect("runs").to_vec1().expect("floats");
    assert_eq!(floats, [1.844_674_4e19, 0.0, 9.223_372e18, 7.0, 100.0]);
}

#[test]
fn products_of_quantised_integers_are_summed_in_32_bits() {
    // By hand: (200 − 10)·(−3 − 1) + (5 − 10)·(100 − 1), and the same once more where the zero point is another.
    let product = Draft::new(13)
        .input("x", DataType::Float, &[0, 3])
        .tensor(tensor("a", DataType::Uint8, &[1, 2], &[200, 5]))
        .tensor(tensor("b", DataType::Int8, &[2, 1], &[-3, 100]))
        .tensor(tensor("a0", DataType::Uint8, &[], &[10]))
        .tensor(tensor("b0", DataType::Int8, &[], &[1]))
        .node("MatMulInteger", &["a", "b", "a0", "b0"], &["y"], &[]);
    assert_eq!(numbers(&product, DataType::Int32), [-1255]);
    let window = Draft::new(13)
        .input("x", DataType::Float, &[0, 3])
        .tensor(tensor("a", DataType::Uint8, &[1, 1, 1, 3], &[200, 5, 0]))
        .tensor(tensor("b", DataType::Int8, &[1, 1, 1, 2], &[-3, 100]))
        .tensor(tensor("a0", DataType::Uint8, &[], &[10]))
        .node(
            "ConvInteger",
            &["a", "b", "a0"],
            &["y"],
            &[ints("kernel_shape", &[1, 2]), ints("pads", &[0, 0, 0, 1])],
        );
    // 190·−3 − 5·100; −5·−3 − 10·100; −10·−3.
    assert_eq!(numbers(&window, DataType::Int32), [-1070, -985, 30]);
}

#[test]
fn pixels_between_pixels_are_cut_off_or_rounded_as_in_onnx_runtime() {
    let pixels: Vec<i128> = (0..16).map(|at| at * 37 % 256).collect();
    let resized = |attributes: &[_]| {
        let draft = Draft::new(18)
            .input("x", DataType::Float, &[0, 3])
            .tensor(tensor("a", DataType::Uint8, &[1, 1, 4, 4], &pixels))
            .integers("sizes", &[1, 1, 3, 5])
            .node("Resize", &["a", "", "", "sizes"], &["y"], attributes);
        numbers(&draft, DataType::Uint8)
    };
    assert_eq!(
        resized(&[text("mode", "linear")]),
        [
            24, 50, 80, 96, 93, 94, 119, 149, 140, 77, 163, 189, 112, 35, 61
        ]
    );
    assert_eq!(
        resized(&[text("mode", "linear"), int("antialias", 1)]),
        [
            40, 66, 96, 104, 82, 94, 120, 150, 141, 77, 148, 174, 111, 46, 72
        ]
    );
}
