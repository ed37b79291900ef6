use referee_scoring::ladder::{self, Ladder};
use referee_scoring::outcome::{Bitmap, Outcome, Tally};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Claim, lock_challenge_shared, lock_team, touch_board};
use crate::{ScorerDb, StorageError};

/// The server's ladder (science: z > 1 and a floor resist the pair-flip attack that the paper's z = 1 does not).
const LADDER: Ladder = Ladder {
    z: 2.0,
    min_gain: 0.0005,
};

/// A submission compared with one version of the labels.
#[derive(Clone, Debug)]
pub struct Judged {
    pub label_version: i32,
    pub outcome: Outcome,
    pub public: Tally,
    /// `None` where every image is public.
    pub private: Option<Tally>,
    /// Images that are public and not skipped: what the ladder compares on.
    pub public_mask: Bitmap,
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Done,
    /// The board shows another version of the labels by now: judge again.
    VersionChanged,
    /// Someone else has claimed the submission, or it was withdrawn.
    NoLongerMine,
}

struct Rules {
    label_version: Option<i32>,
    uses_ladder: bool,
    ranks_top5: bool,
    private_released: bool,
}

/// Ends a claim as `scored`: seals the outcome, releases what the feedback rule lets out, and wakes the board, at once.
pub async fn store_outcome(
    db: &ScorerDb,
    claim: &Claim,
    judged: &Judged,
    notices: &Value,
) -> Result<Stored, StorageError> {
    let mut transaction = db.pool().begin().await?;
    lock_challenge_shared(&mut transaction, claim.challenge).await?;
    let rules = rules(&mut transaction, claim.challenge).await?;
    if rules.label_version != Some(judged.label_version) {
        return Ok(Stored::VersionChanged);
    }
    lock_team(&mut transaction, claim.team).await?;
    let scored = sqlx::query!(
        "UPDATE submissions
         SET status = 'scored', scored_at = clock_timestamp(), scored_seq = nextval('sealed.scored_seq'),
             notices = CASE WHEN kind = 'model' THEN notices || $3 ELSE $3 END,
             stage = NULL, progress_done = NULL, progress_total = NULL,
             losses = 0, waiting_for = NULL, waiting_since = NULL
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL",
        claim.submission,
        claim.attempt,
        notices
    )
    .execute(&mut *transaction)
    .await?;
    if scored.rows_affected() == 0 {
        return Ok(Stored::NoLongerMine);
    }
    seal_and_release(&mut transaction, claim, judged, &rules).await?;
    touch_board(&mut transaction, claim.challenge).await?;
    transaction.commit().await?;
    Ok(Stored::Done)
}

/// The same for a submission that is scored already: under a version that the board does not show yet, or under the one
/// it shows where it was left out.
///
/// Called in the order of `scored_seq`, so that the ladder is replayed as it went. Two workers may be at it, where one was
/// taken for dead: what the other has stored stays, as the ladder has gone on from there.
///
/// Returns whether the board shows it, so that the caller has to touch it.
pub(super) async fn store_rescored(
    connection: &mut PgConnection,
    claim: &Claim,
    judged: &Judged,
) -> Result<bool, StorageError> {
    lock_challenge_shared(connection, claim.challenge).await?;
    let rules = rules(connection, claim.challenge).await?;
    lock_team(connection, claim.team).await?;
    let is_stored = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM sealed.outcomes WHERE submission = $1 AND label_version = $2
           ) AS "is_stored!""#,
        claim.submission,
        judged.label_version
    )
    .fetch_one(&mut *connection)
    .await?;
    if is_stored {
        return Ok(false);
    }
    seal_and_release(connection, claim, judged, &rules).await?;
    Ok(rules.label_version == Some(judged.label_version))
}

async fn rules(connection: &mut PgConnection, challenge: Uuid) -> Result<Rules, StorageError> {
    Ok(sqlx::query_as!(
        Rules,
        r#"SELECT label_version, feedback = 'ladder' AS "uses_ladder!", primary_error = 'top5' AS "ranks_top5!",
                  private_released_at IS NOT NULL AS "private_released!"
           FROM challenges
           WHERE id = $1"#,
        challenge
    )
    .fetch_one(connection)
    .await?)
}

