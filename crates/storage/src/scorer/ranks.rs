use referee_scoring::outcome::{Bitmap, Tally};
use uuid::Uuid;

use super::outcome::bitmap;
use super::touch_board;
use crate::leaderboard::{Split, order_digest, read_places};
use crate::{ScorerDb, StorageError};

/// What ranks are computed from: the ranked entries of one split of a board, best first.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub label_version: i32,
    pub ranks_top5: bool,
    /// Whether only the ladder's values may be let out, so that exact outcomes must not shape the ranges.
    pub uses_ladder: bool,
    pub entries: Vec<(Uuid, Tally)>,
    /// Of the entries: tells whether a board is still the one that was ranked.
    digest: [u8; 32],
}

/// The ranks that a submission's place is statistically compatible with, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankRange {
    pub submission: Uuid,
    pub low: i32,
    pub high: i32,
}

/// `None` where the split has no board: no label version yet, or private scores still sealed.
pub async fn ranking(
    db: &ScorerDb,
    challenge: Uuid,
    split: Split,
) -> Result<Option<Ranking>, StorageError> {
    let mut snapshot = db
        .pool()
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await?;
    let rules = sqlx::query!(
        r#"SELECT label_version, primary_error = 'top5' AS "ranks_top5!", feedback = 'ladder' AS "uses_ladder!",
                  private_released_at IS NOT NULL AS "private_released!"
           FROM challenges
           WHERE id = $1"#,
        challenge
    )
    .fetch_one(&mut *snapshot)
    .await?;
    let Some(label_version) = rules.label_version else {
        return Ok(None);
    };
    if split == Split::Private && !rules.private_released {
        return Ok(None);
    }
    let placed = read_places(&mut snapshot, challenge, split).await?;
    snapshot.commit().await?;
    Ok(Some(Ranking {
        label_version,
        ranks_top5: rules.ranks_top5,
        uses_ladder: rules.uses_ladder,
        digest: order_digest(&placed),
        entries: placed
            .into_iter()
            .filter(|entry| entry.rank.is_some())
            .map(|entry| (entry.submission, entry.tally))
            .collect(),
    }))
}

/// The images that each of the submissions got right by the error that ranks, in the order asked for.
pub async fn hits(
    db: &ScorerDb,
    ranking: &Ranking,
    submissions: &[Uuid],
    images: usize,
) -> Result<Vec<Bitmap>, StorageError> {
    let rows = sqlx::query_scalar!(
        r#"SELECT CASE WHEN $3 THEN o.top5_hits ELSE o.top1_hits END AS "hits!"
           FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (submission, place)
           JOIN sealed.outcomes o ON o.submission = asked.submission AND o.label_version = $2
           ORDER BY asked.place"#,
        submissions,
        ranking.label_version,
        ranking.ranks_top5
    )
    .fetch_all(db.pool())
    .await?;
    if rows.len() != submissions.len() {
        return Err(StorageError::Corrupt(
            "a submission on the board has no outcome",
        ));
    }
    rows.into_iter().map(|hits| bitmap(hits, images)).collect()
}

/// Replaces the ranges of a split by those computed from `ranking`. The board gets a new revision if it shows others now.
pub async fn store_rank_ranges(
    db: &ScorerDb,
    challenge: Uuid,
    split: Split,
    ranking: &Ranking,
    ranges: &[RankRange],
) -> Result<(), StorageError> {
    let submissions: Vec<Uuid> = ranges.iter().map(|range| range.submission).collect();
    let lows: Vec<i32> = ranges.iter().map(|range| range.low).collect();
    let highs: Vec<i32> = ranges.iter().map(|range| range.high).collect();
    let mut transaction = db.pool().begin().await?;
    let removed = sqlx::query!(
        "DELETE FROM rank_ranges r
         USING submissions s
         WHERE s.id = r.submission
           AND s.challenge = $1
           AND r.split = $2
           AND NOT r.submission = ANY ($3)",
        challenge,
        split as Split,
        &submissions
    )
    .execute(&mut *transaction)
    .await?;
    let changed = sqlx::query!(
        "INSERT INTO rank_ranges AS r (submission, split, label_version, rank_low, rank_high)
         SELECT submission, $2, $3, low, high
         FROM unnest($1::uuid[], $4::integer[], $5::integer[]) AS new (submission, low, high)
         ON CONFLICT (submission, split) DO UPDATE
         SET label_version = excluded.label_version, rank_low = excluded.rank_low, rank_high = excluded.rank_high
         WHERE (r.label_version, r.rank_low, r.rank_high)
               IS DISTINCT FROM (excluded.label_version, excluded.rank_low, excluded.rank_high)",
        &submissions,
        split as Split,
        ranking.label_version,
        &lows,
        &highs
    )
    .execute(&mut *transaction)
    .await?;
    let ordered = sqlx::query!(
        "INSERT INTO ranked_boards AS r (challenge, split, digest)
         VALUES ($1, $2, $3)
         ON CONFLICT (challenge, split) DO UPDATE
         SET digest = excluded.digest
         WHERE r.digest <> excluded.digest",
        challenge,
        split as Split,
        ranking.digest.as_slice()
    )
    .execute(&mut *transaction)
    .await?;
    if removed.rows_affected() + changed.rows_affected() + ordered.rows_affected() > 0 {
        touch_board(&mut transaction, challenge).await?;
    }
    transaction.commit().await?;
    Ok(())
}
