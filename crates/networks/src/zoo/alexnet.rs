use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{LocalResponseNorm, Network, ValueId};

/// AlexNet as torchvision has it: the single-column variant of "One weird trick" (Krizhevsky 2014), without groups and
/// without response normalisation.
pub(super) fn alexnet(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("alexnet", input);
    let mut x = net.input();

    x = net.conv("features.0", x, Conv::new(64, 11).stride(4).padding(2));
    x = net.relu(x);
    x = net.max_pool(x, 3, 2);
    x = net.conv("features.3", x, Conv::new(192, 5).padding(2));
    x = net.relu(x);
    x = net.max_pool(x, 3, 2);
    for (name, out) in [
        ("features.6", 384),
        ("features.8", 256),
        ("features.10", 256),
    ] {
        x = net.conv(name, x, Conv::new(out, 3).padding(1));
        x = net.relu(x);
    }
    x = net.max_pool(x, 3, 2);

    x = net.adaptive_average_pool(x, 6);
    x = net.flatten(x);
    for name in ["classifier.1", "classifier.4"] {
        x = net.dropout(x, 0.5);
        x = net.linear(name, x, 4096);
        x = net.relu(x);
    }
    let logits = net.linear("classifier.6", x, num_classes);
    net.finish(logits)
}

/// The network that won ILSVRC 2012 (Krizhevsky, Sutskever and Hinton 2012): two groups of maps in the second, fourth
/// and fifth convolution, for its two GPUs; response normalisation after the first two; overlapping max-pooling;
/// dropout before the first two fully connected layers. Tensor names are Caffe's.
pub(super) fn alexnet_2012(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("alexnet_2012", input);
    let mut x = net.input();

    x = net.conv("conv1", x, Conv::new(96, 11).stride(4).padding(2));
    x = net.relu(x);
    x = response_norm(&mut net, "norm1", x);
    x = net.max_pool(x, 3, 2);

    x = net.conv("conv2", x, Conv::new(256, 5).padding(2).groups(2));
    x = net.relu(x);
    x = response_norm(&mut net, "norm2", x);
    x = net.max_pool(x, 3, 2);

    x = net.conv("conv3", x, Conv::new(384, 3).padding(1));
    x = net.relu(x);
    x = net.conv("conv4", x, Conv::new(384, 3).padding(1).groups(2));
    x = net.relu(x);
    x = net.conv("conv5", x, Conv::new(256, 3).padding(1).groups(2));
    x = net.relu(x);
    x = net.max_pool(x, 3, 2);

    x = net.flatten(x);
    for name in ["fc6", "fc7"] {
        x = net.dropout(x, 0.5);
        x = net.linear(name, x, 4096);
        x = net.relu(x);
    }
    let logits = net.linear("fc8", x, num_classes);
    net.finish(logits)
}

/// The paper's section 3.3: k = 2, n = 5, α = 10⁻⁴, β = 0.75. It does not divide α by n; the operator does.
fn response_norm(net: &mut Layers, name: &str, x: ValueId) -> ValueId {
    net.local_response_norm(
        name,
        x,
        LocalResponseNorm {
            size: 5,
            alpha: 5e-4,
            beta: 0.75,
            bias: 2.,
        },
    )
}
