//! Uploaded files: a local directory by default, S3, Google Cloud Storage or Azure by URL.
//!
//! Keys are made by the server and never renamed; what an object is and whose, the database
//! says. Nothing is stored until an [`Upload`] is finished, and then it is on disk.

mod location;
mod marker;
mod sweep;
mod upload;

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write as _},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStoreExt, path::Path};
use tokio::io::AsyncReadExt;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};
use uuid::Uuid;

pub use marker::MARKER;
pub use upload::{Stored, Upload};

/// A place for files. Cloning shares it.
#[derive(Clone)]
pub struct ObjectStore {
    store: Arc<dyn object_store::ObjectStore>,
    /// Where a local store lies.
    directory: Option<PathBuf>,
    /// The installation whose mark it must carry for anything to be written to it.
    guard: Option<Uuid>,
}

/// The content of an object, in order.
pub type ByteStream = BoxStream<'static, Result<Bytes, ObjectError>>;

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("the upload has more than {limit} bytes, the most that is accepted here")]
    TooLarge { limit: u64 },
    #[error(
        "there is no object {key}: it was deleted, or the object store is not the one the database belongs to"
    )]
    NotFound { key: String },
    #[error("the upload {key} broke off at an earlier error: upload the file again")]
    BrokenOff { key: String },
    #[error("the object store cannot {action} {key}: {source}")]
    Store {
        action: &'static str,
        key: String,
        source: object_store::Error,
    },
    #[error(
        "the object store {path} is missing: mount its disk or put it back; it is made anew only for a database that has had none"
    )]
    Missing { path: PathBuf },
    #[error(
        "the object store {path} is not there any more, or has become another's, so nothing is written to it: see that its disk is mounted"
    )]
    Away { path: PathBuf },
    #[error(
        "the file referee-installation of the object store {store} does not hold an installation's id: put it back from a backup of the objects"
    )]
    Mark { store: String },
    #[error("cannot use {url:?} as the object store: {reason}")]
    Location { url: String, reason: String },
    #[error("cannot {action} {path}: {source}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl ObjectError {
    /// What the operating system says, where it is that which refused.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return Some(error.kind());
            }
            cause = error.source();
        }
        None
    }
}

impl ObjectStore {
    /// Whether there is room for more, tried with a small file that is gone again; of stores elsewhere nothing is known.
    pub async fn try_writing(&self) -> Result<(), ObjectError> {
        let Some(directory) = self.directory.clone() else {
            return Ok(());
        };
        let tried = directory.clone();
        let trying = tokio::task::spawn_blocking(move || {
            tempfile::tempfile_in(&tried)?.write_all(&vec![0; 64 << 10])
        });
        trying
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| ObjectError::File {
                action: "write to",
                path: directory,
                source,
            })
    }

    /// The whole object.
    pub async fn read(&self, key: &str) -> Result<ByteStream, ObjectError> {
        Ok(stream(self.get(key, None).await?, key))
    }

    /// The bytes of `range`, cut at the object's end; it must begin before it.
    pub async fn read_range(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, ObjectError> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let range = GetRange::Bounded(range);
        Ok(stream(self.get(key, Some(range)).await?, key))
    }

    /// The whole object for synchronous code in `spawn_blocking`; of a local store, the file.
    pub async fn reader(&self, key: &str) -> Result<ObjectReader, ObjectError> {
        let found = self.get(key, None).await?;
        Ok(ObjectReader(match found.payload {
            GetResultPayload::File(file, _) => Source::File(file),
            GetResultPayload::Stream(parts) => {
                let bytes = parts.map_err(io::Error::other).boxed();
                Source::Stream(Box::new(SyncIoBridge::new(StreamReader::new(bytes))))
            }
        }))
    }

    /// Where the object lies as a file of this machine; none in a store elsewhere.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>, ObjectError> {
        let key = path(key)?;
        Ok(self
            .directory
            .as_ref()
            .map(|directory| directory.join(key.as_ref())))
    }

    /// The object's length in bytes.
    pub async fn size(&self, key: &str) -> Result<u64, ObjectError> {
        let head = self.store.head(&path(key)?).await;
        Ok(head.map_err(|error| failed("open", key, error))?.size)
    }

    /// Delete the object; one that is not there is deleted already.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        match self.store.delete(&path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", key, error)),
        }
    }

    async fn get(&self, key: &str, range: Option<GetRange>) -> Result<GetResult, ObjectError> {
        let options = GetOptions {
            range,
            ..GetOptions::default()
        };
        self.store
            .get_opts(&path(key)?, options)
            .await
            .map_err(|error| failed("open", key, error))
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectStore({})", self.store)
    }
}

