//! Files as exporters write them, in `tests/onnx` (see `make.py` and `make_keras.py` there), and what is counted in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use referee_networks::model::{Expected, Model, ModelError, Opened};
use referee_networks::onnx::proto::{TensorProto, tensor_proto::DataType};
use referee_networks::onnx::{Feed, OnnxFile, SideFiles};
use referee_networks::predict::{self, ModelFile, Predictor, Task};
use referee_networks::{ElementType, Network};
use referee_scoring::model_form::{Interpolation, ModelForm};

use crate::onnx_files::{Draft, codes, int, ints, some, text};

/// `image` of `make.py`.
#[expect(clippy::cast_precision_loss, reason = "below 31")]
fn images(batch: usize) -> Tensor {
    let pixels = (0..batch * 192).map(|pixel| (pixel * 7 % 31) as f32 / 31.0);
    Tensor::from_vec(pixels.collect::<Vec<_>>(), (batch, 3, 8, 8), &Device::Cpu).expect("as many")
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/onnx")
        .join(name)
}

fn prepare(name: &str) -> Result<Model, ModelError> {
    let expected = Expected {
        classes: 5,
        ..Expected::default()
    };
    Opened::onnx(OnnxFile::open_beside(&path(name))?, expected)?.prepare([8, 8], 3, &Device::Cpu)
}

/// What the libraries answer to two images is what the model does, whatever the batch that the file was exported for.
fn assert_answers(name: &str, tolerance: f32) -> Model {
    let answers = std::fs::read(path("answers.json")).expect("there");
    let mut answers: BTreeMap<String, Vec<Vec<f32>>> =
        serde_json::from_slice(&answers).expect("JSON");
    let expected = answers.remove(name).expect(name).concat();
    let model = prepare(name).unwrap_or_else(|refused| panic!("{name}: {refused}"));
    let mut images = images(2);
    if model.takes_pixels() {
        let pixels = (images * 31.0).and_then(|pixels| pixels.round()?.to_dtype(DType::U8));
        images = pixels.expect("pixels");
    }
    let logits = model
        .logits(&images)
        .and_then(|l| Ok(l.flatten_all()?.to_vec1::<f32>()?));
    let logits = logits.unwrap_or_else(|failed| panic!("{name}: {failed}"));
    assert_eq!(logits.len(), expected.len(), "{name}");
    for (logit, expected) in logits.iter().zip(&expected) {
        assert!((logit - expected).abs() < tolerance, "{name}: {logits:?}");
    }
    model
}

/// The files of PyTorch and of Keras, as they export by default, run without a word but what the contract asks for.
#[test]
fn what_the_libraries_export_answers_as_they_do() {
    for (name, notices, precision) in [
        // One image, weights in a file beside it; the exporter that was the default until 2.9.
        ("default.onnx", &[][..], "float32"),
        ("legacy.onnx", &[], "float32"),
        // torchvision's vision transformer, exported for one image.
        ("transformer.onnx", &[], "float32"),
        ("training.onnx", &["training_mode"], "float32"),
        ("float16.onnx", &[], "float32 (stored as float16)"),
        // The exporter's product of convolution and batch normalisation is float32.
        ("bfloat16.onnx", &[], "float32 (stored as bfloat16+float32)"),
        ("float64.onnx", &[], "float32 (stored as float64)"),
        // uint8, channels last.
        ("pixels.onnx", &["channels_last"], "float32"),
        ("int8.onnx", &[], "float32 (stored as int8)"),
        ("keras.onnx", &["channels_last"], "float32"),
        ("tf2onnx.onnx", &["channels_last"], "float32"),
    ] {
        // The exporter multiplies the batch normalisation into the convolution in the file's own precision.
        let tolerance = if name == "float16.onnx" { 1e-4 } else { 2e-6 };
        let model = assert_answers(name, tolerance);
        assert_eq!(
            codes(model.notices()),
            notices.iter().copied().collect(),
            "{name}"
        );
        assert_eq!(model.precision(), precision, "{name}");
    }
}

/// A batch of one that the network loses, and an image without a batch: each with what mends it.
#[test]
fn a_network_without_a_batch_is_told_how_to_get_one() {
    let squeezed = prepare("squeeze.onnx").expect_err("refused").to_string();
    assert!(
        squeezed.contains("is [5] for one image; expected [1,5]")
            && squeezed.contains("x.flatten(1)"),
        "{squeezed}"
    );
    let unbatched = prepare("unbatched.onnx").expect_err("refused").to_string();
    assert!(
        unbatched.contains("[3, 8, 8], one image without a batch")
            && unbatched.contains("image.unsqueeze(0)"),
        "{unbatched}"
    );
    // One channel, which looks like a batch of one without channels.
    let gray = Draft::new(17)
        .input("x", DataType::Float, &[1, 8, 8])
        .integers("row", &[-1])
        .floats("weight", &[64, 5], &some(320))
        .node("Reshape", &["x", "row"], &["pixels"], &[])
        .node("MatMul", &["pixels", "weight"], &["y"], &[])
        .output("y", DataType::Float, &[5]);
    let expected = Expected {
        classes: 5,
        ..Expected::default()
    };
    let gray = Opened::onnx(gray.open().expect("a file"), expected)
        .and_then(|opened| opened.prepare([8, 8], 1, &Device::Cpu))
        .expect_err("refused")
        .to_string();
    assert!(
        gray.contains("the input is an image without a batch"),
        "{gray}"
    );
}

