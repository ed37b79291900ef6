use futures::TryStreamExt;
use referee_scoring::classes::{Class, ClassEntry, ClassList};
use referee_scoring::images::ImageList;
use referee_scoring::labels::Labels;
use referee_scoring::outcome::Bitmap;
use serde::Deserialize;
use uuid::Uuid;

use super::outcome::store_rescored;
use super::{Claim, Judged, lock_challenge, touch_board};
use crate::{ScorerDb, StorageError};

/// To the team of a submission that could not be scored under new labels.
const NOT_RESCORED: &str = "The labels changed and this file could not be read again, so it has no score under them. \
    It is tried again from time to time; tell the organizers.";

/// What is public about a challenge and needed to read a submission's file.
#[derive(Clone, Debug)]
pub struct ChallengeFacts {
    pub classes: ClassList,
    pub images: ImageList,
    /// Encoded bytes of each test image, where they are files.
    pub image_sizes: Option<Vec<u64>>,
    pub public_fraction: f64,
    pub leak_checked: bool,
    /// Of classes, images and labels: another number, other facts.
    pub revision: i32,
}

#[derive(Deserialize)]
struct StoredClass {
    name: String,
    id: Option<String>,
}

/// `None` while the challenge has no test set yet.
pub async fn facts(db: &ScorerDb, challenge: Uuid) -> Result<Option<ChallengeFacts>, StorageError> {
    let row = sqlx::query!(
        "SELECT classes, images, image_names, image_sizes, public_fraction, label_leak_checked,
                facts_revision
         FROM challenges
         WHERE id = $1",
        challenge
    )
    .fetch_one(db.pool())
    .await?;
    let Some(images) = row.images else {
        return Ok(None);
    };
    let classes: Vec<StoredClass> = serde_json::from_value(row.classes)?;
    let classes = classes
        .into_iter()
        .map(|class| ClassEntry {
            name: class.name,
            id: class.id,
        })
        .collect();
    Ok(Some(ChallengeFacts {
        classes: ClassList::new(classes)
            .map_err(|_| StorageError::Corrupt("a stored class list is not valid"))?,
        images: match row.image_names {
            Some(names) => ImageList::named(names)
                .map_err(|_| StorageError::Corrupt("a stored image list is not valid"))?,
            None => ImageList::ordinals(images.unsigned_abs() as usize),
        },
        image_sizes: row
            .image_sizes
            .map(|sizes| sizes.into_iter().map(i64::unsigned_abs).collect()),
        public_fraction: row.public_fraction,
        leak_checked: row.label_leak_checked,
        revision: row.facts_revision,
    }))
}

/// The revision of what [`facts`] reads.
pub async fn facts_revision(db: &ScorerDb, challenge: Uuid) -> Result<i32, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT facts_revision FROM challenges WHERE id = $1",
        challenge
    )
    .fetch_one(db.pool())
    .await?)
}

/// The version that the board shows.
pub async fn current_version(db: &ScorerDb, challenge: Uuid) -> Result<Option<i32>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT label_version FROM challenges WHERE id = $1",
        challenge
    )
    .fetch_one(db.pool())
    .await?)
}

/// The labels of a version, by ordinal. `None` where an ordinal is missing or the count is not the version's.
pub async fn labels(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
) -> Result<Option<Labels>, StorageError> {
    let expected = sqlx::query_scalar!(
        "SELECT images FROM label_versions WHERE challenge = $1 AND version = $2",
        challenge,
        version
    )
    .fetch_one(db.pool())
    .await?;
    let mut rows = sqlx::query!(
        "SELECT ordinal, labels
         FROM sealed.labels
         WHERE challenge = $1 AND version = $2
         ORDER BY ordinal",
        challenge,
        version
    )
    .fetch(db.pool());
    let mut sets: Vec<Vec<Class>> = Vec::with_capacity(expected.unsigned_abs() as usize);
    while let Some(row) = rows.try_next().await? {
        if usize::try_from(row.ordinal) != Ok(sets.len()) {
            return Ok(None);
        }
        sets.push(
            row.labels
                .into_iter()
                .map(|class| Class(class.unsigned_abs()))
                .collect(),
        );
    }
    Ok((sets.len() == expected.unsigned_abs() as usize)
        .then(|| Labels::from_sets(sets.into_iter())))
}

