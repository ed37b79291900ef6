//! Commitments to hidden labels: made by the scorer, shown by the api, opened when the private scores are out.

use referee_scoring::outcome::Bitmap;
use uuid::Uuid;

use crate::{ApiDb, ScorerDb, StorageError};

/// What everybody may see and keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    pub label_version: i32,
    pub sha256: [u8; 32],
}

/// What, with the labels, makes the commitment again.
#[derive(Clone, Debug)]
pub struct Opening {
    pub salt: [u8; 32],
    /// Lines that end in `\n`.
    pub rules: String,
    pub public_images: Bitmap,
}

/// The commitment to the labels that the board shows; none for a draft, and for a moment after it is published.
pub async fn current(db: &ApiDb, challenge: Uuid) -> Result<Option<Commitment>, StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT version, commitment AS "commitment!"
        FROM label_versions
        JOIN challenges ON challenges.id = label_versions.challenge
        WHERE challenge = $1
          AND version = label_version
          AND commitment IS NOT NULL
        "#,
        challenge,
    )
    .fetch_optional(db.pool())
    .await?;
    row.map(|row| {
        Ok(Commitment {
            label_version: row.version,
            sha256: fixed(row.commitment)?,
        })
    })
    .transpose()
}

/// What opens the commitment to a version; none before the private scores are out or, where all images are public, before the
/// close.
pub async fn open(
    db: &ApiDb,
    challenge: Uuid,
    version: i32,
) -> Result<Option<Opening>, StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT salt AS "salt!", rules AS "rules!", images AS "images!", public_images AS "public_images!"
        FROM open_commitment($1, $2)
        "#,
        challenge,
        version,
    )
    .fetch_optional(db.pool())
    .await?;
    row.map(|row| {
        Ok(Opening {
            salt: fixed(row.salt)?,
            rules: row.rules,
            public_images: Bitmap::from_bytes(
                row.public_images,
                row.images.unsigned_abs() as usize,
            )
            .ok_or(StorageError::Corrupt(
                "a bitmap's length differs from the number of images",
            ))?,
        })
    })
    .transpose()
}

/// Versions in use by a published challenge that nobody has committed to yet.
pub async fn uncommitted(db: &ScorerDb, challenge: Uuid) -> Result<Vec<i32>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT version
         FROM label_versions
         JOIN challenges ON challenges.id = label_versions.challenge
         WHERE challenge = $1
           AND published_at IS NOT NULL
           AND state IN ('sealed', 'current')
           AND commitment IS NULL
         ORDER BY version",
        challenge
    )
    .fetch_all(db.pool())
    .await?)
}

/// The rules that are committed to, as they are now: those that decide what a score is and who stands where.
pub async fn rules(db: &ScorerDb, challenge: Uuid) -> Result<String, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT format(E'primary %s\npublic_fraction %s\nfeedback %s\nranking %s\nfinal_selections %s\n',
                         primary_error, public_fraction, feedback, ranking, final_selections) AS "rules!"
           FROM challenges
           WHERE id = $1"#,
        challenge
    )
    .fetch_one(db.pool())
    .await?)
}

/// Seals salt and rules and shows the commitment. Who comes second changes nothing.
pub async fn commit(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
    salt: &[u8; 32],
    rules: &str,
    sha256: &[u8; 32],
) -> Result<(), StorageError> {
    let mut transaction = db.pool().begin().await?;
    let sealed = sqlx::query!(
        "INSERT INTO sealed.commitments (challenge, version, salt, rules)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (challenge, version) DO NOTHING",
        challenge,
        version,
        salt.as_slice(),
        rules
    )
    .execute(&mut *transaction)
    .await?;
    if sealed.rows_affected() == 1 {
        sqlx::query!(
            "UPDATE label_versions SET commitment = $3 WHERE challenge = $1 AND version = $2",
            challenge,
            version,
            sha256.as_slice()
        )
        .execute(&mut *transaction)
        .await?;
        crate::scorer::touch_board(&mut transaction, challenge).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn fixed(bytes: Vec<u8>) -> Result<[u8; 32], StorageError> {
    bytes.try_into().map_err(|_| {
        StorageError::Corrupt("a hash or salt of a commitment that is not 32 bytes long")
    })
}
