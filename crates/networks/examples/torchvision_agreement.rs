//! Whether torchvision's networks give the same logits here: `scripts/lib/torchvision_agreement.py` writes, for each, its
//! state dict (`NAME.safetensors`), images (`NAME.images.npy`) and its logits (`NAME.logits.npy`) into a directory.

use std::path::Path;

use candle_core::{Device, Tensor};
use referee_networks::zoo::{self, ZooOptions};
use referee_networks::{DeviceChoice, Executor, Weights, fuse};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, names @ ..] = arguments.as_slice() else {
        return Err("usage: torchvision_agreement DIR NAME…".into());
    };
    let mut disagreeing = 0;
    for name in names {
        let [plain, fused] = differences(Path::new(directory), name)?;
        println!("{name:<18} {plain:.1e} unfused, {fused:.1e} fused");
        disagreeing += usize::from(plain.max(fused) > 1e-4);
    }
    println!("{} passed, {disagreeing} failed", names.len() - disagreeing);
    if disagreeing == 0 {
        Ok(())
    } else {
        Err("logits differ by more than 1e-4 of the largest".into())
    }
}

/// The largest difference of a logit to torchvision's, relative to the largest logit: unfused and fused.
fn differences(directory: &Path, name: &str) -> Result<[f32; 2], Failure> {
    let device = DeviceChoice::open_from_environment()?;
    let file = |suffix: &str| directory.join(format!("{name}.{suffix}"));
    let images = Tensor::read_npy(file("images.npy"))?;
    let expected = Tensor::read_npy(file("logits.npy"))?;
    let (_, channels, height, width) = images.dims4()?;
    let options = ZooOptions {
        num_classes: expected.dim(1)?,
        input: [channels, height, width],
    };
    let network = zoo::build(&name.parse()?, &options)?;
    let weights: Weights = candle_core::safetensors::load(file("safetensors"), &Device::Cpu)?
        .into_iter()
        .collect();
    let surplus = weights.iter().find(|(name, _)| {
        !network
            .parameters()
            .iter()
            .any(|parameter| parameter.name == *name)
    });
    if let Some((surplus, _)) = surplus {
        return Err(format!("{name} has no tensor {surplus}").into());
    }
    let difference = |network, weights: &Weights| -> Result<f32, Failure> {
        let logits = Executor::new(network, weights, &device)?
            .infer(&images)?
            .to_device(&Device::Cpu)?;
        let largest = |x: &Tensor| x.abs()?.max_all()?.to_scalar::<f32>();
        Ok(largest(&(logits - &expected)?)? / largest(&expected)?)
    };
    let plain = difference(&network, &weights)?;
    let (network, weights) = fuse(&network, &weights)?;
    Ok([plain, difference(&network, &weights)?])
}
