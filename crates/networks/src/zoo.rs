//! The zoo: networks by name, a file per family in the order of its paper. Tensor names are torchvision's where it has
//! the network.

mod alexnet;
mod cifar_resnet;
mod densenet;
mod googlenet;
mod layers;
mod lenet;
mod mobilenet;
mod perceptron;
mod resnet;
mod squeezenet;
mod vgg;
mod wide_resnet;

use crate::error::{NetworkError, Result};
use crate::graph::{Activation, Network};
use resnet::{Block, ResNet};

/// What an architecture leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZooOptions {
    pub num_classes: usize,
    /// `[channels, height, width]`
    pub input: [usize; 3],
}

/// Every architecture's name. `mlp` takes the widths of its hidden layers and their activation: `mlp(512,256;tanh)`.
pub fn names() -> &'static [&'static str] {
    &[
        "perceptron",
        "mlp",
        "lenet5",
        "alexnet",
        "alexnet_2012",
        "vgg11",
        "vgg11_bn",
        "vgg13",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
        "googlenet",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "wide_resnet50_2",
        "wide_resnet101_2",
        "resnext50_32x4d",
        "squeezenet1_0",
        "squeezenet1_1",
        "mobilenet_v2",
        "densenet121",
        "resnet20",
        "resnet32",
        "resnet44",
        "resnet56",
        "resnet110",
        "plain20",
        "plain56",
        "wrn_28_10",
    ]
}

/// The network of an architecture, without weights.
///
/// # Errors
/// [`NetworkError::Architecture`] for an unknown name; [`NetworkError::Node`] where an image is too small for it.
pub fn build(architecture: &Architecture, options: &ZooOptions) -> Result<Network> {
    let ZooOptions { num_classes, input } = *options;
    let name = architecture.name.as_str();
    let imagenet = |net: ResNet| net.build(name, input, num_classes);
    let cifar =
        |layers, residual| cifar_resnet::cifar_resnet(name, layers, residual, input, num_classes);
    let vgg = |layers, batch_norm| vgg::vgg(name, layers, batch_norm, input, num_classes);
    match name {
        "perceptron" => perceptron::perceptron(input, num_classes),
        "mlp" => perceptron::mlp(
            name,
            &architecture.hidden,
            architecture.activation,
            input,
            num_classes,
        ),
        "lenet5" => lenet::lenet5(input, num_classes),
        "alexnet" => alexnet::alexnet(input, num_classes),
        "alexnet_2012" => alexnet::alexnet_2012(input, num_classes),
        "vgg11" => vgg(11, false),
        "vgg11_bn" => vgg(11, true),
        "vgg13" => vgg(13, false),
        "vgg13_bn" => vgg(13, true),
        "vgg16" => vgg(16, false),
        "vgg16_bn" => vgg(16, true),
        "vgg19" => vgg(19, false),
        "vgg19_bn" => vgg(19, true),
        "googlenet" => googlenet::googlenet(input, num_classes),
        "resnet18" => imagenet(ResNet::new(Block::Basic, [2, 2, 2, 2])),
        "resnet34" => imagenet(ResNet::new(Block::Basic, [3, 4, 6, 3])),
        "resnet50" => imagenet(ResNet::new(Block::Bottleneck, [3, 4, 6, 3])),
        "resnet101" => imagenet(ResNet::new(Block::Bottleneck, [3, 4, 23, 3])),
        "resnet152" => imagenet(ResNet::new(Block::Bottleneck, [3, 8, 36, 3])),
        "wide_resnet50_2" => imagenet(ResNet {
            width_per_group: 128,
            ..ResNet::new(Block::Bottleneck, [3, 4, 6, 3])
        }),
        "wide_resnet101_2" => imagenet(ResNet {
            width_per_group: 128,
            ..ResNet::new(Block::Bottleneck, [3, 4, 23, 3])
        }),
        "resnext50_32x4d" => imagenet(ResNet {
            groups: 32,
            width_per_group: 4,
            ..ResNet::new(Block::Bottleneck, [3, 4, 6, 3])
        }),
        "squeezenet1_0" => squeezenet::squeezenet1_0(input, num_classes),
        "squeezenet1_1" => squeezenet::squeezenet1_1(input, num_classes),
        "mobilenet_v2" => mobilenet::mobilenet_v2(input, num_classes),
        "densenet121" => densenet::densenet121(input, num_classes),
        "resnet20" => cifar(20, true),
        "resnet32" => cifar(32, true),
        "resnet44" => cifar(44, true),
        "resnet56" => cifar(56, true),
        "resnet110" => cifar(110, true),
        "plain20" => cifar(20, false),
        "plain56" => cifar(56, false),
        "wrn_28_10" => wide_resnet::wide_resnet(name, 28, 10, input, num_classes),
        _ => Err(NetworkError::Architecture(format!(
            "no architecture is called {name}; known: {}",
            names().join(", ")
        ))),
    }
}

/// An architecture's name with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    pub name: String,
    /// Widths of `mlp`'s hidden layers.
    pub hidden: Vec<usize>,
    /// After each of `mlp`'s hidden layers.
    pub activation: Activation,
}

impl std::str::FromStr for Architecture {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            NetworkError::Architecture(format!(
                "{text:?}; written like resnet50 or mlp(512,256;relu)"
            ))
        };
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(refuse)?),
            None => (text, ""),
        };
        let (widths, activation) = arguments.split_once(';').unwrap_or((arguments, "relu"));
        let activation = match activation {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            _ => return Err(refuse()),
        };
        let widths = widths.split(',').filter(|width| !width.is_empty());
        let hidden = widths
            .map(|width| width.trim().parse().map_err(|_| refuse()))
            .collect::<Result<_>>()?;
        Ok(Self {
            name: name.into(),
            hidden,
            activation,
        })
    }
}
