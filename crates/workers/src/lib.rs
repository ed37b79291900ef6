//! The job handlers. Whatever they find in a job's payload is an id: what to do is in the database's rows.
//!
//! The inference worker turns models into predictions, each in a process that is locked in. The scorer turns predictions into
//! released scores and keeps challenges in order (labels, rescoring, the close, ranks).

mod digest;
mod inference;
mod persist;
mod restarts;
mod scorer;

pub use inference::{Attempts, INFER_CHILD, InferenceConfig, probe, run_child, run_inference};
pub use restarts::keep_working;
pub use scorer::{ScorerConfig, run_scorer};

/// Why a worker could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(
        "the queue's schema does not fit this version of Referee, or the database does not answer: run `referee migrate` with the owner's DATABASE_URL, then start the worker again ({0})"
    )]
    Start(String),
    #[error("the worker stopped: {0}")]
    Run(String),
    #[error(transparent)]
    NotReady(#[from] referee_storage::NotReady),
    #[error(transparent)]
    Storage(#[from] referee_storage::StorageError),
}
