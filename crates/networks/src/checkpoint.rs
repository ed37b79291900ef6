//! PyTorch's checkpoints, read without PyTorch and without running what they hold: a pickle is a program, and of this one only
//! the instructions that build tensors and containers are followed. Every class or function that is not known stands for an opaque
//! value.
//!
//! ```no_run
//! use std::path::Path;
//! use referee_networks::checkpoint::Checkpoint;
//!
//! let checkpoint = Checkpoint::open(Path::new("resnet50.pth"))?;
//! let state_dict = checkpoint.state_dict(None)?;
//! state_dict.write_safetensors(Path::new("resnet50.safetensors"), None, |_bytes| ())?;
//! # Ok::<(), referee_networks::checkpoint::CheckpointError>(())
//! ```

mod container;
mod error;
mod object;
mod pickle;
mod state_dict;
mod tensor;

use std::path::Path;

use bytes::Bytes;

use crate::mapped;
use container::Container;
pub use error::CheckpointError;
use error::Result;
pub use state_dict::{LeftOut, StateDict};
pub use tensor::StoredTensor;

/// A file that `torch.save` wrote.
#[derive(Debug)]
pub struct Checkpoint {
    container: Container,
    /// Of the file, in bytes.
    length: usize,
}

impl Checkpoint {
    /// Maps and reads the file at `path`. Only what describes the tensors is read; their elements stay in the file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = mapped::open(path).map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })?;
        let filename = path.file_name().unwrap_or_default().to_string_lossy();
        Self::of(&file, Some(&filename))
    }

    /// Reads a file's bytes.
    pub fn read(file: &Bytes) -> Result<Self> {
        Self::of(file, None)
    }

    fn of(file: &Bytes, filename: Option<&str>) -> Result<Self> {
        Ok(Self {
            container: container::read(file, filename)?,
            length: file.len(),
        })
    }
}
