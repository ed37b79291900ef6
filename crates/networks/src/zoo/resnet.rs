use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Network, ValueId};

/// A residual network for ImageNet.
pub(super) struct ResNet {
    /// Blocks in each of the four stages.
    pub blocks: [usize; 4],
    pub block: Block,
    /// Groups of the 3 × 3 convolutions: the cardinality of ResNeXt (Xie et al. 2017).
    pub groups: usize,
    /// Width of a group where the block's own is 64; 128 is twice as wide (Zagoruyko and Komodakis 2016).
    pub width_per_group: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Two 3 × 3 convolutions.
    Basic,
    /// 1 × 1, 3 × 3, 1 × 1, the last four times as wide. The stride is in the 3 × 3 one, as in torchvision.
    Bottleneck,
}

impl ResNet {
    pub fn new(block: Block, blocks: [usize; 4]) -> Self {
        Self {
            blocks,
            block,
            groups: 1,
            width_per_group: 64,
        }
    }

    /// The network of He, Zhang, Ren and Sun 2016, table 1.
    pub fn build(&self, name: &str, input: [usize; 3], num_classes: usize) -> Result<Network> {
        let mut net = Layers::new(name, input);
        let mut x = net.conv(
            "conv1",
            net.input(),
            Conv::new(64, 7).stride(2).padding(3).without_bias(),
        );
        x = net.batch_norm("bn1", x);
        x = net.relu(x);
        x = net.max_pool_with(x, 3, 2, 1, false);
        x = net.stages(x, self.blocks, |net, stage, index, x, stride| {
            let name = format!("layer{}.{index}", stage + 1);
            self.block(net, &name, x, 64 << stage, stride)
        });
        x = net.global_average_pool(x);
        let logits = net.linear("fc", x, num_classes);
        net.finish(logits)
    }

    fn block(
        &self,
        net: &mut Layers,
        name: &str,
        x: ValueId,
        width: usize,
        stride: usize,
    ) -> ValueId {
        let (convolutions, out) = match self.block {
            Block::Basic => {
                let three = Conv::new(width, 3).padding(1);
                (vec![three.stride(stride), three], width)
            }
            Block::Bottleneck => {
                let inner = width * self.width_per_group / 64 * self.groups;
                let three = Conv::new(inner, 3)
                    .padding(1)
                    .stride(stride)
                    .groups(self.groups);
                (
                    vec![Conv::new(inner, 1), three, Conv::new(4 * width, 1)],
                    4 * width,
                )
            }
        };
        let last = convolutions.len();
        let mut branch = x;
        for (number, conv) in (1..).zip(convolutions) {
            branch = net.conv(&format!("{name}.conv{number}"), branch, conv.without_bias());
            branch = net.batch_norm(&format!("{name}.bn{number}"), branch);
            if number < last {
                branch = net.relu(branch);
            }
        }
        let shortcut = if stride == 1 && net.channels(x) == out {
            x
        } else {
            let projected = Conv::new(out, 1).stride(stride).without_bias();
            let projected = net.conv(&format!("{name}.downsample.0"), x, projected);
            net.batch_norm(&format!("{name}.downsample.1"), projected)
        };
        let sum = net.add(branch, shortcut);
        net.relu(sum)
    }
}
