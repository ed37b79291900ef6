//! `cargo +nightly fuzz run checkpoint crates/networks/tests/checkpoints`: any bytes are either refused, or a checkpoint whose tensors
//! are as long as their shapes say and survive safetensors.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use referee_networks::checkpoint::Checkpoint;

fuzz_target!(|file: &[u8]| {
    let Ok(checkpoint) = Checkpoint::read(&Bytes::copy_from_slice(file)) else {
        return;
    };
    for (key, tensors) in checkpoint.state_dicts() {
        let Ok(state_dict) = checkpoint.state_dict(Some(&key)) else {
            continue;
        };
        assert!(tensors <= state_dict.tensors.len() + state_dict.renamed.len());
        for tensor in state_dict.tensors.values() {
            let elements: usize = tensor.shape().iter().product();
            assert_eq!(
                tensor.contiguous().len(),
                elements * tensor.dtype().bitsize() / 8
            );
        }
    }
});
