use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Network, ValueId};

/// An inception module's widths: 1×1; 3×3 and its reduction; "5×5" and its reduction; the pooled branch's projection.
struct Inception {
    name: &'static str,
    one: usize,
    three: [usize; 2],
    five: [usize; 2],
    pool: usize,
}

const fn inception(
    name: &'static str,
    one: usize,
    three: [usize; 2],
    five: [usize; 2],
    pool: usize,
) -> Inception {
    Inception {
        name,
        one,
        three,
        five,
        pool,
    }
}

/// Table 1 of the paper, between its max-poolings.
const MODULES: [&[Inception]; 3] = [
    &[
        inception("inception3a", 64, [96, 128], [16, 32], 32),
        inception("inception3b", 128, [128, 192], [32, 96], 64),
    ],
    &[
        inception("inception4a", 192, [96, 208], [16, 48], 64),
        inception("inception4b", 160, [112, 224], [24, 64], 64),
        inception("inception4c", 128, [128, 256], [24, 64], 64),
        inception("inception4d", 112, [144, 288], [32, 64], 64),
        inception("inception4e", 256, [160, 320], [32, 128], 128),
    ],
    &[
        inception("inception5a", 256, [160, 320], [32, 128], 128),
        inception("inception5b", 384, [192, 384], [48, 128], 128),
    ],
];

/// GoogLeNet (Szegedy et al. 2015) as torchvision has it: with batch normalisation, 3×3 where the paper has 5×5, without
/// the auxiliary heads, and with `transform_input`, which its ImageNet weights (ported from TensorFlow) need.
pub(super) fn googlenet(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("googlenet", input);
    let mut x = net.input();
    if input[0] == 3 {
        x = transform_input(&mut net, x);
    }
    x = conv(&mut net, "conv1", x, Conv::new(64, 7).stride(2).padding(3));
    x = net.max_pool_with(x, 3, 2, 0, true);
    x = conv(&mut net, "conv2", x, Conv::new(64, 1));
    x = conv(&mut net, "conv3", x, Conv::new(192, 3).padding(1));
    x = net.max_pool_with(x, 3, 2, 0, true);
    for (stage, modules) in MODULES.into_iter().enumerate() {
        for module in modules {
            x = module.build(&mut net, x);
        }
        match stage {
            0 => x = net.max_pool_with(x, 3, 2, 0, true),
            1 => x = net.max_pool_with(x, 2, 2, 0, true),
            _ => {}
        }
    }
    x = net.global_average_pool(x);
    x = net.dropout(x, 0.2);
    let logits = net.linear("fc", x, num_classes);
    net.finish(logits)
}

impl Inception {
    fn build(&self, net: &mut Layers, x: ValueId) -> ValueId {
        let name = |branch: &str| format!("{}.{branch}", self.name);
        let one = conv(net, &name("branch1"), x, Conv::new(self.one, 1));
        let three = conv(net, &name("branch2.0"), x, Conv::new(self.three[0], 1));
        let three = conv(
            net,
            &name("branch2.1"),
            three,
            Conv::new(self.three[1], 3).padding(1),
        );
        let five = conv(net, &name("branch3.0"), x, Conv::new(self.five[0], 1));
        let five = conv(
            net,
            &name("branch3.1"),
            five,
            Conv::new(self.five[1], 3).padding(1),
        );
        let pooled = net.max_pool_with(x, 3, 1, 1, true);
        let pooled = conv(net, &name("branch4.1"), pooled, Conv::new(self.pool, 1));
        net.concat(self.name, &[one, three, five, pooled])
    }
}

/// torchvision's `BasicConv2d`.
fn conv(net: &mut Layers, name: &str, x: ValueId, conv: Conv) -> ValueId {
    let x = net.conv(&format!("{name}.conv"), x, conv.without_bias());
    let x = net.batch_norm_with(&format!("{name}.bn"), x, 1e-3);
    net.relu(x)
}

/// From pixels normalised by ImageNet's mean and deviation to pixels in [−1, 1].
fn transform_input(net: &mut Layers, x: ValueId) -> ValueId {
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let scale = deviation.map(|deviation| deviation / 0.5);
    let shift = mean.map(|mean| (mean - 0.5) / 0.5);
    net.scale_channels(x, &scale, &shift)
}
