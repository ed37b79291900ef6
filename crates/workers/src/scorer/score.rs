use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use referee_scoring::predictions::Notice;
use referee_storage::scorer::{self, Claim, Judged, Stored};
use referee_storage::{StorageError, Wait};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use uuid::Uuid;

use super::Scorer;
use super::judge::NotJudged;
use crate::persist::until_written;

/// How long a scorer that is told to stop goes on with a submission, before the queue cuts it off.
const LAST_SECONDS: Duration = Duration::from_secs(4);

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
    /// An error is retried by the queue: nothing is known of the submission then. What becomes of a claim is always written down,
    /// and whatever is to be tried again has a new job.
    async fn score(&self, submission: Uuid) -> Result<(), String> {
        let claim = match scorer::claim(&self.db, submission).await {
            Ok(Some(claim)) => claim,
            Ok(None) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let trouble = match self.score_claimed(&claim).await {
            Ok(()) => {
                if claim.has_waited {
                    let woken = scorer::wake_waiting(&self.db).await;
                    woken.map_err(|error| error.to_string())?;
                }
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        tracing::warn!(%submission, attempt = claim.attempt, cause = trouble.cause(), "a submission was not scored; it will be tried again");
        let (db, trouble) = (self.db.clone(), Arc::new(trouble));
        until_written("what became of a submission", move || {
            let (db, claim, trouble) = (db.clone(), claim.clone(), Arc::clone(&trouble));
            async move {
                match &*trouble {
                    Trouble::Waits(wait, _) => scorer::put_off(&db, &claim, *wait).await,
                    Trouble::Broke(_) => scorer::lose(&db, &claim).await,
                    Trouble::Stopped => scorer::give_back(&db, &claim).await,
                }
            }
        })
        .await
        .map(drop)
        .map_err(|error| error.to_string())
    }

    async fn score_claimed(&self, claim: &Claim) -> Result<(), Trouble> {
        loop {
            let Some(version) = scorer::current_version(&self.db, claim.challenge).await? else {
                return Err(
                    StorageError::Corrupt("a submission to a challenge without labels").into(),
                );
            };
            let read = Arc::new(AtomicU64::new(0));
            let judging = self.judge.judge(claim, version, read.clone());
            let (judged, notices) = match self.alive(claim, &read, judging).await? {
                Ok(judged) => judged,
                Err(NotJudged::Rejected(problem)) => {
                    scorer::reject(&self.db, claim, &problem).await?;
                    return Ok(());
                }
                Err(NotJudged::Unreadable(error)) => {
                    return Err(Trouble::Waits(Wait::Storage, error.to_string()));
                }
                Err(NotJudged::Broke(cause)) => return Err(Trouble::Broke(cause)),
                Err(NotJudged::Storage(error)) => return Err(error.into()),
            };
            let storing = self.store(claim, judged, &notices)?;
            match self.alive(claim, &read, storing).await?? {
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

    /// Stores an outcome, however long the database takes to have room for it.
    fn store(
        &self,
        claim: &Claim,
        judged: Judged,
        notices: &[Notice],
    ) -> Result<impl Future<Output = Result<Stored, StorageError>> + use<>, Trouble> {
        let notices = serde_json::to_value(notices).map_err(StorageError::from)?;
        let db = self.db.clone();
        let outcome = Arc::new((claim.clone(), judged, notices));
        Ok(until_written("an outcome", move || {
            let (db, outcome) = (db.clone(), Arc::clone(&outcome));
            async move {
                let (claim, judged, notices) = &*outcome;
                scorer::store_outcome(&db, claim, judged, notices).await
            }
        }))
    }

    /// Waits for `work`, and says every second how far the file has been read; most work is done before the first time.
    ///
    /// # Errors
    /// The scorer was told to stop, and the work takes longer than it may then.
    async fn alive<T>(
        &self,
        claim: &Claim,
        read: &AtomicU64,
        work: impl Future<Output = T>,
    ) -> Result<T, Trouble> {
        tokio::pin!(work);
        let stopped = async {
            self.shutdown.cancelled().await;
            sleep(LAST_SECONDS).await;
        };
        tokio::pin!(stopped);
        let second = Duration::from_secs(1);
        let mut tick = interval_at(tokio::time::Instant::now() + second, second);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = &mut stopped => return Err(Trouble::Stopped),
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

/// What kept a submission from being scored.
enum Trouble {
    /// Ours: waited out.
    Waits(Wait, String),
    /// The program, over this submission.
    Broke(String),
    /// The scorer was told to stop.
    Stopped,
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupt(_) => Self::Waits(Wait::Server, error.to_string()),
            error if error.may_pass() => Self::Waits(Wait::Database, error.to_string()),
            error => Self::Broke(error.to_string()),
        }
    }
}

impl Trouble {
    /// For the log; submitters are told what is waited for, or one of a fixed list of reasons.
    fn cause(&self) -> &str {
        match self {
            Self::Waits(_, cause) | Self::Broke(cause) => cause,
            Self::Stopped => "the scorer was told to stop",
        }
    }
}