/// Which images are public. `None` until the first version is sealed.
pub async fn split(db: &ScorerDb, challenge: Uuid) -> Result<Option<Bitmap>, StorageError> {
    let row = sqlx::query!(
        "SELECT images, public_images FROM sealed.splits WHERE challenge = $1",
        challenge
    )
    .fetch_optional(db.pool())
    .await?;
    row.map(|row| super::outcome::bitmap(row.public_images, row.images.unsigned_abs() as usize))
        .transpose()
}

/// Splits the test set. A split is kept for good, until a draft's test set gets another size; read back with [`split`]
/// which one holds.
pub async fn add_split(
    db: &ScorerDb,
    challenge: Uuid,
    key: &[u8; 32],
    public_images: &Bitmap,
) -> Result<(), StorageError> {
    let images = i32::try_from(public_images.len())
        .map_err(|_| StorageError::Corrupt("more images than a split can hold"))?;
    sqlx::query!(
        "INSERT INTO sealed.splits (challenge, key, images, public_images)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (challenge) DO UPDATE
         SET key = excluded.key, images = excluded.images, public_images = excluded.public_images
         WHERE splits.images <> excluded.images
           AND EXISTS (SELECT FROM challenges WHERE id = $1 AND published_at IS NULL)",
        challenge,
        key.as_slice(),
        images,
        public_images.as_bytes()
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// A version that is not on the board yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelVersion {
    pub version: i32,
    pub is_sealed: bool,
    pub copy_of: Option<i32>,
}

/// Versions that were uploaded, or sealed but not yet shown, oldest first.
pub async fn versions_in_work(
    db: &ScorerDb,
    challenge: Uuid,
) -> Result<Vec<LabelVersion>, StorageError> {
    Ok(sqlx::query_as!(
        LabelVersion,
        r#"SELECT version, state = 'sealed' AS "is_sealed!", copy_of
           FROM label_versions
           WHERE challenge = $1 AND state IN ('uploaded', 'sealed')
           ORDER BY version"#,
        challenge
    )
    .fetch_all(db.pool())
    .await?)
}

/// Fills a version that is to be the same as an earlier one. Doing it twice changes nothing.
pub async fn copy_labels(
    db: &ScorerDb,
    challenge: Uuid,
    from: i32,
    to: i32,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO sealed.labels (challenge, version, ordinal, labels)
         SELECT challenge, $3, ordinal, labels
         FROM sealed.labels
         WHERE challenge = $1 AND version = $2
         ON CONFLICT (challenge, version, ordinal) DO NOTHING",
        challenge,
        from,
        to
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Takes the labels of a draft off its board when its test set has got another size; whether it had to.
pub async fn retire_unfit(db: &ScorerDb, challenge: Uuid) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let retired = sqlx::query!(
        "UPDATE label_versions v
         SET state = 'superseded'
         FROM challenges c
         WHERE c.id = $1
           AND c.published_at IS NULL
           AND v.challenge = c.id
           AND v.version = c.label_version
           AND v.images <> c.images",
        challenge
    )
    .execute(&mut *transaction)
    .await?;
    if retired.rows_affected() == 0 {
        return Ok(false);
    }
    lock_challenge(&mut transaction, challenge).await?;
    sqlx::query!(
        "UPDATE challenges SET label_version = NULL WHERE id = $1",
        challenge
    )
    .execute(&mut *transaction)
    .await?;
    touch_board(&mut transaction, challenge).await?;
    transaction.commit().await?;
    Ok(true)
}

/// From now on submissions are scored under this version too.
pub async fn seal(db: &ScorerDb, challenge: Uuid, version: i32) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE label_versions SET state = 'sealed' WHERE challenge = $1 AND version = $2 AND state = 'uploaded'",
        challenge,
        version
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// The version cannot be used.
pub async fn refuse(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
    problem: &str,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE label_versions SET state = 'refused', problem = $3 WHERE challenge = $1 AND version = $2 AND state = 'uploaded'",
        challenge,
        version,
        problem
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// What the leak check found in a revision of the facts: a sentence, or nothing. It says nothing about a later one.
pub async fn mark_leak(
    db: &ScorerDb,
    challenge: Uuid,
    revision: i32,
    finding: Option<&str>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE challenges SET label_leak = $3, label_leak_checked = true WHERE id = $1 AND facts_revision = $2",
        challenge,
        revision,
        finding
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Scored submissions without an outcome under `version`, in the order in which they were scored first, at most `limit`,
/// without those in `left_out`.
pub async fn unscored(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
    left_out: &[Uuid],
    limit: i64,
) -> Result<Vec<Claim>, StorageError> {
    Ok(sqlx::query_as!(
        Claim,
        r#"SELECT s.id AS submission, s.attempt, false AS "has_waited!", s.challenge, s.team, s.entry = 'baseline' AS "is_baseline!",
                  coalesce(s.record_key, s.object_key) AS "object_key!", s.bytes,
                  coalesce((s.form ->> 'boxes')::boolean, false) AS "boxes!"
           FROM submissions s
           LEFT JOIN sealed.outcomes o ON o.submission = s.id AND o.label_version = $2
           WHERE s.challenge = $1
             AND s.status = 'scored'
             AND o.submission IS NULL
             AND NOT s.id = ANY ($3)
           ORDER BY s.scored_seq
           LIMIT $4"#,
        challenge,
        version,
        left_out,
        limit
    )
    .fetch_all(db.pool())
    .await?)
}

/// Adds the outcome of an already scored submission under a version that it has none under. Call it in the order of
/// [`unscored`], so that ladders are replayed as they went.
pub async fn add_outcome(
    db: &ScorerDb,
    claim: &Claim,
    judged: &Judged,
) -> Result<(), StorageError> {
    let mut transaction = db.pool().begin().await?;
    let is_shown = store_rescored(&mut transaction, claim, judged).await?;
    sqlx::query!(
        "UPDATE submissions
         SET notices = (SELECT coalesce(jsonb_agg(notice), '[]')
                        FROM jsonb_array_elements(notices) AS notice
                        WHERE notice ->> 'code' <> 'not-rescored')
         WHERE id = $1
           AND notices @> '[{\"code\": \"not-rescored\"}]'",
        claim.submission
    )
    .execute(&mut *transaction)
    .await?;
    // The board last, as whoever else changes a submission does.
    if is_shown {
        touch_board(&mut transaction, claim.challenge).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Shows `version` on the board, if every scored submission has an outcome under it. Else `false`: score the rest first.
/// Nothing happens where it was shown before: a worker that was cut off for a while must not bring it back in the place of
/// a later one.
///
/// Those in `left_out` could not be scored again. They leave the board with the version before, are told so by a notice,
/// and come back as soon as [`add_outcome`] is called for them.
pub async fn flip(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
    left_out: &[Uuid],
) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    lock_challenge(&mut transaction, challenge).await?;
    let is_to_come = sqlx::query_scalar!(
        r#"SELECT state = 'sealed' AS "is_to_come!" FROM label_versions WHERE challenge = $1 AND version = $2"#,
        challenge,
        version
    )
    .fetch_one(&mut *transaction)
    .await?;
    if !is_to_come {
        return Ok(true);
    }
    let is_complete = sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (
               SELECT
               FROM submissions s
               LEFT JOIN sealed.outcomes o ON o.submission = s.id AND o.label_version = $2
               WHERE s.challenge = $1 AND s.status = 'scored' AND o.submission IS NULL AND NOT s.id = ANY ($3)
           ) AS "is_complete!""#,
        challenge,
        version,
        left_out
    )
    .fetch_one(&mut *transaction)
    .await?;
    if !is_complete {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE label_versions
         SET state = CASE WHEN version = $2 THEN 'current' ELSE 'superseded' END,
             current_at = CASE WHEN version = $2 THEN clock_timestamp() ELSE current_at END
         WHERE challenge = $1 AND version <= $2 AND state IN ('sealed', 'current')",
        challenge,
        version
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "UPDATE challenges SET label_version = $2 WHERE id = $1",
        challenge,
        version
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "UPDATE submissions
         SET notices = notices || jsonb_build_array(jsonb_build_object('code', 'not-rescored', 'detail', $2::text))
         WHERE id = ANY ($1)
           AND NOT notices @> '[{\"code\": \"not-rescored\"}]'",
        left_out,
        NOT_RESCORED
    )
    .execute(&mut *transaction)
    .await?;
    touch_board(&mut transaction, challenge).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Challenges whose labels or images changed while no scorer listened.
pub async fn untended_challenges(db: &ScorerDb) -> Result<Vec<Uuid>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT c.id
           FROM challenges c
           WHERE EXISTS (SELECT FROM label_versions v WHERE v.challenge = c.id AND v.state IN ('uploaded', 'sealed'))
              OR (NOT c.label_leak_checked AND c.label_version IS NOT NULL)"#
    )
    .fetch_all(db.pool())
    .await?)
}

/// Challenges with a board. A scorer that starts looks after each once: what it follows from may have been lost with the
/// one before it.
pub async fn challenges_with_boards(db: &ScorerDb) -> Result<Vec<Uuid>, StorageError> {
    Ok(
        sqlx::query_scalar!("SELECT id FROM challenges WHERE label_version IS NOT NULL")
            .fetch_all(db.pool())
            .await?,
    )
}

/// Challenges with submissions that were left out when the labels changed: their files may be back.
pub async fn challenges_with_left_out(db: &ScorerDb) -> Result<Vec<Uuid>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT challenge
           FROM submissions
           WHERE notices @> '[{"code": "not-rescored"}]'"#
    )
    .fetch_all(db.pool())
    .await?)
}

