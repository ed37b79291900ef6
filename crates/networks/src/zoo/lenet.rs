use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Activation, Network};

/// LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, section II.B), as it is built today: C3 sees all of S2's maps, the
/// subsampling layers are plain averages, and the output is linear instead of radial basis functions. The paper's
/// images are 32 × 32; smaller ones are padded to that.
pub(super) fn lenet5(input: [usize; 3], num_classes: usize) -> Result<Network> {
    let mut net = Layers::new("lenet5", input);
    let image = net.input();
    let padding = 32_usize.saturating_sub(input[1]).div_ceil(2);

    let c1 = net.conv("conv1", image, Conv::new(6, 5).padding(padding));
    let c1 = net.activation(c1, Activation::Tanh);
    let s2 = net.average_pool(c1, 2, 2);
    let c3 = net.conv("conv2", s2, Conv::new(16, 5));
    let c3 = net.activation(c3, Activation::Tanh);
    let s4 = net.average_pool(c3, 2, 2);

    let s4 = net.flatten(s4);
    let c5 = net.linear("fc1", s4, 120);
    let c5 = net.activation(c5, Activation::Tanh);
    let f6 = net.linear("fc2", c5, 84);
    let f6 = net.activation(f6, Activation::Tanh);
    let logits = net.linear("fc3", f6, num_classes);
    net.finish(logits)
}
