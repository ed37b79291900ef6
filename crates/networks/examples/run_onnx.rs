//! `run_onnx MODEL.onnx IMAGES.npy LOGITS.npy`: a model's logits for images that need no more preprocessing (float32
//! `[n,c,h,w]`), its side files beside it: what a submission goes through, without a server. Notices go to stderr.
//! `scripts/bench exports` and `scripts/test networks` compare the logits with ONNX Runtime's.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use referee_networks::{
    DeviceChoice,
    model::{Expected, Opened},
    onnx::OnnxFile,
};

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let result = match arguments.as_slice() {
        [model, images, logits] => run(model, images, logits),
        _ => Err("run_onnx MODEL.onnx IMAGES.npy LOGITS.npy".into()),
    };
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run(model: &Path, images: &Path, logits: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let file = OnnxFile::open_beside(model)?;
    let images = Tensor::read_npy(images)?;
    let (_, channels, height, width) = images.dims4()?;
    // As many classes as the file says.
    let columns = file
        .outputs()?
        .first()
        .and_then(|output| *output.dims.as_ref()?.get(1)?);
    let expected = Expected {
        classes: columns.ok_or("the file does not say how many columns its output has")?,
        ..Expected::default()
    };
    let device = DeviceChoice::open_from_environment()?;
    let model = Opened::onnx(file, expected)?.prepare([height, width], channels, &device)?;
    for notice in model.notices() {
        eprintln!("{}: {}", notice.code, notice.detail);
    }
    model.logits(&images)?.write_npy(logits)?;
    Ok(())
}
