use std::collections::HashSet;
use std::time::Duration;

use crate::objects::{ObjectError, ObjectStore};
use crate::{ApiDb, StorageError};

/// Younger objects may belong to an upload whose row is still to come.
const OLDER_THAN: Duration = Duration::from_hours(24);

/// Why objects could not be swept.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Removes objects of more than 24 hours that no row refers to: uploads that broke off, files that were replaced.
/// Returns how many went.
pub async fn sweep_objects(db: &ApiDb, objects: &ObjectStore) -> Result<usize, SweepError> {
    objects
        .sweep(OLDER_THAN, |keys| async move { known(db, &keys).await })
        .await
}

async fn known(db: &ApiDb, keys: &[String]) -> Result<HashSet<String>, SweepError> {
    let known = sqlx::query_scalar!(
        r#"
        SELECT key AS "key!"
        FROM unnest($1::text[]) AS asked (key)
        WHERE EXISTS (SELECT FROM submissions WHERE object_key = asked.key)
           OR EXISTS (SELECT FROM submissions WHERE record_key = asked.key)
           OR EXISTS (SELECT FROM submission_data WHERE object_key = asked.key)
           OR EXISTS (SELECT FROM challenge_files WHERE object_key = asked.key)
        "#,
        keys,
    )
    .fetch_all(db.pool())
    .await
    .map_err(StorageError::from)?;
    Ok(known.into_iter().collect())
}