/// The metadata that `onnx.helper.set_model_props` writes count as the form does.
#[test]
fn a_recipe_in_the_files_metadata_is_used() {
    let file = ModelFile::beside(&path("recipe.onnx")).expect("a file");
    let task = Task {
        classes: Some(5),
        image: None,
    };
    let (opened, form) = predict::open(file, &ModelForm::default(), task).expect("opened");
    assert_eq!(form.class_order, Some("wnid".parse().expect("an order")));
    let predictor = Predictor::new(opened, &form, task, &Device::Cpu).expect("runs");
    let recipe = predictor.preprocessing();
    assert_eq!(
        (&recipe.mean[..], &recipe.std[..]),
        (&[0.5, 0.4, 0.3][..], &[0.2, 0.3, 0.4][..])
    );
    assert_eq!(recipe.interpolation, Interpolation::Bicubic);
}

/// What lies in a second file that was left behind, in the words of someone who has no server.
#[test]
fn a_missing_side_file_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let alone = directory.path().join("default.onnx");
    std::fs::copy(path("default.onnx"), &alone).expect("copied");
    let sentence = "it keeps tensors in `default.onnx.data`, which is not beside it: put that file into the same folder";
    let opened = OnnxFile::open_beside(&alone).expect_err("refused");
    assert_eq!(opened.to_string(), sentence);
    let opened = ModelFile::beside(&alone).err().expect("refused");
    assert_eq!(opened.to_string(), sentence);
}

