use referee_scoring::model_form::Architecture;

use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{Builder, Convolution, ElementType, Network, Op, Padding, ParameterKind};

fn build(name: &str, input: [usize; 3], num_classes: usize) -> Network {
    let architecture: Architecture = name.parse().unwrap();
    zoo::build(&architecture, &ZooOptions { num_classes, input }).unwrap()
}

/// Every network that torchvision has: parameters and GMACs from its own table of weights (`torchvision.csv`; GMACs with
/// as many digits as there), depth from the papers' tables.
#[test]
fn as_torchvision() {
    let table = include_str!("../torchvision.csv");
    let mut checked = 0;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, parameters, gmacs, depth] = fields[..] else {
            panic!("{line}")
        };
        let profile = build(name, [3, 224, 224], 1000).profile().unwrap();
        assert_eq!(
            profile.parameters,
            parameters.parse::<u64>().unwrap(),
            "parameters of {name}"
        );
        assert_eq!(
            profile.depth,
            depth.parse::<usize>().unwrap(),
            "depth of {name}"
        );
        let (counted, stated) = (profile.macs as f64 / 1e9, gmacs.parse::<f64>().unwrap());
        assert!(
            (counted - stated).abs() < 0.0006,
            "{name}: {counted} GMACs, torchvision says {stated}"
        );
        assert!(!profile.folded);
        checked += 1;
    }
    assert_eq!(checked, 22);
}

/// Networks that torchvision does not have. Parameters: `alexnet_2012` as counted for Caffe's `bvlc_alexnet`; the CIFAR
/// networks from He et al. 2016, table 6 (0.27 M, 0.46 M, 0.66 M, 0.85 M, 1.7 M), and Zagoruyko and Komodakis 2016,
/// table 4 (36.5 M); a plain network has as many as its twin, since option A's shortcuts have none.
#[test]
fn as_the_papers_say() {
    let profile = |name, input, classes| build(name, input, classes).profile().unwrap();
    let caffe = profile("alexnet_2012", [3, 227, 227], 1000);
    assert_eq!((caffe.parameters, caffe.depth), (60_965_224, 8));
    for (name, millions, depth) in [
        ("resnet20", 0.27, 20),
        ("resnet32", 0.46, 32),
        ("resnet44", 0.66, 44),
        ("resnet56", 0.85, 56),
        ("resnet110", 1.7, 110),
        ("plain20", 0.27, 20),
        ("plain56", 0.85, 56),
    ] {
        let profile = profile(name, [3, 32, 32], 10);
        assert!(
            (profile.parameters as f64 / 1e6 - millions).abs() < 0.03,
            "{name}: {}",
            profile.parameters
        );
        assert_eq!(profile.depth, depth, "depth of {name}");
    }
    let wide = profile("wrn_28_10", [3, 32, 32], 10);
    assert!(
        (wide.parameters as f64 / 1e6 - 36.5).abs() < 0.05,
        "{}",
        wide.parameters
    );
}

/// Layers small enough to count by hand, on Fashion-MNIST's 28 × 28 pixels.
#[test]
fn small_networks() {
    let profile = |name: &str| build(name, [1, 28, 28], 10).profile().unwrap();
    let perceptron = profile("perceptron");
    assert_eq!(
        (perceptron.parameters, perceptron.macs, perceptron.depth),
        (7850, 7840, 1)
    );
    let mlp = profile("mlp(512,256;tanh)");
    assert_eq!(
        mlp.parameters,
        784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10
    );
    assert_eq!((mlp.macs, mlp.depth), (784 * 512 + 512 * 256 + 256 * 10, 3));
    // 61,706: the number usually given for LeNet-5 with all maps connected.
    let lenet = profile("lenet5");
    assert_eq!((lenet.parameters, lenet.depth), (61_706, 5));
}

/// fvcore's test vector: a 1×1 convolution of 3 to 10 channels on 10 × 10 pixels, then 1000 to 10: 3,000 + 10,000.
#[test]
fn thirteen_thousand_macs() {
    let mut builder = Builder::new("fvcore", &[3, 10, 10], ElementType::F32);
    let image = builder.input();
    let weight = builder.parameter("conv.weight", &[10, 3, 1, 1], ParameterKind::Trainable);
    let pointwise = Convolution {
        stride: vec![1; 2],
        dilation: vec![1; 2],
        padding: Padding::Explicit {
            begin: vec![0; 2],
            end: vec![0; 2],
        },
        groups: 1,
    };
    let x = builder.node("conv", Op::Convolution(pointwise), &[image, weight]);
    let x = builder.node("flatten", Op::Flatten { axis: 1 }, &[x]);
    let weight = builder.parameter("fc.weight", &[10, 1000], ParameterKind::Trainable);
    let logits = builder.node("fc", Op::Linear, &[x, weight]);
    let profile = builder.finish(logits).unwrap().profile().unwrap();
    assert_eq!(profile.macs, 13_000);
    assert_eq!(
        profile
            .layers
            .iter()
            .map(|layer| layer.macs)
            .collect::<Vec<_>>(),
        [3000, 0, 10_000]
    );
}

#[test]
fn options_are_kept() {
    for name in Architecture::names().chain(["mlp(8)"]) {
        let network = build(name, [3, 224, 224], 21);
        let shapes = network.infer_shapes(2).unwrap();
        assert_eq!(shapes.of(network.output()), [2, 21], "{name}");
    }
}

/// An image that is too small is refused where it no longer fits.
#[test]
fn small_images() {
    let options = ZooOptions {
        num_classes: 10,
        input: [1, 28, 28],
    };
    let refused = zoo::build(&"alexnet".parse().unwrap(), &options);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "node features.3.relu.maxpool (MaxPool): a window that spans 3 does not fit into an image of 2 with padding 0 and 0"
    );
}
