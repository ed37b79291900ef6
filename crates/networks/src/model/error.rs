use crate::{NetworkError, onnx::OnnxError};

/// Why a model is not run, as a sentence for the competitor.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("the network has {} inputs ({}); expected one, the image: {}", .0.len(), .0.join(", "), constant_inputs(.0))]
    Inputs(Vec<String>),
    #[error(
        "input {name} is {found}; expected an image: [batch, channels, height, width] or [batch, height, width, channels]"
    )]
    NoImage { name: String, found: String },
    #[error("the network takes {takes:?} for each image, but the images are {given:?}")]
    ImageSize {
        takes: Vec<usize>,
        given: Vec<usize>,
    },
    #[error("the network has no output {wanted}; its outputs are {}", .outputs.join(", "))]
    NoSuchOutput {
        wanted: String,
        outputs: Vec<String>,
    },
    #[error("the network has {} outputs ({}), of which {fitting} could be [N,{classes}]: name the one that holds the logits with output=", .outputs.len(), .outputs.join(", "))]
    Outputs {
        outputs: Vec<String>,
        fitting: usize,
        classes: usize,
    },
    #[error("the network has {} outputs ({}), of which several could hold the scores, or none: name the one that holds the logits with output=", .outputs.len(), .outputs.join(", "))]
    Ambiguous { outputs: Vec<String> },
    #[error(
        "output {name} is no tensor of numbers: name the one that holds the logits with output="
    )]
    NoNumbers { name: String },
    #[error(
        "output {name} is {dims:?} for {batch} images; expected [{batch},{classes}]: one score for each class, or ranked classes (integers, at most 5)"
    )]
    OutputShape {
        name: String,
        dims: Vec<usize>,
        batch: usize,
        classes: usize,
    },
    #[error(
        "output {name} is [{columns}] for one image; expected [1,{columns}]: {}", without_batch(*.unbatched_input)
    )]
    NoBatch {
        name: String,
        columns: usize,
        /// Whether the input has no batch either.
        unbatched_input: bool,
    },
    #[error(
        "input {name} is [{}], one image without a batch: export with torch.onnx.export(model, (image.unsqueeze(0),), …)", lengths(.dims)
    )]
    OneImage {
        name: String,
        dims: Vec<Option<usize>>,
    },
    #[error(
        "{columns} columns for {classes} classes; TensorFlow puts 'background' first: resubmit with class_offset=1"
    )]
    Background { columns: usize, classes: usize },
    #[error("output {name} has {columns} columns; this challenge has {classes} classes{}; replace the head", offset_words(*.offset))]
    Head {
        name: String,
        columns: usize,
        classes: usize,
        offset: usize,
    },
    #[error("the network answers with a number that is not finite")]
    NotFinite,
    #[error("the network ranks class {class}, but this challenge has {classes} classes, from 0")]
    Class { class: i64, classes: usize },
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Network(error.into())
    }
}

pub(super) type Result<T, E = ModelError> = std::result::Result<T, E>;

/// How a file gets a single input. TensorFlow's names end in `:0`; Keras's own export leaves constants among the inputs.
fn constant_inputs(names: &[String]) -> &'static str {
    if names.iter().any(|name| name.ends_with(":0")) {
        "export a SavedModel (`model.export('d')`) and run `python -m tf2onnx.convert --saved-model d --output model.onnx`"
    } else {
        "make the others constants before exporting"
    }
}

/// `?, ?, 3`
pub(super) fn lengths(dims: &[Option<usize>]) -> String {
    let dims: Vec<String> = dims
        .iter()
        .map(|length| length.map_or_else(|| "?".to_owned(), |length| length.to_string()))
        .collect();
    dims.join(", ")
}

/// How the network's answer gets a dimension for the images.
fn without_batch(unbatched_input: bool) -> &'static str {
    if unbatched_input {
        "the input is an image without a batch; export with torch.onnx.export(model, (image.unsqueeze(0),), …)"
    } else {
        "the network drops the dimension of the images, as x.squeeze() does for one; write x.flatten(1), or x.squeeze((2, 3)), and export \
         again"
    }
}

fn offset_words(offset: usize) -> String {
    if offset == 0 {
        String::new()
    } else {
        format!(" and class_offset={offset}")
    }
}