/// Tells the scorers to look after a challenge in half a minute, unless they are told already.
pub async fn look_again(db: &ScorerDb, challenge: Uuid) -> Result<(), StorageError> {
    sqlx::query(
        "SELECT enqueue_challenge($1, now() + interval '30 seconds')
         WHERE NOT EXISTS (
             SELECT
             FROM graphile_worker._private_jobs
             WHERE key = 'challenge:' || $1
               AND (locked_at IS NOT NULL OR attempts < max_attempts)
         )",
    )
    .bind(challenge)
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Tells the scorers to look after a challenge.
pub async fn wake(db: &ScorerDb, challenge: Uuid) -> Result<(), StorageError> {
    sqlx::query!("SELECT enqueue_challenge($1)", challenge)
        .execute(db.pool())
        .await?;
    Ok(())
}

/// The same for a challenge that may have been told already: a job that waits for its next try goes on waiting, for a minute at
/// most.
pub async fn remind(db: &ScorerDb, challenge: Uuid) -> Result<(), StorageError> {
    sqlx::query(
        "WITH sooner AS (
             UPDATE graphile_worker._private_jobs
             SET run_at = now() + interval '1 minute'
             WHERE key = 'challenge:' || $1
               AND locked_at IS NULL
               AND run_at > now() + interval '1 minute'
         )
         SELECT enqueue_challenge($1)
         WHERE NOT EXISTS (
             SELECT
             FROM graphile_worker._private_jobs
             WHERE key = 'challenge:' || $1
               AND (locked_at IS NOT NULL OR attempts < max_attempts)
         )",
    )
    .bind(challenge)
    .execute(db.pool())
    .await?;
    Ok(())
}
