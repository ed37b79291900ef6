//! What changed in a published challenge, as triggers wrote it down.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{ApiDb, StorageError};

/// So many are told, the newest.
const TOLD: i64 = 1000;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeChange {
    pub at: DateTime<Utc>,
    /// A setting or file as the challenge's document calls it; `labels`, `rescored`, `published`, `released`.
    pub what: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Newest first.
pub async fn changes(db: &ApiDb, challenge: Uuid) -> Result<Vec<ChallengeChange>, StorageError> {
    Ok(sqlx::query_as!(
        ChallengeChange,
        r#"
        SELECT at, what, before, after
        FROM challenge_changes
        WHERE challenge = $1
        ORDER BY id DESC
        LIMIT $2
        "#,
        challenge,
        TOLD,
    )
    .fetch_all(db.pool())
    .await?)
}
