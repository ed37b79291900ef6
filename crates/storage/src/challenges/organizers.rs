use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ApiDb, StorageError};

/// Someone who runs a challenge.
#[derive(Clone, Debug)]
pub struct Organizer {
    pub handle: String,
    pub added_at: DateTime<Utc>,
}

/// Who runs the challenge, in the order in which they were added.
pub async fn organizers(db: &ApiDb, challenge: Uuid) -> Result<Vec<Organizer>, StorageError> {
    Ok(sqlx::query_as!(
        Organizer,
        r#"
        SELECT handle, added_at
        FROM challenge_organizers
        JOIN users ON users.id = user_id
        WHERE challenge = $1
        ORDER BY added_at, handle
        "#,
        challenge,
    )
    .fetch_all(db.pool())
    .await?)
}

/// Whether this user runs the challenge.
pub async fn is_organizer(db: &ApiDb, challenge: Uuid, user: Uuid) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM challenge_organizers WHERE challenge = $1 AND user_id = $2
        ) AS "exists!"
        "#,
        challenge,
        user,
    )
    .fetch_one(db.pool())
    .await?)
}

/// Adds an organizer; nothing happens to one who is organizer already.
pub async fn add_organizer(db: &ApiDb, challenge: Uuid, user: Uuid) -> Result<(), StorageError> {
    let mut transaction = db.begin().await?;
    sqlx::query!(
        r#"
        INSERT INTO challenge_organizers (challenge, user_id)
        VALUES ($1, $2)
        ON CONFLICT (challenge, user_id) DO NOTHING
        "#,
        challenge,
        user,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// What became of the wish to remove an organizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Removed,
    NotAnOrganizer,
    /// A challenge keeps at least one.
    TheLast,
}

/// Takes an organizer away, unless it is the last one.
pub async fn remove_organizer(
    db: &ApiDb,
    challenge: Uuid,
    user: Uuid,
) -> Result<Removal, StorageError> {
    let mut transaction = db.begin().await?;
    // Two organizers who remove each other at the same moment take turns.
    sqlx::query!(
        "SELECT id FROM challenges WHERE id = $1 FOR UPDATE",
        challenge
    )
    .fetch_one(&mut *transaction)
    .await?;
    let removed = sqlx::query!(
        "DELETE FROM challenge_organizers WHERE challenge = $1 AND user_id = $2",
        challenge,
        user,
    )
    .execute(&mut *transaction)
    .await?;
    if removed.rows_affected() == 0 {
        return Ok(Removal::NotAnOrganizer);
    }
    let left = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM challenge_organizers WHERE challenge = $1"#,
        challenge,
    )
    .fetch_one(&mut *transaction)
    .await?;
    if left == 0 {
        return Ok(Removal::TheLast);
    }
    transaction.commit().await?;
    Ok(Removal::Removed)
}
