//! Attention whose mask is of booleans, wherever those come from.

use referee_networks::onnx::proto::{TensorProto, tensor_proto::DataType};

use crate::onnx::run;
use crate::onnx_files::{Draft, int, ints};

/// Each place sees those up to its own.
const SEEN: [u8; 9] = [1, 0, 0, 1, 1, 0, 1, 1, 1];

fn booleans(name: &str, dims: &[i64], values: &[u8]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Bool as i32),
        raw_data: Some(values.to_vec().into()),
        ..TensorProto::default()
    }
}

/// Attention of three numbers to each other, all equally, as far as `mask` lets them: the means of what is seen.
fn attention(draft: Draft) -> Draft {
    draft
        .integers("places", &[-1, 1, 3, 1])
        .integers("row", &[-1, 3])
        .floats("nothing", &[], &[0.0])
        .node("Reshape", &["x", "places"], &["values"], &[])
        .node("Mul", &["values", "nothing"], &["equal"], &[])
        .node(
            "Attention",
            &["equal", "equal", "values", "mask"],
            &["means"],
            &[],
        )
        .node("Reshape", &["means", "row"], &["y"], &[])
        .output("y", DataType::Float, &[0, 3])
}

fn draft() -> Draft {
    Draft::new(23).input("x", DataType::Float, &[0, 3])
}

fn seen(dims: &[i64]) -> Draft {
    draft().tensor(booleans("seen", dims, &SEEN))
}

/// Each of `cases` makes a mask that lets places see those up to their own.
fn assert_seen<const N: usize>(cases: [(&str, Draft); N]) {
    for (case, draft) in cases {
        let answers = attention(draft).open().and_then(|file| run(&file));
        let answers = answers.unwrap_or_else(|refused| panic!("{case}: {refused}"));
        let expected = [1.0, -0.5, 2.0 / 3.0, -4.0, 0.5, -5.0 / 3.0];
        for (answer, expected) in answers.iter().zip(expected) {
            assert!((answer - expected).abs() < 1e-6, "{case}: {answers:?}");
        }
    }
}

#[test]
fn a_mask_of_computed_booleans_chooses() {
    let unseen = SEEN.map(|seen| 1 - seen);
    let square = [3, 3];
    let numbers = |unseen: f32| SEEN.map(|seen| if seen == 1 { 1.0 } else { unseen });
    let cases = [
        (
            "Identity",
            seen(&square).node("Identity", &["seen"], &["mask"], &[]),
        ),
        (
            "Not",
            draft().tensor(booleans("unseen", &square, &unseen)).node(
                "Not",
                &["unseen"],
                &["mask"],
                &[],
            ),
        ),
        (
            "IsNaN",
            draft()
                .floats("number", &square, &numbers(f32::NAN))
                .node("IsNaN", &["number"], &["unseen"], &[])
                .node("Not", &["unseen"], &["mask"], &[]),
        ),
        (
            "IsInf",
            draft()
                .floats("number", &square, &numbers(f32::NEG_INFINITY))
                .node("IsInf", &["number"], &["unseen"], &[])
                .node("Not", &["unseen"], &["mask"], &[]),
        ),
        (
            "And",
            seen(&square).node("And", &["seen", "seen"], &["mask"], &[]),
        ),
        (
            "Xor",
            seen(&square).tensor(booleans("never", &[1], &[0])).node(
                "Xor",
                &["seen", "never"],
                &["mask"],
                &[],
            ),
        ),
        (
            "a comparison with a Squeeze behind it",
            draft()
                .floats("number", &[1, 3, 3], &numbers(2.0))
                .floats("two", &[], &[2.0])
                .integers("axis", &[0])
                .node("Less", &["number", "two"], &["less"], &[])
                .node("Squeeze", &["less", "axis"], &["mask"], &[]),
        ),
    ];
    assert_seen(cases);
}

#[test]
fn a_mask_of_arranged_booleans_chooses() {
    let square = [3, 3];
    let cases = [
        (
            "Unsqueeze and Expand",
            seen(&square)
                .integers("axis", &[0])
                .integers("shape", &[2, 1, 3, 3])
                .node("Unsqueeze", &["seen", "axis"], &["more"], &[])
                .node("Expand", &["more", "shape"], &["mask"], &[]),
        ),
        (
            "Transpose",
            draft()
                .tensor(booleans("turned", &square, &[1, 1, 1, 0, 1, 1, 0, 0, 1]))
                .node(
                    "Transpose",
                    &["turned"],
                    &["mask"],
                    &[ints("perm", &[1, 0])],
                ),
        ),
        (
            "Reshape",
            seen(&[9]).integers("shape", &[3, 3]).node(
                "Reshape",
                &["seen", "shape"],
                &["mask"],
                &[],
            ),
        ),
        (
            "Gather",
            draft()
                .tensor(booleans("rows", &square, &[1, 1, 1, 1, 0, 0, 1, 1, 0]))
                .integers("order", &[1, 2, 0])
                .node("Gather", &["rows", "order"], &["mask"], &[int("axis", 0)]),
        ),
        (
            "Concat and Slice",
            seen(&square)
                .integers("start", &[3])
                .integers("end", &[6])
                .node("Concat", &["seen", "seen"], &["twice"], &[int("axis", 0)])
                .node("Slice", &["twice", "start", "end"], &["mask"], &[]),
        ),
        (
            "Where",
            seen(&square)
                .tensor(booleans("always", &[1], &[1]))
                .tensor(booleans("never", &[1], &[0]))
                .node("Where", &["seen", "always", "never"], &["mask"], &[]),
        ),
        (
            "Tile",
            seen(&[1, 3, 3])
                .integers("repeats", &[2, 1, 1])
                .integers("shape", &[2, 1, 3, 3])
                .node("Tile", &["seen", "repeats"], &["twice"], &[])
                .node("Reshape", &["twice", "shape"], &["mask"], &[]),
        ),
        (
            "Pad",
            draft()
                .tensor(booleans("part", &[3, 2], &[1, 0, 1, 1, 1, 1]))
                .tensor(booleans("last", &[3, 1], &[0, 0, 1]))
                .integers("pads", &[0, 0, 0, 1])
                .integers("before", &[0, 2, 0, 0])
                .node("Pad", &["part", "pads"], &["left"], &[])
                .node("Pad", &["last", "before"], &["right"], &[])
                .node("Or", &["left", "right"], &["either"], &[])
                .node("Identity", &["either"], &["mask"], &[]),
        ),
    ];
    assert_seen(cases);
}

/// A file may have many nodes: each is looked at once, whatever asks.
#[test]
fn a_long_way_from_a_mask_to_its_booleans_is_no_burden() {
    let mut draft = seen(&[3, 3]).integers("shape", &[3, 3]);
    let mut last = "seen".to_owned();
    for step in 0..20_000 {
        let next = format!("step{step}");
        draft = draft.node("Reshape", &[&last, "shape"], &[&next], &[]);
        last = next;
    }
    let file = attention(draft.node("Not", &[&last], &["unseen"], &[]).node(
        "Not",
        &["unseen"],
        &["mask"],
        &[],
    ))
    .open();
    let answers = file.and_then(|file| run(&file)).expect("runs");
    assert!((answers[1] + 0.5).abs() < 1e-6, "{answers:?}");
}
