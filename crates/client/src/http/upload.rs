use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use reqwest::Body;
use tokio_util::io::ReaderStream;

use super::ClientError;

/// Is told the number of bytes that have gone over the wire so far. Starts from 0 again when a transfer is repeated.
pub type Watch = Arc<dyn Fn(u64) + Send + Sync>;

/// A file on its way to the server, read as it is sent.
#[derive(Clone)]
pub struct Upload {
    source: Source,
    filename: String,
    watch: Option<Watch>,
}

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Memory(Bytes),
}

impl Upload {
    /// A file on disk, sent under its own name.
    pub fn file(path: &Path) -> Self {
        let filename = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Self {
            source: Source::File(path.to_owned()),
            filename,
            watch: None,
        }
    }

    /// A file that exists in memory only.
    pub fn memory(filename: &str, content: impl Into<Bytes>) -> Self {
        Self {
            source: Source::Memory(content.into()),
            filename: filename.to_owned(),
            watch: None,
        }
    }

    /// Reports progress to `watch`.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Self {
        Self {
            watch: Some(watch),
            ..self
        }
    }

    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// Bytes.
    ///
    /// # Errors
    /// [`ClientError::File`] if it cannot be looked at.
    pub async fn length(&self) -> Result<u64, ClientError> {
        match &self.source {
            Source::Memory(content) => Ok(content.len() as u64),
            Source::File(path) => match tokio::fs::metadata(path).await {
                Ok(metadata) => Ok(metadata.len()),
                Err(source) => Err(ClientError::File {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }

    /// Opens it for one attempt: the body and its length in bytes.
    pub(super) async fn open(&self) -> Result<(Body, u64), ClientError> {
        let length = self.length().await?;
        let sent = AtomicU64::new(0);
        let watch = self.watch.clone();
        let count = move |chunk: &Bytes| {
            if let Some(watch) = &watch {
                let before = sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                watch(before + chunk.len() as u64);
            }
        };
        let body = match &self.source {
            Source::Memory(content) => {
                let content = content.clone();
                let chunks = (0..content.len()).step_by(1 << 20).map(move |start| {
                    let chunk = content.slice(start..content.len().min(start + (1 << 20)));
                    count(&chunk);
                    Ok::<_, std::io::Error>(chunk)
                });
                Body::wrap_stream(stream::iter(chunks))
            }
            Source::File(path) => {
                let file = tokio::fs::File::open(path).await;
                let file = file.map_err(|source| ClientError::File {
                    path: path.clone(),
                    source,
                })?;
                let chunks = ReaderStream::with_capacity(file, 1 << 18);
                Body::wrap_stream(chunks.inspect(move |chunk| chunk.iter().for_each(&count)))
            }
        };
        Ok((body, length))
    }
}
