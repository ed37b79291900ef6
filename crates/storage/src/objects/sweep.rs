//! Removing what no row of the database speaks of.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use chrono::Utc;
use futures::TryStreamExt;

use super::{ObjectError, ObjectStore, failed};

/// As many keys are asked about at once.
const BATCH: usize = 1000;

impl ObjectStore {
    /// Remove the objects that were written more than `older_than` ago and that `known` does not
    /// return; of a local store also the `name#N` files of uploads that broke off with the
    /// process, which listing hides. Returns how many files were removed.
    ///
    /// `known` is given up to 1000 keys and returns those that the database has a row for. When
    /// it fails, nothing more is removed.
    pub async fn sweep<F, Answer, E>(&self, older_than: Duration, known: F) -> Result<usize, E>
    where
        F: Fn(Vec<String>) -> Answer,
        Answer: Future<Output = Result<HashSet<String>, E>>,
        E: From<ObjectError>,
    {
        let mut removed = 0;
        let mut old = self.store.list(None).try_filter_map(|object| {
            // A clock set back makes an age negative: too young.
            let age = (Utc::now() - object.last_modified).to_std();
            let is_old = age.is_ok_and(|age| age > older_than);
            std::future::ready(Ok(is_old.then(|| object.location.to_string())))
        });
        loop {
            let mut keys = Vec::new();
            while keys.len() < BATCH {
                let next = old.try_next().await;
                match next.map_err(|error| failed("list", "the objects", error))? {
                    Some(key) => keys.push(key),
                    None => break,
                }
            }
            if keys.is_empty() {
                break;
            }
            let known = known(keys.clone()).await?;
            for key in keys.iter().filter(|key| !known.contains(*key)) {
                self.delete(key).await?;
                removed += 1;
            }
        }
        Ok(removed + self.sweep_unfinished(older_than).await?)
    }

    /// Of a local store, remove the `name#N` files that were last written to more than `older_than` ago. Returns how many.
    pub async fn sweep_unfinished(&self, older_than: Duration) -> Result<usize, ObjectError> {
        let Some(directory) = self.directory.clone() else {
            return Ok(0);
        };
        let walked = directory.clone();
        let removing = tokio::task::spawn_blocking(move || {
            let mut removed = 0;
            remove_unfinished(&walked, older_than, &mut removed)?;
            Ok(removed)
        });
        removing
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|source| ObjectError::File {
                action: "sweep",
                path: directory,
                source,
            })
    }
}

fn remove_unfinished(
    directory: &Path,
    older_than: Duration,
    removed: &mut usize,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path: PathBuf = entry.path();
        // An upload that goes on meanwhile may finish, so its file may vanish between two calls.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_dir() {
            remove_unfinished(&path, older_than, removed)?;
        } else if is_unfinished(&entry.file_name()) {
            let age = SystemTime::now().duration_since(metadata.modified()?);
            if age.is_ok_and(|age| age > older_than) && fs::remove_file(&path).is_ok() {
                *removed += 1;
            }
        }
    }
    Ok(())
}

/// `object_store` writes to `name#N` and renames that to `name`.
fn is_unfinished(name: &OsStr) -> bool {
    name.to_str()
        .and_then(|name| name.rsplit_once('#'))
        .is_some_and(|(_, digits)| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
}
