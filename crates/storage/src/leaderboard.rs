//! The board of a challenge: who stands where on a split.

use chrono::{DateTime, Utc};
use referee_scoring::Tally;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::challenges::State;
use crate::challenges::settings::Primary;
use crate::submissions::{Entry, Kind};
use crate::{ApiDb, StorageError};

/// A part of the test images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Split {
    Public,
    Private,
}

/// What decides who may see a challenge's boards, and how new they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub challenge: Uuid,
    pub slug: String,
    pub published_at: Option<DateTime<Utc>>,
    pub opens: Option<DateTime<Utc>>,
    pub closes: Option<DateTime<Utc>>,
    /// Whether there are private images at all.
    pub has_private: bool,
    pub private_released_at: Option<DateTime<Utc>>,
    pub primary: Primary,
    pub label_version: Option<i32>,
    /// Rises with every visible change of the board.
    pub revision: i64,
    pub changed_at: DateTime<Utc>,
}

impl Standing {
    pub fn state_at(&self, now: DateTime<Utc>) -> State {
        State::of(self.published_at, self.opens, self.closes, now)
    }
}

/// A team's place, or a baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// From 1; none for baselines and late submissions.
    pub rank: Option<u32>,
    /// The ranks that the place is statistically compatible with; none until they are computed for the board as it is.
    pub rank_range: Option<(u32, u32)>,
    pub tally: Tally,
    pub team: String,
    pub submission: Uuid,
    pub method: String,
    pub kind: Kind,
    pub entry: Entry,
    pub outside_data: bool,
    pub late: bool,
    pub model: Option<serde_json::Value>,
    pub paper_url: Option<String>,
    pub code_url: Option<String>,
    pub received_at: DateTime<Utc>,
}

/// The standing of the challenge with this slug.
pub async fn standing(db: &ApiDb, slug: &str) -> Result<Option<Standing>, StorageError> {
    read_standing(&mut *db.pool().acquire().await?, slug).await
}

