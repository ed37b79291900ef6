//! Submissions as the api role sees them: how they come in ([`intake`]), how many may ([`quota`]), what their people
//! change about them ([`marks`]), and, here, how they are read.

pub mod intake;
pub mod marks;
pub mod quota;
pub mod retries;
mod usage;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use referee_scoring::Tally;
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{ApiDb, StorageError, Wait};

/// What was uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Kind {
    Predictions,
    Model,
}

/// In what capacity it was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Entry {
    Competitor,
    Baseline,
}

/// How far the workers are with it, whatever its marks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    Queued,
    Running,
    Scored,
    Rejected,
    Failed,
}

/// A submission with its team's and submitter's names and what was released of its scores under the labels in use.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks, a column each"
)]
pub struct Submission {
    pub id: Uuid,
    pub challenge: Uuid,
    pub slug: String,
    pub team: Uuid,
    pub team_name: String,
    pub submitter: String,
    pub kind: Kind,
    pub entry: Entry,
    pub method: String,
    pub description: String,
    pub paper_url: Option<String>,
    pub code_url: Option<String>,
    pub outside_data: bool,
    pub form: serde_json::Value,
    /// The recipe with which a model was run.
    pub preprocess: Option<serde_json::Value>,
    pub object_key: String,
    pub filename: String,
    pub bytes: i64,
    pub sha256: Vec<u8>,
    pub record_key: Option<String>,
    pub created_at: DateTime<Utc>,
    pub late: bool,
    pub status: Status,
    pub stage: Option<String>,
    /// What it waits for through no fault of its own, and since when.
    pub waiting_for: Option<Wait>,
    pub waiting_since: Option<DateTime<Utc>>,
    pub progress_done: Option<i64>,
    pub progress_total: Option<i64>,
    pub images_per_second: Option<f64>,
    pub problem: Option<serde_json::Value>,
    pub notices: serde_json::Value,
    pub model: Option<serde_json::Value>,
    pub scored_at: Option<DateTime<Utc>>,
    pub selected: bool,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub hidden_reason: Option<String>,
    pub verified: bool,
    pub revision: i64,
    pub label_version: Option<i32>,
    pub public_score: Option<Json<ReleasedScore>>,
    pub private_score: Option<Json<ReleasedScore>>,
}

/// Counts that the scorer let out.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ReleasedScore {
    images: u32,
    top1_misses: u32,
    top5_misses: u32,
}

impl From<ReleasedScore> for Tally {
    fn from(score: ReleasedScore) -> Self {
        Self {
            images: score.images,
            top1_misses: score.top1_misses,
            top5_misses: score.top5_misses,
        }
    }
}

/// The submission with this id.
pub async fn submission(db: &ApiDb, id: Uuid) -> Result<Option<Submission>, StorageError> {
    Ok(read(db, &[id]).await?.pop())
}

/// Whose submissions a list holds.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those of this user's team.
    TeamOf(Uuid),
}

/// The newest `limit` submissions to a challenge, of those older than `after`. `statuses` are the words that the row's
/// status may be, `withdrawn` in place of it where that is so; none for all.
pub async fn submissions(
    db: &ApiDb,
    challenge: Uuid,
    whose: Whose,
    statuses: Option<&[String]>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Submission>, StorageError> {
    let ids = match whose {
        Whose::All => {
            sqlx::query_scalar!(
                r#"
                SELECT id
                FROM submissions
                WHERE challenge = $1
                  AND ($2::uuid IS NULL OR id < $2)
                  AND ($4::text[] IS NULL
                       OR CASE WHEN withdrawn_at IS NULL THEN status ELSE 'withdrawn' END = ANY($4))
                ORDER BY id DESC
                LIMIT $3
                "#,
                challenge,
                after,
                limit,
                statuses,
            )
            .fetch_all(db.pool())
            .await?
        }
        Whose::TeamOf(user) => {
            sqlx::query_scalar!(
                r#"
                SELECT submissions.id
                FROM team_members
                JOIN submissions ON submissions.team = team_members.team
                WHERE team_members.challenge = $1
                  AND team_members.user_id = $2
                  AND ($3::uuid IS NULL OR submissions.id < $3)
                  AND ($5::text[] IS NULL
                       OR CASE WHEN withdrawn_at IS NULL THEN status ELSE 'withdrawn' END = ANY($5))
                ORDER BY submissions.id DESC
                LIMIT $4
                "#,
                challenge,
                user,
                after,
                limit,
                statuses,
            )
            .fetch_all(db.pool())
            .await?
        }
    };
    read(db, &ids).await
}

/// The newest `limit` submissions of the teams that this user is in, whatever the challenge, of those older than `after`.
pub async fn of_user(
    db: &ApiDb,
    user: Uuid,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Submission>, StorageError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT submissions.id
        FROM team_members
        JOIN submissions ON submissions.team = team_members.team
        WHERE team_members.user_id = $1
          AND ($2::uuid IS NULL OR submissions.id < $2)
        ORDER BY submissions.id DESC
        LIMIT $3
        "#,
        user,
        after,
        limit,
    )
    .fetch_all(db.pool())
    .await?;
    read(db, &ids).await
}

