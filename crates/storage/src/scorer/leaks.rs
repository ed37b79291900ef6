//! The leak check of drafts: an answer about sealed labels, so that it is given a limited number of times.

use uuid::Uuid;

use crate::{ScorerDb, StorageError};

/// What the organizers of a draft read that was checked as often as one may be.
const NO_MORE: &str = "this draft was checked 20 times whether anything gives its labels away, and a draft is not checked more often: let \
    `referee challenge check DIR` find it out on your machine and make the challenge anew under another slug, or pass --known-labels if \
    these labels are public anyway";

/// A draft that is to be looked at.
#[derive(Clone, Debug)]
pub struct DueCheck {
    /// Of classes, images and labels: what is found says nothing about another.
    pub revision: i32,
    /// The object that holds the test images, and its bytes; none where there are only names or numbers.
    pub images: Option<(String, u64)>,
}

/// The check that a challenge waits for, if any. A published one waits for none.
pub async fn due_check(db: &ScorerDb, challenge: Uuid) -> Result<Option<DueCheck>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT c.facts_revision, c.leak_checks >= 20 AS "is_spent!", f.object_key AS "object_key?", f.bytes AS "bytes?"
           FROM challenges c
           LEFT JOIN challenge_files f ON f.challenge = c.id AND f.purpose = 'test-images'
           WHERE c.id = $1
             AND c.published_at IS NULL
             AND NOT c.label_leak_checked"#,
        challenge
    )
    .fetch_optional(db.pool())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    if row.is_spent {
        sqlx::query!(
            "UPDATE challenges
             SET label_leak = $3, label_leak_checked = true
             WHERE id = $1
               AND facts_revision = $2
               AND published_at IS NULL",
            challenge,
            row.facts_revision,
            NO_MORE
        )
        .execute(db.pool())
        .await?;
        return Ok(None);
    }
    let images = row.object_key.zip(row.bytes);
    Ok(Some(DueCheck {
        revision: row.facts_revision,
        images: images.map(|(key, bytes)| (key, bytes.unsigned_abs())),
    }))
}

/// Tells what the leak check found in a revision of the facts: a sentence, or nothing. It says nothing about a later one, and is told
/// only of a draft and only so often.
pub async fn mark_leak(
    db: &ScorerDb,
    challenge: Uuid,
    revision: i32,
    finding: Option<&str>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE challenges
         SET label_leak = $3, label_leak_checked = true, leak_checks = leak_checks + 1
         WHERE id = $1
           AND facts_revision = $2
           AND published_at IS NULL
           AND leak_checks < 20",
        challenge,
        revision,
        finding
    )
    .execute(db.pool())
    .await?;
    Ok(())
}
