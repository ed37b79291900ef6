//! What an operator watches: how much waits, who is at work, what the watchdog did.

use crate::{ApiDb, StorageError};

/// A count with the value of the label that it is reported under.
pub struct Labelled {
    pub label: String,
    pub count: i64,
}

/// The state of the pipeline at one moment.
pub struct Pipeline {
    /// By status.
    pub submissions: Vec<Labelled>,
    /// Queued or running, by kind.
    pub unfinished: Vec<Labelled>,
    /// Seconds since the oldest submission that still waits was received.
    pub oldest_waiting_seconds: Option<f64>,
    /// Seen within the last 10 seconds, by kind of submission.
    pub workers_alive: Vec<Labelled>,
    /// Those that wait for trouble of the server's to pass, by what they wait for.
    pub troubled: Vec<Labelled>,
    /// By action, since the installation began.
    pub watchdog_actions: Vec<Labelled>,
}

/// What a database that answers can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// A standby, or one that an administrator has made so.
    ReadOnly,
}

/// Whether the database can be used; none where it does not answer, or does not hold the migrated schema.
pub async fn readiness(db: &ApiDb) -> Option<Readiness> {
    let read_only = sqlx::query_scalar!(
        "SELECT current_setting('transaction_read_only')::boolean AS \"read_only!\"
         FROM (SELECT EXISTS (SELECT FROM boards)) AS schema"
    )
    .fetch_one(db.pool())
    .await
    .ok()?;
    Some(if read_only {
        Readiness::ReadOnly
    } else {
        Readiness::Ready
    })
}

/// The figures of the pipeline, as the metrics report them.
pub async fn pipeline(db: &ApiDb) -> Result<Pipeline, StorageError> {
    let submissions = sqlx::query_as!(
        Labelled,
        r#"
        SELECT CASE WHEN withdrawn_at IS NULL THEN status ELSE 'withdrawn' END AS "label!", count(*) AS "count!"
        FROM submissions
        GROUP BY 1
        "#
    )
    .fetch_all(db.pool())
    .await?;
    let unfinished = sqlx::query_as!(
        Labelled,
        r#"
        SELECT kind AS label, count(*) AS "count!"
        FROM submissions
        WHERE status IN ('queued', 'running')
          AND withdrawn_at IS NULL
        GROUP BY kind
        "#
    )
    .fetch_all(db.pool())
    .await?;
    let oldest_waiting_seconds = sqlx::query_scalar!(
        r#"
        SELECT extract(epoch FROM now() - min(received_at))::double precision
        FROM submissions
        WHERE status = 'queued'
          AND withdrawn_at IS NULL
        "#
    )
    .fetch_one(db.pool())
    .await?;
    let workers_alive = sqlx::query_as!(
        Labelled,
        r#"
        SELECT kinds.kind AS "label!", count(workers.id) AS "count!"
        FROM (VALUES ('predictions'), ('model')) AS kinds (kind)
        LEFT JOIN workers ON workers.kind = kinds.kind AND seen_at > now() - interval '10 seconds'
        GROUP BY kinds.kind
        "#
    )
    .fetch_all(db.pool())
    .await?;
    let troubled = sqlx::query_as!(
        Labelled,
        r#"
        SELECT waiting_for AS "label!", count(*) AS "count!"
        FROM submissions
        WHERE waiting_since IS NOT NULL
          AND withdrawn_at IS NULL
        GROUP BY waiting_for
        "#
    )
    .fetch_all(db.pool())
    .await?;
    let watchdog_actions = sqlx::query_as!(
        Labelled,
        r#"SELECT action AS label, count(*) AS "count!" FROM watchdog_actions GROUP BY action"#
    )
    .fetch_all(db.pool())
    .await?;
    Ok(Pipeline {
        submissions,
        unfinished,
        oldest_waiting_seconds,
        workers_alive,
        troubled,
        watchdog_actions,
    })
}
