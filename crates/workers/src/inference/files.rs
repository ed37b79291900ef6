use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures::TryStreamExt as _;
use referee_storage::Wait;
use referee_storage::inference::{Data, Part};
use referee_storage::objects::ObjectError;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_blocking;

use super::Inference;
use crate::digest::{self, Checked};

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

/// The files of a local store whose content was found to be what was stored, with the size and time of change that they had then:
/// a worker that comes back to them, as it does after every turn, reads them no second time.
#[derive(Clone, Debug, Default)]
pub(super) struct LookedAt(Arc<Mutex<HashMap<PathBuf, (u64, SystemTime)>>>);

impl LookedAt {
    /// Of a hundred bytes each.
    const MOST: usize = 10_000;

    /// Reads the file, if it is another than the one that was read before. Blocks.
    fn check(&self, path: &Path, sha256: &[u8]) -> io::Result<()> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let stamp = (metadata.len(), metadata.modified()?);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known().get(path) == Some(&stamp) {
            return Ok(());
        }
        Checked::new(file, Some(sha256.to_vec())).finish()?;
        let mut known = known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(path.to_owned(), stamp);
        Ok(())
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
    #[error("the object {key} cannot be used: {source}")]
    Altered { key: String, source: io::Error },
}

impl FetchError {
    /// What is waited for until it is at hand.
    pub fn waits_for(&self) -> Wait {
        match self {
            Self::Object(_) | Self::Altered { .. } => Wait::Storage,
            Self::Copy { .. } => Wait::Cache,
        }
    }
}

impl ModelFiles {
    pub async fn fetch(
        worker: &Inference,
        part: &Part,
        data: Vec<Data>,
    ) -> Result<Self, FetchError> {
        let mut bytes = part.bytes.unsigned_abs();
        let mut files = Vec::new();
        for side in data {
            bytes += side.bytes.unsigned_abs();
            let file = local(worker, &side.object_key, &side.sha256).await?;
            files.push((side.name, file));
        }
        Ok(Self {
            model: local(worker, &part.object_key, &part.sha256).await?,
            data: files,
            bytes,
        })
    }
}

/// The object as a file, copied into the worker's cache where the store is not on this machine, with the content that was stored.
pub(super) async fn local(
    worker: &Inference,
    key: &str,
    sha256: &[u8],
) -> Result<LocalFile, FetchError> {
    let objects = &worker.objects;
    let altered = |source| FetchError::Altered {
        key: key.to_owned(),
        source,
    };
    if let Some(path) = objects.path(key)? {
        // Says now whether it is there.
        objects.size(key).await?;
        let (looked_at, found, sha256) = (worker.looked_at.clone(), path.clone(), sha256.to_vec());
        let checked = spawn_blocking(move || looked_at.check(&found, &sha256)).await;
        checked
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
            .map_err(altered)?;
        return Ok(LocalFile { path, _copy: None });
    }
    let directory = &worker.config.cache;
    let failed = |source| FetchError::Copy {
        directory: directory.clone(),
        source,
    };
    tokio::fs::create_dir_all(directory).await.map_err(failed)?;
    let copy = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let (file, path) = copy.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut content = objects.read(key).await?;
    let mut digest = Sha256::new();
    while let Some(piece) = content.try_next().await? {
        digest.update(&piece);
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    if digest.finalize()[..] != *sha256 {
        return Err(altered(digest::altered()));
    }
    Ok(LocalFile {
        path: path.to_path_buf(),
        _copy: Some(path),
    })
}
