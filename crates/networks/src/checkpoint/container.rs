//! The two files that `torch.save` writes: since 1.6 a zip archive with a pickle and a member for each storage, before that
//! one stream of pickles followed by the storages.

use std::collections::HashMap;
use std::io::Cursor;

use bytes::Bytes;
use referee_scoring::model_form::{refuse_model_by_content, refuse_packaging};
use zip::{CompressionMethod, ZipArchive};

use super::error::{CheckpointError, Result};
use super::object::{Object, ObjectId};
use super::pickle::{self, Objects, Reader};

/// PyTorch's magic number 0x1950a86a20f9469cfc6c as a pickled integer, after the two bytes of the protocol.
const LEGACY_MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// What was saved, and the bytes of the storages it speaks of.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) objects: Objects,
    pub(super) root: ObjectId,
    /// By their keys. Each shares the file's memory.
    pub(super) storages: HashMap<String, Bytes>,
}

/// `filename`, if known, tells what the bytes do not.
pub(super) fn read(file: &Bytes, filename: Option<&str>) -> Result<Container> {
    let head = &file[..file.len().min(1024)];
    if let Some(sentence) = refuse_packaging(head, filename) {
        return Err(CheckpointError::NotCheckpoint(sentence));
    }
    match file.as_ref() {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => zip(file),
        [0x80, _, rest @ ..] if rest.starts_with(LEGACY_MAGIC) => legacy(file),
        other => Err(CheckpointError::NotCheckpoint(what_it_is(other))),
    }
}

fn what_it_is(head: &[u8]) -> &'static str {
    match head {
        [] => "the file is empty",
        [_, _, _, _, _, 0, 0, 0, b'{', ..] => {
            "this is a safetensors file already; it needs no conversion"
        }
        [0x80, 2..=5, ..] => {
            "this pickle was not written by torch.save: load it where it was made, and torch.save(state_dict, \"state_dict.pth\")"
        }
        [8, ..] => "this looks like an ONNX file, which is submitted as it is",
        [0x89, b'H', b'D', b'F', ..] => {
            "this is an HDF5 file, not a PyTorch checkpoint; in Keras: model.export(\"model.onnx\", format=\"onnx\")"
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => {
            "this is a TensorFlow Lite file, not a PyTorch checkpoint: python -m tf2onnx.convert --tflite FILE --output model.onnx"
        }
        head if head.get(257..262) == Some(b"ustar") => {
            "this is a tar archive; if PyTorch before 0.1.10 wrote it, load it with PyTorch and save it again with torch.save"
        }
        [b'<', ..] => {
            "this looks like HTML, perhaps the page of a failed download, not a PyTorch checkpoint"
        }
        other => refuse_model_by_content(other).unwrap_or(
            "this is not a file of torch.save: neither a zip archive nor one of its pickles (was the download cut off?)",
        ),
    }
}

/// A member of the archive that is stored as it is.
fn member(file: &Bytes, start: Option<u64>, length: u64) -> Option<Bytes> {
    let start = usize::try_from(start?).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= file.len()).then(|| file.slice(start..end))
}

fn zip(file: &Bytes) -> Result<Container> {
    let damaged = |error: zip::result::ZipError| {
        CheckpointError::Damaged(format!("{error} (was the download cut off?)"))
    };
    let mut archive = ZipArchive::new(Cursor::new(file.clone())).map_err(damaged)?;
    refuse_other_archives(&archive)?;
    let mut members = HashMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        // The first folder is named after the file.
        let Some((_, name)) = entry.name().split_once('/') else {
            continue;
        };
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            return Err(CheckpointError::Damaged(format!(
                "its member {name} is compressed, which torch.save never does; unpack it and pack it again with `zip -0`"
            )));
        }
        let Some(bytes) = member(file, entry.data_start(), entry.size()) else {
            return Err(CheckpointError::Damaged(format!(
                "its member {name} lies outside the file"
            )));
        };
        members.insert(name.to_owned(), bytes);
    }
    if members
        .get("byteorder")
        .is_some_and(|order| order.as_ref() == b"big")
    {
        return Err(big_endian());
    }
    let pickle = members.remove("data.pkl").expect("was looked for");
    let mut objects = Objects::default();
    let root = pickle::read(&mut Reader::new(pickle), &mut objects)?;
    let storages = members
        .into_iter()
        .filter_map(|(name, bytes)| Some((name.strip_prefix("data/")?.to_owned(), bytes)));
    Ok(Container {
        objects,
        root,
        storages: storages.collect(),
    })
}

/// Lets pass what has a `data.pkl` and no code.
fn refuse_other_archives(archive: &ZipArchive<Cursor<Bytes>>) -> Result<()> {
    let has = |wanted: &str| archive.file_names().any(|name| name.ends_with(wanted));
    if has("/constants.pkl") {
        return Err(CheckpointError::TorchScript);
    }
    if has("models/model.json") || has("serialized_exported_program.json") {
        return Err(CheckpointError::ExportedProgram);
    }
    let pickles = |name: &str| {
        name.split_once('/')
            .is_some_and(|(_, name)| name == "data.pkl")
    };
    if archive.file_names().any(pickles) {
        return Ok(());
    }
    Err(CheckpointError::NotCheckpoint(if has(".npy") {
        "this is an .npz archive of NumPy, not a PyTorch checkpoint: save the tensors with torch.save or safetensors"
    } else if has("model.weights.h5") {
        "this is a Keras archive, not a PyTorch checkpoint; in Keras: model.export(\"model.onnx\", format=\"onnx\")"
    } else {
        "this zip archive holds no checkpoint of PyTorch (no data.pkl): give the file that torch.save wrote"
    }))
}

fn big_endian() -> CheckpointError {
    CheckpointError::NotCheckpoint(
        "this checkpoint was written on a big-endian machine: load it there and save it with safetensors",
    )
}

/// Magic number, protocol version, facts about the machine, the object, the keys of the storages; then each storage as its
/// number of elements and their bytes.
fn legacy(file: &Bytes) -> Result<Container> {
    let mut reader = Reader::new(file.clone());
    let mut objects = Objects::default();
    pickle::read(&mut reader, &mut objects)?;
    pickle::read(&mut reader, &mut objects)?;
    let machine = pickle::read(&mut reader, &mut objects)?;
    let flag = objects
        .entries(machine)
        .find(|(name, _)| *name == "little_endian");
    if flag.is_some_and(|(_, flag)| matches!(objects.get(flag), Object::Bool(false))) {
        return Err(big_endian());
    }
    let root = pickle::read(&mut reader, &mut objects)?;
    let keys = pickle::read(&mut reader, &mut objects)?;
    let sizes = objects.element_sizes();
    let mut storages = HashMap::new();
    for key in objects.items(keys) {
        let Some(key) = objects.text(*key) else {
            return Err(reader.wrong("a storage's key that is no text"));
        };
        let Some(&size) = sizes.get(key) else {
            return Err(CheckpointError::Tensor {
                name: format!("storage {key}"),
                detail: "its elements are of a type that is not known here, so that what follows it cannot be found; \
                         save the state dict again with a newer PyTorch"
                    .into(),
            });
        };
        let length = usize::try_from(reader.u64()?).ok();
        let Some(bytes) = length.and_then(|length| length.checked_mul(size)) else {
            return Err(reader.wrong("a storage longer than any memory"));
        };
        storages.insert(key.to_owned(), reader.take(bytes)?);
    }
    Ok(Container {
        objects,
        root,
        storages,
    })
}
