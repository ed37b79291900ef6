//! Files that stand for a model, describe one, or hold a part of it, as tools leave them beside models: what each is, and how the model
//! itself is come by.

const LFS: &str =
    "this is only a pointer to a file kept by Git LFS: run `git lfs pull` and send the file itself";
const ANNEX: &str = "this is only a pointer to a file kept by git-annex: run `git annex get` and send the file itself";
const ORT: &str =
    "this is ONNX Runtime's own format (.ort): send the .onnx file that it was made from";
const TEXT: &str = "this is an ONNX model as text: make a file of it with onnx.save(onnx.load('model.textproto', format='textproto'), 'model.onnx')";
const SYNTAX: &str = "this is an ONNX model as text: make a file of it with onnx.save(onnx.load('model.onnxtxt', format='onnxtxt'), 'model.onnx')";
const JSON: &str = "this is an ONNX model as JSON: make a file of it with onnx.save(onnx.load('model.json', format='json'), 'model.onnx')";
const TENSORFLOW: &str = "this is a TensorFlow graph as text: convert its SavedModel with `python -m tf2onnx.convert --saved-model DIRECTORY --output model.onnx`";
const CHECKPOINT: &str = "this is a part of a TensorFlow checkpoint, which holds no graph: export the model as a SavedModel, then `python -m tf2onnx.convert --saved-model DIRECTORY --output model.onnx`";
const CAFFE: &str = "this is a Caffe network: convert its .prototxt and .caffemodel to ONNX, or load the weights in PyTorch and export that";
const OPENVINO: &str = "this is OpenVINO's form of a model, an .xml with its weights in a .bin beside it: send the ONNX file that it was made from, or export the original model to ONNX";
const COREML: &str = "this is a Core ML model: export the original model to ONNX";
const TENSORRT: &str = "this is a TensorRT engine, which one kind of GPU runs: send the ONNX file that it was built from";
const PADDLE: &str = "this is a PaddlePaddle model: convert it with `paddle2onnx --model_dir DIRECTORY --model_filename model.pdmodel --params_filename model.pdiparams --save_file model.onnx`";
const INDEX: &str = "this is the index of weights that lie in several files: save them in one, with tensors = {}; [tensors.update(safetensors.torch.load_file(f)) for f in glob.glob('model-*-of-*.safetensors')]; safetensors.torch.save_file(tensors, 'model.safetensors')";
const PART: &str = "this is one of several files that hold the weights together: save them in one, with tensors = {}; [tensors.update(safetensors.torch.load_file(f)) for f in glob.glob('*-of-*.safetensors')]; safetensors.torch.save_file(tensors, 'model.safetensors')";
const TORCH_PART: &str = "this is one of several files that hold the weights together: save them in one, with tensors = {}; [tensors.update(torch.load(f, map_location='cpu')) for f in glob.glob('*-of-*.bin')]; torch.save(tensors, 'model.pth'); then `referee convert model.pth model.safetensors`";
const CONFIGURATION: &str = "this is a model's configuration, without its weights: send the .safetensors or .onnx file that lies beside it";
/// Of `torch.distributed.checkpoint`, which writes a directory.
pub const DISTRIBUTED: &str = "this is a distributed checkpoint, or a part of one: gather it with `python -m torch.distributed.checkpoint.format_utils dcp_to_torch DIRECTORY model.pth`, then `referee convert model.pth model.safetensors`";
/// Of `DeepSpeed`, which puts its script into the directory.
pub const DEEPSPEED: &str = "this is a DeepSpeed checkpoint, or one process's part of it: gather it with `python zero_to_fp32.py . model.pth` in its directory, then `referee convert model.pth model.safetensors`";

/// The sentence for such a file, from its first bytes (a kilobyte is enough) and, if known, its name.
pub fn refuse_packaging(head: &[u8], filename: Option<&str>) -> Option<&'static str> {
    let name = filename
        .and_then(|name| name.rsplit(['/', '\\']).next())
        .unwrap_or_default()
        .to_ascii_lowercase();
    by_content(head).or_else(|| by_name(&name))
}

