//! `export_zoo DIR`: a network of each of the zoo's families with random weights, as `NAME.onnx`, with images
//! (`NAME.images.npy`) and the logits that Referee computes for them before and after fusing (`NAME.logits.npy`,
//! `NAME.fused.npy`). `scripts/lib/onnx_agreement.py` lets ONNX Runtime run the files on the same images.

use std::path::Path;

use candle_core::{Device, Tensor};
use referee_networks::{
    DeviceChoice, Executor, Network, ParameterKind, Weights, fuse, onnx, train,
    zoo::{self, ZooOptions},
};

/// Of each family one that is quick to run, and its input.
const NETWORKS: [(&str, [usize; 3]); 16] = [
    ("perceptron", [1, 28, 28]),
    ("mlp(512,256;tanh)", [1, 28, 28]),
    ("lenet5", [1, 28, 28]),
    ("alexnet", [3, 224, 224]),
    ("alexnet_2012", [3, 227, 227]),
    ("vgg11_bn", [3, 224, 224]),
    ("googlenet", [3, 224, 224]),
    ("resnet18", [3, 224, 224]),
    ("resnet50", [3, 224, 224]),
    ("resnext50_32x4d", [3, 224, 224]),
    ("squeezenet1_0", [3, 224, 224]),
    ("mobilenet_v2", [3, 224, 224]),
    ("densenet121", [3, 224, 224]),
    ("resnet20", [3, 32, 32]),
    ("plain20", [3, 32, 32]),
    ("wrn_28_10", [3, 32, 32]),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("export_zoo DIR")?;
    let device = DeviceChoice::open_from_environment()?;
    for (name, input) in NETWORKS {
        let network = zoo::build(
            &name.parse()?,
            &ZooOptions {
                num_classes: 100,
                input,
            },
        )?;
        let mut rng = fastrand::Rng::with_seed(3);
        let weights = varied(&network, &mut rng)?;
        let images = noise(&[&[2], input.as_slice()].concat(), -1.0, 1.0, &mut rng)?;
        let path = |suffix: &str| Path::new(&directory).join(format!("{name}.{suffix}"));
        std::fs::write(path("onnx"), onnx::encode(&network, &weights)?)?;
        images.write_npy(path("images.npy"))?;
        Executor::new(&network, &weights, &device)?
            .infer(&images)?
            .write_npy(path("logits.npy"))?;
        let (fused, weights) = fuse(&network, &weights)?;
        Executor::new(&fused, &weights, &device)?
            .infer(&images)?
            .write_npy(path("fused.npy"))?;
        println!("{name}");
    }
    Ok(())
}

/// Weights as before training, except that scales, shifts and statistics differ from channel to channel: a wrong axis shows.
fn varied(
    network: &Network,
    rng: &mut fastrand::Rng,
) -> Result<Weights, Box<dyn std::error::Error>> {
    let mut weights = train::initial_weights(network, 1)?;
    for parameter in network
        .parameters()
        .iter()
        .filter(|parameter| parameter.dims.len() == 1)
    {
        let (low, high) = match parameter.kind {
            ParameterKind::Buffer if parameter.name.ends_with("running_var") => (0.5, 1.5),
            ParameterKind::Trainable if parameter.name.ends_with("weight") => (0.5, 1.5),
            _ => (-0.2, 0.2),
        };
        weights.insert(&parameter.name, noise(&parameter.dims, low, high, rng)?);
    }
    Ok(weights)
}

fn noise(
    dims: &[usize],
    low: f32,
    high: f32,
    rng: &mut fastrand::Rng,
) -> Result<Tensor, candle_core::Error> {
    let values: Vec<f32> = (0..dims.iter().product())
        .map(|_| low + (high - low) * rng.f32())
        .collect();
    Tensor::from_vec(values, dims, &Device::Cpu)
}
