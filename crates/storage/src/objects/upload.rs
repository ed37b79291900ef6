//! Storing a file as it arrives, without holding it.

use std::fmt;

use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload, path::Path};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{ObjectError, ObjectStore, failed, path};

/// S3 takes parts of 5 MiB and more, all but the last of one size.
const CLOUD_PART: usize = 8 << 20;
/// A disk takes any; the server's memory grows by this with every upload that it receives at a time.
const DISK_PART: usize = 1 << 20;

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub key: String,
    /// Length.
    pub bytes: u64,
    pub sha256: [u8; 32],
}

/// A file on its way into the store. At most one part is held or in flight: 1 MiB towards a disk, 8 MiB towards a cloud.
///
/// Dropped before [`Upload::finish`] has returned, it leaves nothing behind.
pub struct Upload {
    to: ObjectStore,
    key: Path,
    limit: u64,
    bytes: u64,
    digest: Sha256,
    part: BytesMut,
    /// The length of all parts but the last.
    full: usize,
    /// Begun with the first full part; a smaller file is stored in one request.
    parts: Option<Box<dyn MultipartUpload>>,
    broke_off: bool,
}

impl ObjectStore {
    /// Begin a file of at most `limit` bytes, under a new key.
    pub fn upload(&self, limit: u64) -> Upload {
        let key = Path::from_iter(["incoming".to_owned(), Uuid::new_v4().to_string()]);
        Upload::new(self, key, limit)
    }

    /// Store `content` under `key`, replacing what is there.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<Stored, ObjectError> {
        let mut upload = Upload::new(self, path(key)?, u64::MAX);
        upload.write(content).await?;
        upload.finish().await
    }
}

impl Upload {
    fn new(to: &ObjectStore, key: Path, limit: u64) -> Self {
        Self {
            to: to.clone(),
            key,
            limit,
            bytes: 0,
            digest: Sha256::new(),
            part: BytesMut::new(),
            full: if to.directory.is_some() {
                DISK_PART
            } else {
                CLOUD_PART
            },
            parts: None,
            broke_off: false,
        }
    }

    /// Append `chunk`; returns when the next may come.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] as soon as the limit is passed. After any error the upload can
    /// only be dropped.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), ObjectError> {
        // Set for as long as this runs, so that a call that is dropped half-way counts as one
        // that failed.
        if std::mem::replace(&mut self.broke_off, true) {
            return Err(self.error_of_broken_off());
        }
        self.append(chunk).await?;
        self.broke_off = false;
        Ok(())
    }

    async fn append(&mut self, mut chunk: Bytes) -> Result<(), ObjectError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.limit {
            return Err(ObjectError::TooLarge { limit: self.limit });
        }
        self.digest.update(&chunk);
        while !chunk.is_empty() {
            let room = self.full - self.part.len();
            let taken = chunk.split_to(room.min(chunk.len()));
            self.part.extend_from_slice(&taken);
            if self.part.len() == self.full {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), ObjectError> {
        let part = self.part.split().freeze();
        let parts = if let Some(parts) = &mut self.parts {
            parts
        } else {
            self.to.check_guard().await?;
            let begun = self.to.store.put_multipart(&self.key).await;
            let begun = begun.map_err(|error| failed("begin", self.key.as_ref(), error))?;
            self.parts.insert(begun)
        };
        let sent = parts.put_part(PutPayload::from_bytes(part.clone())).await;
        sent.map_err(|error| failed("write", self.key.as_ref(), error))?;
        // The next part is gathered where this one was, unless the store keeps it.
        if let Ok(mut written) = part.try_into_mut() {
            written.clear();
            self.part = written;
        }
        Ok(())
    }

    /// Store the file durably.
    ///
    /// A caller that goes away meanwhile does not stop this half-way: the file is stored, then
    /// deleted.
    pub async fn finish(mut self) -> Result<Stored, ObjectError> {
        if self.broke_off {
            return Err(self.error_of_broken_off());
        }
        let key = self.key.to_string();
        let (report, reported) = oneshot::channel();
        tokio::spawn(async move {
            let stored = self.complete().await;
            if let Err(Ok(_)) = report.send(stored)
                && let Err(error) = self.to.store.delete(&self.key).await
            {
                tracing::warn!(%error, key = %self.key, "cannot delete an abandoned upload yet");
            }
        });
        reported
            .await
            .unwrap_or(Err(ObjectError::BrokenOff { key }))
    }

    async fn complete(&mut self) -> Result<Stored, ObjectError> {
        if self.parts.is_some() && !self.part.is_empty() {
            self.send_part().await?;
        }
        let stored = if let Some(mut parts) = self.parts.take() {
            parts.complete().await
        } else {
            self.to.check_guard().await?;
            let whole = PutPayload::from_bytes(self.part.split().freeze());
            self.to.store.put(&self.key, whole).await
        };
        stored.map_err(|error| failed("store", self.key.as_ref(), error))?;
        Ok(Stored {
            key: self.key.to_string(),
            bytes: self.bytes,
            sha256: self.digest.finalize_reset().into(),
        })
    }

    /// Give the file up and wait until nothing is left of it.
    pub async fn abort(mut self) -> Result<(), ObjectError> {
        let Some(mut parts) = self.parts.take() else {
            return Ok(());
        };
        let aborted = parts.abort().await;
        aborted.map_err(|error| failed("give up", self.key.as_ref(), error))
    }

    fn error_of_broken_off(&self) -> ObjectError {
        ObjectError::BrokenOff {
            key: self.key.to_string(),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut parts) = self.parts.take() else {
            return;
        };
        // Without a runtime, as at the end of the process, the sweep removes the rest.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let key = self.key.clone();
        runtime.spawn(async move {
            if let Err(error) = parts.abort().await {
                tracing::warn!(%error, %key, "cannot clean up after a broken upload yet");
            }
        });
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("key", &self.key)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
