//! What kind of model a file is, as far as its first bytes show, and what to do with the kinds that are not accepted.

use super::packaging::refuse_packaging;

/// The sentence for a file that is no model that can be run, from its first bytes (a kilobyte is enough) and, if known, its name.
///
/// None means that it may be one: safetensors, ONNX, or something that only reading the whole of it shows.
pub fn refuse_model_by_leading_bytes(head: &[u8], filename: Option<&str>) -> Option<String> {
    let extension = filename
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default();
    // Safetensors begins with the length of its header, whose bytes may be those that another format begins with.
    if matches!(head, [_, _, _, _, _, 0, 0, 0, b'{', ..]) {
        return refuse_packaging(&[], filename).map(str::to_owned);
    }
    refuse_packaging(head, filename)
        .or_else(|| refuse_model_by_content(head))
        .or_else(|| by_extension(&extension))
        .map(str::to_owned)
}

const PYTORCH: &str = "this is a PyTorch file, which may hold code and is never loaded: convert it with `referee convert model.pth model.safetensors`";
const BIN: &str = "a .bin is PyTorch's, which is converted with `referee convert model.bin model.safetensors`, or holds the weights of another file beside it, as OpenVINO's does: then send the ONNX file that both were made from";
const TORCHSCRIPT: &str = "this is a TorchScript archive, which holds code: save its tensors with save_file({k: v.contiguous() for k, v in torch.jit.load('model.pt').state_dict().items()}, 'model.safetensors')";
const EXPORTED_PROGRAM: &str = "this is a program of torch.export: export it with torch.onnx.export(torch.export.load('model.pt2'), (image,), 'model.onnx')";
const PICKLE: &str = "this is a pickle, which is never read (loading one runs its code): save the tensors with safetensors.torch.save_file, or a scikit-learn model with skl2onnx.to_onnx";
const KERAS: &str = "this is a Keras model: export it with m = keras.models.load_model('model.keras'); m(numpy.zeros((1, *m.input_shape[1:]))); m.export('model.onnx', format='onnx')";
const HDF5: &str = "this is an HDF5 file; a Keras model is exported with m = keras.models.load_model('model.h5'); m(numpy.zeros((1, *m.input_shape[1:]))); m.export('model.onnx', format='onnx')";
const TFLITE: &str = "this is a TensorFlow Lite model: convert it with `python -m tf2onnx.convert --tflite model.tflite --output model.onnx`";
const TENSORFLOW: &str = "this is a TensorFlow graph: convert its SavedModel with `python -m tf2onnx.convert --saved-model DIRECTORY --output model.onnx`";
const PREDICTIONS: &str = "these are predictions, not a model: submit them with kind=predictions";
const COMPRESSED: &str =
    "this file is compressed: unpack it, and send the model as it is (weights hardly get smaller)";

/// The sentence for a file that is no model, by its first bytes alone.
pub fn refuse_model_by_content(head: &[u8]) -> Option<&'static str> {
    let sentence = match head {
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => in_zip(head),
        // The pickled magic number with which torch.save's format before 1.6 begins.
        [0x80, _, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, ..] => PYTORCH,
        [0x80, 2..=5, ..] => PICKLE,
        [0x89, b'H', b'D', b'F', ..] => HDF5,
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => TFLITE,
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => PREDICTIONS,
        // gzip, zstd, xz, bzip2, lz4, 7z, RAR.
        [0x1f, 0x8b, ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [0xfd, b'7', b'z', b'X', b'Z', ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', ..]
        | [0x04, 0x22, 0x4d, 0x18, ..]
        | [b'7', b'z', 0xbc, 0xaf, ..]
        | [b'R', b'a', b'r', b'!', ..] => COMPRESSED,
        [b'G', b'G', b'U', b'F', ..] => {
            "this is a GGUF file, a language model's format: send safetensors or ONNX"
        }
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => {
            "this is a picture, not a model: send the .safetensors or .onnx file"
        }
        [b'<', ..] => "this looks like HTML, perhaps the page of a failed download",
        head if head.get(257..262) == Some(b"ustar") => {
            "this is a tar archive: send the one .safetensors or .onnx file in it"
        }
        _ => return None,
    };
    Some(sentence)
}

/// What a zip archive is, from the names of its first members.
fn in_zip(head: &[u8]) -> &'static str {
    let holds = |name: &[u8]| memchr::memmem::find(head, name).is_some();
    if holds(b"/code/") || holds(b"constants.pkl") || holds(b"__torch__") {
        TORCHSCRIPT
    } else if holds(b"/data/weights/") || holds(b"/archive_format") {
        EXPORTED_PROGRAM
    } else if holds(b"/data.pkl") || holds(b"/byteorder") {
        PYTORCH
    } else if holds(b"/data/") || holds(b"/version") {
        // torch.save writes its pickle first, torch.jit.save its tensors.
        TORCHSCRIPT
    } else if holds(b"model.weights.h5") || holds(b"metadata.json") {
        KERAS
    } else if holds(b".npy") {
        "this is an .npz archive: save the tensors with safetensors.numpy.save_file"
    } else {
        "this is a zip archive: send the one .safetensors or .onnx file in it"
    }
}

/// What only the name shows.
fn by_extension(extension: &str) -> Option<&'static str> {
    match extension {
        "pt" | "pth" | "ckpt" => Some(PYTORCH),
        "bin" => Some(BIN),
        "pkl" | "pickle" | "joblib" => Some(PICKLE),
        "h5" | "hdf5" => Some(HDF5),
        "keras" => Some(KERAS),
        "tflite" => Some(TFLITE),
        "pb" => Some(TENSORFLOW),
        "csv" | "txt" | "npy" => Some(PREDICTIONS),
        _ => None,
    }
}
