use std::sync::Arc;

use referee_storage::inference::{self, Ending, Part, Taken};
use referee_storage::{StorageError, Wait};
use uuid::Uuid;

use super::Inference;
use super::run::{BEAT, Run, Stop};
use crate::persist::until_written;

/// Why a job is to be tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfinished {
    #[error("this cannot be done now: {0}")]
    Trouble(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What becomes of a submission whose work ends without a record.
enum Outcome {
    Ends(Ending),
    /// Trouble of ours.
    Waits(Wait),
    /// Something broke over it.
    Lost,
    /// Its worker was told to stop.
    Left,
}

impl Inference {
    /// Works on a submission for as long as there is something to do. `owns`: its job is this worker's, which then stays until
    /// the record is handed over or it is known what becomes of the submission.
    pub(super) async fn take_part(&self, submission: Uuid, owns: bool) -> Result<(), Unfinished> {
        let part = loop {
            match inference::take_part(&self.db, submission).await? {
                Taken::Claimed(part) => break part,
                Taken::Joined(part) if part.is_planned => break part,
                // Somebody else has just begun: it is planned in a while, or silent.
                Taken::Joined(_) if owns && !self.shutdown.is_cancelled() => {
                    tokio::time::sleep(BEAT).await;
                }
                Taken::Joined(_) | Taken::Nothing => return Ok(()),
                Taken::GivenUp => {
                    tracing::error!(%submission, "gave a model up");
                    metrics::counter!("referee_models_failed_total").increment(1);
                    return Ok(());
                }
            }
        };
        let outcome = match Run::new(self, &part, owns).see_through().await {
            Err(Stop::Over) if owns && self.shutdown.is_cancelled() => Outcome::Left,
            Ok(()) if part.has_waited => {
                inference::wake_waiting(&self.db).await?;
                return Ok(());
            }
            Ok(()) | Err(Stop::Over | Stop::Killed) => return Ok(()),
            Err(Stop::Ended(ending)) => {
                metrics::counter!(match ending {
                    Ending::Rejected(_) => "referee_models_rejected_total",
                    Ending::Failed(_) => "referee_models_failed_total",
                })
                .increment(1);
                Outcome::Ends(ending)
            }
            Err(Stop::Trouble { cause, .. }) if !owns => return Err(Unfinished::Trouble(cause)),
            Err(Stop::Trouble { wait, cause }) => {
                tracing::warn!(%submission, attempt = part.attempt, cause, "a model cannot be run now; it waits for {}", wait.what());
                Outcome::Waits(wait)
            }
            Err(Stop::Broke(cause)) => {
                tracing::error!(%submission, attempt = part.attempt, cause, "something broke over a model");
                Outcome::Lost
            }
        };
        self.write_down(part, outcome).await
    }

    async fn write_down(&self, part: Part, outcome: Outcome) -> Result<(), Unfinished> {
        let (db, outcome) = (self.db.clone(), Arc::new(outcome));
        let written = until_written("what became of a submission", move || {
            let (db, part, outcome) = (db.clone(), part.clone(), Arc::clone(&outcome));
            async move {
                match &*outcome {
                    Outcome::Ends(ending) => inference::end(&db, &part, ending).await,
                    Outcome::Waits(wait) => inference::put_off(&db, &part, *wait).await,
                    Outcome::Lost => inference::lose(&db, &part).await,
                    Outcome::Left => inference::leave(&db, &part).await,
                }
            }
        });
        written.await?;
        Ok(())
    }
}
