//! The stored files of a challenge: what competitors download, the test images, and the public validation set.

use referee_scoring::ImageOrder;
use referee_scoring::images::ImageList;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{lock, touch_board, wake_scorer};
use crate::objects::Stored;
use crate::{ApiDb, StorageError};

/// What a file of a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "kebab-case")]
pub enum Purpose {
    Download,
    TestImages,
    ValidationImages,
    ValidationLabels,
}

impl Purpose {
    /// The key of the only file of this purpose; a download has one of its own.
    pub fn key(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::TestImages => "test-images",
            Self::ValidationImages => "validation-images",
            Self::ValidationLabels => "validation-labels",
        }
    }
}

/// A file in the object store.
#[derive(Clone, Debug)]
pub struct File {
    pub purpose: Purpose,
    /// Names a download; the purpose in words otherwise.
    pub key: String,
    pub filename: String,
    pub object_key: String,
    pub bytes: i64,
    pub sha256: Vec<u8>,
}

/// Every file of the challenge, by key.
pub async fn files(db: &ApiDb, challenge: Uuid) -> Result<Vec<File>, StorageError> {
    Ok(sqlx::query_as!(
        File,
        r#"
        SELECT purpose AS "purpose: Purpose", key, filename, object_key, bytes, sha256
        FROM challenge_files
        WHERE challenge = $1
        ORDER BY purpose, key
        "#,
        challenge,
    )
    .fetch_all(db.pool())
    .await?)
}

/// A file by what it is for.
pub async fn file(
    db: &ApiDb,
    challenge: Uuid,
    purpose: Purpose,
    key: &str,
) -> Result<Option<File>, StorageError> {
    Ok(sqlx::query_as!(
        File,
        r#"
        SELECT purpose AS "purpose: Purpose", key, filename, object_key, bytes, sha256
        FROM challenge_files
        WHERE challenge = $1
          AND purpose = $2
          AND key = $3
        "#,
        challenge,
        purpose as Purpose,
        key,
    )
    .fetch_optional(db.pool())
    .await?)
}

/// What inference workers have found wrong with the challenge's test images and validation images: pictures that cannot be decoded.
pub async fn image_problems(
    db: &ApiDb,
    challenge: Uuid,
) -> Result<Vec<(Purpose, String)>, StorageError> {
    let rows = sqlx::query!(
        r#"
        SELECT purpose AS "purpose: Purpose", problem AS "problem!"
        FROM challenge_files
        WHERE challenge = $1
          AND problem IS NOT NULL
        ORDER BY purpose
        "#,
        challenge,
    )
    .fetch_all(db.pool())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.purpose, row.problem))
        .collect())
}

/// Whether there are pictures that no inference worker has looked at since they were uploaded.
pub async fn has_unseen_pictures(db: &ApiDb, challenge: Uuid) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT
            FROM challenge_files
            WHERE challenge = $1
              AND purpose IN ('test-images', 'validation-images')
              AND checked_at IS NULL
        ) AS "any!"
        "#,
        challenge,
    )
    .fetch_one(db.pool())
    .await?)
}

/// What a file holds, as far as looking at it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Files of images, each of which must be decoded to know that it can be.
    Pictures,
    /// Anything else: what is wrong with it shows when it is received.
    Plain,
}

impl Content {
    /// Of a set of images with these sizes, if they are files of a tar.
    pub fn of_images(sizes: Option<&[i64]>) -> Self {
        match sizes {
            Some(_) => Self::Pictures,
            None => Self::Plain,
        }
    }
}

/// Adds a file or puts it in the place of the one with the same purpose and key, whose object the sweep then removes.
/// Whether it is new.
pub async fn put_file(
    db: &ApiDb,
    challenge: Uuid,
    purpose: Purpose,
    key: &str,
    filename: &str,
    stored: &Stored,
    content: Content,
) -> Result<bool, StorageError> {
    let mut transaction = db.begin().await?;
    let is_new = upsert(
        &mut transaction,
        challenge,
        purpose,
        key,
        filename,
        stored,
        content,
    )
    .await?;
    touch_board(&mut transaction, challenge).await?;
    transaction.commit().await?;
    Ok(is_new)
}