/// Without a class list the file has to show how many classes there are; what does not is told to give one, or which output answers.
#[test]
fn a_file_that_does_not_show_its_classes_needs_them() {
    let open = |draft: &Draft| {
        let file = ModelFile {
            filename: "model.onnx".into(),
            model: draft.bytes().into(),
            data: SideFiles::default(),
        };
        let task = Task {
            classes: None,
            image: None,
        };
        predict::open(file, &ModelForm::default(), task)
    };
    let plain = || {
        Draft::new(17)
            .input("x", DataType::Float, &[0, 3, 6, 6])
            .node("GlobalAveragePool", &["x"], &["pooled"], &[])
            .node("Flatten", &["pooled"], &["y"], &[])
            .node("ArgMax", &["y"], &["class"], &[])
    };
    // Not declared, but it follows from the graph.
    assert!(open(&plain().output("y", DataType::Float, &[0, 0])).is_ok());
    // Declared otherwise than the graph computes, which no runtime minds: the head was replaced, or nothing but a scalar said.
    for declared in [[0, 5].as_slice(), &[0, 2], &[]] {
        let (opened, form) = open(&plain().output("y", DataType::Float, declared)).expect("opens");
        assert_eq!(form.output.as_deref(), Some("y"));
        let model = opened.prepare([6, 6], 3, &Device::Cpu).expect("runs");
        assert_eq!(model.classes(), 3);
    }
    // The features that the scores are computed from are no scores.
    let head = plain()
        .floats("head", &[3, 4], &some(12))
        .node("MatMul", &["y", "head"], &["logits"], &[])
        .output("y", DataType::Float, &[0, 3])
        .output("logits", DataType::Float, &[0, 4]);
    let (_, form) = open(&head).expect("one answers");
    assert_eq!(form.output.as_deref(), Some("logits"));
    for (draft, why) in [
        (
            plain().output("class", DataType::Int64, &[0, 1]),
            "ranks classes and does not say how many there are: give the challenge's class list with --classes FILE",
        ),
        (
            plain()
                .output("pooled", DataType::Float, &[0, 3, 1, 1])
                .output("y", DataType::Float, &[0, 3]),
            "name the one that holds the logits with output=",
        ),
    ] {
        let refused = open(&draft).expect_err(why).to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

/// The images themselves take memory, however little the first layer leaves of them.
#[test]
fn as_many_images_are_run_at_a_time_as_there_is_memory_for() {
    let draft = Draft::new(17)
        .input("x", DataType::Float, &[0, 3, 64, 64])
        .output("y", DataType::Float, &[0, 3])
        .node("GlobalAveragePool", &["x"], &["pooled"], &[])
        .node("Flatten", &["pooled"], &["y"], &[]);
    let file = ModelFile {
        filename: "model.onnx".into(),
        model: draft.bytes().into(),
        data: SideFiles::default(),
    };
    let task = Task {
        classes: Some(3),
        image: None,
    };
    let (opened, form) = predict::open(file, &ModelForm::default(), task).expect("opened");
    let predictor = Predictor::new(opened, &form, task, &Device::Cpu).expect("runs");
    // Ten images of 3·64·64 numbers of four bytes, in a hundredth of the memory.
    assert_eq!(predictor.batch(100 * 10 * 3 * 64 * 64 * 4), 10);
}

/// Opset 23 made attention and RMS normalisation operators; PyTorch 2.15 writes them.
#[test]
fn a_transformer_of_opset_23_answers_as_onnx_runtime() {
    let model = assert_answers("attention.onnx", 2e-6);
    // Conv 3·8·4·4 + 8, RMSNorm 8, qkv 8·24, head 8·5 + 5: the bias of qkv is an Add's, which the contract does not count.
    assert_eq!(model.profile().parameters, 392 + 8 + 192 + 45);
    assert_eq!(model.profile().depth, 3);
}

fn network(draft: &Draft) -> Network {
    let image = Feed::Image {
        dims: vec![3, 6, 6],
        element: ElementType::F32,
        fixed_batch: None,
    };
    let file = draft.open().expect("a file");
    let imported = file.network("test", vec![("x".into(), image)], "y");
    imported.expect("supported").network
}

/// As `quantize_static` of ONNX Runtime writes a file: integers with a scale before every layer, the bias as well.
#[test]
fn weights_held_as_integers_are_counted() {
    let quantised = Draft::new(17)
        .input("x", DataType::Float, &[0, 3, 6, 6])
        .integers("row", &[0, -1])
        .floats("scale", &[], &[0.01])
        .integers("weight8", &[1; 432])
        .integers("bias32", &[1; 4])
        .integers("matrix", &[108, 4])
        .node("Reshape", &["x", "row"], &["pixels"], &[])
        .node("DequantizeLinear", &["weight8", "scale"], &["flat"], &[])
        .node("Reshape", &["flat", "matrix"], &["weight"], &[])
        .node("DequantizeLinear", &["bias32", "scale"], &["bias"], &[])
        .node("Gemm", &["pixels", "weight", "bias"], &["y"], &[])
        .output("y", DataType::Float, &[0, 4]);
    let profile = network(&quantised).profile().expect("known shapes");
    assert_eq!(
        (profile.parameters, profile.macs, profile.depth),
        (432 + 4, 432, 1)
    );
}

fn zeros_in_half_precision(name: &str, dims: &[i64]) -> TensorProto {
    let bytes = 2 * usize::try_from(dims.iter().product::<i64>()).expect("few");
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float16 as i32),
        raw_data: Some(vec![0; bytes].into()),
        ..TensorProto::default()
    }
}

/// A layer of four outputs on 108 pixels, its weights arranged before the product in every way that exporters know.
#[test]
fn weights_are_counted_behind_what_arranges_them() {
    let layer = || {
        Draft::new(17)
            .input("x", DataType::Float, &[0, 3, 6, 6])
            .node("Flatten", &["x"], &["pixels"], &[])
            .output("y", DataType::Float, &[0, 4])
    };
    let product = |draft: Draft| draft.node("MatMul", &["pixels", "weight"], &["y"], &[]);
    let einsum = |draft: Draft, weight, equation| {
        draft.node(
            "Einsum",
            &["pixels", weight],
            &["y"],
            &[text("equation", equation)],
        )
    };
    let to_float = int("to", DataType::Float as i64);
    let plain = || layer().floats("w", &[108, 4], &some(432));
    let turned = || layer().floats("w", &[4, 108], &some(432));
    let transpose =
        |draft: Draft, from, to| draft.node("Transpose", &[from], &[to], &[ints("perm", &[1, 0])]);
    let cases = [
        ("Transpose", product(transpose(turned(), "w", "weight"))),
        (
            "Cast",
            product(
                layer()
                    .tensor(zeros_in_half_precision("w", &[108, 4]))
                    .node("Cast", &["w"], &["weight"], std::slice::from_ref(&to_float)),
            ),
        ),
        (
            "Cast of integers",
            product(
                layer()
                    .integers("w", &[1; 432])
                    .integers("shape", &[108, 4])
                    .node("Cast", &["w"], &["floats"], &[to_float])
                    .node("Reshape", &["floats", "shape"], &["weight"], &[]),
            ),
        ),
        (
            "DequantizeLinear of what is transposed",
            product(transpose(
                layer()
                    .integers("w", &[1; 432])
                    .integers("shape", &[4, 108])
                    .floats("scale", &[], &[0.01])
                    .node("Reshape", &["w", "shape"], &["rows"], &[])
                    .node("DequantizeLinear", &["rows", "scale"], &["turned"], &[]),
                "turned",
                "weight",
            )),
        ),
        (
            "Unsqueeze and Squeeze",
            product(
                plain()
                    .integers("axis", &[0])
                    .node("Unsqueeze", &["w", "axis"], &["more"], &[])
                    .node("Identity", &["more"], &["same"], &[])
                    .node("Squeeze", &["same", "axis"], &["weight"], &[]),
            ),
        ),
        (
            "Mul",
            product(plain().floats("half", &[], &[0.5]).node(
                "Mul",
                &["half", "w"],
                &["weight"],
                &[],
            )),
        ),
        (
            "Concat",
            product(
                layer()
                    .floats("a", &[108, 1], &some(108))
                    .floats("b", &[108, 3], &some(324))
                    .node("Concat", &["a", "b"], &["weight"], &[int("axis", 1)]),
            ),
        ),
        ("Einsum", einsum(plain(), "w", "bi,io->bo")),
        ("Einsum without a result", einsum(plain(), "w", "b i, i o")),
        (
            "Einsum of what is transposed",
            einsum(transpose(turned(), "w", "t"), "t", "bi,io->bo"),
        ),
    ];
    for (case, draft) in cases {
        let profile = network(&draft).profile().expect("known shapes");
        let counted = (profile.parameters, profile.macs, profile.depth);
        assert_eq!(counted, (432, 432, 1), "{case}");
    }
}

