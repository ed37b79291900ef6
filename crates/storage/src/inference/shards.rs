use serde_json::Value;

use super::Part;
use super::claim::forget_shards;
use crate::objects::Stored;
use crate::trouble::MAX_LOSSES;
use crate::{InferenceDb, StorageError};

/// Test images `first..first + count`, this worker's for as long as it renews the lease (ten seconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub first: usize,
    pub count: usize,
    pub lease: i32,
    losses: i32,
}

impl Shard {
    /// It was lost too often: whatever runs it dies of it.
    pub fn is_hopeless(&self) -> bool {
        self.losses >= MAX_LOSSES
    }
}

/// What a worker has found out about a model before its first test image.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The contract's `model` object.
    pub model: Value,
    /// `[{code, detail}]`
    pub notices: Value,
    /// The recipe in use.
    pub preprocess: Value,
    /// `{layers, filters}`
    pub layers: Value,
}

/// Writes the findings down and splits the test images into ranges of `images_per_shard`, unless an earlier attempt did.
///
/// From here on hidden images are looked at: with private ones the submission counts against the quota, however it ends.
/// `false`: the attempt is over.
pub async fn plan(
    db: &InferenceDb,
    part: &Part,
    findings: &Findings,
    images: usize,
    images_per_shard: usize,
) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let total = integer(images)?;
    let mine = sqlx::query!(
        "UPDATE submissions s
         SET model = $3, notices = $4, preprocess = $5, stage = 'running', progress_at = clock_timestamp(),
             progress_done = 0, progress_total = $6, losses = 0, waiting_for = NULL, waiting_since = NULL,
             hidden_images_at = coalesce(s.hidden_images_at, CASE WHEN c.public_images THEN NULL ELSE clock_timestamp() END)
         FROM challenges c
         WHERE s.id = $1 AND s.attempt = $2 AND s.status = 'running' AND s.withdrawn_at IS NULL
           AND c.id = s.challenge",
        part.submission,
        part.attempt,
        findings.model,
        findings.notices,
        findings.preprocess,
        i64::from(total)
    )
    .execute(&mut *transaction)
    .await?;
    if mine.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO model_layers (submission, document)
         VALUES ($1, $2)
         ON CONFLICT (submission) DO UPDATE SET document = excluded.document",
        part.submission,
        findings.layers
    )
    .execute(&mut *transaction)
    .await?;
    forget_shards(&mut transaction, part.submission).await?;
    sqlx::query!(
        "INSERT INTO shards (submission, first, count)
         SELECT $1, first, least($3, $2 - first)
         FROM generate_series(0, $2 - 1, $3) AS first",
        part.submission,
        total,
        integer(images_per_shard.max(1))?
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Takes the first free range. `None`: all are done or in other hands. A lease that lapsed was that of a worker that is lost, unless
/// the database was away itself.
pub async fn take_shard(db: &InferenceDb, part: &Part) -> Result<Option<Shard>, StorageError> {
    let row = sqlx::query!(
        "UPDATE shards
         SET lease = lease + 1,
             starts = starts + CASE WHEN leased_until > pg_postmaster_start_time() + interval '10 seconds' THEN 1 ELSE 0 END,
             leased_until = clock_timestamp() + interval '10 seconds', done = 0, pace = NULL
         WHERE submission = $1
           AND first = (
               SELECT first
               FROM shards
               WHERE submission = $1
                 AND record IS NULL
                 AND (leased_until IS NULL OR leased_until < clock_timestamp())
               ORDER BY first
               LIMIT 1
               FOR UPDATE SKIP LOCKED
           )
         RETURNING first, count, lease, starts",
        part.submission
    )
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|row| Shard {
        first: row.first.unsigned_abs() as usize,
        count: row.count.unsigned_abs() as usize,
        lease: row.lease,
        losses: row.starts,
    }))
}

/// Renews the lease with `done` images at `pace` images a second, and tells of the whole's progress, at most twice a second
/// however many workers share it. `false`: stop.
pub async fn progress(
    db: &InferenceDb,
    part: &Part,
    shard: &Shard,
    done: usize,
    pace: Option<f64>,
) -> Result<bool, StorageError> {
    // Each statement by itself: whoever ends the attempt locks the submission first, then its ranges.
    let mut connection = db.pool().acquire().await?;
    let stands = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM submissions WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL
           ) AS "stands!""#,
        part.submission,
        part.attempt
    )
    .fetch_one(&mut *connection)
    .await?;
    let leased = sqlx::query!(
        "UPDATE shards
         SET done = $4, pace = coalesce($5, pace), leased_until = clock_timestamp() + interval '10 seconds'
         WHERE submission = $1 AND first = $2 AND lease = $3 AND record IS NULL",
        part.submission,
        integer(shard.first)?,
        shard.lease,
        integer(done.min(shard.count))?,
        pace
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE submissions s
         SET progress_done = total.done, images_per_second = total.pace, stage = 'running', progress_at = clock_timestamp()
         FROM (
             SELECT sum(done) AS done,
                    sum(pace) FILTER (WHERE record IS NULL AND leased_until > clock_timestamp()) AS pace
             FROM shards
             WHERE submission = $1
         ) AS total
         WHERE s.id = $1 AND s.attempt = $2 AND s.status = 'running'
           AND s.progress_at < clock_timestamp() - interval '480 milliseconds'",
        part.submission,
        part.attempt
    )
    .execute(&mut *connection)
    .await?;
    Ok(stands && leased.rows_affected() == 1)
}