/// What became of test images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestImages {
    /// In use; whether they are the challenge's first.
    Stored { is_new: bool },
    /// The challenge is published with this many.
    OtherCount(i32),
    /// The challenge counts its images in another order by now.
    OtherOrder,
    /// The challenge is published and its images have other names.
    OtherNames,
    /// The challenge is published with images that have no names.
    NewNames,
}

/// Makes `stored` the test images of a challenge, which were read in this order. `sizes`: the encoded bytes of each, where they are
/// files of a tar.
pub async fn put_test_images(
    db: &ApiDb,
    slug: &str,
    filename: &str,
    stored: &Stored,
    images: &ImageList,
    order: Option<ImageOrder>,
    sizes: Option<&[i64]>,
) -> Result<TestImages, StorageError> {
    let mut transaction = db.begin().await?;
    let challenge = lock(&mut transaction, slug)
        .await?
        .ok_or(StorageError::Corrupt(
            "a challenge is gone, which nothing deletes",
        ))?;
    if challenge.settings.image_order != order {
        return Ok(TestImages::OtherOrder);
    }
    let is_published = challenge.published_at.is_some();
    let count = i32::try_from(images.len())
        .map_err(|_| StorageError::Corrupt("more test images than a challenge can have"))?;
    if let Some(before) = challenge.images
        && before != count
        && is_published
    {
        return Ok(TestImages::OtherCount(before));
    }
    let names_before = sqlx::query_scalar!(
        "SELECT image_names FROM challenges WHERE id = $1",
        challenge.id
    )
    .fetch_one(&mut *transaction)
    .await?;
    let other_names = names_before.as_deref() != images.names();
    if is_published && other_names {
        return Ok(match names_before {
            Some(_) => TestImages::OtherNames,
            // Names may say what is on the images, and everybody could read them before the scorer has looked.
            None => TestImages::NewNames,
        });
    }
    sqlx::query!(
        r#"
        UPDATE challenges
        SET images = $2,
            image_names = $3,
            image_sizes = $4,
            label_leak_checked = false,
            facts_revision = facts_revision + 1
        WHERE id = $1
        "#,
        challenge.id,
        count,
        images.names(),
        sizes,
    )
    .execute(&mut *transaction)
    .await?;
    let purpose = Purpose::TestImages;
    let is_new = upsert(
        &mut transaction,
        challenge.id,
        purpose,
        "test-images",
        filename,
        stored,
        Content::of_images(sizes),
    )
    .await?;
    touch_board(&mut transaction, challenge.id).await?;
    wake_scorer(&mut transaction, challenge.id).await?;
    transaction.commit().await?;
    Ok(TestImages::Stored { is_new })
}

async fn upsert(
    connection: &mut PgConnection,
    challenge: Uuid,
    purpose: Purpose,
    key: &str,
    filename: &str,
    stored: &Stored,
    content: Content,
) -> Result<bool, StorageError> {
    let bytes = i64::try_from(stored.bytes)
        .map_err(|_| StorageError::Corrupt("a file longer than 2^63 bytes"))?;
    Ok(sqlx::query_scalar!(
        r#"
        INSERT INTO challenge_files (challenge, purpose, key, filename, object_key, bytes, sha256, checked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN NULL ELSE now() END)
        ON CONFLICT (challenge, purpose, key) DO UPDATE
        SET filename = excluded.filename,
            object_key = excluded.object_key,
            bytes = excluded.bytes,
            sha256 = excluded.sha256,
            uploaded_at = now(),
            checked_at = excluded.checked_at,
            check_leased_until = NULL,
            problem = NULL
        RETURNING xmax = 0 AS "is_new!"
        "#,
        challenge,
        purpose as Purpose,
        key,
        filename,
        stored.key,
        bytes,
        stored.sha256.as_slice(),
        content == Content::Pictures,
    )
    .fetch_one(connection)
    .await?)
}
