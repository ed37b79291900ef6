use futures::TryStreamExt;
use referee_scoring::classes::{Class, ClassList, WiderClasses};
use referee_scoring::images::ImageList;
use referee_scoring::labels::Labels;
use referee_scoring::outcome::Bitmap;
use uuid::Uuid;

use super::changed_scores::tell_of_changed_scores;
use super::outcome::store_rescored;
use super::{Claim, Judged, lock_challenge, touch_board};
use crate::challenges::class_lists;
use crate::{ScorerDb, StorageError};

/// To the team of a submission that could not be scored under new labels.
const NOT_RESCORED: &str = "The labels changed and this file could not be read again, so it has no score under them. \
    It is tried again from time to time; tell the organizers.";

/// What is public about a challenge and needed to read a submission's file.
#[derive(Clone, Debug)]
pub struct ChallengeFacts {
    pub classes: ClassList,
    /// A longer list, which files and records are over.
    pub wider: Option<WiderClasses>,
    pub images: ImageList,
    pub public_fraction: f64,
    /// Of classes, images and labels: another number, other facts.
    pub revision: i32,
}

/// `None` while the challenge has no test set yet.
pub async fn facts(db: &ScorerDb, challenge: Uuid) -> Result<Option<ChallengeFacts>, StorageError> {
    let row = sqlx::query!(
        "SELECT classes, wider_classes, images, image_names, public_fraction, facts_revision
         FROM challenges
         WHERE id = $1",
        challenge
    )
    .fetch_one(db.pool())
    .await?;
    let Some(images) = row.images else {
        return Ok(None);
    };
    let (classes, wider) = class_lists(
        serde_json::from_value(row.classes)?,
        row.wider_classes.map(serde_json::from_value).transpose()?,
    )?;
    Ok(Some(ChallengeFacts {
        classes,
        wider,
        images: match row.image_names {
            Some(names) => ImageList::named(names)
                .map_err(|_| StorageError::Corrupt("a stored image list is not valid"))?,
            None => ImageList::ordinals(images.unsigned_abs() as usize),
        },
        public_fraction: row.public_fraction,
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

/// Fills a version that is to be the same as an earlier one: with all of it, or, where that is done already, with nothing.
/// The two are never mixed.
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
         WHERE challenge = $1
           AND version = $2
           AND NOT EXISTS (SELECT FROM sealed.labels WHERE challenge = $1 AND version = $3)",
        challenge,
        from,
        to
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Takes the labels of a draft out of use when its test set has got another size, or other classes or image names than they
/// were read with; whether it had to.
pub async fn retire_unfit(db: &ScorerDb, challenge: Uuid) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let retired = sqlx::query_scalar!(
        "UPDATE label_versions v
         SET state = 'superseded'
         FROM challenges c
         WHERE c.id = $1
           AND c.published_at IS NULL
           AND v.challenge = c.id
           AND v.state IN ('sealed', 'current')
           AND (v.images <> c.images OR v.created_at <= c.labels_stale_since)
         RETURNING v.version",
        challenge
    )
    .fetch_all(&mut *transaction)
    .await?;
    if retired.is_empty() {
        return Ok(false);
    }
    lock_challenge(&mut transaction, challenge).await?;
    sqlx::query!(
        "UPDATE challenges SET label_version = NULL WHERE id = $1 AND label_version = ANY ($2)",
        challenge,
        &retired
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

/// Why labels cannot be used: the whole list, without a number, so that no sentence can tell of a label or of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelRefusal {
    NotWhole,
    OtherCount,
    Stale,
    NothingLabelled,
    SideWithoutLabels,
}

impl LabelRefusal {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotWhole => "the labels did not arrive whole; upload the file again",
            Self::OtherCount => {
                "there are more or fewer labels than test images; upload one row per image"
            }
            Self::Stale => {
                "the classes or the test images changed after these labels were read; upload the file again"
            }
            Self::NothingLabelled => referee_scoring::split::NO_LABEL,
            Self::SideWithoutLabels => {
                "the public or the private images would be without a label; label more images, or choose another public_fraction"
            }
        }
    }
}

/// Whether a version was read with the classes and image names that hold now. Asked after [`facts`], it speaks for those.
pub async fn labels_are_fresh(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
) -> Result<bool, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT labels_are_fresh($1, $2) AS "fresh!""#,
        challenge,
        version
    )
    .fetch_one(db.pool())
    .await?)
}

/// The version cannot be used.
pub async fn refuse(
    db: &ScorerDb,
    challenge: Uuid,
    version: i32,
    refusal: LabelRefusal,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE label_versions SET state = 'refused', problem = $3 WHERE challenge = $1 AND version = $2 AND state = 'uploaded'",
        challenge,
        version,
        refusal.sentence()
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
                  CASE WHEN s.record_key IS NULL THEN s.sha256 ELSE s.record_sha256 END AS sha256,
                  coalesce((s.form ->> 'boxes')::boolean, false) AS "boxes!",
                  coalesce(s.record_key IS NULL AND s.form ->> 'classes' = 'challenge', false) AS "own_classes!"
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
    if is_shown {
        tell_of_changed_scores(&mut transaction, claim.challenge, Some(claim.submission)).await?;
    }
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
    tell_of_changed_scores(&mut transaction, challenge, None).await?;
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
              OR (NOT c.label_leak_checked AND c.label_version IS NOT NULL AND c.published_at IS NULL)
              OR c.published_at IS NOT NULL
                 AND EXISTS (SELECT FROM label_versions v WHERE v.challenge = c.id AND v.state = 'current' AND v.commitment IS NULL)"#
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
