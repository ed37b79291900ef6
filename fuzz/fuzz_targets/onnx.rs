//! `cargo +nightly fuzz run onnx`: any bytes are either refused with a sentence, or a network whose shapes can be followed,
//! which encodes to a file of the same shapes, and, where it is small, runs or fails with a sentence.
#![no_main]

use candle_core::{DType, Device, Tensor};
use libfuzzer_sys::fuzz_target;
use referee_networks::onnx::{
    self, Declared, Feed, OnnxFile, SideFiles, Stored,
    proto::{TensorProto, tensor_proto::DataType},
};
use referee_networks::{ElementType, Executor, Network, Weights};

/// A network that computes more than this is not run.
const MOST_MACS: u64 = 1 << 20;
const MOST_ELEMENTS: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let mut side_files = SideFiles::default();
    side_files.insert("model.onnx.data", vec![0; 1000].into());
    let Ok(file) = OnnxFile::decode(bytes.to_vec().into(), side_files) else {
        return;
    };
    let (Ok(inputs), Ok(outputs)) = (file.inputs(), file.outputs()) else {
        return;
    };
    let ([input, others @ ..], Some(output)) = (inputs.as_slice(), outputs.first()) else {
        return;
    };
    let dims = dims_of(input);
    let feed = || Feed::Image {
        dims: dims.get(1..).unwrap_or_default().to_vec(),
        element: ElementType::F32,
        fixed_batch: None,
    };
    let mut feeds = vec![(input.name.clone(), feed())];
    feeds.extend(others.iter().map(|other| (other.name.clone(), zeros(other))));
    let Ok(imported) = file.network("fuzz", feeds, &output.name) else {
        return;
    };
    let Some(expected) = shape(&imported.network) else {
        return;
    };
    run(&imported.network, &imported.weights);
    let Ok(encoded) = onnx::encode(&imported.network, &imported.weights) else {
        return;
    };
    let again = OnnxFile::decode(encoded.into(), SideFiles::default()).expect("own file");
    if let Ok(again) = again.network("again", vec![("input".into(), feed())], "output") {
        assert_eq!(shape(&again.network), Some(expected));
    }
});

/// What an input declares, open dimensions short.
fn dims_of(input: &Declared) -> Vec<usize> {
    let dims = input.dims.clone().unwrap_or_default();
    dims.into_iter()
        .map(|length| length.unwrap_or(2).min(16))
        .collect()
}

/// What stands for an input that is not the first.
fn zeros(input: &Declared) -> Feed {
    let dims = dims_of(input);
    let elements: usize = dims.iter().take(4).product();
    let (kind, bytes) = if input.element.is_float() {
        (DataType::Float, 4)
    } else {
        (DataType::Int64, 8)
    };
    let tensor = TensorProto {
        dims: dims.iter().take(4).map(|&length| length as i64).collect(),
        data_type: Some(kind as i32),
        raw_data: Some(vec![0; elements * bytes].into()),
        ..TensorProto::default()
    };
    Feed::Tensor(Stored::read(&tensor, &SideFiles::default()).expect("zeros"))
}

fn shape(network: &Network) -> Option<Vec<usize>> {
    let shapes = network.infer_shapes(1).ok()?;
    Some(shapes.of(network.output()).to_vec())
}

fn run(network: &Network, weights: &Weights) {
    let (Ok(profile), Ok(shapes)) = (network.profile(), network.infer_shapes(1)) else {
        return;
    };
    let made = network.nodes().iter().flat_map(|node| &node.outputs);
    let is_small = made
        .map(|&value| shapes.of(value).iter().product::<usize>())
        .all(|elements| elements <= MOST_ELEMENTS);
    if is_small && profile.macs <= MOST_MACS {
        let dims = [&[1], network.input().dims.as_slice()].concat();
        let images = Tensor::zeros(dims, DType::F32, &Device::Cpu).expect("small");
        let _ = Executor::new(network, weights, &Device::Cpu).and_then(|executor| executor.infer(&images));
    }
}
