use super::layers::{Conv, Layers};
use crate::error::Result;
use crate::graph::{Network, ValueId};

/// One module of torchvision's `features`.
#[derive(Clone, Copy)]
enum Module {
    MaxPool,
    /// The squeeze layer's width and that of each of the two expand layers.
    Fire(usize, usize),
}

/// SqueezeNet (Iandola et al. 2016), version 1.0: table 1 of the paper.
pub(super) fn squeezenet1_0(input: [usize; 3], num_classes: usize) -> Result<Network> {
    use Module::{Fire, MaxPool};
    let modules = [
        MaxPool,
        Fire(16, 64),
        Fire(16, 64),
        Fire(32, 128),
        MaxPool,
        Fire(32, 128),
        Fire(48, 192),
        Fire(48, 192),
        Fire(64, 256),
        MaxPool,
        Fire(64, 256),
    ];
    squeezenet(
        "squeezenet1_0",
        Conv::new(96, 7).stride(2),
        &modules,
        input,
        num_classes,
    )
}

/// Version 1.1, from the authors' repository: 2.4 times less computation by pooling earlier.
pub(super) fn squeezenet1_1(input: [usize; 3], num_classes: usize) -> Result<Network> {
    use Module::{Fire, MaxPool};
    let modules = [
        MaxPool,
        Fire(16, 64),
        Fire(16, 64),
        MaxPool,
        Fire(32, 128),
        Fire(32, 128),
        MaxPool,
        Fire(48, 192),
        Fire(48, 192),
        Fire(64, 256),
        Fire(64, 256),
    ];
    squeezenet(
        "squeezenet1_1",
        Conv::new(64, 3).stride(2),
        &modules,
        input,
        num_classes,
    )
}

fn squeezenet(
    name: &str,
    stem: Conv,
    modules: &[Module],
    input: [usize; 3],
    num_classes: usize,
) -> Result<Network> {
    let mut net = Layers::new(name, input);
    let mut x = net.conv("features.0", net.input(), stem);
    x = net.relu(x);
    for (number, module) in (2..).zip(modules) {
        x = match *module {
            Module::MaxPool => net.max_pool_with(x, 3, 2, 0, true),
            Module::Fire(squeeze, expand) => {
                fire(&mut net, &format!("features.{number}"), x, squeeze, expand)
            }
        };
    }
    x = net.dropout(x, 0.5);
    x = net.conv("classifier.1", x, Conv::new(num_classes, 1));
    x = net.relu(x);
    let logits = net.global_average_pool(x);
    net.finish(logits)
}

fn fire(net: &mut Layers, name: &str, x: ValueId, squeeze: usize, expand: usize) -> ValueId {
    let x = net.conv(&format!("{name}.squeeze"), x, Conv::new(squeeze, 1));
    let x = net.relu(x);
    let one = net.conv(&format!("{name}.expand1x1"), x, Conv::new(expand, 1));
    let one = net.relu(one);
    let three = net.conv(
        &format!("{name}.expand3x3"),
        x,
        Conv::new(expand, 3).padding(1),
    );
    let three = net.relu(three);
    net.concat(name, &[one, three])
}
