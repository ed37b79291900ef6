//! How a submission comes in: one transaction that holds the row, the quota and the job, or nothing.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::usage::usage;
use super::{Entry, Kind};
use crate::challenges::State;
use crate::challenges::settings::{AfterClose, OutsideData};
use crate::{ApiDb, StorageError};

pub use super::usage::Refusal;

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

/// Stores a submission and its job. Exact however many come at the same time: a team's are looked at one by one.
pub async fn accept(db: &ApiDb, new: &NewSubmission<'_>) -> Result<Intake, StorageError> {
    let mut transaction = db.begin().await?;
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
    /// How many the longer list has, where the challenge names one.
    pub wider_classes: Option<i32>,
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
               jsonb_array_length(classes) AS "classes!",
               jsonb_array_length(wider_classes) AS wider_classes
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
