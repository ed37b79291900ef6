use std::path::PathBuf;

/// Why a file's weights are not a network's, as a sentence for the person who sent them. At most five names of a kind are listed.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Not a safetensors file, or a damaged one.
    #[error("{0}")]
    File(String),
    #[error("{name} is {found}; this challenge has {classes} classes; replace the head")]
    Head {
        name: String,
        /// Its shape, such as `[21843,2048]`.
        found: String,
        classes: usize,
    },
    #[error(
        "{columns} columns for {classes} classes; TensorFlow puts 'background' first: resubmit with class_offset=1"
    )]
    Background { columns: usize, classes: usize },
    #[error("the tensors are not those of {network}: {}{remark}", differences.join("; "))]
    Mismatch {
        network: String,
        /// What is missing, misshapen and left over, a part of the sentence each.
        differences: Vec<String>,
        /// Whose names they look like, where that is known.
        remark: String,
    },
    #[error("{name} holds {found}; weights are float16, bfloat16, float32 or float64")]
    NotFloat { name: String, found: String },
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

pub(super) type Result<T, E = WeightsError> = std::result::Result<T, E>;
