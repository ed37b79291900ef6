//! The inference worker: turns models into canonical records, which the scorer scores like any upload.
//!
//! It holds no labels, and what runs a stranger's network holds less: each model runs in a process of its own
//! ([`process`]), locked in ([`sandbox`]) before it reads the model, which is handed pixels and answers with rows ([`frames`]).

mod check;
mod child;
mod doctor;
mod engine;
mod files;
mod frames;
mod model;
mod part;
mod process;
mod record;
mod run;
mod sandbox;
mod test_set;
mod turn;
mod validation;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use referee_networks::DeviceChoice;
use referee_storage::objects::ObjectStore;
use referee_storage::presence::Presence;
use referee_storage::{InferenceDb, inference, queue};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::WorkerError;
use files::LookedAt;
use turn::Turns;

pub use child::run_child;
pub use process::SUBCOMMAND as INFER_CHILD;
pub use sandbox::{Attempts, probe};

/// How an inference worker works, and what a model may use.
#[derive(Clone, Debug)]
pub struct InferenceConfig {
    /// The `referee` executable, whose hidden subcommand runs a model.
    pub program: PathBuf,
    /// With `Auto` decided.
    pub device: DeviceChoice,
    /// Memory that a model's process may write to, in 2^20 bytes.
    pub memory_mb: u64,
    pub threads: usize,
    /// Wall-clock seconds that a model may take on one worker.
    pub seconds: u64,
    /// Where decoded and resized test sets are kept, and models that no local store holds.
    pub cache: PathBuf,
    /// Of prepared test sets; the least recently used go first. In 2^20 bytes.
    pub cache_mb: u64,
    /// How long a worker is to be busy with one range of images.
    pub shard: Duration,
}

/// What every job handler of the worker works with.
#[derive(Clone, Debug)]
struct Inference {
    db: InferenceDb,
    objects: ObjectStore,
    config: Arc<InferenceConfig>,
    turns: Turns,
    looked_at: LookedAt,
    shutdown: CancellationToken,
}

/// Runs models until `shutdown`, one at a time; the range under way is given back for another worker.
pub async fn run_inference(
    db: InferenceDb,
    objects: ObjectStore,
    config: InferenceConfig,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let worker = Inference {
        db: db.clone(),
        objects,
        config: Arc::new(config),
        turns: Turns::default(),
        looked_at: LookedAt::default(),
        shutdown: shutdown.clone(),
    };
    let living = tokio::spawn(worker.clone().live());
    let helping = tokio::spawn(worker.clone().help());
    let jobs = queue::inference_options(&db)
        .concurrency(1)
        .listen_os_shutdown_signals(false)
        .shutdown_signal(shutdown.clone().cancelled_owned())
        .shutdown_grace_period(Duration::from_secs(5))
        .add_extension(worker)
        .define_job::<Infer>()
        .init()
        .await
        .map_err(|error| WorkerError::Start(error.to_string()))?;
    let finished = jobs.run().await;
    shutdown.cancel();
    // Panics are bugs that the log has already reported; the queue's own end is what counts here.
    let _ = tokio::join!(living, helping);
    finished.map_err(|error| WorkerError::Run(error.to_string()))
}

/// Runs one model.
#[derive(Debug, Deserialize, Serialize)]
struct Infer {
    submission: Uuid,
}

impl TaskHandler for Infer {
    const IDENTIFIER: &'static str = "infer";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(worker) = context.get_ext::<Inference>().cloned() else {
            return Err("the worker was started without its tools".to_owned());
        };
        let _turn = worker.turns.next().await;
        worker
            .take_part(self.submission, true)
            .await
            .map_err(|error| error.to_string())
    }
}

impl Inference {
    /// Says every two seconds that this worker is there, and clears up after submissions that ended elsewhere.
    async fn live(self) {
        let presence = Presence::of_inference(&self.db, &self.config.device.to_string());
        let mut beat = interval(Duration::from_secs(2));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                _ = beat.tick() => {
                    if let Err(error) = presence.renew().await {
                        tracing::warn!(%error, "the inference worker's sign of life did not reach the database");
                    }
                    if let Err(error) = inference::forget_ended(&self.db).await {
                        tracing::warn!(%error, "ranges of ended submissions stay until the next try");
                    }
                }
            }
        }
        if let Err(error) = presence.leave().await {
            tracing::warn!(%error, "the inference worker could not say that it leaves");
        }
    }

    /// Looks every second whether another worker's submission has ranges left, and takes some while no job waits here; where there
    /// are none, whether pictures were uploaded that nobody has looked at. Those wait a minute at most for a moment without a
    /// model: their challenge cannot be published before.
    async fn help(self) {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            let is_overdue = inference::has_overdue_look(&self.db).await.unwrap_or(false);
            let turn = if is_overdue {
                self.turns.next().await
            } else {
                self.turns.idle()
            };
            let Some(_turn) = turn else {
                continue;
            };
            let helped = if is_overdue {
                self.look_at_images(true).await
            } else {
                match inference::joinable(&self.db).await {
                    Ok(Some(submission)) => self.take_part(submission, false).await,
                    Ok(None) => self.look_at_images(false).await,
                    Err(error) => Err(error.into()),
                }
            };
            if let Err(error) = helped {
                tracing::warn!(%error, "this worker could not do what it does without a job of its own");
            }
        }
    }
}
