//! Which workers are alive: what waiting submitters are told, and what an operator looks at first.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::submissions::Kind;
use crate::{ApiDb, InferenceDb, ScorerDb, StorageError};

/// What a worker works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerKind {
    /// Scores predictions.
    Scorer,
    /// Runs models.
    Inference,
}

impl WorkerKind {
    /// The kind of submission that waits for it.
    fn submissions(self) -> &'static str {
        match self {
            Self::Scorer => "predictions",
            Self::Inference => "model",
        }
    }
}

/// A worker's entry in the table of those alive.
#[derive(Clone, Debug)]
pub struct Presence {
    pool: PgPool,
    id: Uuid,
    kind: WorkerKind,
    device: String,
}

impl Presence {
    pub fn of_scorer(db: &ScorerDb) -> Self {
        Self {
            pool: db.pool().clone(),
            id: Uuid::now_v7(),
            kind: WorkerKind::Scorer,
            device: "cpu".to_owned(),
        }
    }

    pub fn of_inference(db: &InferenceDb, device: &str) -> Self {
        Self {
            pool: db.pool().clone(),
            id: Uuid::now_v7(),
            kind: WorkerKind::Inference,
            device: device.to_owned(),
        }
    }

    /// Says that this worker is alive, and forgets those that have not been seen for an hour.
    pub async fn renew(&self) -> Result<(), StorageError> {
        sqlx::query!(
            "INSERT INTO workers (id, kind, device)
             VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET seen_at = now()",
            self.id,
            self.kind.submissions(),
            self.device
        )
        .execute(&self.pool)
        .await?;
        sqlx::query!("DELETE FROM workers WHERE seen_at < now() - interval '1 hour'")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Leaves at once, so that nobody waits for a worker that has stopped.
    pub async fn leave(&self) -> Result<(), StorageError> {
        sqlx::query!("DELETE FROM workers WHERE id = $1", self.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// A worker seen within the last 10 seconds.
#[derive(Clone, Debug)]
pub struct Alive {
    /// What it works on.
    pub kind: Kind,
    pub device: String,
    pub started_at: DateTime<Utc>,
}

/// The workers that are alive, the oldest first.
pub async fn alive(db: &ApiDb) -> Result<Vec<Alive>, StorageError> {
    Ok(sqlx::query_as!(
        Alive,
        r#"
        SELECT kind AS "kind: Kind", device, started_at
        FROM workers
        WHERE seen_at > now() - interval '10 seconds'
        ORDER BY started_at, id
        "#
    )
    .fetch_all(db.pool())
    .await?)
}
