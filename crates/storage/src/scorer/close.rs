use uuid::Uuid;

use super::{lock_challenge, touch_board};
use crate::{ScorerDb, StorageError};

/// Published challenges past their close whose private scores are still sealed.
pub async fn due_closings(db: &ScorerDb) -> Result<Vec<Uuid>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT id
         FROM challenges
         WHERE published_at IS NOT NULL
           AND closes <= now()
           AND public_fraction < 1
           AND label_version IS NOT NULL
           AND private_released_at IS NULL"
    )
    .fetch_all(db.pool())
    .await?)
}

/// Releases the private scores, once, if the challenge has closed. From then on its close cannot be moved.
///
/// Scores under versions that the board does not show yet are released with them, and submissions that are scored later
/// release theirs at once.
pub async fn release_private_scores(db: &ScorerDb, challenge: Uuid) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    lock_challenge(&mut transaction, challenge).await?;
    let released = sqlx::query!(
        "UPDATE challenges
         SET private_released_at = clock_timestamp()
         WHERE id = $1
           AND published_at IS NOT NULL
           AND closes <= now()
           AND public_fraction < 1
           AND label_version IS NOT NULL
           AND private_released_at IS NULL",
        challenge
    )
    .execute(&mut *transaction)
    .await?;
    if released.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO released_scores (submission, label_version, split, images, top1_misses, top5_misses)
         SELECT sc.submission, sc.label_version, sc.split, sc.images, sc.top1_misses, sc.top5_misses
         FROM sealed.scores sc
         JOIN submissions s ON s.id = sc.submission
         WHERE s.challenge = $1 AND sc.split = 'private'
         ON CONFLICT (submission, label_version, split) DO NOTHING",
        challenge
    )
    .execute(&mut *transaction)
    .await?;
    touch_board(&mut transaction, challenge).await?;
    transaction.commit().await?;
    Ok(true)
}
