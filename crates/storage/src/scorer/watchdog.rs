use std::time::Duration;

use super::FailureReason;
use crate::trouble::MAX_LOSSES;
use crate::{ScorerDb, StorageError};

/// What one round of the watchdog did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchdogReport {
    pub requeued: u64,
    pub failed: u64,
}

/// Acts on every submission that has made no progress for `deadline`: it is queued again, or, where its worker was lost
/// [`MAX_LOSSES`] times, ends as failed. A worker that says nothing since the database was away itself is not held to be lost.
///
/// Two kinds are found: running without a sign of life, and queued without a job that could wake a worker. Rounds of
/// several scorers may overlap; each row is acted on once.
pub async fn watch(db: &ScorerDb, deadline: Duration) -> Result<WatchdogReport, StorageError> {
    let failed = sqlx::query!(
        "WITH stuck AS (
             UPDATE submissions
             SET status = 'failed', stage = NULL, losses = losses + 1, waiting_for = NULL, waiting_since = NULL,
                 problem = jsonb_build_object('detail', CASE WHEN kind = 'model' AND record_key IS NULL THEN $4::text ELSE $3 END)
             WHERE status = 'running'
               AND withdrawn_at IS NULL
               AND progress_at < clock_timestamp() - make_interval(secs => $1)
               AND progress_at > pg_postmaster_start_time()
               AND losses + 1 >= $2
             RETURNING id
         )
         INSERT INTO watchdog_actions (submission, action)
         SELECT id, 'failed' FROM stuck",
        deadline.as_secs_f64(),
        MAX_LOSSES,
        FailureReason::WorkerLost.sentence(),
        crate::inference::FailureReason::WorkerLost.sentence()
    )
    .execute(db.pool())
    .await?
    .rows_affected();

    let mut transaction = db.pool().begin().await?;
    let stuck = sqlx::query_scalar!(
        "WITH stuck AS (
             SELECT s.id, s.status = 'running' AND s.progress_at > pg_postmaster_start_time() AS is_lost
             FROM submissions s
             WHERE s.withdrawn_at IS NULL
               AND (
                   s.status = 'running'
                      AND s.progress_at < clock_timestamp() - make_interval(secs => $1)
                   OR s.status = 'queued'
                      AND greatest(s.created_at, s.progress_at) < clock_timestamp() - make_interval(secs => $1)
                      AND NOT has_job(s.id)
               )
             FOR UPDATE SKIP LOCKED
         )
         UPDATE submissions s
         SET status = 'queued', stage = NULL, progress_at = clock_timestamp(),
             losses = s.losses + CASE WHEN stuck.is_lost THEN 1 ELSE 0 END
         FROM stuck
         WHERE s.id = stuck.id
         RETURNING s.id",
        deadline.as_secs_f64()
    )
    .fetch_all(&mut *transaction)
    .await?;
    for submission in &stuck {
        sqlx::query!("SELECT enqueue($1)", submission)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query!(
        "INSERT INTO watchdog_actions (submission, action)
         SELECT id, 'requeued' FROM unnest($1::uuid[]) AS id",
        &stuck
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(WatchdogReport {
        requeued: stuck.len() as u64,
        failed,
    })
}
