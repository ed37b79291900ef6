use super::layers::Layers;
use crate::error::Result;
use crate::graph::{Activation, Network};

/// The perceptron (Rosenblatt 1958): a single layer of weights from pixels to classes.
pub(super) fn perceptron(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("perceptron", input);
    let pixels = net.flatten(net.input());
    let logits = net.linear("fc", pixels, num_classes);
    net.finish(logits)
}

/// A multi-layer perceptron (Rumelhart, Hinton and Williams 1986) with hidden layers `fc1`, `fc2`, … of the given
/// widths, and a last, linear one.
pub(super) fn mlp(
    name: &str,
    hidden: &[u32],
    activation: Activation,
    input: [usize; 3],
    num_classes: usize,
) -> Result<Network> {
    let mut net = Layers::new(name, input);
    let mut x = net.flatten(net.input());
    for (index, width) in hidden.iter().enumerate() {
        x = net.linear(&format!("fc{}", index + 1), x, *width as usize);
        x = net.activation(x, activation);
    }
    let logits = net.linear(&format!("fc{}", hidden.len() + 1), x, num_classes);
    net.finish(logits)
}
