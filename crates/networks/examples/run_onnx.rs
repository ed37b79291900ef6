//! `run_onnx MODEL.onnx IMAGES.npy LOGITS.npy`: the model's output for images that are its input already (float32, in the
//! model's own layout), side files beside the model. What `scripts/bench exports` compares with ONNX Runtime.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use referee_networks::{
    Executor, fuse,
    onnx::{Feed, OnnxFile},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model, images, logits] = arguments.as_slice() else {
        return Err("run_onnx MODEL.onnx IMAGES.npy LOGITS.npy".into());
    };
    if let Err(error) = run(model, images, logits) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    Ok(())
}

fn run(model: &Path, images: &Path, logits: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let file = OnnxFile::open_beside(model)?;
    let images = Tensor::read_npy(images)?;
    let input = file.inputs()?.remove(0);
    let feed = Feed::Image {
        dims: images.dims()[1..].to_vec(),
        element: input.element,
        fixed_batch: None,
    };
    let output = file.outputs()?.remove(0);
    let imported = file.network("model", vec![(input.name, feed)], &output.name)?;
    let (network, weights) = fuse(&imported.network, &imported.weights)?;
    let executor = Executor::new(&network, &weights, &Device::Cpu)?;
    let outputs: Result<Vec<Tensor>, _> = (0..images.dim(0)?)
        .map(|index| executor.infer(&images.narrow(0, index, 1)?))
        .collect();
    Tensor::cat(&outputs?, 0)?.write_npy(logits)?;
    Ok(())
}
