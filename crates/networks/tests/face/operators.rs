//! Operators against ONNX Runtime and ONNX's reference: the files and answers of `tests/operators` (see `make.py` there).

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small extents and pixels"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use referee_networks::model::{Expected, Opened};
use referee_networks::onnx::proto::{
    AttributeProto, GraphProto, TensorProto, tensor_proto::DataType,
};
use referee_networks::onnx::{self, Feed, OnnxFile, SideFiles};
use referee_networks::{ElementType, Executor};
use serde::Deserialize;

use crate::difference;
use crate::onnx_files::{Draft, body, codes, declared, int, ints, some, text};

#[derive(Deserialize)]
struct Family {
    x: Vec<usize>,
    answers: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Answer {
    dims: Vec<usize>,
    values: Vec<f32>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/operators")
        .join(name)
}

fn families() -> BTreeMap<String, Family> {
    let answers = std::fs::read(path("answers.json")).expect("there");
    serde_json::from_slice(&answers).expect("JSON")
}

/// `image` of `make.py`.
fn image(dims: &[usize]) -> Tensor {
    let count: usize = dims.iter().product();
    let pixels = (0..count).map(|at| ((at * 7 % 31) as f64 / 31.0 - 0.4) as f32);
    Tensor::from_vec(pixels.collect::<Vec<_>>(), dims, &Device::Cpu).expect("as many")
}

fn compare(name: &str, found: &Tensor, answer: &Answer) {
    assert_eq!(found.dims(), answer.dims, "{name}");
    let found: Vec<f32> = found
        .to_dtype(DType::F32)
        .and_then(|found| found.flatten_all()?.to_vec1())
        .expect("numbers");
    for (at, (found, expected)) in found.iter().zip(&answer.values).enumerate() {
        let tolerance = 2e-5 * expected.abs().max(1.0);
        assert!(
            (found - expected).abs() <= tolerance,
            "{name}: element {at} is {found}, expected {expected}"
        );
    }
}

/// Every answer of a family: as it is read, and once more when it was written and read again.
fn assert_family(name: &str) {
    // Which integers are quantised to is not written.
    let is_written = name != "contributed";
    let family = families().remove(name).expect(name);
    let file = OnnxFile::open(&path(&format!("{name}.onnx")), SideFiles::default());
    let file = file.unwrap_or_else(|refused| panic!("{name}: {refused}"));
    let feeds = || {
        let image = Feed::Image {
            dims: family.x[1..].to_vec(),
            element: ElementType::F32,
            fixed_batch: Some(family.x[0]),
        };
        vec![("x".to_owned(), image)]
    };
    let images = image(&family.x);
    assert!(!family.answers.is_empty());
    for (output, answer) in &family.answers {
        let name = format!("{name}, {output}");
        let read = file.network("test", feeds(), output);
        let read = read.unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let run = |read: &onnx::Imported| {
            let executor = Executor::new(&read.network, &read.weights, &Device::Cpu);
            let found = executor.and_then(|executor| executor.infer(&images));
            found.unwrap_or_else(|failed| panic!("{name}: {failed}"))
        };
        let found = run(&read);
        compare(&name, &found, answer);
        let shapes = read.network.infer_shapes(family.x[0]).expect("shapes");
        assert_eq!(
            shapes.of(read.network.output()),
            answer.dims,
            "{name}: inferred shape"
        );

        if !is_written {
            continue;
        }
        let written = onnx::encode(&read.network, &read.weights).expect("written");
        let again = OnnxFile::decode(written.into(), SideFiles::default()).expect("a file");
        let input = again.inputs().expect("inputs").remove(0).name;
        let feeds = feeds().into_iter().map(|(_, feed)| (input.clone(), feed));
        let output = again.outputs().expect("outputs").remove(0).name;
        let again = again.network("test", feeds.collect(), &output);
        let again = again.unwrap_or_else(|refused| panic!("{name}, written again: {refused}"));
        compare(&format!("{name}, written again"), &run(&again), answer);
    }
}

#[test]
fn sampling_at_places() {
    for name in ["sampling", "sampling16", "volumes"] {
        assert_family(name);
    }
}

#[test]
fn deformable_convolution() {
    assert_family("deformable");
}

#[test]
fn recurrent_layers() {
    assert_family("recurrent");
}

#[test]
fn fourier_transforms() {
    for name in ["fourier", "fourier17"] {
        assert_family(name);
    }
}

#[test]
fn pooling_by_norms() {
    assert_family("pooling");
}

#[test]
fn norms_and_maxima() {
    for name in ["norms", "hardmax11"] {
        assert_family(name);
    }
}

#[test]
fn functions_of_one_number() {
    assert_family("functions");
}

#[test]
fn where_numbers_go() {
    for name in ["arranged", "products"] {
        assert_family(name);
    }
}

#[test]
fn loops_are_written_out() {
    assert_family("loops");
}

#[test]
fn what_onnx_runtime_adds_when_it_quantises() {
    assert_family("contributed");
}

/// PyTorch's default exports of a spatial transformer and a gated recurrent unit, as a submission goes through: three images
/// where the file was exported for one.
#[test]
fn default_exports_answer_as_onnx_runtime_does() {
    for (name, [channels, height, width]) in [("stn", [3, 8, 8]), ("gru", [1, 8, 8])] {
        let family = families().remove(name).expect(name);
        let expected = Expected {
            classes: 6,
            ..Expected::default()
        };
        let file = OnnxFile::open_beside(&path(&format!("{name}.onnx"))).expect("a file");
        let model = Opened::onnx(file, expected)
            .and_then(|opened| opened.prepare([height, width], channels, &Device::Cpu));
        let model = model.unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let images = image(&family.x);
        let images = images
            .reshape((family.x[0], channels, height, width))
            .expect("images");
        let logits = model
            .logits(&images)
            .unwrap_or_else(|failed| panic!("{name}: {failed}"));
        let answer = family.answers.values().next().expect("one");
        compare(name, &logits, answer);
        assert!(
            codes(model.notices()).is_empty(),
            "{name}: {:?}",
            codes(model.notices())
        );
    }
}

/// One image `x` of `dims` through a graph of float32, and what its output `y` is.
fn through(draft: &Draft, dims: &[usize], values: &[f32]) -> Result<Tensor, String> {
    let image = Feed::Image {
        dims: dims.to_vec(),
        element: ElementType::F32,
        fixed_batch: None,
    };
    let run = || -> Result<Tensor, Box<dyn std::error::Error>> {
        let read = draft
            .open()?
            .network("test", vec![("x".into(), image)], "y")?;
        let images = Tensor::from_slice(values, [&[1], dims].concat(), &Device::Cpu)?;
        read.network.infer_shapes(1)?;
        Ok(Executor::new(&read.network, &read.weights, &Device::Cpu)?.infer(&images)?)
    };
    run().map_err(|error| error.to_string())
}

fn graph(opset: i64, dims: &[usize]) -> Draft {
    let signed = dims.iter().map(|&length| length as i64);
    let dims: Vec<i64> = std::iter::once(0).chain(signed).collect();
    Draft::new(opset)
        .input("x", DataType::Float, &dims)
        .output("y", DataType::Float, &[])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Sampling where the pixels are gives the pixels, whatever lies beyond the border.
    #[test]
    fn sampling_where_the_pixels_are_gives_them(
        (height, width) in (2_usize..8, 2_usize..8),
        corners in 0_i64..2,
        mode in prop::sample::select(vec!["linear", "nearest", "cubic"]),
        border in prop::sample::select(vec!["zeros", "border", "reflection"]),
    ) {
        let dims = [2, height, width];
        let values = some(2 * height * width);
        let draft = graph(20, &dims)
            .floats("theta", &[1, 2, 3], &[1., 0., 0., 0., 1., 0.])
            .integers("size", &[1, 2, height as i64, width as i64])
            .node("AffineGrid", &["theta", "size"], &["grid"], &[int("align_corners", corners)])
            .node(
                "GridSample",
                &["x", "grid"],
                &["y"],
                &[int("align_corners", corners), text("mode", mode), text("padding_mode", border)],
            );
        let y = through(&draft, &dims, &values).unwrap();
        for (found, expected) in y.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().zip(&values) {
            prop_assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
        }
    }

    /// Where no offset moves anything, a deformable convolution is a convolution.
    #[test]
    fn without_offsets_a_deformable_convolution_is_one(
        groups in 1_i64..3,
        offset_groups in prop::sample::select(vec![1_i64, 2, 4]),
        size in prop::array::uniform2(4_usize..8),
        window in prop::array::uniform2(1_usize..4),
        stride in prop::array::uniform2(1_i64..3),
        pads in prop::array::uniform4(0_i64..2),
    ) {
        let dims = [4, size[0], size[1]];
        let values = some(dims.iter().product());
        let [rows, columns] = window.map(|length| length as i64);
        let out = |axis: usize| {
            (size[axis] as i64 + pads[axis] + pads[axis + 2] - window[axis] as i64) / stride[axis] + 1
        };
        let offsets = [1, offset_groups * rows * columns * 2, out(0), out(1)];
        let weights = some((6 * 4 / groups * rows * columns) as usize);
        let attributes = [int("group", groups), ints("strides", &stride), ints("pads", &pads)];
        let draft = |operator: &str, inputs: &[&str], attributes: &[AttributeProto]| {
            let draft = graph(19, &dims)
                .floats("weight", &[6, 4 / groups, rows, columns], &weights)
                .floats("offset", &offsets, &vec![0.; offsets.iter().product::<i64>() as usize])
                .node(operator, inputs, &["y"], attributes);
            through(&draft, &dims, &values).unwrap()
        };
        let expected = draft("Conv", &["x", "weight"], &attributes);
        let with_groups = [attributes.as_slice(), &[int("offset_group", offset_groups)]].concat();
        let found = draft("DeformConv", &["x", "weight", "offset"], &with_groups);
        prop_assert!(difference(&found, &expected) < 1e-5);
    }

    /// A transform and back is the identity, of any length.
    #[test]
    fn a_fourier_transform_has_its_inverse(length in 1_usize..40, sided in 0_i64..2) {
        let dims = [length, 1];
        let values = some(length);
        let draft = graph(20, &dims)
            .integers("length", &[length as i64])
            .integers("none", &[])
            .node("Reshape", &["length", "none"], &["count"], &[])
            .node("DFT", &["x"], &["spectrum"], &[int("onesided", sided)])
            .node("DFT", &["spectrum", "count"], &["back"], &[int("inverse", 1), int("onesided", sided)])
            .node("Identity", &["back"], &["y"], &[]);
        let y = through(&draft, &dims, &values).unwrap();
        let real: Vec<f32> = y.narrow(2, 0, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (found, expected) in real.iter().zip(&values) {
            prop_assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
        }
    }
}

/// What a stranger's file may ask for is refused with a sentence, in time and in memory that it does not choose.
#[test]
fn what_asks_for_too_much_is_refused() {
    let turns = |count| scalar("turns", count);
    let mut empty = GraphProto {
        input: vec![
            declared("turn", DataType::Int64, &[]),
            declared("going", DataType::Bool, &[]),
        ],
        output: vec![declared("going", DataType::Bool, &[])],
        ..GraphProto::default()
    };
    let mut carrying = empty.clone();
    let carried = declared("carried", DataType::Float, &[3]);
    carrying.input.push(carried.clone());
    carrying.output.push(carried);
    let endless = graph(18, &[3]).tensor(turns(i64::MAX)).node(
        "Loop",
        &["turns", "", "x"],
        &["y"],
        &[body("body", carrying)],
    );
    empty.output.clear();
    let bodiless = graph(18, &[3]).tensor(turns(3)).node(
        "Loop",
        &["turns", ""],
        &["y"],
        &[body("body", empty)],
    );
    let of_image = graph(18, &[3]).node("NonZero", &["x"], &["y"], &[]);
    let counted = graph(18, &[3])
        .node("NonZero", &["x"], &["places"], &[])
        .node("Size", &["places"], &["turns"], &[])
        .node(
            "Loop",
            &["turns", "", "x"],
            &["y"],
            &[body("body", GraphProto::default())],
        );
    let one_hot = graph(18, &[3])
        .integers("depth", &[4])
        .floats("values", &[2], &[0., 1.])
        .node(
            "OneHot",
            &["x", "depth", "values"],
            &["y"],
            &[int("axis", i64::MIN)],
        );
    let crop = graph(18, &[3]).integers("shape", &[1, i64::MAX]).node(
        "CenterCropPad",
        &["x", "shape"],
        &["y"],
        &[],
    );
    let transform = graph(17, &[3, 1]).integers("length", &[1 << 40]).node(
        "DFT",
        &["x", "length"],
        &["y"],
        &[],
    );
    for (draft, dims, part) in [
        (endless, &[3][..], "the limit is"),
        (bodiless, &[3], "gives no condition"),
        (of_image, &[3], "depends on the images' content"),
        (counted, &[3], "depends on the image"),
        (one_hot, &[3], "axis -9223372036854775808 of 3 dimensions"),
        (crop, &[3], "its result would have"),
        (transform, &[3, 1], "a transform of length"),
    ] {
        let refused = through(&draft, dims, &[0.25; 3]).expect_err(part);
        assert!(refused.contains(part), "{refused}");
    }
}

/// A single integer.
fn scalar(name: &str, value: i64) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        data_type: Some(DataType::Int64 as i32),
        int64_data: vec![value],
        ..TensorProto::default()
    }
}

/// Recurrent layers are counted by their matrix products, and deformable convolutions as convolutions. Of the file's five steps
/// each counts as an image: two sequences, 3·4 rows of gates by 3 + 4 columns. 6·2·3·2 weights at each of 4·4 places.
#[test]
fn products_are_counted() {
    let profile = |name: &str, output: &str| {
        let family = families().remove(name).expect(name);
        let file =
            OnnxFile::open(&path(&format!("{name}.onnx")), SideFiles::default()).expect("a file");
        let image = Feed::Image {
            dims: family.x[1..].to_vec(),
            element: ElementType::F32,
            fixed_batch: Some(family.x[0]),
        };
        let read = file
            .network("test", vec![("x".into(), image)], output)
            .expect("read");
        read.network.profile().expect("a profile")
    };
    let gru = profile("recurrent", "gru_forward_plain");
    assert_eq!(
        (gru.macs, gru.parameters, gru.depth),
        (2 * 12 * (3 + 4), 12 * (3 + 4), 1)
    );
    let deformable = profile("deformable", "plain");
    assert_eq!((deformable.macs, deformable.depth), (6 * 2 * 3 * 2 * 16, 1));
}
