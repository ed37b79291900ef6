//! Running again what ended as failed, through no fault of its submitter.

use uuid::Uuid;

use crate::{ApiDb, StorageError};

/// Queues a failed submission again, or has one that waits tried at once. `false`: it is neither.
pub async fn retry(db: &ApiDb, submission: Uuid) -> Result<bool, StorageError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT retry($1) AS "retried!""#, submission)
            .fetch_one(db.pool())
            .await?,
    )
}

/// The same for all of a challenge that failed or wait; how many they were.
pub async fn retry_all(db: &ApiDb, challenge: Uuid) -> Result<u64, StorageError> {
    let retried = sqlx::query_scalar!(
        r#"
        SELECT count(*) FILTER (WHERE retry(id)) AS "retried!"
        FROM submissions
        WHERE challenge = $1
          AND withdrawn_at IS NULL
          AND (status = 'failed' OR status = 'queued' AND waiting_since IS NOT NULL)
        "#,
        challenge
    )
    .fetch_one(db.pool())
    .await?;
    Ok(retried.unsigned_abs())
}
