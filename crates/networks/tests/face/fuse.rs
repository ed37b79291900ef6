use candle_core::Device;
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{Executor, Op, fuse};

use crate::{difference, random, random_weights};

/// A fused network computes what it did before, and nothing that could go is left.
#[test]
fn fused_as_unfused() {
    for (name, input, norms_left) in [
        ("lenet5", [1, 28, 28], false),
        ("resnet20", [3, 32, 32], false),
        ("plain20", [3, 32, 32], false),
        ("resnet18", [3, 64, 64], false),
        ("mobilenet_v2", [3, 64, 64], false),
        ("googlenet", [3, 64, 64], false),
        ("squeezenet1_1", [3, 64, 64], false),
        ("resnext50_32x4d", [3, 64, 64], false),
        // Its normalisation comes before the convolutions.
        ("densenet121", [3, 64, 64], true),
    ] {
        let network = zoo::build(
            &name.parse().unwrap(),
            &ZooOptions {
                num_classes: 10,
                input,
            },
        )
        .unwrap();
        let weights = random_weights(&network, 7);
        let images = random(&[2, input[0], input[1], input[2]], 8);
        let logits = Executor::new(&network, &weights, &Device::Cpu)
            .unwrap()
            .infer(&images)
            .unwrap();

        let (fused, fused_weights) = fuse(&network, &weights).unwrap();
        let fused_logits = Executor::new(&fused, &fused_weights, &Device::Cpu)
            .unwrap()
            .infer(&images)
            .unwrap();
        let difference = difference(&fused_logits, &logits);
        assert!(
            difference < 1e-4,
            "{name}: fused logits differ by {difference}"
        );

        assert!(fused.nodes().len() < network.nodes().len(), "{name}");
        let left = |find: fn(&Op) -> bool| fused.nodes().iter().any(|node| find(&node.op));
        assert_eq!(
            left(|op| matches!(op, Op::BatchNorm(_))),
            norms_left,
            "{name}"
        );
        assert!(
            !left(|op| matches!(op, Op::Dropout { .. } | Op::Identity)),
            "{name}"
        );
        let had_norms = network
            .nodes()
            .iter()
            .any(|node| matches!(node.op, Op::BatchNorm(_)));
        assert_eq!(fused.is_folded(), had_norms, "{name}");
    }
}

/// Folding leaves alone what two nodes read: the convolution's result that goes round the normalisation too.
#[test]
fn shared_values_stay() {
    use referee_networks::{BatchNorm, Binary, Builder, ElementType, ParameterKind};

    let mut builder = Builder::new("shared", &[4], ElementType::F32);
    let x = builder.input();
    let weight = builder.parameter("weight", &[4, 4], ParameterKind::Trainable);
    let product = builder.node("fc", Op::Linear, &[x, weight]);
    let mut inputs = vec![product];
    inputs.extend(
        ["scale", "shift", "mean", "variance"]
            .map(|name| builder.parameter(name, &[4], ParameterKind::Buffer)),
    );
    let norm = builder.node(
        "bn",
        Op::BatchNorm(BatchNorm {
            epsilon: 1e-5,
            momentum: 0.1,
        }),
        &inputs,
    );
    let sum = builder.node("sum", Op::Binary(Binary::Add), &[norm, product]);
    let network = builder.finish(sum).unwrap();

    let mut weights = random_weights(&network, 1);
    weights.insert("variance", random(&[4], 2).abs().unwrap());
    let x = random(&[3, 4], 3);
    let before = Executor::new(&network, &weights, &Device::Cpu)
        .unwrap()
        .infer(&x)
        .unwrap();
    let (fused, fused_weights) = fuse(&network, &weights).unwrap();
    let after = Executor::new(&fused, &fused_weights, &Device::Cpu)
        .unwrap()
        .infer(&x)
        .unwrap();
    assert_eq!(fused.nodes().len(), 3);
    assert!(difference(&after, &before) < 1e-6);
}
