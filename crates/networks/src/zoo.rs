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
mod usual;
mod vgg;
mod wide_resnet;

use referee_scoring::model_form::{self, Architecture};

use crate::error::{NetworkError, Result};
use crate::graph::{Activation, Network};
use resnet::{Block, ResNet};
pub use usual::usual_options;

/// What an architecture leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZooOptions {
    pub num_classes: usize,
    /// `[channels, height, width]`
    pub input: [usize; 3],
}

/// The network of an architecture, without weights. [`Architecture::names`] lists those without options.
///
/// # Errors
/// [`NetworkError::Node`] where an image is too small for the network.
pub fn build(architecture: &Architecture, options: &ZooOptions) -> Result<Network> {
    let ZooOptions { num_classes, input } = *options;
    let name = match architecture {
        Architecture::Mlp { hidden, activation } => {
            let activation = match activation {
                model_form::Activation::Relu => Activation::Relu,
                model_form::Activation::Tanh => Activation::Tanh,
                model_form::Activation::Sigmoid => Activation::Sigmoid,
            };
            return perceptron::mlp(
                &architecture.to_string(),
                hidden,
                activation,
                input,
                num_classes,
            );
        }
        Architecture::Named(name) => *name,
    };
    let imagenet = |net: ResNet| net.build(name, input, num_classes);
    let cifar =
        |layers, residual| cifar_resnet::cifar_resnet(name, layers, residual, input, num_classes);
    let vgg = |layers, batch_norm| vgg::vgg(name, layers, batch_norm, input, num_classes);
    match name {
        "perceptron" => perceptron::perceptron(input, num_classes),
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
            "{name} is no network of the zoo"
        ))),
    }
}
