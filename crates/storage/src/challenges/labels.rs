//! Hidden labels on their way in. The api role may add them and can never read them back.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use referee_scoring::ImageOrder;
use referee_scoring::classes::ClassList;
use referee_scoring::images::ImageList;
use referee_scoring::labels::Labels;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{lock, touch_board, wake_scorer};
use crate::{ApiDb, StorageError};

/// Where a version of the labels is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum LabelState {
    /// The scorer has not looked at it yet.
    Uploaded,
    /// Checked and split; submissions are being scored under it.
    Sealed,
    /// The board shows it.
    Current,
    Superseded,
    /// Could not be used; `problem` says why.
    Refused,
}

/// What is public about a version of the labels.
#[derive(Clone, Debug)]
pub struct LabelVersion {
    pub version: i32,
    pub images: i32,
    pub state: LabelState,
    pub problem: Option<String>,
    /// The version whose labels were scored anew.
    pub copy_of: Option<i32>,
    /// The handle of who uploaded it or asked for the rescore.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// When the board first showed it.
    pub current_at: Option<DateTime<Utc>>,
}

/// All versions, newest first.
pub async fn versions(db: &ApiDb, challenge: Uuid) -> Result<Vec<LabelVersion>, StorageError> {
    newest_first(db, challenge, None).await
}

/// The version that was uploaded last.
pub async fn newest(db: &ApiDb, challenge: Uuid) -> Result<Option<LabelVersion>, StorageError> {
    Ok(newest_first(db, challenge, Some(1)).await?.pop())
}

async fn newest_first(
    db: &ApiDb,
    challenge: Uuid,
    limit: Option<i64>,
) -> Result<Vec<LabelVersion>, StorageError> {
    Ok(sqlx::query_as!(
        LabelVersion,
        r#"
        SELECT version, images, state AS "state: LabelState", problem, copy_of,
               (SELECT handle FROM users WHERE id = created_by) AS "created_by!", created_at, current_at
        FROM label_versions
        WHERE challenge = $1
        ORDER BY version DESC
        LIMIT $2
        "#,
        challenge,
        limit,
    )
    .fetch_all(db.pool())
    .await?)
}

/// Whether the labels last uploaded were read with the classes and image names that hold now. To score them anew is not to
/// read them anew.
pub async fn newest_is_fresh(db: &ApiDb, challenge: Uuid) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT labels_stale_since IS NULL
               OR EXISTS (
                   SELECT
                   FROM label_versions
                   WHERE challenge = challenges.id
                     AND copy_of IS NULL
                     AND state <> 'refused'
                     AND created_at > labels_stale_since
               ) AS "is_fresh!"
        FROM challenges
        WHERE id = $1
        "#,
        challenge,
    )
    .fetch_one(db.pool())
    .await?)
}

/// Whether the file of labels says which images there are: in a draft without image files. Else the images do.
pub async fn define_images(db: &ApiDb, challenge: Uuid) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT published_at IS NULL
               AND NOT EXISTS (SELECT FROM challenge_files WHERE challenge = $1 AND purpose = 'test-images') AS "define!"
        FROM challenges
        WHERE id = $1
        "#,
        challenge,
    )
    .fetch_one(db.pool())
    .await?)
}

/// What became of uploaded labels.
pub enum Added {
    New(LabelVersion),
    /// The newest version was read from the same file.
    Same(LabelVersion),
    /// The challenge's classes or images changed after the file was read; read it again.
    FactsChanged,
}

/// What a file of labels was read with: the challenge's classes, and its images and their order, or those that the file defined.
pub struct ReadWith<'a> {
    pub classes: &'a ClassList,
    pub images: &'a ImageList,
    pub order: Option<ImageOrder>,
}

