//! The job queue: `graphile_worker` in the same database, so that a submission and its job are one transaction.

use std::time::Duration;

use graphile_worker::{JobComplete, WorkerOptions, WorkerRecoveryConfig};
use sqlx::PgPool;

use crate::{InferenceDb, ScorerDb, StorageError};

/// How long after a worker's last sign of life its jobs go to another: at most threshold + sweep + heartbeat, 13 s.
fn recovery() -> WorkerRecoveryConfig {
    WorkerRecoveryConfig::default()
        .heartbeat_interval(Duration::from_secs(2))
        .sweep_interval(Duration::from_secs(3))
        .sweep_threshold(Duration::from_secs(8))
        .recovery_delay(Duration::ZERO)
}

/// A worker's place at the queue. It looks for one job a signal and drops signals while it has its hands full, so that
/// what a burst leaves would wait for its polls, one a second: whoever has done a job calls for the next.
fn options(pool: &PgPool) -> WorkerOptions {
    let caller = pool.clone();
    WorkerOptions::default()
        .pg_pool(pool.clone())
        .worker_recovery(recovery())
        .on(JobComplete, move |_| call_for_the_next(caller.clone()))
}

/// The signal of a new job, if jobs wait.
async fn call_for_the_next(pool: PgPool) {
    let called = sqlx::query(
        "SELECT pg_notify('jobs:insert', '')
         WHERE EXISTS (SELECT FROM graphile_worker._private_jobs WHERE is_available AND run_at <= now())",
    )
    .execute(&pool)
    .await;
    if let Err(error) = called {
        tracing::warn!(%error, "waiting jobs are found by the next poll only");
    }
}

/// A scorer's place at the queue, to which its job handlers are added.
pub fn scorer_options(db: &ScorerDb) -> WorkerOptions {
    options(db.pool())
}

/// An inference worker's place at the queue.
pub fn inference_options(db: &InferenceDb) -> WorkerOptions {
    options(db.pool())
}

/// Frees the challenges in which nothing would run any more. A scorer that was taken for dead, and goes on, ends the job
/// that another has taken over meanwhile; that one cannot free the challenge then, as `graphile_worker` does so with the job.
pub async fn free_challenges(db: &ScorerDb) -> Result<u64, StorageError> {
    let freed = sqlx::query(
        "UPDATE graphile_worker._private_job_queues AS queues
         SET locked_at = NULL, locked_by = NULL
         WHERE locked_at IS NOT NULL
           AND NOT EXISTS (
               SELECT
               FROM graphile_worker._private_jobs AS jobs
               WHERE jobs.job_queue_id = queues.id
                 AND jobs.locked_at IS NOT NULL
           )",
    )
    .execute(db.pool())
    .await?;
    Ok(freed.rows_affected())
}
