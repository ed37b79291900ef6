//! Names as the libraries have them (`tests/names/make.py`), against the zoo's.

use std::fmt::Write as _;

use referee_scoring::model_form::Architecture;
use safetensors::Dtype;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::zoo::{self, ZooOptions};

fn network(name: &str) -> Network {
    let architecture: Architecture = name.parse().expect("an architecture");
    let options = ZooOptions {
        num_classes: 1000,
        input: [3, 224, 224],
    };
    zoo::build(&architecture, &options).expect("buildable")
}

/// The tensors that `lines` (`name 64x3x7x7`) describe, without their data.
fn tensors(lines: &str) -> Vec<TensorInfo> {
    let tensor = |line: &str| {
        let (name, shape) = line.split_once(' ').expect("a name and a shape");
        let sizes = shape.split('x').filter(|size| !size.is_empty());
        TensorInfo {
            name: name.to_owned(),
            dtype: Dtype::F32,
            shape: sizes.map(|size| size.parse().expect("a size")).collect(),
            start: 0,
            end: 0,
        }
    };
    lines.lines().map(tensor).collect()
}

fn lines(network: &Network) -> Vec<String> {
    let parameters = network.parameters().iter();
    let mut lines: Vec<_> = parameters
        .map(|parameter| {
            let sizes: Vec<_> = parameter.dims.iter().map(ToString::to_string).collect();
            format!("{} {}\n", parameter.name, sizes.join("x"))
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn the_zoo_has_torchvisions_names_and_shapes() {
    let table = include_str!("../../../tests/names/torchvision.csv");
    for row in table.lines().skip(1) {
        let [architecture, count, sha256] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let lines = lines(&network(architecture));
        assert_eq!(lines.len().to_string(), count, "{architecture}");
        let mut digest = String::new();
        for byte in Sha256::digest(lines.concat()) {
            write!(digest, "{byte:02x}").expect("to memory");
        }
        assert_eq!(digest, sha256, "{architecture}");
    }
}

#[test]
fn timms_names_of_the_same_network_load_too() {
    let files = [
        ("vgg11", include_str!("../../../tests/names/timm_vgg11.txt")),
        (
            "vgg16_bn",
            include_str!("../../../tests/names/timm_vgg16_bn.txt"),
        ),
        (
            "mobilenet_v2",
            include_str!("../../../tests/names/timm_mobilenetv2_100.txt"),
        ),
    ];
    for (architecture, lines) in files {
        let network = network(architecture);
        let tensors = tensors(lines);
        let matching = Matching::new(&tensors, &network);
        matching
            .check(&network, 1000)
            .unwrap_or_else(|error| panic!("{architecture}: {error}"));
        assert_eq!(matching.found().len(), network.parameters().len());
        assert!(matching.notices().is_empty());
        // Both libraries list the layers in the order of the computation.
        let found: Vec<_> = matching
            .found()
            .iter()
            .map(|(parameter, _)| &parameter.name)
            .collect();
        let own: Vec<_> = network
            .parameters()
            .iter()
            .map(|parameter| &parameter.name)
            .collect();
        assert_eq!(found, own, "{architecture}");
    }
}

/// As TensorFlow orders a convolution's weights: as many elements, but in another order.
#[test]
fn weights_in_another_order_are_refused() {
    let vgg = include_str!("../../../tests/names/timm_vgg11.txt");
    let mobilenet = include_str!("../../../tests/names/timm_mobilenetv2_100.txt");
    for (architecture, lines, tensor, shape, other, expected) in [
        (
            "vgg11",
            vgg,
            "features.3.weight",
            "128x64x3x3",
            "128x3x3x64",
            "[128,64,3,3]",
        ),
        (
            "vgg11",
            vgg,
            "pre_logits.fc1.weight",
            "4096x512x7x7",
            "4096x7x7x512",
            "[4096,25088]",
        ),
        (
            "vgg11",
            vgg,
            "pre_logits.fc2.weight",
            "4096x4096x1x1",
            "4096x1x1x4096",
            "[4096,4096]",
        ),
        (
            "mobilenet_v2",
            mobilenet,
            "blocks.0.0.conv_pw.weight",
            "16x32x1x1",
            "16x1x1x32",
            "[16,32,1,1]",
        ),
    ] {
        let line = |shape| format!("{tensor} {shape}\n");
        assert!(lines.contains(&line(shape)), "{tensor}");
        let tensors = tensors(&lines.replace(&line(shape), &line(other)));
        let network = network(architecture);
        let refused = Matching::new(&tensors, &network)
            .check(&network, 1000)
            .expect_err(tensor);
        let found = other.replace('x', ",");
        assert_eq!(
            refused.to_string(),
            format!(
                "the tensors are not those of {architecture}: 1 is of another shape: {tensor} is [{found}], expected {expected}"
            )
        );
    }
}

#[test]
fn another_librarys_names_are_named() {
    let network = network("mobilenet_v2");
    let vit = tensors(include_str!(
        "../../../tests/names/timm_vit_tiny_patch16_224.txt"
    ));
    let error = Matching::new(&vit, &network)
        .check(&network, 1000)
        .expect_err("refused")
        .to_string();
    assert!(
        error.starts_with("the tensors are not those of mobilenet_v2: 262 are missing: "),
        "{error}"
    );
    assert!(
        error.contains("The names look like those of timm"),
        "{error}"
    );
}

#[test]
fn the_head_is_the_layer_of_the_classes() {
    for (architecture, name) in [
        ("resnet50", "fc.weight"),
        ("vgg16", "classifier.6.weight"),
        ("squeezenet1_0", "classifier.1.weight"),
        ("densenet121", "classifier.weight"),
        ("mobilenet_v2", "classifier.1.weight"),
        ("googlenet", "fc.weight"),
        ("perceptron", "fc.weight"),
    ] {
        let network = network(architecture);
        let head = head(&network).expect("a head");
        assert_eq!((head.name.as_str(), head.dims[0]), (name, 1000));
    }
}
