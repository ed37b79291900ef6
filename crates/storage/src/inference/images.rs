//! Whether uploaded pictures can be decoded: workers without other work look, and leave what they find to the organizers.

use super::StoredImages;
use crate::{InferenceDb, StorageError};

/// Takes an uploaded set of images that nobody has looked at, the oldest first, for 30 seconds; where [`hold_check`] does not make
/// them longer, another worker begins anew.
pub async fn take_unchecked(db: &InferenceDb) -> Result<Option<StoredImages>, StorageError> {
    Ok(sqlx::query_as!(
        StoredImages,
        "UPDATE challenge_files
         SET check_leased_until = clock_timestamp() + interval '30 seconds'
         WHERE object_key = (
             SELECT object_key
             FROM challenge_files
             WHERE purpose IN ('test-images', 'validation-images')
               AND checked_at IS NULL
               AND (check_leased_until IS NULL OR check_leased_until < clock_timestamp())
             ORDER BY uploaded_at
             LIMIT 1
             FOR UPDATE SKIP LOCKED
         )
         RETURNING object_key, filename, sha256",
    )
    .fetch_optional(db.pool())
    .await?)
}

/// Says that the worker which took these images is still at them, for 30 seconds from now.
pub async fn hold_check(db: &InferenceDb, images: &StoredImages) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE challenge_files
         SET check_leased_until = clock_timestamp() + interval '30 seconds'
         WHERE object_key = $1 AND checked_at IS NULL",
        images.object_key,
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Whether a set of images has waited a minute for a worker without other work.
pub async fn has_overdue_look(db: &InferenceDb) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT
               FROM challenge_files
               WHERE purpose IN ('test-images', 'validation-images')
                 AND checked_at IS NULL
                 AND (check_leased_until IS NULL OR check_leased_until < clock_timestamp())
                 AND uploaded_at < clock_timestamp() - interval '1 minute'
           ) AS "any!""#,
    )
    .fetch_one(db.pool())
    .await?)
}

/// Writes down what a look at all pictures has found: the sentence that names those that cannot be decoded, or nothing. Images that
/// have been replaced meanwhile are not meant.
pub async fn finish_check(
    db: &InferenceDb,
    images: &StoredImages,
    problem: Option<&str>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE challenge_files
         SET checked_at = clock_timestamp(), check_leased_until = NULL, problem = $2
         WHERE object_key = $1",
        images.object_key,
        problem,
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Leaves a look off, for any worker to begin anew.
pub async fn leave_check(db: &InferenceDb, images: &StoredImages) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE challenge_files SET check_leased_until = NULL WHERE object_key = $1 AND checked_at IS NULL",
        images.object_key,
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Writes down a picture that a model's run has met, unless more is known already.
pub async fn report_picture(
    db: &InferenceDb,
    images: &StoredImages,
    problem: &str,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE challenge_files SET problem = $2 WHERE object_key = $1 AND problem IS NULL",
        images.object_key,
        problem,
    )
    .execute(db.pool())
    .await?;
    Ok(())
}
