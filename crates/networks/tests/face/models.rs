//! What real ONNX files contain, and what happens: a file for each row, as its library writes it.
//!
//! Every network here is a global average over each channel of a 3-channel image, times a 3×4 matrix: four classes, whose
//! scores a test works out by hand.

mod batches;
mod dimensions;

use candle_core::{DType, Device, Tensor};
use referee_networks::model::{Answers, Expected, Model, ModelError, Opened, channels_notice};
use referee_networks::onnx::proto::tensor_proto::DataType;

use crate::onnx_files::{Draft, codes, floats, int, ints, some};

const CLASSES: usize = 4;
const SIZE: [usize; 2] = [6, 6];
/// Rows are channels, columns classes.
const HEAD: [f32; 12] = [1.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.5, 0.0, 0.0, 1.0, -1.0];

fn expected() -> Expected {
    Expected {
        classes: CLASSES,
        ..Expected::default()
    }
}

fn prepare(draft: &Draft, expected: Expected) -> Result<Model, ModelError> {
    Opened::onnx(draft.open()?, expected)?.prepare(SIZE, 3, &Device::Cpu)
}

fn prepare_with(draft: &Draft, channels: usize) -> Result<Model, ModelError> {
    Opened::onnx(draft.open()?, expected())?.prepare(SIZE, channels, &Device::Cpu)
}

/// What fills channel `at` of a batch, counted through its images.
fn fill(at: usize) -> f32 {
    [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0][at % 7]
}

/// `batch` images, each channel of each filled with one number.
fn images(batch: usize) -> Tensor {
    let values: Vec<f32> = (0..batch * 3).flat_map(|at| vec![fill(at); 36]).collect();
    Tensor::from_vec(values, (batch, 3, 6, 6), &Device::Cpu).expect("as many")
}

/// What the network says about [`images`], worked out from the numbers that fill them.
fn by_hand(batch: usize) -> Vec<f32> {
    (0..batch)
        .flat_map(|image| {
            (0..CLASSES).map(move |class| {
                (0..3)
                    .map(|c| fill(image * 3 + c) * HEAD[c * CLASSES + class])
                    .sum::<f32>()
            })
        })
        .collect()
}

fn assert_scores(model: &Model, batch: usize) {
    let Answers::Scores { scores, .. } = model.run(&images(batch)).expect("runs") else {
        panic!("scores")
    };
    for (score, by_hand) in scores.iter().zip(by_hand(batch)) {
        assert!(
            (score - by_hand).abs() < 1e-5,
            "{scores:?}, by hand {by_hand}"
        );
    }
    assert_eq!(scores.len(), batch * CLASSES);
}

