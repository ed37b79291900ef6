use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::trouble::{self, MAX_LOSSES, Wait};
use crate::{InferenceDb, StorageError};

/// A worker's part in an attempt at a submission. Every later write names both.
#[derive(Clone, Debug)]
pub struct Part {
    pub submission: Uuid,
    pub attempt: i32,
    pub challenge: Uuid,
    /// Its name says safetensors or ONNX.
    pub filename: String,
    pub object_key: String,
    pub bytes: i64,
    pub sha256: Vec<u8>,
    /// How to read the model: architecture, preprocess, `class_order`, `class_offset`, output.
    pub form: serde_json::Value,
    /// The ranges are planned: what a model is was found out before.
    pub is_planned: bool,
    /// It was put off before.
    pub has_waited: bool,
}

/// What became of the wish to work on a submission.
#[derive(Clone, Debug)]
pub enum Taken {
    /// This worker is the first of a new attempt.
    Claimed(Part),
    /// Others are at work; this one helps.
    Joined(Part),
    /// Its worker was lost too often, and it has ended as failed.
    GivenUp,
    /// It is finished, withdrawn, at the scorer's or gone.
    Nothing,
}

/// A side file of a model.
#[derive(Clone, Debug)]
pub struct Data {
    /// Bare.
    pub name: String,
    pub object_key: String,
    pub bytes: i64,
    pub sha256: Vec<u8>,
}

/// Takes part in the work on a submission: claims it if it waits or if nobody has been heard of for five seconds, else joins. Who
/// is not heard of is held to be lost, unless the database was away itself.
pub async fn take_part(db: &InferenceDb, submission: Uuid) -> Result<Taken, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let row = sqlx::query!(
        r#"SELECT attempt, status, losses, waiting_since IS NOT NULL AS "has_waited!", filename, object_key, bytes, sha256, challenge, form,
                  coalesce(progress_at < clock_timestamp() - interval '5 seconds', true) AS "is_silent!",
                  coalesce(progress_at > pg_postmaster_start_time(), true) AS "was_heard!",
                  EXISTS (SELECT FROM shards WHERE submission = $1) AS "is_planned!"
           FROM submissions
           WHERE id = $1
             AND kind = 'model'
             AND record_key IS NULL
             AND status IN ('queued', 'running')
             AND withdrawn_at IS NULL
           FOR UPDATE"#,
        submission
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else {
        return Ok(Taken::Nothing);
    };
    let mut part = Part {
        submission,
        attempt: row.attempt,
        challenge: row.challenge,
        filename: row.filename,
        object_key: row.object_key,
        bytes: row.bytes,
        sha256: row.sha256,
        form: row.form,
        is_planned: row.is_planned,
        has_waited: row.has_waited,
    };
    if row.status == "running" && !row.is_silent {
        return Ok(Taken::Joined(part));
    }
    let losses = row.losses + i32::from(row.status == "running" && row.was_heard);
    if losses >= MAX_LOSSES {
        sqlx::query!(
            "UPDATE submissions
             SET status = 'failed', problem = $2, losses = $3, stage = NULL, progress_done = NULL, progress_total = NULL,
                 waiting_for = NULL, waiting_since = NULL
             WHERE id = $1",
            submission,
            FailureReason::WorkerLost.problem(),
            losses
        )
        .execute(&mut *transaction)
        .await?;
        forget_shards(&mut transaction, submission).await?;
        transaction.commit().await?;
        return Ok(Taken::GivenUp);
    }
    part.attempt += 1;
    sqlx::query!(
        "UPDATE submissions
         SET status = 'running', attempt = $2, losses = $3, stage = 'loading', progress_at = clock_timestamp(),
             progress_done = NULL, progress_total = NULL, images_per_second = NULL
         WHERE id = $1",
        submission,
        part.attempt,
        losses
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Taken::Claimed(part))
}

/// A submission under work with a free range, the oldest first: where an idle worker can help.
pub async fn joinable(db: &InferenceDb) -> Result<Option<Uuid>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT s.id
         FROM submissions s
         WHERE s.kind = 'model'
           AND s.status = 'running'
           AND s.withdrawn_at IS NULL
           AND s.progress_at > clock_timestamp() - interval '5 seconds'
           AND EXISTS (
               SELECT
               FROM shards
               WHERE shards.submission = s.id
                 AND record IS NULL
                 AND (leased_until IS NULL OR leased_until < clock_timestamp())
           )
         ORDER BY s.created_at
         LIMIT 1"
    )
    .fetch_optional(db.pool())
    .await?)
}

