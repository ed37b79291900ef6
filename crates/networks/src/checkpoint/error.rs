use std::path::PathBuf;

use safetensors::SafeTensorError;

/// Why no weights come out of a file, as a sentence for the person who has it.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Another kind of file, with what to do with it.
    #[error("{0}")]
    NotCheckpoint(&'static str),
    #[error(
        "this file holds a whole module ({class}), which only running its code can rebuild; save its tensors in Python: \
         torch.save(torch.load(FILE, map_location=\"cpu\", weights_only=False).state_dict(), \"state_dict.pth\"), then convert that"
    )]
    WholeModule { class: String },
    #[error(
        "this is a TorchScript archive, which holds code; save its tensors in Python: \
         torch.save(torch.jit.load(FILE, map_location=\"cpu\").state_dict(), \"state_dict.pth\"), then convert that"
    )]
    TorchScript,
    #[error(
        "this is an exported program (torch.export); save its tensors in Python: \
         torch.save(dict(torch.export.load(FILE).state_dict), \"state_dict.pth\"), then convert that"
    )]
    ExportedProgram,
    #[error("the pickle is damaged at byte {at}: {detail}")]
    Pickle { at: usize, detail: String },
    #[error("the file is damaged: {0}")]
    Damaged(String),
    #[error("{0}; that is more than any checkpoint has, so it is not read")]
    Limit(String),
    #[error("{name}: {detail}")]
    Tensor { name: String, detail: String },
    #[error(
        "there is no state dict in this file, only {found}; save one in Python: torch.save(model.state_dict(), \"state_dict.pth\")"
    )]
    NoStateDict { found: String },
    #[error("this file holds several state dicts: choose one with --key, from {found}")]
    Several { found: String },
    #[error("this file has no state dict `{key}`; there is {found}")]
    NoKey { key: String, found: String },
    #[error("{}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: SafeTensorError,
    },
}

pub(super) type Result<T, E = CheckpointError> = std::result::Result<T, E>;
