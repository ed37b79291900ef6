use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::Network;

/// VGG (Simonyan and Zisserman 2015, table 1): the widths of the 3 × 3 convolutions between max-poolings.
fn blocks(layers: usize) -> [&'static [usize]; 5] {
    match layers {
        11 => [&[64], &[128], &[256; 2], &[512; 2], &[512; 2]],
        13 => [&[64; 2], &[128; 2], &[256; 2], &[512; 2], &[512; 2]],
        16 => [&[64; 2], &[128; 2], &[256; 3], &[512; 3], &[512; 3]],
        _ => [&[64; 2], &[128; 2], &[256; 4], &[512; 4], &[512; 4]],
    }
}

/// `layers` is 11, 13, 16 or 19; with batch normalisation (torchvision's `_bn`) after each convolution on request.
pub(super) fn vgg(
    name: &str,
    layers: usize,
    batch_norm: bool,
    input: [usize; 3],
    num_classes: usize,
) -> Result<Network> {
    let mut net = Layers::new(name, input);
    let mut x = net.input();
    // Every module of torchvision's `features` has a number, pooling and activations included.
    let mut module = 0;
    for block in blocks(layers) {
        for out in block {
            x = net.conv(
                &format!("features.{module}"),
                x,
                Conv::new(*out, 3).padding(1),
            );
            if batch_norm {
                module += 1;
                x = net.batch_norm(&format!("features.{module}"), x);
            }
            x = net.relu(x);
            module += 2;
        }
        x = net.max_pool(x, 2, 2);
        module += 1;
    }

    x = net.adaptive_average_pool(x, 7);
    x = net.flatten(x);
    for name in ["classifier.0", "classifier.3"] {
        x = net.linear(name, x, 4096);
        x = net.relu(x);
        x = net.dropout(x, 0.5);
    }
    let logits = net.linear("classifier.6", x, num_classes);
    net.finish(logits)
}