/// The files beside the model.
pub async fn data(db: &InferenceDb, submission: Uuid) -> Result<Vec<Data>, StorageError> {
    Ok(sqlx::query_as!(
        Data,
        "SELECT name, object_key, bytes, sha256 FROM submission_data WHERE submission = $1 ORDER BY name",
        submission
    )
    .fetch_all(db.pool())
    .await?)
}

/// A sign of life with what is being done. `false`: the attempt is over, or the submission was withdrawn; stop.
pub async fn describe(
    db: &InferenceDb,
    part: &Part,
    stage: &str,
    done: usize,
    total: usize,
) -> Result<bool, StorageError> {
    let mine = sqlx::query!(
        "UPDATE submissions
         SET stage = $3, progress_done = $4, progress_total = $5, progress_at = clock_timestamp()
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL",
        part.submission,
        part.attempt,
        stage,
        i64::try_from(done).unwrap_or(i64::MAX),
        i64::try_from(total).unwrap_or(i64::MAX),
    )
    .execute(db.pool())
    .await?;
    Ok(mine.rows_affected() == 1)
}

/// Why a model could not be run through no fault of its submitter: the whole list, so that no error's text gets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    WorkerLost,
    PictureUndecodable,
    Internal,
}

impl FailureReason {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::WorkerLost => {
                "The worker stopped five times while it ran this model. It did not count against your quota; please tell the organizers."
            }
            Self::PictureUndecodable => {
                "One of the challenge's pictures cannot be decoded, so no model can be run on them. It did not count against your quota; please tell the organizers, whose queue says which."
            }
            Self::Internal => {
                "The server made a mistake while running this model. It did not count against your quota; please submit again later."
            }
        }
    }

    fn problem(self) -> serde_json::Value {
        serde_json::json!({ "detail": self.sentence() })
    }
}

/// How work on a model ends without a record.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The submitter's fault, with the sentence that says what and how to mend it.
    Rejected(String),
    Failed(FailureReason),
}

#[derive(Serialize)]
struct Problem<'a> {
    detail: &'a str,
}

/// Ends the attempt. Returns whether it still stood.
pub async fn end(db: &InferenceDb, part: &Part, ending: &Ending) -> Result<bool, StorageError> {
    let (status, problem) = match ending {
        Ending::Rejected(detail) => ("rejected", serde_json::to_value(Problem { detail })?),
        Ending::Failed(reason) => ("failed", reason.problem()),
    };
    let mut transaction = db.pool().begin().await?;
    let ended = sqlx::query!(
        "UPDATE submissions
         SET status = $3, problem = $4, stage = NULL, progress_done = NULL, progress_total = NULL, images_per_second = NULL,
             waiting_for = NULL, waiting_since = NULL
         WHERE id = $1 AND attempt = $2 AND status = 'running'",
        part.submission,
        part.attempt,
        status,
        problem
    )
    .execute(&mut *transaction)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    forget_shards(&mut transaction, part.submission).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Leaves the submission for later because of trouble of ours; what is done of its ranges stays. Returns whether the attempt still
/// stood.
pub async fn put_off(db: &InferenceDb, part: &Part, wait: Wait) -> Result<bool, StorageError> {
    trouble::put_off(db.pool(), part.submission, part.attempt, wait).await
}

/// Counts what broke inside for this submission's sake; the last time ends it. Returns whether the attempt still stood.
pub async fn lose(db: &InferenceDb, part: &Part) -> Result<bool, StorageError> {
    let sentence = FailureReason::Internal.sentence();
    trouble::lose(db.pool(), part.submission, part.attempt, sentence).await
}

/// Gives the submission back for another worker to take at once. Where others are at work on ranges of it, they go on. Returns
/// whether the attempt still stood.
pub async fn leave(db: &InferenceDb, part: &Part) -> Result<bool, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let left = sqlx::query!(
        "UPDATE submissions
         SET status = CASE WHEN EXISTS (
                               SELECT
                               FROM shards
                               WHERE submission = $1 AND record IS NULL AND leased_until > clock_timestamp()
                           ) THEN status ELSE 'queued' END,
             progress_at = clock_timestamp()
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL",
        part.submission,
        part.attempt
    )
    .execute(&mut *transaction)
    .await?;
    if left.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("SELECT enqueue($1)", part.submission)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Has what waits tried at once.
pub async fn wake_waiting(db: &InferenceDb) -> Result<u64, StorageError> {
    trouble::wake(db.pool()).await
}

/// Ranges of a submission that no worker will touch again.
pub(super) async fn forget_shards(
    connection: &mut PgConnection,
    submission: Uuid,
) -> Result<(), StorageError> {
    sqlx::query!("DELETE FROM shards WHERE submission = $1", submission)
        .execute(connection)
        .await?;
    Ok(())
}
