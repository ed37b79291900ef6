//! Files that nobody's exporter writes: sizes that overflow and graphs made to take long are refused, or run.

use candle_core::{DType, Device, Tensor};
use referee_networks::onnx::proto::{AttributeProto, tensor_proto::DataType};
use referee_networks::onnx::{Feed, OnnxError};
use referee_networks::{ElementType, Executor, Network};

use crate::onnx_files::{Draft, int, some};

fn draft() -> Draft {
    Draft::new(18)
        .input("x", DataType::Float, &[0, 3])
        .output("y", DataType::Float, &[0, 3])
}

/// The network from `x` to `y`, once it has run.
fn open(draft: &Draft) -> Result<Network, OnnxError> {
    let image = Feed::Image {
        dims: vec![3],
        element: ElementType::F32,
        fixed_batch: None,
    };
    let imported = draft
        .open()?
        .network("test", vec![("x".into(), image)], "y")?;
    let images = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).expect("six zeros");
    Executor::new(&imported.network, &imported.weights, &Device::Cpu)?.infer(&images)?;
    Ok(imported.network)
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        s: Some(value.as_bytes().to_vec().into()),
        ..AttributeProto::default()
    }
}

#[test]
fn sizes_beyond_all_numbers_are_refused() {
    let huge = 1_i64 << 40;
    let as_picture = draft().integers("picture", &[0, 3, 1, 1]).node(
        "Reshape",
        &["x", "picture"],
        &["maps"],
        &[],
    );
    for (what, draft) in [
        (
            "a pad that cannot be turned round",
            draft().integers("pads", &[0, i64::MIN, 0, i64::MAX]).node(
                "Pad",
                &["x", "pads"],
                &["y"],
                &[text("mode", "edge")],
            ),
        ),
        (
            "blocks whose area overflows",
            as_picture.node(
                "DepthToSpace",
                &["maps"],
                &["y"],
                &[int("blocksize", 1 << 32)],
            ),
        ),
        (
            "an image whose area overflows",
            draft()
                .integers("image", &[huge, huge])
                .integers("block", &[huge, huge])
                .integers("columns", &[0, 1, 3])
                .node("Reshape", &["x", "columns"], &["rows"], &[])
                .node("Col2Im", &["rows", "image", "block"], &["y"], &[]),
        ),
        (
            "an array without elements of a shape that overflows",
            draft()
                .floats("empty", &[0, huge, huge], &[])
                .node("Flatten", &["empty"], &["flat"], &[int("axis", 1)])
                .node(
                    "Shape",
                    &["flat"],
                    &["shape"],
                    &[int("start", 0), int("end", 1)],
                )
                .node("Cast", &["shape"], &["rows"], &[int("to", 1)])
                .node("Add", &["x", "rows"], &["y"], &[]),
        ),
        (
            "no channels",
            draft()
                .integers("one", &[1])
                .integers("none", &[0])
                .integers("last", &[2])
                .floats("weight", &[2, 0, 1], &[])
                .node("Unsqueeze", &["x", "last"], &["line"], &[])
                .node("Slice", &["line", "none", "none", "one"], &["nothing"], &[])
                .node("Conv", &["nothing", "weight"], &["y"], &[]),
        ),
    ] {
        assert!(open(&draft).is_err(), "{what}");
    }
}

/// Of too many numbers the first are not taken, and of too few none is read beyond their end.
#[test]
fn a_bias_has_a_number_for_each_channel() {
    for (count, fits) in [(1, false), (2, true), (3, false)] {
        let draft = draft()
            .integers("last", &[2])
            .floats("weight", &[2, 3, 1], &some(6))
            .floats(
                "bias",
                &[count],
                &some(usize::try_from(count).expect("few")),
            )
            .node("Unsqueeze", &["x", "last"], &["line"], &[])
            .node("Conv", &["line", "weight", "bias"], &["y"], &[]);
        assert_eq!(open(&draft).is_ok(), fits, "{count} numbers for 2 channels");
    }
}

/// Each gets a number, without a look at all those before it.
#[test]
fn many_nodes_of_one_name_are_told_apart() {
    let nodes = 20_000;
    let mut draft = draft();
    for at in 0..nodes {
        let from = if at == 0 {
            "x".to_owned()
        } else {
            format!("v{at}")
        };
        let to = if at + 1 == nodes {
            "y".to_owned()
        } else {
            format!("v{}", at + 1)
        };
        draft = draft.node("Neg", &[&from], &[&to], &[]);
    }
    for node in &mut draft.graph().node {
        node.name = Some("same".into());
    }
    let network = open(&draft).expect("a long network");
    assert_eq!(network.nodes().len(), nodes);
    assert_eq!(
        network.nodes()[nodes - 1].name,
        format!("same_{}", nodes - 1)
    );
}