/// As PyTorch exports it with a dynamic batch: `GlobalAveragePool`, `Flatten`, `MatMul`.
fn plain(output: &str) -> Draft {
    Draft::new(17)
        .input("image", DataType::Float, &[0, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .node("GlobalAveragePool", &["image"], &["pooled"], &[])
        .node("Flatten", &["pooled"], &["features"], &[])
        .node("MatMul", &["features", "head"], &[output], &[])
}

#[test]
fn a_plain_network_answers_for_any_batch() {
    let model = prepare(
        &plain("logits").output("logits", DataType::Float, &[0, 4]),
        expected(),
    )
    .expect("fine");
    for batch in [1, 2, 5] {
        assert_scores(&model, batch);
    }
    assert!(model.notices().is_empty());
    assert_eq!(model.precision(), "float32");
    assert_eq!(
        (
            model.profile().parameters,
            model.profile().macs,
            model.profile().depth
        ),
        (12, 12, 1)
    );
}

#[test]
fn initialisers_listed_as_inputs_are_no_inputs() {
    let draft = plain("logits")
        .ir(3)
        .input("head", DataType::Float, &[3, 4])
        .output("logits", DataType::Float, &[0, 4]);
    assert_scores(&prepare(&draft, expected()).expect("fine"), 2);
}

#[test]
fn of_several_outputs_the_one_with_a_column_for_each_class_answers() {
    let draft = plain("logits")
        .output("features", DataType::Float, &[0, 3])
        .output("logits", DataType::Float, &[0, 4]);
    assert_scores(&prepare(&draft, expected()).expect("one fits"), 2);

    let twice = plain("logits")
        .node("Softmax", &["logits"], &["probabilities"], &[])
        .output("logits", DataType::Float, &[0, 4])
        .output("probabilities", DataType::Float, &[0, 4]);
    let refused = prepare(&twice, expected())
        .expect_err("two fit")
        .to_string();
    assert!(
        refused.contains("logits, probabilities") && refused.contains("output="),
        "{refused}"
    );
    let named = Expected {
        output: Some("logits".into()),
        ..expected()
    };
    assert_scores(&prepare(&twice, named).expect("named"), 2);
    let unknown = Expected {
        output: Some("scores".into()),
        ..expected()
    };
    let refused = prepare(&twice, unknown)
        .expect_err("none of that name")
        .to_string();
    assert!(refused.contains("no output scores"), "{refused}");
}

#[test]
fn a_convolutional_head_has_two_dimensions_more() {
    let head: Vec<f32> = (0..4)
        .flat_map(|class| (0..3).map(move |c| HEAD[c * 4 + class]))
        .collect();
    let draft = Draft::new(13)
        .input("image", DataType::Float, &[0, 3, 6, 6])
        .floats("head", &[4, 3, 1, 1], &head)
        .node("GlobalAveragePool", &["image"], &["pooled"], &[])
        .node(
            "Conv",
            &["pooled", "head"],
            &["logits"],
            &[ints("kernel_shape", &[1, 1])],
        )
        .output("logits", DataType::Float, &[0, 4, 1, 1]);
    let model = prepare(&draft, expected()).expect("handled");
    assert_scores(&model, 2);
    assert!(codes(model.notices()).contains("output_shape"));
}

#[test]
fn batch_norm_folded_by_the_exporter_is_told_by_the_names_that_it_gives() {
    let with = |weight: &str, bias: &str| {
        let draft = Draft::new(18)
            .input("image", DataType::Float, &[0, 3, 6, 6])
            .floats(weight, &[4, 3, 6, 6], &some(4 * 3 * 36))
            .floats(bias, &[4], &some(4))
            .node("Conv", &["image", weight, bias], &["logits"], &[])
            .output("logits", DataType::Float, &[0, 4, 1, 1]);
        let model = prepare(&draft, expected()).expect("fine");
        (model.profile().folded, model.profile().parameters)
    };
    // torch.onnx.export 2.15 of a convolution alone, and of one with BatchNorm2d behind it; the older exporter's.
    assert_eq!(with("0.weight", "0.bias"), (false, 436));
    assert_eq!(with("0.weight", "0.weight_bias"), (true, 436));
    assert_eq!(with("onnx::Conv_12", "onnx::Conv_13"), (true, 436));
}

#[test]
fn images_of_other_channels_are_named() {
    assert!(channels_notice(Some(1), 3).is_some_and(|notice| notice.detail.contains("equal")));
    assert!(channels_notice(Some(3), 1).is_some_and(|notice| notice.detail.contains("Pillow")));
    assert!(channels_notice(None, 1).is_some_and(|notice| notice.detail.contains("in colour")));
    assert_eq!(channels_notice(Some(3), 3), None);
    assert_eq!(channels_notice(None, 3), None);
}

#[test]
fn channels_last_as_tensorflow_writes_it() {
    // tf2onnx leaves the Transpose at the start.
    let draft = Draft::new(15)
        .input("input_1", DataType::Float, &[0, 6, 6, 3])
        .floats("head", &[3, 4], &HEAD)
        .node(
            "Transpose",
            &["input_1"],
            &["image"],
            &[ints("perm", &[0, 3, 1, 2])],
        )
        .node(
            "ReduceMean",
            &["image"],
            &["features"],
            &[ints("axes", &[2, 3]), int("keepdims", 0)],
        )
        .node("MatMul", &["features", "head"], &["dense"], &[])
        .output("dense", DataType::Float, &[0, 4]);
    let model = prepare(&draft, expected()).expect("handled");
    assert_scores(&model, 3);
    assert!(codes(model.notices()).contains("channels_last"));
}

#[test]
fn softmax_last_is_fine() {
    let draft = plain("logits")
        .node(
            "Softmax",
            &["logits"],
            &["probabilities"],
            &[int("axis", 1)],
        )
        .output("probabilities", DataType::Float, &[0, 4]);
    let model = prepare(&draft, expected()).expect("fine");
    let Answers::Scores { scores, .. } = model.run(&images(1)).expect("runs") else {
        panic!("scores")
    };
    let logits = by_hand(1);
    let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
    for (score, logit) in scores.iter().zip(&logits) {
        assert!((score - logit.exp() / sum).abs() < 1e-6);
    }
}

#[test]
fn arg_max_and_top_k_are_ranked_classes() {
    let best = |scores: &[f32]| {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        order
    };
    let by_hand = by_hand(3);
    let ranked: Vec<Vec<usize>> = by_hand.chunks(4).map(best).collect();

    let arg_max = plain("logits")
        .node(
            "ArgMax",
            &["logits"],
            &["class"],
            &[int("axis", 1), int("keepdims", 0)],
        )
        .output("class", DataType::Int64, &[0]);
    let answers = prepare(&arg_max, expected())
        .expect("ranked")
        .run(&images(3))
        .expect("runs");
    assert_eq!(
        answers,
        Answers::Ranked(ranked.iter().map(|row| row[..1].to_vec()).collect())
    );

    let top_k = plain("logits")
        .integers("k", &[3])
        .node("TopK", &["logits", "k"], &["values", "classes"], &[])
        .output("classes", DataType::Int64, &[0, 3]);
    let answers = prepare(&top_k, expected())
        .expect("ranked")
        .run(&images(3))
        .expect("runs");
    assert_eq!(
        answers,
        Answers::Ranked(ranked.iter().map(|row| row[..3].to_vec()).collect())
    );
}

#[test]
fn one_column_more_is_tensorflows_background() {
    let head: Vec<f32> = HEAD
        .chunks(4)
        .flat_map(|row| [&[9.0], row].concat())
        .collect();
    let mut draft = plain("logits").output("logits", DataType::Float, &[0, 5]);
    draft.graph().initializer[0] = floats("head", &[3, 5], &head);
    let refused = prepare(&draft, expected())
        .expect_err("five columns")
        .to_string();
    assert_eq!(
        refused,
        "5 columns for 4 classes; TensorFlow puts 'background' first: resubmit with class_offset=1"
    );
    let offset = Expected {
        class_offset: Some(1),
        ..expected()
    };
    assert_scores(&prepare(&draft, offset).expect("said so"), 2);
    let other = Expected {
        classes: 7,
        ..expected()
    };
    let refused = prepare(&draft, other)
        .expect_err("five columns")
        .to_string();
    assert!(
        refused.contains("5 columns")
            && refused.contains("7 classes")
            && refused.contains("replace the head"),
        "{refused}"
    );
}

#[test]
fn pixels_go_in_as_they_are_where_the_input_is_uint8() {
    let draft = Draft::new(17)
        .input("pixels", DataType::Uint8, &[0, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .node(
            "Cast",
            &["pixels"],
            &["image"],
            &[int("to", DataType::Float as i64)],
        )
        .node("GlobalAveragePool", &["image"], &["pooled"], &[])
        .node("Flatten", &["pooled"], &["features"], &[])
        .node("MatMul", &["features", "head"], &["logits"], &[])
        .output("logits", DataType::Float, &[0, 4]);
    let opened = Opened::onnx(draft.open().expect("a file"), expected()).expect("an image");
    assert!(opened.input().raw);
    let model = opened.prepare(SIZE, 3, &Device::Cpu).expect("fine");
    let pixels = Tensor::full(200u8, (1, 3, 6, 6), &Device::Cpu).expect("pixels");
    let Answers::Scores { scores, .. } = model.run(&pixels).expect("runs") else {
        panic!("scores")
    };
    assert_eq!(scores, [200.0, 200.0, 200.0, 0.0]);
}

#[test]
fn half_precision_is_cast_and_named() {
    let halves: Vec<u8> = HEAD
        .iter()
        .flat_map(|&value| half::f16::from_f32(value).to_le_bytes())
        .collect();
    let mut draft = Draft::new(17)
        .input("image", DataType::Float16, &[0, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .node("GlobalAveragePool", &["image"], &["pooled"], &[])
        .node("Flatten", &["pooled"], &["features"], &[])
        .node("MatMul", &["features", "head"], &["logits"], &[])
        .output("logits", DataType::Float16, &[0, 4]);
    let head = &mut draft.graph().initializer[0];
    (head.data_type, head.raw_data) = (Some(DataType::Float16 as i32), Some(halves.into()));
    let model = prepare(&draft, expected()).expect("cast");
    assert_scores(&model, 2);
    assert_eq!(model.precision(), "float32 (stored as float16)");
}

#[test]
fn scores_that_are_no_numbers_are_refused() {
    let draft = plain("logits")
        .node("Log", &["logits"], &["output"], &[])
        .output("output", DataType::Float, &[0, 4]);
    let model = prepare(&draft, expected()).expect("runs");
    assert!(matches!(model.run(&images(2)), Err(ModelError::NotFinite)));
    // Of a network that diverged, whose rectifiers hide nothing.
    for (operator, slope) in [("Relu", None), ("LeakyRelu", None), ("PRelu", Some("half"))] {
        let inputs: Vec<&str> = ["wrong"].into_iter().chain(slope).collect();
        let draft = plain("logits")
            .floats("half", &[1], &[0.5])
            .floats("diverged", &[4], &[f32::NAN, 0., 0., 0.])
            .node("Add", &["logits", "diverged"], &["wrong"], &[])
            .node(operator, &inputs, &["output"], &[])
            .output("output", DataType::Float, &[0, 4]);
        let model = prepare(&draft, expected()).expect("runs");
        let answers = model.run(&images(2));
        assert!(
            matches!(answers, Err(ModelError::NotFinite)),
            "{operator}: {answers:?}"
        );
    }
}

#[test]
fn training_mode_is_run_in_inference_mode() {
    let draft = Draft::new(14)
        .input("image", DataType::Float, &[0, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .floats("ones", &[3], &[1.0; 3])
        .floats("zeros", &[3], &[0.0; 3])
        .node(
            "BatchNormalization",
            &["image", "ones", "zeros", "zeros", "ones"],
            &["normal", "mean", "variance"],
            &[int("training_mode", 1)],
        )
        .node("GlobalAveragePool", &["normal"], &["pooled"], &[])
        .node("Flatten", &["pooled"], &["features"], &[])
        .node("MatMul", &["features", "head"], &["logits"], &[])
        .output("logits", DataType::Float, &[0, 4]);
    let model = prepare(&draft, expected()).expect("runs");
    let Answers::Scores { scores, .. } = model.run(&images(2)).expect("runs") else {
        panic!("scores")
    };
    // ε in the stored variance of 1 is all that batch normalisation does then.
    for (score, by_hand) in scores.iter().zip(by_hand(2)) {
        assert!((score - by_hand).abs() < 1e-3, "{scores:?}");
    }
    assert!(codes(model.notices()).contains("training_mode"));
}

#[test]
fn an_unknown_operator_is_named_with_its_node() {
    let draft = plain("raw")
        .node("Quantum", &["raw"], &["logits"], &[])
        .output("logits", DataType::Float, &[0, 4]);
    let refused = prepare(&draft, expected())
        .expect_err("unknown")
        .to_string();
    assert_eq!(
        refused,
        "node Quantum_of_logits: operator Quantum is not supported: replace that layer by one that is exported in other operators"
    );
    let mut later = draft;
    later.model.opset_import[0].version = Some(23);
    let refused = prepare(&later, expected())
        .expect_err("unknown")
        .to_string();
    assert!(refused.contains("opset_version=20"), "{refused}");
}

#[test]
fn what_onnx_runtimes_tools_wrote_is_refused_with_what_to_send_instead() {
    // What quantize_dynamic, quantize_static in the format QOperator, and an optimised session write (1.32).
    for (domain, operator, remedy) in [
        (
            "com.microsoft",
            "QLinearReduceMean",
            "quant_format=QuantFormat.QDQ",
        ),
        (
            "com.microsoft",
            "DynamicQuantizeMatMul",
            "quant_format=QuantFormat.QDQ",
        ),
        (
            "com.microsoft",
            "FusedMatMul",
            "from before it was optimised",
        ),
    ] {
        let mut draft = plain("raw")
            .node(operator, &["raw"], &["logits"], &[])
            .output("logits", DataType::Float, &[0, 4]);
        let last = draft.graph().node.last_mut().expect("added");
        last.domain = Some(domain.into());
        let refused = prepare(&draft, expected())
            .expect_err("unknown")
            .to_string();
        assert!(
            refused.contains(operator) && refused.contains(remedy),
            "{refused}"
        );
    }
}

#[test]
fn a_network_with_two_inputs_is_refused() {
    let unread = plain("logits")
        .input("mask", DataType::Float, &[0, 4])
        .output("logits", DataType::Float, &[0, 4]);
    assert_scores(&prepare(&unread, expected()).expect("not read"), 2);
    let draft = plain("raw")
        .input("mask", DataType::Float, &[0, 4])
        .node("Mul", &["raw", "mask"], &["logits"], &[])
        .output("logits", DataType::Float, &[0, 4]);
    let refused = prepare(&draft, expected()).expect_err("two").to_string();
    assert!(refused.contains("2 inputs (image, mask)"), "{refused}");
    assert!(
        refused.ends_with("make the others constants before exporting"),
        "{refused}"
    );
}

#[test]
fn pixels_in_one_row_and_images_without_channels_are_images_too() {
    let weights = some(36 * 4);
    let flat = Draft::new(17)
        .input("x", DataType::Float, &[0, 36])
        .floats("weight", &[36, 4], &weights)
        .node("MatMul", &["x", "weight"], &["y"], &[])
        .output("y", DataType::Float, &[0, 4]);
    let gray = Draft::new(17)
        .input("x", DataType::Float, &[0, 6, 6])
        .floats("weight", &[36, 4], &weights)
        .node("Flatten", &["x"], &["row"], &[])
        .node("MatMul", &["row", "weight"], &["y"], &[])
        .output("y", DataType::Float, &[0, 4]);
    let image = Tensor::from_vec(some(72), (2, 1, 6, 6), &Device::Cpu).expect("as many");
    let rows = image.reshape((2, 36)).expect("rows");
    let by_candle = rows
        .matmul(&Tensor::from_vec(weights, (36, 4), &Device::Cpu).expect("as many"))
        .expect("product");
    for draft in [flat, gray] {
        let opened = Opened::onnx(draft.open().expect("a file"), expected()).expect("an image");
        let model = opened.prepare(SIZE, 1, &Device::Cpu).expect("fine");
        let logits = model.logits(&image).expect("runs");
        let difference = (logits - &by_candle)
            .and_then(|d| d.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar::<f64>());
        assert!(difference.expect("a number") < 1e-5);
    }
}
