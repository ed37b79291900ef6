use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Network, ValueId};

/// A wide residual network for small images (Zagoruyko and Komodakis 2016, table 1): normalisation and activation come
/// before each convolution; `depth` = 6n + 4 with n blocks in each of three stages, `widen` times as wide. Tensor names
/// are those of the common reimplementation (`WideResNet-pytorch`).
pub(super) fn wide_resnet(
    name: &str,
    depth: usize,
    widen: usize,
    input: [usize; 3],
    num_classes: usize,
) -> Result<Network> {
    let mut net = Layers::new(name, input);
    let mut x = net.conv(
        "conv1",
        net.input(),
        Conv::new(16, 3).padding(1).without_bias(),
    );
    let blocks = [(depth - 4) / 6; 3];
    x = net.stages(x, blocks, |net, stage, index, x, stride| {
        let name = format!("block{}.layer.{index}", stage + 1);
        block(net, &name, x, widen * (16 << stage), stride)
    });
    x = net.batch_norm("bn1", x);
    x = net.relu(x);
    x = net.global_average_pool(x);
    let logits = net.linear("fc", x, num_classes);
    net.finish(logits)
}

fn block(net: &mut Layers, name: &str, x: ValueId, width: usize, stride: usize) -> ValueId {
    let three = Conv::new(width, 3).padding(1).without_bias();
    let activated = net.batch_norm(&format!("{name}.bn1"), x);
    let activated = net.relu(activated);
    let mut branch = net.conv(&format!("{name}.conv1"), activated, three.stride(stride));
    branch = net.batch_norm(&format!("{name}.bn2"), branch);
    branch = net.relu(branch);
    branch = net.conv(&format!("{name}.conv2"), branch, three);
    let shortcut = if net.channels(x) == width {
        x
    } else {
        let projection = Conv::new(width, 1).stride(stride).without_bias();
        net.conv(&format!("{name}.convShortcut"), activated, projection)
    };
    net.add(branch, shortcut)
}
