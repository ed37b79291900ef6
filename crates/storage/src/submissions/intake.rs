//! How a submission comes in: one transaction that holds the row, the quota and the job, or nothing.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Entry, Kind};
use crate::challenges::State;
use crate::challenges::settings::{AfterClose, OutsideData};
use crate::{ApiDb, StorageError};

/// Rejected uploads that a team may make in an hour; they do not count against the challenge's limits.
pub const REJECTED_PER_HOUR: i64 = 60;

/// A submission whose file is stored.
pub struct NewSubmission<'a> {
    /// A new `UUIDv7`.
    pub id: Uuid,
    pub challenge: Uuid,
    pub submitter: Uuid,
    /// Names the team that is made at a user's first submission.
    pub handle: &'a str,
    pub kind: Kind,
    pub entry: Entry,
    pub method: &'a str,
    pub description: &'a str,
    pub paper_url: Option<&'a str>,
    pub code_url: Option<&'a str>,
    pub outside_data: bool,
    /// How to read the file.
    pub form: &'a serde_json::Value,
    pub object_key: &'a str,
    pub filename: &'a str,
    pub bytes: i64,
    pub sha256: &'a [u8; 32],
    pub idempotency_key: Option<&'a str>,
    /// Side files of a model.
    pub data: &'a [NewData],
    /// First byte of the upload.
    pub received_at: DateTime<Utc>,
    /// Whether that was after the close.
    pub late: bool,
}

/// A stored side file of a model.
#[derive(Clone, Debug)]
pub struct NewData {
    /// Bare: what the model refers to it by.
    pub name: String,
    pub object_key: String,
    pub bytes: i64,
    pub sha256: [u8; 32],
}

/// What became of a new submission. Unless it was accepted, nothing refers to its object.
#[derive(Debug)]
pub enum Intake {
    Accepted,
    /// The submitter has used this `Idempotency-Key` before.
    Repeated(Earlier),
    Refused(Refusal),
}

/// The submission for which an `Idempotency-Key` was used first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub submission: Uuid,
    pub challenge: Uuid,
}

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

/// Stores a submission and its job. Exact however many come at the same time: a team's are looked at one by one.
pub async fn accept(db: &ApiDb, new: &NewSubmission<'_>) -> Result<Intake, StorageError> {
    let mut transaction = db.pool().begin().await?;
    let Some(team) = team_of(&mut transaction, new).await? else {
        return Ok(Intake::Refused(Refusal::TeamName(new.handle.to_owned())));
    };
    sqlx::query!("SELECT id FROM teams WHERE id = $1 FOR NO KEY UPDATE", team)
        .fetch_one(&mut *transaction)
        .await?;
    if let Some(key) = new.idempotency_key
        && let Some(earlier) = earlier(&mut transaction, new.submitter, key).await?
    {
        return Ok(Intake::Repeated(earlier));
    }
    if new.entry == Entry::Competitor {
        let usage = usage(&mut transaction, new.challenge, team, new.received_at).await?;
        if let Some(refusal) = usage.refusal(new.received_at) {
            return Ok(Intake::Refused(refusal));
        }
    }
    let Some(late) = is_late(&mut transaction, new).await? else {
        return Ok(Intake::Refused(Refusal::PrivateScoresOut));
    };
    insert(&mut transaction, new, team, late).await?;
    sqlx::query!(r#"SELECT enqueue($1) AS "enqueued: ()""#, new.id)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Intake::Accepted)
}

/// Whether the submission is late; none where it comes too late. One that began before the close and came whole after the
/// private scores were out may follow from them.
async fn is_late(
    connection: &mut PgConnection,
    new: &NewSubmission<'_>,
) -> Result<Option<bool>, StorageError> {
    if new.late || new.entry == Entry::Baseline {
        return Ok(Some(new.late));
    }
    let challenge = sqlx::query!(
        r#"
        SELECT private_released_at IS NOT NULL AS "is_released!", after_close AS "after_close: AfterClose"
        FROM challenges
        WHERE id = $1
        "#,
        new.challenge,
    )
    .fetch_one(connection)
    .await?;
    Ok(match challenge.after_close {
        _ if !challenge.is_released => Some(false),
        AfterClose::Score => Some(true),
        AfterClose::Reject => None,
    })
}

/// What a challenge asks of a submission, and what the user is to it.
#[derive(Clone, Debug)]
pub struct Terms {
    pub challenge: Uuid,
    /// Whether the user is one of its organizers.
    pub organizes: bool,
    pub published_at: Option<DateTime<Utc>>,
    pub opens: Option<DateTime<Utc>>,
    pub closes: Option<DateTime<Utc>>,
    pub after_close: AfterClose,
    /// Of the file as sent, in 2^20 bytes.
    pub upload_mb: i32,
    pub outside_data: OutsideData,
    /// Whether there are sealed labels to score by.
    pub has_labels: bool,
    /// Whether there are test images to run models on.
    pub has_images: bool,
    pub classes: i32,
}

impl Terms {
    pub fn state_at(&self, now: DateTime<Utc>) -> State {
        State::of(self.published_at, self.opens, self.closes, now)
    }
}

/// The terms of the challenge with this slug for this user.
pub async fn terms(db: &ApiDb, slug: &str, user: Uuid) -> Result<Option<Terms>, StorageError> {
    Ok(sqlx::query_as!(
        Terms,
        r#"
        SELECT id AS challenge,
               EXISTS (SELECT FROM challenge_organizers WHERE challenge = challenges.id AND user_id = $2) AS "organizes!",
               published_at, opens, closes, after_close AS "after_close: AfterClose", upload_mb,
               outside_data AS "outside_data: OutsideData",
               EXISTS (
                   SELECT FROM label_versions WHERE challenge = challenges.id AND state IN ('sealed', 'current')
               ) AS "has_labels!",
               EXISTS (
                   SELECT FROM challenge_files WHERE challenge = challenges.id AND purpose = 'test-images'
               ) AS "has_images!",
               jsonb_array_length(classes) AS "classes!"
        FROM challenges
        WHERE slug = $1
        "#,
        slug,
        user,
    )
    .fetch_optional(db.pool())
    .await?)
}

/// Why this user's team could not submit to the challenge at `at`, as far as is known before the upload.
pub async fn refusal(
    db: &ApiDb,
    challenge: Uuid,
    user: Uuid,
    at: DateTime<Utc>,
) -> Result<Option<Refusal>, StorageError> {
    let mut connection = db.pool().acquire().await?;
    let Some(team) = membership(&mut connection, challenge, user).await? else {
        return Ok(None);
    };
    Ok(usage(&mut connection, challenge, team, at)
        .await?
        .refusal(at))
}

/// What this user has submitted under an `Idempotency-Key`.
pub async fn submitted_under(
    db: &ApiDb,
    user: Uuid,
    key: &str,
) -> Result<Option<Earlier>, StorageError> {
    earlier(&mut *db.pool().acquire().await?, user, key).await
}

async fn earlier(
    connection: &mut PgConnection,
    user: Uuid,
    key: &str,
) -> Result<Option<Earlier>, StorageError> {
    Ok(sqlx::query_as!(
        Earlier,
        "SELECT id AS submission, challenge FROM submissions WHERE submitter = $1 AND idempotency_key = $2",
        user,
        key,
    )
    .fetch_optional(connection)
    .await?)
}

pub(super) async fn membership(
    connection: &mut PgConnection,
    challenge: Uuid,
    user: Uuid,
) -> Result<Option<Uuid>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT team FROM team_members WHERE challenge = $1 AND user_id = $2",
        challenge,
        user
    )
    .fetch_optional(connection)
    .await?)
}