/// How much of a challenge's work is not done.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    pub waiting: i64,
    pub running: i64,
    /// Ended through no fault of their submitters.
    pub failed: i64,
    /// Since the oldest that still waits was received.
    pub oldest_waiting_seconds: Option<f64>,
}

/// A challenge's unfinished submissions, in the order in which workers take them, those at work first: how many there are,
/// and the first `limit`.
pub async fn unfinished(
    db: &ApiDb,
    challenge: Uuid,
    limit: i64,
) -> Result<(Backlog, Vec<Submission>), StorageError> {
    let backlog = sqlx::query_as!(
        Backlog,
        r#"
        SELECT count(*) FILTER (WHERE status = 'queued') AS "waiting!",
               count(*) FILTER (WHERE status = 'running') AS "running!",
               count(*) FILTER (WHERE status = 'failed') AS "failed!",
               extract(epoch FROM now() - min(received_at) FILTER (WHERE status = 'queued'))::float8
                   AS oldest_waiting_seconds
        FROM submissions
        WHERE challenge = $1
          AND status IN ('queued', 'running', 'failed')
          AND withdrawn_at IS NULL
        "#,
        challenge,
    )
    .fetch_one(db.pool())
    .await?;
    let ids = sqlx::query_scalar!(
        r#"
        SELECT id
        FROM submissions
        WHERE challenge = $1
          AND status IN ('queued', 'running')
          AND withdrawn_at IS NULL
        ORDER BY status = 'running' DESC, priority, created_at, id
        LIMIT $2
        "#,
        challenge,
        limit,
    )
    .fetch_all(db.pool())
    .await?;
    let mut found = read(db, &ids).await?;
    found.sort_by_key(|submission| ids.iter().position(|id| *id == submission.id));
    Ok((backlog, found))
}

/// Newest first.
async fn read(db: &ApiDb, ids: &[Uuid]) -> Result<Vec<Submission>, StorageError> {
    Ok(sqlx::query_as!(
        Submission,
        r#"
        SELECT submissions.id, submissions.challenge, challenges.slug,
               submissions.team, teams.name AS team_name, users.handle AS submitter,
               submissions.kind AS "kind: Kind", submissions.entry AS "entry: Entry",
               submissions.method, submissions.description, submissions.paper_url, submissions.code_url,
               submissions.outside_data, submissions.form, submissions.preprocess,
               submissions.object_key, submissions.filename, submissions.bytes, submissions.sha256,
               submissions.record_key,
               submissions.created_at, submissions.late,
               submissions.status AS "status: Status", submissions.stage,
               submissions.waiting_for AS "waiting_for: Wait", submissions.waiting_since,
               submissions.progress_done, submissions.progress_total, submissions.images_per_second,
               submissions.problem, submissions.notices, submissions.model, submissions.scored_at,
               submissions.selected, submissions.withdrawn_at, submissions.hidden_reason,
               submissions.verified_at IS NOT NULL AS "verified!", submissions.revision,
               challenges.label_version,
               to_jsonb(public_score) AS "public_score: Json<ReleasedScore>",
               to_jsonb(private_score) AS "private_score: Json<ReleasedScore>"
        FROM submissions
        JOIN challenges ON challenges.id = submissions.challenge
        JOIN teams ON teams.id = submissions.team
        JOIN users ON users.id = submissions.submitter
        LEFT JOIN released_scores AS public_score
               ON public_score.submission = submissions.id
              AND public_score.label_version = challenges.label_version
              AND public_score.split = 'public'
        LEFT JOIN released_scores AS private_score
               ON private_score.submission = submissions.id
              AND private_score.label_version = challenges.label_version
              AND private_score.split = 'private'
              AND challenges.private_released_at IS NOT NULL
        WHERE submissions.id = ANY($1)
        ORDER BY submissions.id DESC
        "#,
        ids,
    )
    .fetch_all(db.pool())
    .await?)
}

/// What a user is to a submission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// Of the team that made it.
    pub member: bool,
    /// Of its challenge.
    pub organizer: bool,
}

/// What this user is to a submission, not counting that administrators may do what organizers may.
pub async fn relation(
    db: &ApiDb,
    submission: &Submission,
    user: Uuid,
) -> Result<Relation, StorageError> {
    Ok(sqlx::query_as!(
        Relation,
        r#"
        SELECT EXISTS (SELECT FROM team_members WHERE team = $1 AND user_id = $3) AS "member!",
               EXISTS (SELECT FROM challenge_organizers WHERE challenge = $2 AND user_id = $3) AS "organizer!"
        "#,
        submission.team,
        submission.challenge,
        user,
    )
    .fetch_one(db.pool())
    .await?)
}