fn path(key: &str) -> Result<Path, ObjectError> {
    Path::parse(key).map_err(|error| failed("use the key", key, error.into()))
}

fn failed(action: &'static str, key: &str, source: object_store::Error) -> ObjectError {
    let key = key.to_owned();
    match source {
        object_store::Error::NotFound { .. } => ObjectError::NotFound { key },
        source => ObjectError::Store {
            action,
            key,
            source,
        },
    }
}

/// Read in pieces of this size: `object_store`'s own stream of a local file has 8 KiB ones, each
/// of which costs a switch to another thread.
const PIECE: usize = 256 << 10;

fn stream(found: GetResult, key: &str) -> ByteStream {
    let key = key.to_owned();
    match found.payload {
        GetResultPayload::Stream(parts) => parts
            .map_err(move |error| failed("read", &key, error))
            .boxed(),
        GetResultPayload::File(mut file, path) => {
            // Moves the position only; nothing is read here.
            if let Err(error) = file.seek(SeekFrom::Start(found.range.start)) {
                let failed = ObjectError::File {
                    action: "read",
                    path,
                    source: error,
                };
                return futures::stream::iter([Err(failed)]).boxed();
            }
            let length = found.range.end - found.range.start;
            let file = tokio::fs::File::from_std(file).take(length);
            ReaderStream::with_capacity(file, PIECE)
                .map_err(move |source| ObjectError::File {
                    action: "read",
                    path: path.clone(),
                    source,
                })
                .boxed()
        }
    }
}

/// An object as [`std::io::Read`]. Reading blocks: never call it from async code.
pub struct ObjectReader(Source);

enum Source {
    File(File),
    Stream(Box<SyncIoBridge<StreamReader<BoxStream<'static, io::Result<Bytes>>, Bytes>>>),
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::File(file) => file.read(buffer),
            Source::Stream(stream) => stream.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::Arc};

    use bytes::Bytes;
    use futures::TryStreamExt;
    use object_store::memory::InMemory;

    use super::{ByteStream, ObjectStore};

    async fn collect(stream: ByteStream) -> Bytes {
        let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
        pieces.concat().into()
    }

    /// As a provider's store, this one answers with streams, not with files, and takes parts.
    #[tokio::test]
    async fn a_store_that_is_not_a_directory_works_too() {
        let store = ObjectStore {
            store: Arc::new(InMemory::new()),
            directory: None,
            guard: None,
        };
        let content: Bytes = (0..251).cycle().take(20 << 20).collect::<Vec<u8>>().into();
        let mut upload = store.upload(u64::MAX);
        for chunk in content.chunks(3 << 20) {
            upload.write(content.slice_ref(chunk)).await.unwrap();
        }
        let key = upload.finish().await.unwrap().key;
        assert!(collect(store.read(&key).await.unwrap()).await == content);
        let range = store.read_range(&key, 7..99).await.unwrap();
        assert_eq!(collect(range).await, content[7..99]);
        let mut reader = store.reader(&key).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            bytes
        });
        assert!(read.await.unwrap() == content);

        let mut given_up = store.upload(u64::MAX);
        given_up.write(content).await.unwrap();
        given_up.abort().await.unwrap();
        let mut left = Vec::new();
        let mut objects = store.store.list(None);
        while let Some(object) = objects.try_next().await.unwrap() {
            left.push(object.location.to_string());
        }
        assert_eq!(left, [key]);
    }
}