fn by_content(head: &[u8]) -> Option<&'static str> {
    let holds = |text: &str| memchr::memmem::find(head, text.as_bytes()).is_some();
    if matches!(head, [_, _, _, _, b'O', b'R', b'T', b'M', ..]) {
        return Some(ORT);
    }
    if matches!(head, [0x80, 2..=5, ..]) && holds("torch.distributed.checkpoint") {
        return Some(DISTRIBUTED);
    }
    if matches!(head, [b'f', b't', b'r', b't', ..]) {
        return Some(TENSORRT);
    }
    let text = text_of(head)?;
    let begins = |start: &str| text.starts_with(start);
    if begins("version https://git-lfs") || begins("version https://hawser") {
        Some(LFS)
    } else if begins("/annex/objects/") || begins("../.git/annex/") {
        Some(ANNEX)
    } else if begins("ir_version") || begins("opset_import") || begins("producer_name") {
        Some(TEXT)
    } else if begins("<") && holds("ir_version") {
        Some(SYNTAX)
    } else if (begins("<?xml") || begins("<net")) && holds("<net ") {
        Some(OPENVINO)
    } else if begins("{") && (holds("\"irVersion\"") || holds("\"ir_version\"")) {
        Some(JSON)
    } else if begins("{") && (holds("\"weight_map\"") || holds("\"total_size\"")) {
        Some(INDEX)
    } else if begins("{") && (holds("\"architectures\"") || holds("\"model_type\"")) {
        Some(CONFIGURATION)
    } else if (begins("node") || begins("saved_model_schema_version")) && holds("{") {
        Some(TENSORFLOW)
    } else if begins("model_checkpoint_path:") {
        Some(CHECKPOINT)
    } else if (begins("name:") || begins("layer") || begins("input:")) && holds("layer") {
        Some(CAFFE)
    } else {
        None
    }
}

/// The text that a file begins with, without what may come before it: a byte-order mark, blanks, comments.
fn text_of(head: &[u8]) -> Option<&str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let whole = head.utf8_chunks().next()?.valid();
    let mut rest = whole.trim_start();
    while let Some(comment) = rest.strip_prefix('#') {
        rest = comment.split_once('\n')?.1.trim_start();
    }
    Some(rest)
}

/// What only the name shows.
fn by_name(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if name.ends_with(".index.json") {
        return Some(INDEX);
    }
    if name == ".metadata" || extension == "distcp" {
        return Some(DISTRIBUTED);
    }
    if name.contains("zero_pp_rank_") {
        return Some(DEEPSPEED);
    }
    if is_part(name) {
        return match extension {
            "safetensors" => Some(PART),
            "bin" | "pt" | "pth" => Some(TORCH_PART),
            _ => Some(CHECKPOINT),
        };
    }
    match extension {
        "ort" => Some(ORT),
        "textproto" => Some(TEXT),
        "onnxtxt" | "onnxtext" => Some(SYNTAX),
        "onnxjson" => Some(JSON),
        "prototxt" | "caffemodel" => Some(CAFFE),
        "pbtxt" => Some(TENSORFLOW),
        "xml" => Some(OPENVINO),
        "mlmodel" => Some(COREML),
        "engine" | "trt" | "plan" => Some(TENSORRT),
        "pdmodel" | "pdparams" | "pdiparams" => Some(PADDLE),
        _ => None,
    }
}

/// Whether a name says that there are more files: `model-00001-of-00002.safetensors`, `variables.data-00000-of-00001`.
fn is_part(name: &str) -> bool {
    let Some((before, after)) = name.rsplit_once("-of-") else {
        return false;
    };
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = after.split('.').next().unwrap_or_default();
    let number = before.rsplit('-').next().unwrap_or_default();
    digits(count) && digits(number) && (count != "00001" || before.contains(".data"))
}
