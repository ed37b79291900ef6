//! What a team may still submit to a challenge, and when that renews: the same count that intake refuses by.

use chrono::{DateTime, Days, Utc};
use uuid::Uuid;

use super::intake::membership;
use super::marks::selected;
use super::usage::{Refusal, midnight, monday, usage};
use crate::{ApiDb, StorageError};

/// One of a challenge's limits and what the team has used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub limit: i32,
    pub used: i64,
    /// When all of it is there again; none for the limit on the whole challenge.
    pub renews_at: Option<DateTime<Utc>>,
}

/// What a user's team may do in a challenge. A user without a submission has no team yet, and has used nothing.
#[derive(Clone, Debug)]
pub struct Quota {
    pub team: Option<String>,
    pub day: Option<Allowance>,
    pub week: Option<Allowance>,
    pub total: Option<Allowance>,
    /// Why another submission would be refused now.
    pub refusal: Option<Refusal>,
    /// Submissions that the team has selected for the private board, with their methods.
    pub selected: Vec<(Uuid, String)>,
}

/// The quota of this user's team at `at`.
pub async fn quota(
    db: &ApiDb,
    challenge: Uuid,
    user: Uuid,
    at: DateTime<Utc>,
) -> Result<Quota, StorageError> {
    let mut connection = db.pool().acquire().await?;
    let team = membership(&mut connection, challenge, user).await?;
    let usage = usage(&mut connection, challenge, team.unwrap_or_default(), at).await?;
    let (name, selected) = match team {
        None => (None, Vec::new()),
        Some(team) => {
            let name = sqlx::query_scalar!("SELECT name FROM teams WHERE id = $1", team)
                .fetch_one(&mut *connection)
                .await?;
            (Some(name), selected(&mut connection, team).await?)
        }
    };
    let day = at.date_naive();
    let allowance = |limit: Option<i32>, used, renews_at| {
        limit.map(|limit| Allowance {
            limit,
            used,
            renews_at,
        })
    };
    Ok(Quota {
        team: name,
        selected,
        day: allowance(
            usage.per_day,
            usage.today,
            Some(midnight(day + Days::new(1))),
        ),
        week: allowance(
            usage.per_week,
            usage.this_week,
            Some(midnight(monday(day) + Days::new(7))),
        ),
        total: allowance(usage.total, usage.ever, None),
        refusal: usage.refusal(at),
    })
}
