//! The job queue: `graphile_worker` in the same database, so that a submission and its job are one transaction.

use std::time::Duration;

use graphile_worker::{WorkerOptions, WorkerRecoveryConfig};

use crate::{InferenceDb, ScorerDb};

/// How long after a worker's last sign of life its jobs go to another: at most threshold + sweep + heartbeat, 13 s.
fn recovery() -> WorkerRecoveryConfig {
    WorkerRecoveryConfig::default()
        .heartbeat_interval(Duration::from_secs(2))
        .sweep_interval(Duration::from_secs(3))
        .sweep_threshold(Duration::from_secs(8))
        .recovery_delay(Duration::ZERO)
}

/// A scorer's place at the queue, to which its job handlers are added.
pub fn scorer_options(db: &ScorerDb) -> WorkerOptions {
    WorkerOptions::default()
        .pg_pool(db.pool().clone())
        .worker_recovery(recovery())
}

/// An inference worker's place at the queue.
pub fn inference_options(db: &InferenceDb) -> WorkerOptions {
    WorkerOptions::default()
        .pg_pool(db.pool().clone())
        .worker_recovery(recovery())
}
