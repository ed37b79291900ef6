//! Inputs and outputs of other dimensions than most.

use referee_networks::model::{Answers, Expected};
use referee_networks::onnx::proto::tensor_proto::DataType;

use super::{CLASSES, HEAD, assert_scores, expected, images, plain, prepare, prepare_with};
use crate::onnx_files::{Draft, codes, int, ints};

/// With the channels last, behind a dimension that nobody squeezed; with classes in the middle.
#[test]
fn a_row_of_scores_may_have_dimensions_of_length_1() {
    for dims in [[0, 1, 1, 4].as_slice(), &[0, 1, 4], &[0, 4, 1]] {
        let shape: Vec<i64> = dims.iter().map(|&length| length.max(0)).collect();
        let draft = plain("row")
            .integers("shape", &shape)
            .node("Reshape", &["row", "shape"], &["logits"], &[])
            .output("logits", DataType::Float, dims);
        let model = prepare(&draft, expected()).expect("handled");
        assert_scores(&model, 2);
        assert!(codes(model.notices()).contains("output_shape"));
    }
}

/// One image, in whatever layout: what says so, and what only the graph shows, whose answer is one for all images.
#[test]
fn an_image_without_a_batch_is_refused() {
    for kind in [DataType::Uint8, DataType::Float] {
        for (dims, shown) in [
            ([0, 0, 3], "[?, ?, 3]"),
            ([3, 0, 0], "[3, ?, ?]"),
            ([3, 6, 6], "[3, 6, 6]"),
            ([6, 6, 3], "[6, 6, 3]"),
            ([0, 0, 1], "[?, ?, 1]"),
            ([0, 0, 0], "[?, ?, ?]"),
        ] {
            let draft = Draft::new(17)
                .input("image", kind, &dims)
                .floats("head", &[3, 4], &HEAD)
                .integers("first", &[0])
                .integers("sizes", &[1, 3, 2, 2])
                .node(
                    "Cast",
                    &["image"],
                    &["wide"],
                    &[int("to", DataType::Float as i64)],
                )
                .node("Unsqueeze", &["wide", "first"], &["batch"], &[])
                .node("Resize", &["batch", "", "", "sizes"], &["small"], &[])
                .node("GlobalAveragePool", &["small"], &["pooled"], &[])
                .node("Flatten", &["pooled"], &["features"], &[])
                .node("MatMul", &["features", "head"], &["logits"], &[])
                .output("logits", DataType::Float, &[1, 4]);
            let refused = prepare_with(&draft, 1).expect_err(shown).to_string();
            assert!(
                refused.contains(shown) && refused.contains("one image without a batch"),
                "{refused}"
            );
        }
    }
}

/// The graph takes no gray images, but would take one image of three channels.
#[test]
fn an_image_that_cannot_be_gray_is_one_without_a_batch() {
    for permutation in [[0, 1, 2, 3], [0, 3, 1, 2]] {
        let draft = Draft::new(17)
            .input("image", DataType::Float, &[0, 0, 0])
            .floats("kernel", &[4, 3, 1, 1], &HEAD)
            .integers("first", &[0])
            .node("Unsqueeze", &["image", "first"], &["batch"], &[])
            .node(
                "Transpose",
                &["batch"],
                &["planes"],
                &[ints("perm", &permutation)],
            )
            .node("Conv", &["planes", "kernel"], &["maps"], &[])
            .node("GlobalAveragePool", &["maps"], &["pooled"], &[])
            .node("Flatten", &["pooled"], &["logits"], &[])
            .output("logits", DataType::Float, &[1, 4]);
        let refused = prepare_with(&draft, 1).expect_err("one image").to_string();
        assert!(
            refused.contains("[?, ?, ?], one image without a batch"),
            "{refused}"
        );
    }
}

/// As quantised networks end: 8-bit scores, more than anybody ranks.
#[test]
fn scores_may_be_short_integers() {
    let wide: Vec<f32> = HEAD
        .chunks(4)
        .flat_map(|row| [row, &[0.0; 4]].concat())
        .collect();
    let draft = plain("small")
        .floats("wide", &[3, 8], &wide)
        .floats("scale", &[], &[0.5])
        .node("MatMul", &["features", "wide"], &["real"], &[])
        .node("QuantizeLinear", &["real", "scale"], &["scores"], &[])
        .output("scores", DataType::Uint8, &[0, 8]);
    let model = prepare(
        &draft,
        Expected {
            classes: 2 * CLASSES,
            ..expected()
        },
    )
    .expect("scores");
    let Answers::Scores { scores, .. } = model.run(&images(2)).expect("runs") else {
        panic!("scores")
    };
    // The channels are −3, −2, −1, and 0, 1, 2: in steps of 0.5, without what is below 0.
    assert_eq!(scores[..8], [0.0; 8]);
    assert_eq!(scores[8..], [0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}