/// Where a queued submission stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// 1 = next among those that need a worker of the same kind.
    pub position: u64,
    /// The work before it and its own, at the pace of the last submissions of the kind; none where nothing is known.
    pub eta_seconds: Option<f64>,
    /// Workers of that kind seen in the last 10 seconds.
    pub workers_alive: u64,
}

/// Where a submission stands, if it is queued. Counts those before it along an index, where [`places`] numbers the whole queue: this
/// is asked at every upload, and for everyone who watches.
pub async fn place(db: &ApiDb, id: Uuid) -> Result<Option<Place>, StorageError> {
    let row = sqlx::query!(
        r#"
        SELECT ahead.count + 1 AS "position!", alive.count AS "workers_alive!",
               CASE WHEN alive.count > 0 THEN pace.seconds * (ahead.count + 1) END AS eta_seconds
        FROM submissions AS queued
        CROSS JOIN LATERAL (
            SELECT count(*)
            FROM submissions AS earlier
            WHERE CASE WHEN earlier.record_key IS NULL THEN earlier.kind ELSE 'predictions' END
                = CASE WHEN queued.record_key IS NULL THEN queued.kind ELSE 'predictions' END
              AND earlier.status = 'queued'
              AND earlier.withdrawn_at IS NULL
              AND (earlier.priority, earlier.created_at, earlier.id) < (queued.priority, queued.created_at, queued.id)
        ) AS ahead
        CROSS JOIN LATERAL (
            SELECT count(*)
            FROM workers
            WHERE workers.kind = CASE WHEN queued.record_key IS NULL THEN queued.kind ELSE 'predictions' END
              AND workers.seen_at > now() - interval '10 seconds'
        ) AS alive
        CROSS JOIN LATERAL (
            SELECT avg(extract(epoch FROM scored_at - greatest(created_at, previous)))::float8 AS seconds
            FROM (
                SELECT scored_at, created_at, lag(scored_at) OVER (ORDER BY scored_at) AS previous
                FROM (
                    SELECT scored_at, created_at
                    FROM submissions
                    WHERE submissions.kind = queued.kind
                      AND scored_at IS NOT NULL
                    ORDER BY scored_at DESC
                    LIMIT 50
                ) AS latest
            ) AS spaced
        ) AS pace
        WHERE queued.id = $1
          AND queued.status = 'queued'
          AND queued.withdrawn_at IS NULL
        "#,
        id,
    )
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|row| Place {
        position: row.position.unsigned_abs(),
        eta_seconds: row.eta_seconds,
        workers_alive: row.workers_alive.unsigned_abs(),
    }))
}

/// Where those of the given submissions stand that are queued.
///
/// The pace is the mean, over the last 50 scored, of the time from when a submission was there and the one before it
/// was done until it was done itself: what each cost the workers of its kind together, without the time they idled.
pub async fn places(db: &ApiDb, ids: &[Uuid]) -> Result<HashMap<Uuid, Place>, StorageError> {
    let rows = sqlx::query!(
        r#"
        WITH queued AS (
            SELECT id,
                   CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END AS needs,
                   kind,
                   row_number() OVER (
                       PARTITION BY CASE WHEN record_key IS NULL THEN kind ELSE 'predictions' END
                       ORDER BY priority, created_at, id
                   ) AS position
            FROM submissions
            WHERE status = 'queued'
              AND withdrawn_at IS NULL
        )
        SELECT queued.id, queued.position AS "position!", alive.count AS "workers_alive!",
               CASE WHEN alive.count > 0 THEN pace.seconds * queued.position END AS eta_seconds
        FROM queued
        CROSS JOIN LATERAL (
            SELECT count(*)
            FROM workers
            WHERE workers.kind = queued.needs
              AND workers.seen_at > now() - interval '10 seconds'
        ) AS alive
        CROSS JOIN LATERAL (
            SELECT avg(extract(epoch FROM scored_at - greatest(created_at, previous)))::float8 AS seconds
            FROM (
                SELECT scored_at, created_at, lag(scored_at) OVER (ORDER BY scored_at) AS previous
                FROM (
                    SELECT scored_at, created_at
                    FROM submissions
                    WHERE submissions.kind = queued.kind
                      AND scored_at IS NOT NULL
                    ORDER BY scored_at DESC
                    LIMIT 50
                ) AS latest
            ) AS spaced
        ) AS pace
        WHERE queued.id = ANY($1)
        "#,
        ids,
    )
    .fetch_all(db.pool())
    .await?;
    let places = rows.into_iter().map(|row| {
        let place = Place {
            position: row.position.unsigned_abs(),
            eta_seconds: row.eta_seconds,
            workers_alive: row.workers_alive.unsigned_abs(),
        };
        (row.id, place)
    });
    Ok(places.collect())
}

/// A drawing of a submission's network, `{layers, filters}`; none until it has been looked at.
pub async fn layers(
    db: &ApiDb,
    submission: Uuid,
) -> Result<Option<serde_json::Value>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT document FROM model_layers WHERE submission = $1",
        submission,
    )
    .fetch_optional(db.pool())
    .await?)
}
