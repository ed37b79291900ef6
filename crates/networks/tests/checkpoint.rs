//! Checkpoints that PyTorch wrote (`tests/checkpoints/make.py`), compared with what safetensors' own library makes of the same
//! tensors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::prelude::*;
use referee_networks::checkpoint::{Checkpoint, CheckpointError, StateDict};
use safetensors::SafeTensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/checkpoints")
        .join(name)
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(&format!("{name}.pth")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

type Tensors = BTreeMap<String, (safetensors::Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(file: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(file).expect("a safetensors file");
    let tensors = file.tensors().into_iter().map(|(name, tensor)| {
        let content = (
            tensor.dtype(),
            tensor.shape().to_vec(),
            tensor.data().to_vec(),
        );
        (name, content)
    });
    tensors.collect()
}

/// What is converted from NAME.pth is what PyTorch itself would save.
fn converts(name: &str, key: Option<&str>) -> StateDict {
    let state_dict = open(name)
        .state_dict(key)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("converted.safetensors");
    let written = std::cell::Cell::new(0);
    state_dict
        .write_safetensors(&path, Some("resnet50"), |bytes| {
            written.set(written.get() + bytes);
        })
        .expect("written");
    assert_eq!(written.get(), state_dict.bytes(), "{name}");
    let ordinary = directory.path().join("ordinary");
    std::fs::write(&ordinary, "").expect("written");
    let permissions = |path| std::fs::metadata(path).expect("there").permissions();
    assert_eq!(permissions(&path), permissions(&ordinary), "by the umask");

    let converted = std::fs::read(&path).expect("readable");
    let expected = std::fs::read(fixture(&format!("{name}.safetensors"))).expect("readable");
    assert_eq!(tensors(&converted), tensors(&expected), "{name}");

    let (_, metadata) = SafeTensors::read_metadata(&converted).expect("readable");
    let metadata = metadata.metadata().clone().expect("metadata");
    assert_eq!(metadata["format"], "pt");
    assert_eq!(metadata["architecture"], "resnet50");
    state_dict
}

fn sentence(name: &str, key: Option<&str>) -> String {
    let error = match Checkpoint::open(&fixture(name)) {
        Ok(checkpoint) => checkpoint.state_dict(key).map(drop).expect_err("refused"),
        Err(error) => error,
    };
    error.to_string()
}

#[test]
fn every_format_of_torch_save_is_read() {
    for name in ["zip", "legacy", "protocol4", "parameters"] {
        let state_dict = converts(name, None);
        assert_eq!(state_dict.key, "", "{name}");
        assert!(state_dict.left_out.is_empty() && state_dict.renamed.is_empty());
    }
}

#[test]
fn the_state_dict_is_found_where_training_scripts_put_it() {
    for (name, key) in [
        ("imagenet_example", "state_dict"),
        ("model_key", "model"),
        ("nested", "model.module"),
    ] {
        assert_eq!(converts(name, None).key, key, "{name}");
        converts(name, Some(key));
    }
}

#[test]
fn of_several_state_dicts_one_must_be_chosen() {
    let ask = sentence("ema.pth", None);
    assert_eq!(
        ask,
        "this file holds several state dicts: choose one with --key, from state_dict (8 tensors), state_dict_ema (8 tensors)"
    );
    converts("ema", Some("state_dict_ema"));
    let unknown = sentence("ema.pth", Some("ema"));
    assert!(
        unknown.contains("`ema`") && unknown.contains("state_dict_ema"),
        "{unknown}"
    );
}

#[test]
fn tensors_become_contiguous_however_they_lie() {
    for name in ["strided", "strided_legacy"] {
        let state_dict = converts(name, None);
        for contiguous in ["row", "shared_a", "shared_b", "scalar", "empty"] {
            assert!(
                state_dict.tensors[contiguous].is_contiguous(),
                "{contiguous}"
            );
        }
        for other in ["channels_last", "transposed", "columns", "expanded"] {
            assert!(!state_dict.tensors[other].is_contiguous(), "{other}");
        }
    }
}

#[test]
fn every_element_type_survives() {
    assert_eq!(converts("types", None).tensors.len(), 16);
}

#[test]
fn densenets_old_names_become_todays() {
    let renamed = converts("densenet", None).renamed;
    let layer = "features.denseblock1.denselayer1";
    let expected = [
        (
            format!("{layer}.norm.1.weight"),
            format!("{layer}.norm1.weight"),
        ),
        (
            format!("{layer}.conv.2.weight"),
            format!("{layer}.conv2.weight"),
        ),
    ];
    assert_eq!(renamed, expected);
}

#[test]
fn what_is_no_state_dict_is_named_with_its_remedy() {
    for name in [
        "whole_module",
        "whole_module_legacy",
        "whole_module_under_key",
    ] {
        let sentence = sentence(&format!("{name}.pth"), None);
        assert!(
            sentence.contains("a whole module (__main__.Network)"),
            "{sentence}"
        );
        assert!(
            sentence.contains(".state_dict(), \"state_dict.pth\")"),
            "{sentence}"
        );
    }
    let expected = [
        ("torchscript.pth", "torch.jit.load("),
        ("exported.pt2", "torch.export.load("),
        (
            "quantised.pth",
            "fc.weight: a torch._utils._rebuild_qtensor is quantised",
        ),
        ("no_tensors.pth", "only a dict with epoch, lr, notes"),
        ("zip.safetensors", "safetensors file already"),
        ("make.py", "not a file of torch.save"),
    ];
    for (name, part) in expected {
        let sentence = sentence(name, None);
        assert!(sentence.contains(part), "{name}: {sentence}");
    }
    let others: [(&[u8], &str); 4] = [
        (b"\x1f\x8b\x08\x00", "compressed: unpack it"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"\x93NUMPY\x01\x00", "predictions"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
    ];
    for (head, part) in others {
        let refused = Checkpoint::read(&Bytes::from_static(head)).expect_err(part);
        assert!(refused.to_string().contains(part), "{refused}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    for name in ["zip", "legacy", "types", "whole_module_legacy"] {
        let whole = Bytes::from(std::fs::read(fixture(&format!("{name}.pth"))).expect("readable"));
        for length in 0..whole.len() {
            if let Ok(checkpoint) = Checkpoint::read(&whole.slice(..length)) {
                // A zip archive's directory comes last; the old format may lack nothing but a byte that no tensor uses.
                let error = checkpoint.state_dict(None).expect_err("refused");
                assert!(
                    matches!(error, CheckpointError::WholeModule { .. }),
                    "{name} {length}: {error}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Bytes changed anywhere give an error or tensors that are as long as their shapes say, and never a panic.
    #[test]
    fn damaged_files_are_refused_or_hold_what_they_say(
        name in prop::sample::select(vec!["zip", "legacy", "protocol4", "strided", "types", "densenet", "whole_module_legacy"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = std::fs::read(fixture(&format!("{name}.pth"))).expect("readable");
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Ok(checkpoint) = Checkpoint::read(&Bytes::from(file)) {
            for (key, _) in checkpoint.state_dicts() {
                let tensors = checkpoint.state_dict(Some(&key)).map(|state_dict| state_dict.tensors);
                for tensor in tensors.unwrap_or_default().values() {
                    let elements: usize = tensor.shape().iter().product();
                    prop_assert_eq!(tensor.contiguous().len(), elements * tensor.dtype().bitsize() / 8);
                }
            }
        }
    }
}

/// As in Python, where the later entry takes the place of the one before.
#[test]
fn a_name_that_comes_twice_is_counted_once() {
    let mut file = std::fs::read(fixture("legacy.pth")).expect("readable");
    let before = open("legacy").state_dict(None).expect("readable");
    let found = file.windows(10).position(|bytes| bytes == b"bn1.weight");
    let at = found.expect("a normalisation");
    file[at..at + 10].copy_from_slice(b"conv1.bias");
    let checkpoint = Checkpoint::read(&file.into()).expect("readable");
    let state_dict = checkpoint.state_dict(None).expect("readable");
    let counted = checkpoint.state_dicts()[0].1;
    assert_eq!(state_dict.tensors.len(), before.tensors.len() - 1);
    assert_eq!(counted, open("legacy").state_dicts()[0].1 - 1);
}

/// A pickle in PyTorch's old format whose object is `body`.
fn legacy(body: &[u8]) -> Bytes {
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
    let parts: [&[u8]; 5] = [
        magic,
        b"\x80\x02M\xe9\x03.",
        b"\x80\x02}.",
        body,
        b"\x80\x02].",
    ];
    Bytes::from(parts.concat())
}

#[test]
fn a_strangers_pickle_runs_nothing_and_stays_within_limits() {
    // cos.system("touch /tmp/…"), as pickle attacks are written.
    let attack = legacy(b"\x80\x02cos\nsystem\nX\x05\x00\x00\x00touch\x85R.");
    let error = Checkpoint::read(&attack)
        .and_then(|read| read.state_dict(None).map(drop))
        .expect_err("refused");
    assert!(error.to_string().contains("only a os.system"), "{error}");

    // A list in a list in a list…, and one that holds itself.
    let nested = [
        b"\x80\x02".as_slice(),
        &b"]".repeat(100_000),
        &b"a".repeat(99_999),
        b".",
    ]
    .concat();
    assert!(Checkpoint::read(&legacy(&nested)).is_ok());
    let cycle = legacy(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.");
    let error = Checkpoint::read(&cycle)
        .and_then(|read| read.state_dict(None).map(drop))
        .expect_err("refused");
    assert!(
        matches!(error, CheckpointError::NoStateDict { .. }),
        "{error}"
    );

    // Many objects from a small file: each OrderedDict(pairs) would copy a list of 1000 pairs.
    let pair = b"K\x00K\x00\x86";
    let list = [b"](".as_slice(), &pair.repeat(1000), b"e\x85q\x01"].concat();
    let bomb = [
        b"\x80\x02ccollections\nOrderedDict\nq\x00".as_slice(),
        &list,
        &b"h\x00h\x01R0".repeat(100_000),
        b".",
    ]
    .concat();
    let error = Checkpoint::read(&legacy(&bomb)).expect_err("refused");
    assert!(matches!(error, CheckpointError::Limit(_)), "{error}");
}
