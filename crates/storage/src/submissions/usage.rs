//! What a challenge allows a team, what the team has used of it, and why it may not submit now.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StorageError;

/// Rejected uploads that a team may make in an hour; they do not count against the challenge's limits.
const REJECTED_PER_HOUR: i64 = 60;

/// Why a team may not submit now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("all {limit} submissions that a team has per UTC day are used; the next is allowed from {}", rfc3339(.next))]
    Day { limit: i32, next: DateTime<Utc> },
    #[error("all {limit} submissions that a team has per week (Monday to Sunday, UTC) are used; the next is allowed from {}", rfc3339(.next))]
    Week { limit: i32, next: DateTime<Utc> },
    #[error("all {limit} submissions that a team has in this challenge are used")]
    Total { limit: i32 },
    #[error(
        "{REJECTED_PER_HOUR} uploads of this team were rejected within an hour; check files with `referee check` before uploading; the next is allowed from {}",
        rfc3339(.next)
    )]
    Rejected { next: DateTime<Utc> },
    #[error(
        "the challenge closed while this file was on its way, and its private scores are out; files that came whole before that count"
    )]
    PrivateScoresOut,
    #[error(
        "another team of this challenge is called `{0}`, as your first submission would call yours; ask its organizers"
    )]
    TeamName(String),
}

impl Refusal {
    /// When to try again, if that is any use.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Day { next, .. } | Self::Week { next, .. } | Self::Rejected { next } => {
                Some(*next)
            }
            Self::Total { .. } | Self::PrivateScoresOut | Self::TeamName(_) => None,
        }
    }
}

fn rfc3339(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A challenge's limits and what a team has used of them: all submissions but failed ones and rejected ones. A rejected model
/// that has seen private images counts: its rejection told something about them.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    pub per_day: Option<i32>,
    pub per_week: Option<i32>,
    pub total: Option<i32>,
    pub today: i64,
    pub this_week: i64,
    pub ever: i64,
    /// Within the last hour.
    rejected: i64,
    first_rejected_at: Option<DateTime<Utc>>,
}

pub(super) async fn usage(
    connection: &mut PgConnection,
    challenge: Uuid,
    team: Uuid,
    at: DateTime<Utc>,
) -> Result<Usage, StorageError> {
    let day = at.date_naive();
    Ok(sqlx::query_as!(
        Usage,
        r#"
        SELECT challenges.per_day, challenges.per_week, challenges.total,
               count(*) FILTER (WHERE counts AND received_at >= $3 AND received_at < $4) AS "today!",
               count(*) FILTER (WHERE counts AND received_at >= $5 AND received_at < $6) AS "this_week!",
               count(*) FILTER (WHERE counts) AS "ever!",
               count(*) FILTER (WHERE status = 'rejected' AND received_at > $7) AS "rejected!",
               min(received_at) FILTER (WHERE status = 'rejected' AND received_at > $7) AS first_rejected_at
        FROM challenges
        LEFT JOIN (
            SELECT challenge, status, received_at,
                   status <> 'failed' AND (status <> 'rejected' OR hidden_images_at IS NOT NULL) AS counts
            FROM submissions
            WHERE team = $2
              AND entry = 'competitor'
        ) AS used ON used.challenge = challenges.id
        WHERE challenges.id = $1
        GROUP BY challenges.id
        "#,
        challenge,
        team,
        midnight(day),
        midnight(day + Days::new(1)),
        midnight(monday(day)),
        midnight(monday(day) + Days::new(7)),
        at - TimeDelta::hours(1),
    )
    .fetch_one(connection)
    .await?)
}

pub(super) fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The first day of the ISO week.
pub(super) fn monday(day: NaiveDate) -> NaiveDate {
    day - Days::new(day.weekday().num_days_from_monday().into())
}

impl Usage {
    /// The limit that refuses another submission at `at`; of several, the one that does so the longest.
    pub(super) fn refusal(&self, at: DateTime<Utc>) -> Option<Refusal> {
        let spent = |used: i64, limit: Option<i32>| limit.filter(|&limit| used >= i64::from(limit));
        let day = at.date_naive();
        if let Some(limit) = spent(self.ever, self.total) {
            return Some(Refusal::Total { limit });
        }
        if let Some(limit) = spent(self.this_week, self.per_week) {
            return Some(Refusal::Week {
                limit,
                next: midnight(monday(day) + Days::new(7)),
            });
        }
        if let Some(limit) = spent(self.today, self.per_day) {
            return Some(Refusal::Day {
                limit,
                next: midnight(day + Days::new(1)),
            });
        }
        let first_rejected = self
            .first_rejected_at
            .filter(|_| self.rejected >= REJECTED_PER_HOUR)?;
        Some(Refusal::Rejected {
            next: first_rejected + TimeDelta::hours(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().expect("RFC 3339")
    }

    /// 2026-01-01 is a Thursday of ISO week 2026-W01, which began on Monday 2025-12-29.
    #[test]
    fn weeks_are_iso_weeks_and_days_are_utc_days() {
        let thursday = at("2026-01-01T23:59:59Z");
        assert_eq!(monday(thursday.date_naive()).to_string(), "2025-12-29");
        let usage = Usage {
            per_day: Some(2),
            per_week: Some(5),
            today: 2,
            this_week: 4,
            ..Usage::default()
        };
        let refusal = usage.refusal(thursday).expect("the day is spent");
        assert_eq!(refusal.next(), Some(at("2026-01-02T00:00:00Z")));
        assert_eq!(
            refusal.to_string(),
            "all 2 submissions that a team has per UTC day are used; the next is allowed from 2026-01-02T00:00:00Z"
        );
        let usage = Usage {
            this_week: 5,
            ..usage
        };
        assert_eq!(
            usage.refusal(thursday).expect("the week is spent").next(),
            Some(at("2026-01-05T00:00:00Z"))
        );
        let usage = Usage {
            total: Some(5),
            ever: 5,
            ..usage
        };
        assert_eq!(usage.refusal(thursday), Some(Refusal::Total { limit: 5 }));
    }

    #[test]
    fn rejected_uploads_are_limited_by_the_hour() {
        let now = at("2026-01-01T12:00:00Z");
        let first_rejected_at = Some(at("2026-01-01T11:10:00Z"));
        let usage = Usage {
            rejected: 59,
            first_rejected_at,
            ..Usage::default()
        };
        assert_eq!(usage.refusal(now), None);
        let usage = Usage {
            rejected: 60,
            ..usage
        };
        assert_eq!(
            usage.refusal(now),
            Some(Refusal::Rejected {
                next: at("2026-01-01T12:10:00Z")
            })
        );
    }
}
