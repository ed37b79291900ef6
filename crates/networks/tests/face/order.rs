//! What of a file is read, and in which order: what leads to the answer.

use referee_networks::onnx::proto::{TensorProto, tensor_proto::DataType};

use crate::onnx::{draft, run};
use crate::onnx_files::{Draft, body, declared, int, node};

const DOUBLED: [f32; 6] = [2.0, -4.0, 6.0, -8.0, 10.0, -12.0];

#[test]
fn nodes_may_lie_in_any_order() {
    let mut draft = draft()
        .node("Add", &["x", "x"], &["sum"], &[])
        .node("Neg", &["sum"], &["negative"], &[])
        .node("Neg", &["negative"], &["y"], &[]);
    draft.graph().node.reverse();
    assert_eq!(run(&draft.open().expect("a file")).expect("runs"), DOUBLED);
}

#[test]
fn a_circle_of_nodes_is_refused() {
    let draft = draft()
        .node("Add", &["x", "b"], &["a"], &[])
        .node("Neg", &["a"], &["b"], &[])
        .node("Add", &["a", "b"], &["y"], &[]);
    let refused = run(&draft.open().expect("a file")).expect_err("a circle");
    assert!(
        refused.to_string().contains("computed from its own result"),
        "{refused}"
    );
}

#[test]
fn what_leads_nowhere_may_be_anything() {
    let words = TensorProto {
        name: Some("words".into()),
        dims: vec![1],
        data_type: Some(DataType::String as i32),
        string_data: vec![b"cat".to_vec().into()],
        ..TensorProto::default()
    };
    let elsewhere = TensorProto {
        name: Some("lost".into()),
        dims: vec![-3],
        data_type: Some(DataType::Float as i32),
        ..TensorProto::default()
    };
    let draft = draft()
        .tensor(words)
        .tensor(elsewhere)
        .node("Add", &["x", "x"], &["y"], &[])
        .node("Quantum", &["y", "words", "lost"], &["label"], &[])
        .node("Relu", &["nothing"], &["z"], &[])
        .output("label", DataType::String, &[0]);
    let file = draft.open().expect("a file");
    assert_eq!(run(&file).expect("runs"), DOUBLED);
    let names: Vec<String> = file
        .answers()
        .into_iter()
        .map(|answer| answer.name)
        .collect();
    assert_eq!(names, ["y"]);
}

/// Only the body that is taken is read, and what it alone reads from outside.
#[test]
fn the_body_that_is_not_taken_is_not_read() {
    let branch = |operator: &str, from: &str| {
        let mut graph = Draft::new(18)
            .node(operator, &[from, from], &["result"], &[])
            .model
            .graph
            .expect("a graph");
        graph.output = vec![declared("result", DataType::Float, &[0, 3])];
        graph
    };
    let mut draft = draft()
        .integers("one", &[1])
        .node(
            "If",
            &["one"],
            &["y"],
            &[
                body("then_branch", branch("Add", "positive")),
                body("else_branch", branch("Quantum", "unknown")),
            ],
        )
        .node("Quantum", &["x"], &["unknown"], &[])
        .node("Neg", &["negative"], &["positive"], &[]);
    draft
        .graph()
        .node
        .push(node("Neg", &["x"], &["negative"], &[]));
    assert_eq!(run(&draft.open().expect("a file")).expect("runs"), DOUBLED);
}

#[test]
fn sequences_are_counted_off() {
    // Columns 0 and 1, 2; the second of them twice, with the first behind, and their number.
    let draft = draft()
        .integers("lengths", &[2, 1])
        .integers("last", &[-1])
        .integers("first", &[0])
        .node(
            "SplitToSequence",
            &["x", "lengths"],
            &["parts"],
            &[int("axis", 1)],
        )
        .node("SequenceAt", &["parts", "last"], &["end"], &[])
        .node("SequenceErase", &["parts", "first"], &["rest"], &[])
        .node("SequenceInsert", &["rest", "end", "first"], &["twice"], &[])
        .node(
            "ConcatFromSequence",
            &["twice"],
            &["columns"],
            &[int("axis", 1)],
        )
        .node("SequenceLength", &["twice"], &["count"], &[])
        .node(
            "Cast",
            &["count"],
            &["number"],
            &[int("to", DataType::Float as i64)],
        )
        .node("Mul", &["columns", "number"], &["y"], &[]);
    assert_eq!(
        run(&draft.open().expect("a file")).expect("runs"),
        [6.0, 6.0, -12.0, -12.0]
    );
    let single = draft_of_single_columns();
    assert_eq!(
        run(&single.open().expect("a file")).expect("runs"),
        [3.0, -2.0, 1.0, -6.0, 5.0, -4.0]
    );
}

/// The columns of `x`, each without its dimension, in the other order.
fn draft_of_single_columns() -> Draft {
    draft()
        .integers("zero", &[0])
        .integers("one", &[1])
        .integers("two", &[2])
        .node(
            "SplitToSequence",
            &["x"],
            &["parts"],
            &[int("axis", 1), int("keepdims", 0)],
        )
        .node("SequenceAt", &["parts", "zero"], &["a"], &[])
        .node("SequenceAt", &["parts", "one"], &["b"], &[])
        .node("SequenceAt", &["parts", "two"], &["c"], &[])
        .node("SequenceConstruct", &["c", "b", "a"], &["turned"], &[])
        .node(
            "ConcatFromSequence",
            &["turned"],
            &["y"],
            &[int("axis", 1), int("new_axis", 1)],
        )
}

#[test]
fn a_sequence_is_no_tensor() {
    for (draft, sentence) in [
        (
            draft()
                .node("SequenceConstruct", &["x"], &["s"], &[])
                .node("Neg", &["s"], &["y"], &[]),
            "it is given a sequence",
        ),
        (
            draft().node("SequenceConstruct", &["x"], &["y"], &[]),
            "is a sequence, not a tensor",
        ),
        (
            draft()
                .node("SplitToSequence", &["x"], &["s"], &[])
                .integers("i", &[0])
                .node("SequenceAt", &["s", "i"], &["y"], &[]),
            "depends on the batch",
        ),
    ] {
        let refused = run(&draft.open().expect("a file")).expect_err(sentence);
        assert!(refused.to_string().contains(sentence), "{refused}");
    }
}

#[test]
fn quantisation_is_the_same_under_the_name_of_onnx_runtime() {
    let mut draft = draft()
        .floats("scale", &[], &[0.5])
        .node("QuantizeLinear", &["x", "scale"], &["x8"], &[])
        .node("DequantizeLinear", &["x8", "scale"], &["y"], &[]);
    for node in &mut draft.graph().node {
        node.domain = Some("com.microsoft".into());
    }
    assert_eq!(
        run(&draft.open().expect("a file")).expect("runs"),
        [1.0, 0.0, 3.0, 0.0, 5.0, 0.0]
    );
}
