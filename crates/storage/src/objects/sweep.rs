//! Removing what no row of the database speaks of.

use std::{
    collections::HashSet,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use chrono::Utc;
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::{ObjectError, ObjectStore, failed};

/// As many keys are asked about at once.
const BATCH: usize = 1000;
/// Where uploads are, and the records that workers write. Nothing else is ever looked at.
pub(super) const SWEPT: [&str; 2] = ["incoming", "records"];

impl ObjectStore {
    /// Remove the objects below `incoming/` and `records/` that have a name of ours, were written more than `older_than` ago, and
    /// that `known` does not return; of a local store also the `name#N` files of uploads that broke off with the process, which
    /// listing hides. Returns how many files were removed.
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
        let listed = SWEPT.map(|prefix| self.store.list(Some(&prefix.into())));
        let mut old = futures::stream::iter(listed)
            .flatten()
            .try_filter_map(|object| {
                let key = object.location.to_string();
                // A clock set back makes an age negative: too young.
                let age = (Utc::now() - object.last_modified).to_std();
                let is_old = age.is_ok_and(|age| age > older_than);
                std::future::ready(Ok((is_old && is_ours(&key)).then_some(key)))
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
        let root = directory.clone();
        let removing = tokio::task::spawn_blocking(move || {
            let mut removed = 0;
            for swept in SWEPT {
                remove_unfinished(&root, &root.join(swept), older_than, &mut removed)?;
            }
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
    root: &Path,
    directory: &Path,
    older_than: Duration,
    removed: &mut usize,
) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        // An upload that goes on meanwhile may finish, so its file may vanish between two calls.
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        if metadata.is_dir() {
            remove_unfinished(root, &path, older_than, removed)?;
        } else if path.strip_prefix(root).is_ok_and(is_unfinished) {
            let age = SystemTime::now().duration_since(metadata.modified()?);
            if age.is_ok_and(|age| age > older_than) && fs::remove_file(&path).is_ok() {
                *removed += 1;
            }
        }
    }
    Ok(())
}

/// `object_store` writes to `name#N` and renames that to `name`.
fn is_unfinished(path: &Path) -> bool {
    path.to_str()
        .and_then(|path| path.rsplit_once('#'))
        .is_some_and(|(key, number)| is_number(number) && is_ours(key))
}

/// Whether the server gives such keys: `incoming/UUID`, `records/UUID/ATTEMPT`.
fn is_ours(key: &str) -> bool {
    let is_id = |part: &str| part.len() == 36 && Uuid::try_parse(part).is_ok();
    match key.split('/').collect::<Vec<_>>()[..] {
        ["incoming", upload] => is_id(upload),
        ["records", submission, attempt] => is_id(submission) && is_number(attempt),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
