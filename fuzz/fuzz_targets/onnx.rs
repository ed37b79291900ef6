//! `cargo +nightly fuzz run onnx`: any bytes are either refused with a sentence, or a network whose shapes can be followed
//! and which encodes to a file of the same shapes. ONNX's node tests (`scripts/test networks` installs them) are good seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use referee_networks::onnx::{self, Feed, OnnxFile, SideFiles};
use referee_networks::{ElementType, Network};

fuzz_target!(|bytes: &[u8]| {
    let mut side_files = SideFiles::default();
    side_files.insert("model.onnx.data", vec![0; 1000].into());
    let Ok(file) = OnnxFile::decode(bytes.to_vec().into(), side_files) else {
        return;
    };
    let (Ok(inputs), Ok(outputs)) = (file.inputs(), file.outputs()) else {
        return;
    };
    let (Some(input), Some(output)) = (inputs.first(), outputs.first()) else {
        return;
    };
    let feed = || Feed::Image {
        dims: vec![3, 8, 8],
        element: ElementType::F32,
        fixed_batch: None,
    };
    let Ok(imported) = file.network("fuzz", vec![(input.name.clone(), feed())], &output.name) else {
        return;
    };
    let shape = |network: &Network| {
        let shapes = network.infer_shapes(1).ok()?;
        Some(shapes.of(network.output()).to_vec())
    };
    let Some(expected) = shape(&imported.network) else {
        return;
    };
    let Ok(encoded) = onnx::encode(&imported.network, &imported.weights) else {
        return;
    };
    let again = OnnxFile::decode(encoded.into(), SideFiles::default()).expect("own file");
    if let Ok(again) = again.network("again", vec![("input".into(), feed())], "output") {
        assert_eq!(shape(&again.network), Some(expected));
    }
});
