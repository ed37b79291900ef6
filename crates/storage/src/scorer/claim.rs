use referee_scoring::Over;
use serde::Serialize;
use uuid::Uuid;

use crate::trouble::{self, MAX_LOSSES, Wait};
use crate::{ScorerDb, StorageError};

/// A submission that is this worker's to score, until someone else claims it.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row: none of them says anything about another"
)]
pub struct Claim {
    pub submission: Uuid,
    pub attempt: i32,
    /// It was put off before.
    pub has_waited: bool,
    pub challenge: Uuid,
    pub team: Uuid,
    /// An organizer's: scored exactly, never gated by the ladder.
    pub is_baseline: bool,
    /// The upload, or for a model the canonical record that inference wrote.
    pub object_key: String,
    pub bytes: i64,
    /// Of that object; none of a record that an earlier version wrote.
    pub sha256: Option<Vec<u8>>,
    /// ILSVRC text with boxes.
    pub boxes: bool,
    /// Over the challenge's own classes, where it names a longer list. A record never is.
    pub own_classes: bool,
}

impl Claim {
    /// Which of a challenge's two class lists the file is over, where it has two.
    pub fn over(&self) -> Over {
        if self.own_classes {
            Over::Challenge
        } else {
            Over::Wider
        }
    }
}

/// Why a submission failed through no fault of its submitter: the whole list, so that no error's text can leak a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    WorkerLost,
    Internal,
}

impl FailureReason {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::WorkerLost => {
                "The scorer stopped five times while it worked on this submission. It did not count against your quota; please tell the organizers."
            }
            Self::Internal => {
                "The server made a mistake while scoring this submission. It did not count against your quota; please submit again later."
            }
        }
    }
}

/// Takes a queued submission, or one whose worker died, which is counted unless the database was away itself: it ends as failed
/// when that was one too many. `None`: it is finished, withdrawn or gone.
///
/// The claim is not worth waiting for the disk: if it is lost in a crash, the submission is simply still queued.
pub async fn claim(db: &ScorerDb, submission: Uuid) -> Result<Option<Claim>, StorageError> {
    let mut transaction = db.pool().begin().await?;
    sqlx::query!("SELECT set_config('synchronous_commit', 'off', true)")
        .fetch_one(&mut *transaction)
        .await?;
    let lost_too_often = sqlx::query!(
        "WITH lost AS (
             UPDATE submissions
             SET losses = losses + 1,
                 status = CASE WHEN losses + 1 >= $2 THEN 'failed' ELSE status END,
                 stage = CASE WHEN losses + 1 >= $2 THEN NULL ELSE stage END,
                 problem = CASE WHEN losses + 1 >= $2 THEN jsonb_build_object('detail', $3::text) END
             WHERE id = $1
               AND status = 'running'
               AND withdrawn_at IS NULL
               AND (kind = 'predictions' OR record_key IS NOT NULL)
               AND progress_at > pg_postmaster_start_time()
             RETURNING id, status
         )
         INSERT INTO watchdog_actions (submission, action)
         SELECT id, 'failed' FROM lost WHERE status = 'failed'",
        submission,
        MAX_LOSSES,
        FailureReason::WorkerLost.sentence()
    )
    .execute(&mut *transaction)
    .await?;
    if lost_too_often.rows_affected() > 0 {
        transaction.commit().await?;
        return Ok(None);
    }
    let claim = sqlx::query_as!(
        Claim,
        r#"UPDATE submissions
           SET status = 'running', attempt = attempt + 1, stage = 'scoring', progress_at = clock_timestamp(),
               progress_done = NULL, progress_total = NULL
           WHERE id = $1
             AND status IN ('queued', 'running')
             AND withdrawn_at IS NULL
             AND (kind = 'predictions' OR record_key IS NOT NULL)
           RETURNING id AS submission, attempt, waiting_since IS NOT NULL AS "has_waited!", challenge, team, entry = 'baseline' AS "is_baseline!",
                     coalesce(record_key, object_key) AS "object_key!", bytes,
                     CASE WHEN record_key IS NULL THEN sha256 ELSE record_sha256 END AS sha256,
                     coalesce((form ->> 'boxes')::boolean, false) AS "boxes!",
                     coalesce(record_key IS NULL AND form ->> 'classes' = 'challenge', false) AS "own_classes!""#,
        submission
    )
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(claim)
}

/// Leaves the submission for later because of trouble of ours. Returns whether the claim still stood.
pub async fn put_off(db: &ScorerDb, claim: &Claim, wait: Wait) -> Result<bool, StorageError> {
    trouble::put_off(db.pool(), claim.submission, claim.attempt, wait).await
}

/// Counts what broke inside while this submission was scored; the last time ends it. Returns whether the claim still stood.
pub async fn lose(db: &ScorerDb, claim: &Claim) -> Result<bool, StorageError> {
    let sentence = FailureReason::Internal.sentence();
    trouble::lose(db.pool(), claim.submission, claim.attempt, sentence).await
}

/// Gives the submission back for another scorer to take. Returns whether the claim still stood.
pub async fn give_back(db: &ScorerDb, claim: &Claim) -> Result<bool, StorageError> {
    trouble::give_back(db.pool(), claim.submission, claim.attempt).await
}

/// Has what waits tried at once.
pub async fn wake_waiting(db: &ScorerDb) -> Result<u64, StorageError> {
    trouble::wake(db.pool()).await
}

/// A sign of life, in bytes read. `false`: someone else has claimed the submission, or it was withdrawn; stop.
pub async fn record_progress(
    db: &ScorerDb,
    claim: &Claim,
    done: i64,
) -> Result<bool, StorageError> {
    let mine = sqlx::query!(
        "UPDATE submissions
         SET progress_done = $3, progress_total = $4, progress_at = clock_timestamp()
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL",
        claim.submission,
        claim.attempt,
        done,
        claim.bytes
    )
    .execute(db.pool())
    .await?;
    Ok(mine.rows_affected() == 1)
}

/// The submitter's fault: `problem` says what and where. Returns whether the claim still stood.
pub async fn reject(
    db: &ScorerDb,
    claim: &Claim,
    problem: &impl Serialize,
) -> Result<bool, StorageError> {
    end(
        db,
        claim.submission,
        claim.attempt,
        "rejected",
        serde_json::to_value(problem)?,
    )
    .await
}

/// Ours: reported with one of a fixed list of reasons, quota given back. Returns whether the claim still stood.
pub async fn fail(
    db: &ScorerDb,
    claim: &Claim,
    reason: FailureReason,
) -> Result<bool, StorageError> {
    let problem = serde_json::json!({ "detail": reason.sentence() });
    end(db, claim.submission, claim.attempt, "failed", problem).await
}

async fn end(
    db: &ScorerDb,
    submission: Uuid,
    attempt: i32,
    status: &str,
    problem: serde_json::Value,
) -> Result<bool, StorageError> {
    let ended = sqlx::query!(
        "UPDATE submissions
         SET status = $3, problem = $4, stage = NULL, progress_done = NULL, progress_total = NULL,
             waiting_for = NULL, waiting_since = NULL
         WHERE id = $1 AND attempt = $2 AND status = 'running'",
        submission,
        attempt,
        status,
        problem
    )
    .execute(db.pool())
    .await?;
    Ok(ended.rows_affected() == 1)
}
