use std::collections::HashSet;
use std::time::Duration;

use crate::objects::{ObjectError, ObjectStore};
use crate::readiness::NotReady;
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
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

/// Removes objects of more than 24 hours that no row refers to: uploads that broke off, files that were replaced.
/// Returns how many went.
///
/// None goes from a store that does not carry this database's mark, or while the schema is not the one that this version knows: a
/// newer one may refer to objects in ways that [`known`] knows nothing of. Both are looked at again before every thousand.
pub async fn sweep_objects(db: &ApiDb, objects: &ObjectStore) -> Result<usize, SweepError> {
    is_allowed(db, objects).await?;
    objects
        .sweep(OLDER_THAN, |keys| async move {
            let known = known(db, &keys).await?;
            is_allowed(db, objects).await?;
            Ok(known)
        })
        .await
}

async fn is_allowed(db: &ApiDb, objects: &ObjectStore) -> Result<(), SweepError> {
    db.check_schema().await?;
    db.check_store(objects).await?;
    Ok(())
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
