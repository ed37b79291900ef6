//! What the scorer asks of the database, as `referee_scorer`: the only role that sees labels and predictions together.
//!
//! Locks, always taken in this order: the challenge's (shared while a submission is scored, exclusive while the label
//! version flips or private scores are released), then the team's (one scoring at a time, so that the ladder advances in
//! the order of `scored_seq`).

mod changed_scores;
mod claim;
mod close;
mod leaks;
mod outcome;
mod ranks;
mod versions;
mod watchdog;

pub use claim::{
    Claim, FailureReason, claim, fail, give_back, lose, put_off, record_progress, reject,
    wake_waiting,
};
pub use close::{due_closings, release_private_scores};
pub use leaks::{DueCheck, due_check, mark_leak};
pub use outcome::{Judged, Stored, store_outcome};
pub use ranks::{RankRange, Ranking, hits, ranking, store_rank_ranges};
pub use versions::{
    ChallengeFacts, LabelRefusal, LabelVersion, add_outcome, add_split, challenges_with_boards,
    challenges_with_left_out, copy_labels, current_version, facts, facts_revision, flip, labels,
    labels_are_fresh, look_again, refuse, remind, retire_unfit, seal, split, unscored,
    untended_challenges, versions_in_work, wake,
};
pub use watchdog::{WatchdogReport, watch};

use sqlx::PgConnection;
use uuid::Uuid;

/// Holds the challenge's label version and release state still until the transaction ends.
async fn lock_challenge_shared(
    connection: &mut PgConnection,
    challenge: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock_shared(hashtextextended('challenge:' || $1::text, 0))",
        challenge.to_string()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Waits for scorings under way, and keeps others out until the transaction ends.
async fn lock_challenge(connection: &mut PgConnection, challenge: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('challenge:' || $1::text, 0))",
        challenge.to_string()
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn lock_team(connection: &mut PgConnection, team: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('team:' || $1::text, 0))",
        team.to_string()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Raises the board's revision: the api's processes hear of it and rebuild the document.
pub(crate) async fn touch_board(
    connection: &mut PgConnection,
    challenge: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE boards
         SET revision = revision + 1, changed_at = clock_timestamp()
         WHERE challenge = $1",
        challenge
    )
    .execute(connection)
    .await?;
    Ok(())
}
