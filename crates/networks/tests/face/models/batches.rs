//! Batch sizes that an exporter wrote into the graph.

use referee_networks::model::Answers;
use referee_networks::onnx::proto::tensor_proto::DataType;

use super::{HEAD, assert_scores, by_hand, expected, images, plain, prepare};
use crate::onnx_files::{Draft, codes, declared, int, ints};

/// As PyTorch's older exporter writes a class token for batches of 2: the batch is in `Expand` and in `Reshape`.
fn baked(batch: i64) -> Draft {
    Draft::new(17)
        .input("image", DataType::Float, &[batch, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .floats("token", &[1, 1, 3], &[0.0; 3])
        .integers("tokens", &[batch, 1, 3])
        .integers("as_tokens", &[batch, 3, 36])
        .integers("as_rows", &[batch, 3])
        .integers("one", &[1])
        .node("Reshape", &["image", "as_tokens"], &["channels"], &[])
        .node(
            "Transpose",
            &["channels"],
            &["patches"],
            &[ints("perm", &[0, 2, 1])],
        )
        .node("Expand", &["token", "tokens"], &["class_token"], &[])
        .node(
            "Concat",
            &["class_token", "patches"],
            &["sequence"],
            &[int("axis", 1)],
        )
        .node(
            "ReduceSum",
            &["sequence", "one"],
            &["summed"],
            &[int("keepdims", 0)],
        )
        .floats("pixels", &[], &[36.0])
        .node("Div", &["summed", "pixels"], &["mean"], &[])
        .node("Reshape", &["mean", "as_rows"], &["features"], &[])
        .node("MatMul", &["features", "head"], &["logits"], &[])
        .output("logits", DataType::Float, &[batch, 4])
}

#[test]
fn a_batch_size_baked_into_constants_is_taken_out() {
    for fixed in [1, 2, 5] {
        assert_takes_any_batch(&baked(fixed));
    }
}

fn assert_takes_any_batch(draft: &Draft) {
    let model = prepare(draft, expected()).expect("made dynamic");
    assert!(
        !codes(model.notices()).contains("fixed_batch"),
        "{:?}",
        model.notices()
    );
    for batch in [1, 3, 7] {
        assert_scores(&model, batch);
    }
}

/// As PyTorch exports `nn.MultiheadAttention` for one image: patches first, then `view(patches * batch, channels)`, whose
/// first dimension looks as if the batch were in the second.
fn patches_first(batch: i64) -> Draft {
    Draft::new(18)
        .input("image", DataType::Float, &[batch, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .integers("as_channels", &[batch, 3, 36])
        .integers("as_rows", &[36 * batch, 3])
        .integers("as_patches", &[36, batch, 4])
        .integers("zero", &[0])
        .node("Reshape", &["image", "as_channels"], &["channels"], &[])
        .node(
            "Transpose",
            &["channels"],
            &["patches"],
            &[ints("perm", &[2, 0, 1])],
        )
        .node("Reshape", &["patches", "as_rows"], &["rows"], &[])
        .node("MatMul", &["rows", "head"], &["scores"], &[])
        .node("Reshape", &["scores", "as_patches"], &["of_patches"], &[])
        .node(
            "ReduceMean",
            &["of_patches", "zero"],
            &["logits"],
            &[int("keepdims", 0)],
        )
        .output("logits", DataType::Float, &[batch, 4])
}

#[test]
fn a_batch_merged_with_what_precedes_it_is_taken_out_too() {
    for fixed in [1, 2] {
        assert_takes_any_batch(&patches_first(fixed));
    }
}

#[test]
fn a_batch_size_that_cannot_be_taken_out_runs_so_many_at_a_time() {
    // Each pair of images is centred on its own mean: what it says of an image depends on the pair.
    let draft = plain("raw")
        .integers("zero", &[0])
        .node("ReduceMean", &["raw"], &["mean"], &[ints("axes", &[0])])
        .node("Sub", &["raw", "mean"], &["logits"], &[])
        .output("logits", DataType::Float, &[2, 4]);
    let mut draft = draft;
    draft.graph().input[0] = declared("image", DataType::Float, &[2, 3, 6, 6]);
    let model = prepare(&draft, expected()).expect("in pairs");
    assert!(codes(model.notices()).contains("fixed_batch"));
    let Answers::Scores { scores, .. } = model.run(&images(3)).expect("runs") else {
        panic!("scores")
    };
    let raw = by_hand(2);
    for class in 0..4 {
        let mean = f32::midpoint(raw[class], raw[4 + class]);
        assert!((scores[class] - (raw[class] - mean)).abs() < 1e-5);
    }
    assert_eq!(scores.len(), 12);
}

/// As PyTorch exports `AdaptiveAvgPool2d(1)` behind a transposed view: `as_strided`, which picks elements of the whole batch
/// laid out in one row.
fn strided(batch: i64, picked: &[i64]) -> Draft {
    let mut indices = Draft::new(17)
        .integers("indices", picked)
        .graph()
        .initializer[0]
        .clone();
    indices.dims = vec![batch, 3, 1, 1];
    Draft::new(17)
        .input("image", DataType::Float, &[batch, 3, 6, 6])
        .floats("head", &[3, 4], &HEAD)
        .integers("row", &[-1])
        .integers("as_rows", &[batch, 3])
        .tensor(indices)
        .node("GlobalAveragePool", &["image"], &["pooled"], &[])
        .node("Reshape", &["pooled", "row"], &["in_a_row"], &[])
        .node(
            "Gather",
            &["in_a_row", "indices"],
            &["strided"],
            &[int("axis", 0)],
        )
        .node("Reshape", &["strided", "as_rows"], &["features"], &[])
        .node("MatMul", &["features", "head"], &["logits"], &[])
        .output("logits", DataType::Float, &[batch, 4])
}

#[test]
fn what_is_picked_of_each_image_is_picked_of_any() {
    for fixed in [1, 2] {
        let in_order: Vec<i64> = (0..fixed * 3).collect();
        assert_takes_any_batch(&strided(fixed, &in_order));
    }
    let swapped = prepare(&strided(2, &[3, 4, 5, 0, 1, 2]), expected()).expect("in pairs");
    assert!(codes(swapped.notices()).contains("fixed_batch"));
}
