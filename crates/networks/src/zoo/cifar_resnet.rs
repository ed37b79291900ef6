use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Network, ValueId};

/// A residual network for small images (He, Zhang, Ren and Sun 2016, section 4.2): `layers` = 6n + 2 with n blocks in
/// each of three stages, shortcuts without parameters (option A), or none: the plain twin. Tensor names are those of
/// the reimplementation that most checkpoints come from (Idelbayev's `pytorch_resnet_cifar10`).
pub(super) fn cifar_resnet(
    name: &str,
    layers: usize,
    residual: bool,
    input: [usize; 3],
    num_classes: usize,
) -> Result<Network> {
    let mut net = Layers::new(name, input);
    let mut x = net.conv(
        "conv1",
        net.input(),
        Conv::new(16, 3).padding(1).without_bias(),
    );
    x = net.batch_norm("bn1", x);
    x = net.relu(x);
    let blocks = [(layers - 2) / 6; 3];
    x = net.stages(x, blocks, |net, stage, index, x, stride| {
        let name = format!("layer{}.{index}", stage + 1);
        block(net, &name, x, 16 << stage, stride, residual)
    });
    x = net.global_average_pool(x);
    let logits = net.linear("linear", x, num_classes);
    net.finish(logits)
}

fn block(
    net: &mut Layers,
    name: &str,
    x: ValueId,
    width: usize,
    stride: usize,
    residual: bool,
) -> ValueId {
    let three = Conv::new(width, 3).padding(1).without_bias();
    let mut branch = net.conv(&format!("{name}.conv1"), x, three.stride(stride));
    branch = net.batch_norm(&format!("{name}.bn1"), branch);
    branch = net.relu(branch);
    branch = net.conv(&format!("{name}.conv2"), branch, three);
    branch = net.batch_norm(&format!("{name}.bn2"), branch);
    if residual {
        let shortcut = shortcut(net, x, width, stride);
        branch = net.add(branch, shortcut);
    }
    net.relu(branch)
}

/// Option A: every second pixel, and zeros for the channels that are missing, half of them on either side.
fn shortcut(net: &mut Layers, x: ValueId, width: usize, stride: usize) -> ValueId {
    let missing = width - net.channels(x);
    if stride == 1 && missing == 0 {
        return x;
    }
    let subsampled = net.max_pool(x, 1, stride);
    net.pad_channels(subsampled, missing / 2, missing - missing / 2)
}
