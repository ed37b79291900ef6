use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Activation, Network, ValueId};

/// Table 2 of the paper: expansion, channels, how often, first stride.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// MobileNetV2 (Sandler et al. 2018).
pub(super) fn mobilenet_v2(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("mobilenet_v2", input);
    let image = net.input();
    let mut x = conv_relu6(
        &mut net,
        "features.0",
        image,
        Conv::new(32, 3).stride(2).padding(1),
    );
    let mut number = 1;
    for (expansion, out, repeats, first_stride) in STAGES {
        for repeat in 0..repeats {
            let stride = if repeat == 0 { first_stride } else { 1 };
            x = inverted_residual(
                &mut net,
                &format!("features.{number}.conv"),
                x,
                expansion,
                out,
                stride,
            );
            number += 1;
        }
    }
    x = conv_relu6(
        &mut net,
        &format!("features.{number}"),
        x,
        Conv::new(1280, 1),
    );
    x = net.global_average_pool(x);
    x = net.dropout(x, 0.2);
    let logits = net.linear("classifier.1", x, num_classes);
    net.finish(logits)
}

/// Expands, filters each channel by its own window, and projects without activation (linear bottleneck).
fn inverted_residual(
    net: &mut Layers,
    name: &str,
    x: ValueId,
    expansion: usize,
    out: usize,
    stride: usize,
) -> ValueId {
    let hidden = net.channels(x) * expansion;
    let mut module = 0;
    let mut branch = x;
    if expansion != 1 {
        branch = conv_relu6(
            net,
            &format!("{name}.{module}"),
            branch,
            Conv::new(hidden, 1),
        );
        module += 1;
    }
    let depthwise = Conv::new(hidden, 3)
        .stride(stride)
        .padding(1)
        .groups(hidden);
    branch = conv_relu6(net, &format!("{name}.{module}"), branch, depthwise);
    branch = net.conv(
        &format!("{name}.{}", module + 1),
        branch,
        Conv::new(out, 1).without_bias(),
    );
    branch = net.batch_norm(&format!("{name}.{}", module + 2), branch);
    if stride == 1 && net.channels(x) == out {
        net.add(x, branch)
    } else {
        branch
    }
}

fn conv_relu6(net: &mut Layers, name: &str, x: ValueId, conv: Conv) -> ValueId {
    let x = net.conv(&format!("{name}.0"), x, conv.without_bias());
    let x = net.batch_norm(&format!("{name}.1"), x);
    net.activation(x, Activation::Clip { min: 0., max: 6. })
}