/// Adds a version of the labels and wakes the scorer, in one transaction. `digest` fingerprints the file and what it was read with.
pub async fn add(
    db: &ApiDb,
    slug: &str,
    uploader: Uuid,
    digest: &[u8; 32],
    labels: &Labels,
    ReadWith {
        classes,
        images,
        order,
    }: ReadWith<'_>,
) -> Result<Added, StorageError> {
    let mut transaction = db.begin().await?;
    let challenge = lock(&mut transaction, slug)
        .await?
        .ok_or(StorageError::Corrupt(
            "a challenge is gone, which nothing deletes",
        ))?;
    if let Some(same) = newest_with_digest(&mut transaction, challenge.id, digest).await? {
        return Ok(Added::Same(same));
    }
    if challenge.settings.classes != classes.entries() || challenge.settings.image_order != order {
        return Ok(Added::FactsChanged);
    }
    let count = i32::try_from(labels.len())
        .map_err(|_| StorageError::Corrupt("more test images than a challenge can have"))?;
    let agreed = sqlx::query_scalar!(
        r#"
        UPDATE challenges
        SET images = $2,
            image_names = $3,
            label_leak_checked = false,
            facts_revision = facts_revision + 1
        WHERE id = $1
          AND (
              images IS NULL
              OR images = $2 AND image_names IS NOT DISTINCT FROM $3
              OR published_at IS NULL
                 AND NOT EXISTS (SELECT FROM challenge_files WHERE challenge = $1 AND purpose = 'test-images')
          )
        RETURNING id
        "#,
        challenge.id,
        count,
        images.names(),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if agreed.is_none() {
        return Ok(Added::FactsChanged);
    }
    let added = sqlx::query_scalar!(
        r#"SELECT add_label_version($1, $2, $3, $4) AS "version!""#,
        challenge.id,
        count,
        digest,
        uploader,
    )
    .fetch_one(&mut *transaction)
    .await?;
    copy_in(&mut transaction, challenge.id, added, labels).await?;
    let version = version(&mut transaction, challenge.id, added).await?;
    touch_board(&mut transaction, challenge.id).await?;
    wake_scorer(&mut transaction, challenge.id).await?;
    transaction.commit().await?;
    Ok(Added::New(version))
}

/// Adds a version with the labels that the board shows, so that everything is scored anew; `None` where it shows none. Where
/// later labels are on their way to it, with those: a version with the ones before would take the board from them. None either
/// where the classes or the images' names have changed since: those labels may not be scored with any more.
pub async fn rescore(
    db: &ApiDb,
    slug: &str,
    organizer: Uuid,
) -> Result<Option<LabelVersion>, StorageError> {
    let mut transaction = db.begin().await?;
    let challenge = lock(&mut transaction, slug)
        .await?
        .ok_or(StorageError::Corrupt(
            "a challenge is gone, which nothing deletes",
        ))?;
    let added = sqlx::query_scalar!("SELECT add_rescore($1, $2)", challenge.id, organizer)
        .fetch_one(&mut *transaction)
        .await?;
    let Some(added) = added else {
        return Ok(None);
    };
    let version = version(&mut transaction, challenge.id, added).await?;
    touch_board(&mut transaction, challenge.id).await?;
    wake_scorer(&mut transaction, challenge.id).await?;
    transaction.commit().await?;
    Ok(Some(version))
}

async fn newest_with_digest(
    connection: &mut PgConnection,
    challenge: Uuid,
    digest: &[u8; 32],
) -> Result<Option<LabelVersion>, StorageError> {
    Ok(sqlx::query_as!(
        LabelVersion,
        r#"
        SELECT version, images, state AS "state: LabelState", problem, copy_of,
               (SELECT handle FROM users WHERE id = created_by) AS "created_by!", created_at, current_at
        FROM label_versions
        WHERE challenge = $1
          AND version = (SELECT max(version) FROM label_versions WHERE challenge = $1)
          AND digest = $2
          AND state <> 'refused'
          AND NOT EXISTS (
              SELECT FROM challenges WHERE id = $1 AND labels_stale_since >= label_versions.created_at
          )
        "#,
        challenge,
        digest,
    )
    .fetch_optional(connection)
    .await?)
}

async fn version(
    connection: &mut PgConnection,
    challenge: Uuid,
    version: i32,
) -> Result<LabelVersion, StorageError> {
    Ok(sqlx::query_as!(
        LabelVersion,
        r#"
        SELECT version, images, state AS "state: LabelState", problem, copy_of,
               (SELECT handle FROM users WHERE id = created_by) AS "created_by!", created_at, current_at
        FROM label_versions
        WHERE challenge = $1
          AND version = $2
        "#,
        challenge,
        version,
    )
    .fetch_one(connection)
    .await?)
}

/// PostgreSQL's text format, sent in pieces of about this many bytes.
const PIECE: usize = 1 << 20;

async fn copy_in(
    connection: &mut PgConnection,
    challenge: Uuid,
    version: i32,
    labels: &Labels,
) -> Result<(), StorageError> {
    let mut copy = connection
        .copy_in_raw("COPY sealed.labels (challenge, version, ordinal, labels) FROM STDIN")
        .await?;
    let mut piece = String::with_capacity(PIECE + 1024);
    for (ordinal, set) in labels.iter().enumerate() {
        let classes: Vec<String> = set.iter().map(|class| class.0.to_string()).collect();
        writeln!(
            piece,
            "{challenge}\t{version}\t{ordinal}\t{{{}}}",
            classes.join(",")
        )
        .expect("writing to a String never fails");
        if piece.len() >= PIECE {
            copy.send(piece.as_bytes()).await?;
            piece.clear();
        }
    }
    copy.send(piece.as_bytes()).await?;
    copy.finish().await?;
    Ok(())
}
