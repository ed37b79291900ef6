use std::io;
use std::path::PathBuf;

use referee_scoring::model_form::{Architecture, ModelFormError, RecipeError};

use crate::NetworkError;
use crate::images::ImageError;
use crate::model::ModelError;
use crate::onnx::OnnxError;
use crate::weights::WeightsError;

/// Why a model does not answer, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    #[error("{} cannot be read: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// What the file is instead, and what to do.
    #[error("{0}")]
    NoModel(String),
    #[error("in the file's metadata, {0}; the same said beside the file counts instead")]
    Metadata(#[source] ModelFormError),
    #[error("`preprocess`: {0}")]
    Recipe(#[from] RecipeError),
    #[error(
        "safetensors holds tensors only: say which network they belong to{}, or in the file's metadata",
        .likely.as_ref().map_or_else(|| ", with architecture=resnet50 for example".to_owned(), |likely| format!("; they fit architecture={likely}"))
    )]
    NoArchitecture { likely: Option<Architecture> },
    #[error(
        "neither the network nor a recipe says how large its images are, and the challenge's are of several sizes: add preprocess={{\"resize\":…,\"crop\":…}}"
    )]
    NoSize,
    /// Offline only: the worker knows the challenge's classes.
    #[error("the file {0}: give the challenge's class list with --classes FILE")]
    NoClasses(&'static str),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Images(#[from] ImageError),
    #[error("the network ranks classes and has no logits: leave --logits out")]
    Ranked,
}

impl From<candle_core::Error> for PredictError {
    fn from(error: candle_core::Error) -> Self {
        Self::Model(error.into())
    }
}
