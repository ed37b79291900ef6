//! The mark of a store: a file at its root that holds the id of the installation that it belongs to.

use std::fs;
use std::io;
use std::path::Path;

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use uuid::Uuid;

use super::{ObjectError, ObjectStore, failed, path, stream};

/// The file's name.
pub const MARKER: &str = "referee-installation";

impl ObjectStore {
    /// The installation whose mark the store carries.
    ///
    /// # Errors
    /// [`ObjectError::Mark`] where the file holds no id.
    pub async fn owner(&self) -> Result<Option<Uuid>, ObjectError> {
        let found = match self.get(MARKER, None).await {
            Ok(found) => found,
            Err(ObjectError::NotFound { .. }) => {
                self.is_there()?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let damaged = || ObjectError::Mark {
            store: self.place(),
        };
        if found.meta.size > 64 {
            return Err(damaged());
        }
        let pieces: Vec<_> = stream(found, MARKER).try_collect().await?;
        id(&pieces.concat()).map(Some).ok_or_else(damaged)
    }

    /// Marks the store as `installation`'s, unless it carries a mark by now. Returns whose it is.
    pub async fn mark(&self, installation: Uuid) -> Result<Uuid, ObjectError> {
        let content = format!("{installation}\n");
        let key = path(MARKER)?;
        let put = |mode: PutMode| {
            let content = PutPayload::from(content.clone());
            self.store.put_opts(&key, content, mode.into())
        };
        match put(PutMode::Create).await {
            Ok(_) => Ok(installation),
            Err(object_store::Error::AlreadyExists { .. }) => {
                let owner = self.owner().await?;
                owner.ok_or_else(|| ObjectError::Mark {
                    store: self.place(),
                })
            }
            // Not every file system has hard links, and not every provider writes on condition.
            Err(_) => {
                let marked = put(PutMode::Overwrite).await;
                marked.map_err(|error| failed("write", MARKER, error))?;
                Ok(installation)
            }
        }
    }

    /// Of a local store, the directories for what is stored: a mount of one of them needs it.
    pub async fn make_directories(&self) -> Result<(), ObjectError> {
        for name in super::sweep::SWEPT {
            let Some(path) = self.directory.as_ref().map(|root| root.join(name)) else {
                return Ok(());
            };
            let made = tokio::fs::create_dir_all(&path).await;
            made.map_err(|source| ObjectError::File {
                action: "create",
                path,
                source,
            })?;
        }
        Ok(())
    }

    /// Whether nothing is stored here: no file but the mark, finished or not.
    pub async fn is_empty(&self) -> Result<bool, ObjectError> {
        let Some(directory) = self.directory.clone() else {
            let mut others = self
                .store
                .list(None)
                .try_filter(|object| std::future::ready(object.location.as_ref() != MARKER));
            let first = others.try_next().await;
            return Ok(first
                .map_err(|error| failed("list", "the objects", error))?
                .is_none());
        };
        let walked = directory.clone();
        let walk = tokio::task::spawn_blocking(move || has_file(&walked, true));
        let found = walk
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let found = found.map_err(|source| ObjectError::File {
            action: "list",
            path: directory,
            source,
        })?;
        Ok(!found)
    }

    /// Whether one of these objects is here.
    pub async fn holds_any_of(&self, keys: &[String]) -> Result<bool, ObjectError> {
        for key in keys {
            match self.store.head(&path(key)?).await {
                Ok(_) => return Ok(true),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("open", key, error)),
            }
        }
        Ok(false)
    }

    /// The same store, to which nothing is written any more once it does not carry this installation's mark: a disk that is not
    /// mounted leaves an empty directory, or none. Of stores elsewhere, their provider sees to that.
    #[must_use]
    pub fn guarded_by(mut self, installation: Uuid) -> Self {
        self.guard = Some(installation);
        self
    }

    /// Says whether a guarded local store is still there.
    pub(super) async fn check_guard(&self) -> Result<(), ObjectError> {
        let (Some(directory), Some(installation)) = (&self.directory, self.guard) else {
            return Ok(());
        };
        let mark = tokio::fs::read(directory.join(MARKER)).await;
        match mark.ok().and_then(|mark| id(&mark)) {
            Some(found) if found == installation => Ok(()),
            _ => Err(ObjectError::Away {
                path: directory.clone(),
            }),
        }
    }

    /// Says whether the directory of a local store exists.
    fn is_there(&self) -> Result<(), ObjectError> {
        match &self.directory {
            Some(path) if !path.is_dir() => Err(ObjectError::Missing { path: path.clone() }),
            _ => Ok(()),
        }
    }

    /// Where the store is, for people.
    pub fn place(&self) -> String {
        match &self.directory {
            Some(directory) => directory.display().to_string(),
            None => self.store.to_string(),
        }
    }
}

fn id(mark: &[u8]) -> Option<Uuid> {
    Uuid::try_parse(std::str::from_utf8(mark).ok()?.trim()).ok()
}

/// Whether there is a file below the directory that is not the mark or an unfinished one. What a file system makes at its root does
/// not count.
fn has_file(directory: &Path, is_root: bool) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if is_root && (name == "lost+found" || name.split('#').next() == Some(MARKER)) {
            continue;
        }
        if !entry.file_type()?.is_dir() || has_file(&entry.path(), false)? {
            return Ok(true);
        }
    }
    Ok(false)
}
