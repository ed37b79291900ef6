//! Files as exporters write them, in `tests/onnx` (see `make.py` there), and what is counted in them.

use std::path::Path;

use candle_core::{Device, Tensor};
use referee_networks::onnx::proto::tensor_proto::DataType;
use referee_networks::onnx::{Feed, OnnxFile};
use referee_networks::{ElementType, Executor, Network};

use crate::onnx_files::{Draft, ints, some};

/// `image` of `make.py`.
#[expect(clippy::cast_precision_loss, reason = "below 31")]
fn images(batch: usize) -> Tensor {
    let pixels = (0..batch * 192).map(|pixel| (pixel * 7 % 31) as f32 / 31.0);
    Tensor::from_vec(pixels.collect::<Vec<_>>(), (batch, 3, 8, 8), &Device::Cpu).expect("as many")
}

/// Opset 23 made attention and RMS normalisation operators; PyTorch 2.15 writes them. The numbers are ONNX Runtime 1.32's.
#[test]
fn a_transformer_of_opset_23_answers_as_onnx_runtime() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/attention.onnx");
    let file = OnnxFile::open_beside(&path).expect("a file");
    let image = Feed::Image {
        dims: vec![3, 8, 8],
        element: ElementType::F32,
        fixed_batch: None,
    };
    let output = &file.outputs().expect("declared")[0].name;
    let imported = file.network("block", vec![("x".into(), image)], output);
    let imported = imported.expect("supported");
    let executor = Executor::new(&imported.network, &imported.weights, &Device::Cpu);
    let logits = executor.and_then(|executor| executor.infer(&images(2)));
    let logits: Vec<f32> = logits
        .and_then(|logits| Ok(logits.flatten_all()?.to_vec1()?))
        .expect("runs");
    let expected = [
        0.002_440_214,
        0.293_975_74,
        -0.456_705_2,
        -0.287_213_4,
        0.202_533_25, //
        -0.160_824_94,
        0.127_664_77,
        0.140_964_8,
        -0.235_863_4,
        -0.630_269_65,
    ];
    assert_eq!(logits.len(), expected.len());
    for (logit, expected) in logits.iter().zip(expected) {
        assert!((logit - expected).abs() < 2e-6, "{logits:?}");
    }
    // Conv 3·8·4·4 + 8, RMSNorm 8, qkv 8·24, head 8·5 + 5: the bias of qkv is an Add's, which the contract does not count.
    let profile = imported.network.profile().expect("known shapes");
    assert_eq!(profile.parameters, 392 + 8 + 192 + 45);
    assert_eq!(profile.depth, 3);
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
