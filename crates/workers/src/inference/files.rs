use std::io;
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use referee_storage::Wait;
use referee_storage::inference::{Data, Part};
use referee_storage::objects::{ObjectError, ObjectStore};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;

/// A model's files on this machine.
pub(super) struct ModelFiles {
    pub model: LocalFile,
    pub data: Vec<(String, LocalFile)>,
    /// Bytes of all.
    pub bytes: u64,
}

/// A stored object as a file: the store's own, or a copy that goes with this value.
pub(super) struct LocalFile {
    path: PathBuf,
    _copy: Option<TempPath>,
}

impl LocalFile {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why an object is not at hand.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("a copy of an object cannot be written to {directory}: {source}")]
    Copy {
        directory: PathBuf,
        source: io::Error,
    },
}

impl FetchError {
    /// What is waited for until it is at hand.
    pub fn waits_for(&self) -> Wait {
        match self {
            Self::Object(_) => Wait::Storage,
            Self::Copy { .. } => Wait::Cache,
        }
    }
}

impl ModelFiles {
    pub async fn fetch(
        objects: &ObjectStore,
        part: &Part,
        data: Vec<Data>,
        directory: &Path,
    ) -> Result<Self, FetchError> {
        let mut bytes = part.bytes.unsigned_abs();
        let mut files = Vec::new();
        for side in data {
            bytes += side.bytes.unsigned_abs();
            files.push((
                side.name,
                local(objects, &side.object_key, directory).await?,
            ));
        }
        Ok(Self {
            model: local(objects, &part.object_key, directory).await?,
            data: files,
            bytes,
        })
    }
}

/// The object as a file, copied into `directory` where the store is not on this machine.
pub(super) async fn local(
    objects: &ObjectStore,
    key: &str,
    directory: &Path,
) -> Result<LocalFile, FetchError> {
    if let Some(path) = objects.path(key)? {
        // Says now whether it is there.
        objects.size(key).await?;
        return Ok(LocalFile { path, _copy: None });
    }
    let failed = |source| FetchError::Copy {
        directory: directory.to_owned(),
        source,
    };
    tokio::fs::create_dir_all(directory).await.map_err(failed)?;
    let copy = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let (file, path) = copy.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut content = objects.read(key).await?;
    while let Some(piece) = content.try_next().await? {
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(LocalFile {
        path: path.to_path_buf(),
        _copy: Some(path),
    })
}