/// A whole board, best first, with the standing that it belongs to; none where there is no such challenge.
pub async fn board(
    db: &ApiDb,
    slug: &str,
    split: Split,
) -> Result<Option<(Standing, Vec<Placed>)>, StorageError> {
    let mut snapshot = db
        .pool()
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .await?;
    let Some(standing) = read_standing(&mut snapshot, slug).await? else {
        return Ok(None);
    };
    let mut placed = read_places(&mut snapshot, standing.challenge, split).await?;
    let ranked = sqlx::query_scalar!(
        "SELECT digest FROM ranked_boards WHERE challenge = $1 AND split = $2",
        standing.challenge,
        split as Split,
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    snapshot.commit().await?;
    if ranked.is_none_or(|digest| digest != order_digest(&placed)) {
        for place in &mut placed {
            place.rank_range = None;
        }
    }
    Ok(Some((standing, placed)))
}

/// What ranks are computed from, in 32 bytes: the ranked entries with their counts, in order.
pub(crate) fn order_digest(placed: &[Placed]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for place in placed.iter().filter(|place| place.rank.is_some()) {
        digest.update(place.submission.as_bytes());
        let Tally {
            images,
            top1_misses,
            top5_misses,
        } = place.tally;
        for count in [images, top1_misses, top5_misses] {
            digest.update(count.to_le_bytes());
        }
    }
    digest.finalize().into()
}

async fn read_standing(
    connection: &mut PgConnection,
    slug: &str,
) -> Result<Option<Standing>, StorageError> {
    Ok(sqlx::query_as!(
        Standing,
        r#"
        SELECT challenges.id AS challenge, challenges.slug, challenges.published_at, challenges.opens, challenges.closes,
               challenges.public_fraction < 1 AS "has_private!", challenges.private_released_at,
               challenges.primary_error AS "primary: Primary", challenges.label_version,
               boards.revision, boards.changed_at
        FROM challenges
        JOIN boards ON boards.challenge = challenges.id
        WHERE challenges.slug = $1
        "#,
        slug,
    )
    .fetch_optional(connection)
    .await?)
}

/// On the public board a team stands with its best or its latest submission (`ranking`); on the private one with the best
/// there of those it selected and, without any, with its submission of the public board. Baselines are all listed, late
/// submissions compete with their team's late ones only.
///
/// Who withdraws after the close leaves the private board: another submission does not move up, as that would let a team
/// choose by private scores. All submissions of a split count the same images, so that misses order as errors do.
pub(crate) async fn read_places(
    connection: &mut PgConnection,
    challenge: Uuid,
    split: Split,
) -> Result<Vec<Placed>, StorageError> {
    let rows = sqlx::query!(
        r#"
        WITH candidates AS (
            SELECT submissions.id, submissions.late, submissions.received_at,
                   CASE submissions.entry WHEN 'baseline' THEN submissions.id ELSE submissions.team END AS stands_for,
                   submissions.selected AND $2 = 'private' AND submissions.entry = 'competitor' AND NOT submissions.late
                       AS chosen,
                   CASE challenges.ranking WHEN 'latest' THEN submissions.received_at END AS latest,
                   CASE challenges.primary_error WHEN 'top1' THEN public.top1_misses ELSE public.top5_misses END
                       AS public_primary,
                   CASE challenges.primary_error WHEN 'top1' THEN public.top5_misses ELSE public.top1_misses END
                       AS public_other,
                   shown.label_version, shown.images, shown.top1_misses, shown.top5_misses,
                   CASE challenges.primary_error WHEN 'top1' THEN shown.top1_misses ELSE shown.top5_misses END
                       AS shown_primary,
                   CASE challenges.primary_error WHEN 'top1' THEN shown.top5_misses ELSE shown.top1_misses END
                       AS shown_other
            FROM submissions
            JOIN challenges ON challenges.id = submissions.challenge
            JOIN released_scores AS public
              ON public.submission = submissions.id
             AND public.label_version = challenges.label_version
             AND public.split = 'public'
            JOIN released_scores AS shown
              ON shown.submission = submissions.id
             AND shown.label_version = challenges.label_version
             AND shown.split = $2
             AND shown.images > 0
            WHERE submissions.challenge = $1
              AND submissions.status = 'scored'
              AND submissions.hidden_at IS NULL
              AND (submissions.withdrawn_at IS NULL OR ($2 = 'private' AND submissions.withdrawn_at >= challenges.closes))
        ), standing AS (
            SELECT DISTINCT ON (stands_for, late) *
            FROM candidates
            ORDER BY stands_for, late, chosen DESC,
                     CASE WHEN chosen THEN shown_primary END, CASE WHEN chosen THEN shown_other END,
                     latest DESC, public_primary, public_other, received_at, id
        )
        SELECT submissions.id AS submission, teams.name AS team, submissions.method,
               submissions.kind AS "kind: Kind", submissions.entry AS "entry: Entry",
               submissions.outside_data, submissions.late, submissions.model,
               submissions.paper_url, submissions.code_url, submissions.received_at,
               standing.images AS "images!", standing.top1_misses AS "top1_misses!",
               standing.top5_misses AS "top5_misses!",
               rank_ranges.rank_low AS "rank_low?", rank_ranges.rank_high AS "rank_high?"
        FROM standing
        JOIN submissions ON submissions.id = standing.id
        JOIN teams ON teams.id = submissions.team
        LEFT JOIN rank_ranges
               ON rank_ranges.submission = standing.id
              AND rank_ranges.split = $2
              AND rank_ranges.label_version = standing.label_version
              AND submissions.entry = 'competitor'
              AND NOT submissions.late
        WHERE submissions.withdrawn_at IS NULL
        ORDER BY standing.shown_primary, standing.shown_other, standing.received_at, standing.id
        "#,
        challenge,
        split as Split,
    )
    .fetch_all(connection)
    .await?;
    let mut ranks = 1_u32..;
    let placed = rows.into_iter().map(|row| Placed {
        rank: if row.entry == Entry::Competitor && !row.late {
            ranks.next()
        } else {
            None
        },
        rank_range: row
            .rank_low
            .zip(row.rank_high)
            .map(|(low, high)| (low.unsigned_abs(), high.unsigned_abs())),
        tally: Tally {
            images: row.images.unsigned_abs(),
            top1_misses: row.top1_misses.unsigned_abs(),
            top5_misses: row.top5_misses.unsigned_abs(),
        },
        team: row.team,
        submission: row.submission,
        method: row.method,
        kind: row.kind,
        entry: row.entry,
        outside_data: row.outside_data,
        late: row.late,
        model: row.model,
        paper_url: row.paper_url,
        code_url: row.code_url,
        received_at: row.received_at,
    });
    Ok(placed.collect())
}
