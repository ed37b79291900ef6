use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Network, ValueId};

const GROWTH: usize = 32;

/// DenseNet-121 (Huang, Liu, van der Maaten and Weinberger 2017, table 1): every layer of a block sees the maps of all
/// layers before it.
pub(super) fn densenet121(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("densenet121", input);
    let mut x = net.conv(
        "features.conv0",
        net.input(),
        Conv::new(64, 7).stride(2).padding(3).without_bias(),
    );
    x = net.batch_norm("features.norm0", x);
    x = net.relu(x);
    x = net.max_pool_with(x, 3, 2, 1, false);
    for (block, layers) in (1..).zip([6, 12, 24, 16]) {
        for layer in 1..=layers {
            x = dense_layer(
                &mut net,
                &format!("features.denseblock{block}.denselayer{layer}"),
                x,
            );
        }
        if block < 4 {
            x = transition(&mut net, &format!("features.transition{block}"), x);
        }
    }
    x = net.batch_norm("features.norm5", x);
    x = net.relu(x);
    x = net.global_average_pool(x);
    let logits = net.linear("classifier", x, num_classes);
    net.finish(logits)
}

/// Adds `GROWTH` maps to those that arrive, through a bottleneck four times as wide.
fn dense_layer(net: &mut Layers, name: &str, x: ValueId) -> ValueId {
    let new = net.batch_norm(&format!("{name}.norm1"), x);
    let new = net.relu(new);
    let new = net.conv(
        &format!("{name}.conv1"),
        new,
        Conv::new(4 * GROWTH, 1).without_bias(),
    );
    let new = net.batch_norm(&format!("{name}.norm2"), new);
    let new = net.relu(new);
    let new = net.conv(
        &format!("{name}.conv2"),
        new,
        Conv::new(GROWTH, 3).padding(1).without_bias(),
    );
    net.concat(name, &[x, new])
}

/// Halves the channels and each side of the image.
fn transition(net: &mut Layers, name: &str, x: ValueId) -> ValueId {
    let halved = net.channels(x) / 2;
    let x = net.batch_norm(&format!("{name}.norm"), x);
    let x = net.relu(x);
    let x = net.conv(
        &format!("{name}.conv"),
        x,
        Conv::new(halved, 1).without_bias(),
    );
    net.average_pool(x, 2, 2)
}
