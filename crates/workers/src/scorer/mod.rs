//! The scorer: the one worker that sees predictions and sealed labels together.

mod judge;
mod leaks;
mod ranks;
mod rounds;
mod score;
mod tend;

use std::num::NonZero;
use std::time::Duration;

use referee_storage::objects::ObjectStore;
use referee_storage::{ScorerDb, queue};
use tokio_util::sync::CancellationToken;

use crate::WorkerError;
use judge::Judge;
use rounds::Rounds;

/// How a scorer works.
#[derive(Clone, Copy, Debug)]
pub struct ScorerConfig {
    /// Submissions scored at the same time in this process.
    pub concurrency: NonZero<usize>,
    /// A submission without progress for this long is started again.
    pub deadline: Duration,
}

impl Default for ScorerConfig {
    fn default() -> Self {
        Self {
            concurrency: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            deadline: Duration::from_secs(20),
        }
    }
}

/// What every job handler of the scorer works with.
#[derive(Clone, Debug)]
struct Scorer {
    db: ScorerDb,
    objects: ObjectStore,
    judge: Judge,
    rounds: Rounds,
    shutdown: CancellationToken,
}

/// Scores submissions until `shutdown`, then finishes those under way (5 seconds) and leaves.
pub async fn run_scorer(
    db: ScorerDb,
    objects: ObjectStore,
    config: ScorerConfig,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let scorer = Scorer {
        db: db.clone(),
        judge: Judge::new(db.clone(), objects.clone()),
        objects,
        rounds: Rounds::new(db.clone(), config.deadline),
        shutdown: shutdown.clone(),
    };
    let rounds = tokio::spawn(scorer.rounds.clone().run(shutdown.clone()));
    let worker = queue::scorer_options(&db)
        .concurrency(config.concurrency.get())
        .listen_os_shutdown_signals(false)
        .shutdown_signal(shutdown.clone().cancelled_owned())
        .shutdown_grace_period(Duration::from_secs(5))
        .add_extension(scorer)
        .define_job::<score::Score>()
        .define_job::<tend::Tend>()
        .init()
        .await
        .map_err(|error| WorkerError::Start(error.to_string()))?;
    let finished = worker.run().await;
    shutdown.cancel();
    // A panic in the rounds is a bug that the log has already reported; the worker's own end is what counts here.
    let _ = rounds.await;
    finished.map_err(|error| WorkerError::Run(error.to_string()))
}
