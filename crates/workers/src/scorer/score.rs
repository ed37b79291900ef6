use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use referee_storage::StorageError;
use referee_storage::scorer::{self, Claim, FailureReason, MAX_ATTEMPTS, Stored};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval_at};
use uuid::Uuid;

use super::Scorer;
use super::judge::NotJudged;

/// Scores one submission.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Score {
    submission: Uuid,
}

impl TaskHandler for Score {
    const IDENTIFIER: &'static str = "score";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(scorer) = context.get_ext::<Scorer>().cloned() else {
            return Err("the scorer was started without its tools".to_owned());
        };
        scorer.score(self.submission).await.map_err(|error| {
            tracing::warn!(submission = %self.submission, %error, "a score job did not come to its end");
            // The queue keeps it where another role reads.
            "the submission could not be scored; the scorer's log says why".to_owned()
        })
    }
}

impl Scorer {
    /// An error is retried by the queue, with back-off; the submission's own count of starts ends that.
    async fn score(&self, submission: Uuid) -> Result<(), String> {
        let claim = match scorer::claim(&self.db, submission).await {
            Ok(Some(claim)) => claim,
            Ok(None) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        match self.score_claimed(&claim).await {
            Ok(()) => Ok(()),
            Err(error) if claim.starts >= MAX_ATTEMPTS => {
                tracing::error!(%submission, attempt = claim.attempt, error = error.cause(), "gave a submission up");
                metrics::counter!("referee_submissions_failed_total").increment(1);
                scorer::fail(&self.db, &claim, error.reason())
                    .await
                    .map(drop)
                    .map_err(|error| error.to_string())
            }
            Err(error) => {
                tracing::warn!(%submission, attempt = claim.attempt, error = error.cause(), "scoring will be tried again");
                Err(error.cause())
            }
        }
    }

    async fn score_claimed(&self, claim: &Claim) -> Result<(), Trouble> {
        loop {
            let Some(version) = scorer::current_version(&self.db, claim.challenge).await? else {
                return Err(
                    StorageError::Corrupt("a submission to a challenge without labels").into(),
                );
            };
            let (judged, notices) = match self.judge_with_progress(claim, version).await {
                Ok(judged) => judged,
                Err(NotJudged::Rejected(problem)) => {
                    scorer::reject(&self.db, claim, &problem).await?;
                    return Ok(());
                }
                Err(NotJudged::Unreadable(error)) => return Err(Trouble::Unreadable(error)),
                Err(NotJudged::Storage(error)) => return Err(error.into()),
            };
            let notices = serde_json::to_value(notices).map_err(StorageError::from)?;
            match scorer::store_outcome(&self.db, claim, &judged, &notices).await? {
                Stored::Done => {
                    metrics::counter!("referee_submissions_scored_total").increment(1);
                    self.rounds.board_changed(claim.challenge);
                    return Ok(());
                }
                Stored::NoLongerMine => return Ok(()),
                Stored::VersionChanged => {}
            }
        }
    }

    /// Judges, and says every second how far it has come; most files are done before the first time.
    async fn judge_with_progress(
        &self,
        claim: &Claim,
        version: i32,
    ) -> Result<(scorer::Judged, Vec<referee_scoring::predictions::Notice>), NotJudged> {
        let read = Arc::new(AtomicU64::new(0));
        let judging = self.judge.judge(claim, version, read.clone());
        tokio::pin!(judging);
        let second = Duration::from_secs(1);
        let mut tick = interval_at(tokio::time::Instant::now() + second, second);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                judged = &mut judging => return judged,
                _ = tick.tick() => {
                    let done = i64::try_from(read.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
                    if let Err(error) = scorer::record_progress(&self.db, claim, done).await {
                        tracing::warn!(submission = %claim.submission, %error, "progress was not recorded");
                    }
                }
            }
        }
    }
}

/// What kept a submission from being scored, and is not its submitter's fault.
enum Trouble {
    Unreadable(std::io::Error),
    Storage(StorageError),
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Trouble {
    /// For the log; submitters are shown [`Self::reason`].
    fn cause(&self) -> String {
        match self {
            Self::Unreadable(error) => error.to_string(),
            Self::Storage(error) => error.to_string(),
        }
    }

    fn reason(&self) -> FailureReason {
        match self {
            Self::Unreadable(_) => FailureReason::FileUnreadable,
            Self::Storage(_) => FailureReason::Internal,
        }
    }
}