/// Stores the rows of a range, int32 little-endian `[count,6]`, also where the lease has run out and nobody has taken the range
/// since, in whatever attempt. `false`: it is another's by now, or nobody needs it any more.
pub async fn finish(
    db: &InferenceDb,
    part: &Part,
    shard: &Shard,
    record: &[u8],
) -> Result<bool, StorageError> {
    let finished = sqlx::query!(
        "UPDATE shards
         SET record = $4, done = count, leased_until = NULL
         WHERE submission = $1 AND first = $2 AND lease = $3 AND record IS NULL
           AND EXISTS (
               SELECT
               FROM submissions
               WHERE id = $1 AND status IN ('queued', 'running') AND withdrawn_at IS NULL AND record_key IS NULL
           )",
        part.submission,
        integer(shard.first)?,
        shard.lease,
        record
    )
    .execute(db.pool())
    .await?;
    if finished.rows_affected() == 0 {
        return Ok(false);
    }
    // By itself: whoever ends the attempt locks the submission first, then its ranges.
    sqlx::query!(
        "UPDATE submissions
         SET losses = 0, waiting_for = NULL, waiting_since = NULL
         WHERE id = $1 AND status IN ('queued', 'running') AND (losses > 0 OR waiting_since IS NOT NULL)",
        part.submission
    )
    .execute(db.pool())
    .await?;
    Ok(true)
}

/// Gives a range back at once, for any worker to take. `counts`: the process that ran it died of it, perhaps, and five times are
/// the most; a worker that is told to stop, or in trouble of its own, gives its range back without that.
pub async fn give_back(
    db: &InferenceDb,
    part: &Part,
    shard: &Shard,
    counts: bool,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE shards
         SET leased_until = NULL, starts = starts + CASE WHEN $4 THEN 1 ELSE 0 END, done = 0, pace = NULL
         WHERE submission = $1 AND first = $2 AND lease = $3 AND record IS NULL",
        part.submission,
        integer(shard.first)?,
        shard.lease,
        counts
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// The rows of all ranges, in the order of the images; `None` while one is missing.
pub async fn records(db: &InferenceDb, part: &Part) -> Result<Option<Vec<Vec<u8>>>, StorageError> {
    let unfinished = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM shards WHERE submission = $1 AND record IS NULL) AS "any!""#,
        part.submission
    )
    .fetch_one(db.pool())
    .await?;
    if unfinished {
        return Ok(None);
    }
    let records = sqlx::query_scalar!(
        r#"SELECT record AS "record!" FROM shards WHERE submission = $1 AND record IS NOT NULL ORDER BY first"#,
        part.submission
    )
    .fetch_all(db.pool())
    .await?;
    Ok(Some(records))
}

/// Hands the record over to the scorer. `false`: another worker did, or the attempt is over.
///
/// `images_per_second` is what this worker measured; the model's object gets it.
pub async fn complete(
    db: &InferenceDb,
    part: &Part,
    record: &Stored,
    images_per_second: Option<f64>,
) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let completed = sqlx::query!(
        "UPDATE submissions
         SET status = 'queued', record_key = $3, record_sha256 = $5, inference_attempts = attempt, stage = NULL,
             progress_done = NULL, progress_total = NULL, images_per_second = NULL, progress_at = clock_timestamp(),
             losses = 0, waiting_for = NULL, waiting_since = NULL,
             model = CASE WHEN $4::double precision IS NULL THEN model
                          ELSE model || jsonb_build_object('images_per_second', $4::double precision) END
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL",
        part.submission,
        part.attempt,
        record.key,
        images_per_second,
        record.sha256.as_slice()
    )
    .execute(&mut *transaction)
    .await?;
    if completed.rows_affected() == 0 {
        return Ok(false);
    }
    forget_shards(&mut transaction, part.submission).await?;
    sqlx::query!("SELECT enqueue($1)", part.submission)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Removes what is left of submissions that ended elsewhere: withdrawn, or given up by the watchdog.
pub async fn forget_ended(db: &InferenceDb) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM shards
         USING submissions s
         WHERE s.id = shards.submission
           AND (s.status NOT IN ('queued', 'running') OR s.withdrawn_at IS NOT NULL)"
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// A count of images: `PostgreSQL` holds those of a challenge in an int4.
fn integer(count: usize) -> Result<i32, StorageError> {
    i32::try_from(count).map_err(|_| StorageError::Corrupt("more images than a challenge can have"))
}
