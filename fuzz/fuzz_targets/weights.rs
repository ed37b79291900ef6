//! `cargo +nightly fuzz run weights`: any bytes are either refused, or a safetensors file whose tensors lie within it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use referee_networks::weights::WeightsFile;

fuzz_target!(|file: &[u8]| {
    if let Ok(weights) = WeightsFile::read(&Bytes::copy_from_slice(file)) {
        for tensor in weights.tensors() {
            let elements: usize = tensor.shape.iter().product();
            assert!(elements * tensor.dtype.bitsize() / 8 <= file.len());
        }
    }
});