async fn seal_and_release(
    connection: &mut PgConnection,
    claim: &Claim,
    judged: &Judged,
    rules: &Rules,
) -> Result<(), StorageError> {
    let submission = claim.submission;
    let standing = if rules.uses_ladder && !claim.is_baseline {
        standing(connection, claim.team, judged.label_version).await?
    } else {
        None
    };
    let (accepted, released) = match standing {
        Some(standing) if !improves(&standing, judged, rules.ranks_top5)? => {
            (false, standing.released)
        }
        _ if rules.uses_ladder && !claim.is_baseline => (true, ladder::told(judged.public)),
        _ => (true, judged.public),
    };
    sqlx::query!(
        "INSERT INTO sealed.outcomes (submission, label_version, top1_hits, top5_hits, ladder_accepted)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (submission, label_version) DO UPDATE
         SET top1_hits = excluded.top1_hits, top5_hits = excluded.top5_hits, ladder_accepted = excluded.ladder_accepted",
        submission,
        judged.label_version,
        judged.outcome.top1.as_bytes(),
        judged.outcome.top5.as_bytes(),
        accepted
    )
    .execute(&mut *connection)
    .await?;
    seal_score(
        connection,
        submission,
        judged.label_version,
        "public",
        judged.public,
    )
    .await?;
    release(
        connection,
        submission,
        judged.label_version,
        "public",
        released,
    )
    .await?;
    if let Some(private) = judged.private {
        seal_score(
            connection,
            submission,
            judged.label_version,
            "private",
            private,
        )
        .await?;
        if rules.private_released {
            release(
                connection,
                submission,
                judged.label_version,
                "private",
                private,
            )
            .await?;
        }
    }
    Ok(())
}

/// The submission on which a team's ladder stands.
struct Standing {
    top1_hits: Vec<u8>,
    top5_hits: Vec<u8>,
    released: Tally,
}

async fn standing(
    connection: &mut PgConnection,
    team: Uuid,
    label_version: i32,
) -> Result<Option<Standing>, StorageError> {
    let row = sqlx::query!(
        "SELECT o.top1_hits, o.top5_hits, r.images, r.top1_misses, r.top5_misses
         FROM sealed.outcomes o
         JOIN submissions s ON s.id = o.submission
         JOIN released_scores r ON r.submission = o.submission AND r.label_version = o.label_version AND r.split = 'public'
         WHERE s.team = $1
           AND s.entry = 'competitor'
           AND o.label_version = $2
           AND o.ladder_accepted
         ORDER BY s.scored_seq DESC
         LIMIT 1",
        team,
        label_version
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Standing {
        top1_hits: row.top1_hits,
        top5_hits: row.top5_hits,
        released: tally(row.images, row.top1_misses, row.top5_misses),
    }))
}

fn improves(standing: &Standing, judged: &Judged, ranks_top5: bool) -> Result<bool, StorageError> {
    let (before, after) = if ranks_top5 {
        (&standing.top5_hits, &judged.outcome.top5)
    } else {
        (&standing.top1_hits, &judged.outcome.top1)
    };
    let before = bitmap(before.clone(), after.len())?;
    let (fixed, broken) =
        referee_scoring::statistics::discordant(after, &before, &judged.public_mask);
    // At most one count per image, and images are counted in 31 bits.
    let [fixed, broken] = [fixed, broken].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Ok(LADDER.accepts(fixed, broken, judged.public.images))
}

pub(super) fn bitmap(bytes: Vec<u8>, images: usize) -> Result<Bitmap, StorageError> {
    Bitmap::from_bytes(bytes, images).ok_or(StorageError::Corrupt(
        "a bitmap's length differs from the number of images",
    ))
}

/// Counts come from `integer` columns with CHECKs that keep them non-negative.
pub(super) fn tally(images: i32, top1_misses: i32, top5_misses: i32) -> Tally {
    Tally {
        images: images.unsigned_abs(),
        top1_misses: top1_misses.unsigned_abs(),
        top5_misses: top5_misses.unsigned_abs(),
    }
}

async fn seal_score(
    connection: &mut PgConnection,
    submission: Uuid,
    version: i32,
    split: &str,
    tally: Tally,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO sealed.scores (submission, label_version, split, images, top1_misses, top5_misses)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (submission, label_version, split) DO UPDATE
         SET images = excluded.images, top1_misses = excluded.top1_misses, top5_misses = excluded.top5_misses",
        submission,
        version,
        split,
        tally.images.cast_signed(),
        tally.top1_misses.cast_signed(),
        tally.top5_misses.cast_signed()
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn release(
    connection: &mut PgConnection,
    submission: Uuid,
    version: i32,
    split: &str,
    tally: Tally,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO released_scores (submission, label_version, split, images, top1_misses, top5_misses)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (submission, label_version, split) DO UPDATE
         SET images = excluded.images, top1_misses = excluded.top1_misses, top5_misses = excluded.top5_misses",
        submission,
        version,
        split,
        tally.images.cast_signed(),
        tally.top1_misses.cast_signed(),
        tally.top5_misses.cast_signed()
    )
    .execute(connection)
    .await?;
    Ok(())
}