/// The submitter's team, made if this is their first submission; none if another team has the name.
async fn team_of(
    connection: &mut PgConnection,
    new: &NewSubmission<'_>,
) -> Result<Option<Uuid>, StorageError> {
    // A user's first two submissions may arrive together.
    sqlx::query!(
        "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE",
        new.submitter
    )
    .fetch_one(&mut *connection)
    .await?;
    if let Some(team) = membership(connection, new.challenge, new.submitter).await? {
        return Ok(Some(team));
    }
    let team = sqlx::query_scalar!(
        r#"
        INSERT INTO teams (id, challenge, name)
        VALUES ($1, $2, $3)
        ON CONFLICT (challenge, lower(name)) DO NOTHING
        RETURNING id
        "#,
        Uuid::now_v7(),
        new.challenge,
        new.handle,
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(team) = team {
        sqlx::query!(
            "INSERT INTO team_members (challenge, team, user_id) VALUES ($1, $2, $3)",
            new.challenge,
            team,
            new.submitter,
        )
        .execute(connection)
        .await?;
    }
    Ok(team)
}

async fn insert(
    connection: &mut PgConnection,
    new: &NewSubmission<'_>,
    team: Uuid,
    late: bool,
) -> Result<(), StorageError> {
    sqlx::query!(
        r#"
        INSERT INTO submissions (
            id, challenge, team, submitter, kind, entry, method, description, paper_url, code_url, outside_data, form,
            object_key, filename, bytes, sha256, idempotency_key, received_at, late
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        "#,
        new.id,
        new.challenge,
        team,
        new.submitter,
        new.kind as Kind,
        new.entry as Entry,
        new.method,
        new.description,
        new.paper_url,
        new.code_url,
        new.outside_data,
        new.form,
        new.object_key,
        new.filename,
        new.bytes,
        new.sha256,
        new.idempotency_key,
        new.received_at,
        late,
    )
    .execute(&mut *connection)
    .await?;
    for data in new.data {
        sqlx::query!(
            "INSERT INTO submission_data (submission, name, object_key, bytes, sha256) VALUES ($1, $2, $3, $4, $5)",
            new.id,
            data.name,
            data.object_key,
            data.bytes,
            &data.sha256,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
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