/// Weights so few that they would pass for constants of the graph; those that are a product themselves; and a product of
/// what the image computes, which has none.
#[test]
fn what_weights_are_computed_from_is_counted_once() {
    let pooled = Draft::new(17)
        .input("x", DataType::Float, &[0, 3, 6, 6])
        .node("GlobalAveragePool", &["x"], &["means"], &[])
        .node("Flatten", &["means"], &["pooled"], &[])
        .output("y", DataType::Float, &[0, 4]);
    let few = pooled
        .floats("w", &[4, 3], &some(12))
        .node("Transpose", &["w"], &["weight"], &[])
        .node("MatMul", &["pooled", "weight"], &["first"], &[])
        .node("MatMul", &["first", "w"], &["again"], &[])
        .node("MatMul", &["again", "weight"], &["y"], &[]);
    let factors = Draft::new(17)
        .input("x", DataType::Float, &[0, 3, 6, 6])
        .floats("a", &[108, 5], &some(540))
        .floats("b", &[5, 4], &some(20))
        .node("Flatten", &["x"], &["pixels"], &[])
        .node("MatMul", &["a", "b"], &["weight"], &[])
        .node("MatMul", &["pixels", "weight"], &["y"], &[])
        .output("y", DataType::Float, &[0, 4]);
    // Attention: the shift is a bias, which is none of a layer's.
    let computed = Draft::new(17)
        .input("x", DataType::Float, &[0, 3, 6, 6])
        .floats("shift", &[6, 6], &some(36))
        .node("Add", &["x", "shift"], &["shifted"], &[])
        .node(
            "Transpose",
            &["shifted"],
            &["turned"],
            &[ints("perm", &[0, 1, 3, 2])],
        )
        .node("MatMul", &["x", "turned"], &["y"], &[])
        .output("y", DataType::Float, &[0, 3, 6, 6]);
    for (draft, expected) in [
        (few, (12, 36, 3)),
        (factors, (560, 108 * 5 * 4 + 432, 1)),
        (computed, (0, 3 * 6 * 6 * 6, 0)),
    ] {
        let profile = network(&draft).profile().expect("known shapes");
        let counted = (profile.parameters, profile.macs, profile.depth);
        assert_eq!(counted, expected);
    }
}

/// tf2onnx 1.17's name for a convolution's weights that it multiplied a batch normalisation into, as of Keras's MobileNetV2.
#[test]
fn a_batch_normalisation_that_tf2onnx_merged_is_told() {
    for (weights, folded) in [
        ("expanded_conv_project_1/convolution/merged_input:0", true),
        ("conv2d_1/convolution/ReadVariableOp:0", false),
    ] {
        let draft = Draft::new(17)
            .input("x", DataType::Float, &[0, 3, 6, 6])
            .floats(weights, &[4, 3, 3, 3], &some(108))
            .node(
                "Conv",
                &["x", weights],
                &["y"],
                &[ints("kernel_shape", &[3, 3])],
            )
            .output("y", DataType::Float, &[0, 4, 4, 4]);
        assert_eq!(network(&draft).is_folded(), folded, "{weights}");
    }
}
