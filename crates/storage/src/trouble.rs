//! What keeps a submission from being worked on, and whose doing it is.
//!
//! Trouble of the server's own (a full disk, a store that is away) is waited out for as long as it lasts: the submission is queued
//! again, says for what it waits, and is tried at longer and longer intervals. What it may have caused itself is counted, and ends
//! it after [`MAX_LOSSES`].

use sqlx::PgPool;
use uuid::Uuid;

use crate::StorageError;

/// How often work on a submission is lost before it ends as failed: its worker died, or something broke inside for its sake.
pub const MAX_LOSSES: i32 = 5;

/// Seconds until the first next try. Each later one waits as long again as the submission has waited by then.
const FIRST_WAIT: f64 = 2.0;
/// Seconds between two tries, at most.
const LONGEST_WAIT: f64 = 300.0;

/// What a submission waits for through no fault of its own. A fixed list, so that no error's text gets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Wait {
    /// The object store cannot be read or written to.
    Storage,
    /// There is no room for prepared images.
    Cache,
    /// The challenge's images are not as they should be.
    Images,
    Database,
    /// Something else that only the server's people can mend.
    Server,
}

impl Wait {
    pub const ALL: [Self; 5] = [
        Self::Storage,
        Self::Cache,
        Self::Images,
        Self::Database,
        Self::Server,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Cache => "cache",
            Self::Images => "images",
            Self::Database => "database",
            Self::Server => "server",
        }
    }

    /// What is said after "waiting for".
    pub fn what(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Cache => "room in the image cache",
            Self::Images => "the challenge's images",
            Self::Database => "the database",
            Self::Server => "the server to be mended",
        }
    }
}

/// Queues the submission again, for later, because of trouble of ours. `false`: the attempt does not stand any more.
pub(crate) async fn put_off(
    pool: &PgPool,
    submission: Uuid,
    attempt: i32,
    wait: Wait,
) -> Result<bool, StorageError> {
    let mut transaction = pool.begin().await?;
    let waiting = sqlx::query!(
        r#"UPDATE submissions
           SET status = 'queued', stage = NULL, progress_done = NULL, progress_total = NULL, images_per_second = NULL,
               progress_at = clock_timestamp(), waiting_for = $3, waiting_since = coalesce(waiting_since, now())
           WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL
           RETURNING waiting_since = now() AS "begins!", extract(epoch FROM now() - waiting_since)::float8 AS "seconds!""#,
        submission,
        attempt,
        wait.word()
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(waiting) = waiting else {
        return Ok(false);
    };
    if waiting.begins {
        sqlx::query!(
            "INSERT INTO watchdog_actions (submission, action) VALUES ($1, 'waited')",
            submission
        )
        .execute(&mut *transaction)
        .await?;
    }
    let seconds = waiting.seconds.clamp(FIRST_WAIT, LONGEST_WAIT);
    enqueue_in(&mut transaction, submission, seconds).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Counts one loss and queues the submission again, or ends it as failed with `sentence` where it was one too many. `false`: the
/// attempt does not stand any more.
pub(crate) async fn lose(
    pool: &PgPool,
    submission: Uuid,
    attempt: i32,
    sentence: &str,
) -> Result<bool, StorageError> {
    let mut transaction = pool.begin().await?;
    let losses = sqlx::query_scalar!(
        "UPDATE submissions
         SET losses = losses + 1, stage = NULL, progress_done = NULL, progress_total = NULL, images_per_second = NULL,
             progress_at = clock_timestamp(), waiting_for = NULL, waiting_since = NULL,
             status = CASE WHEN losses + 1 >= $3 THEN 'failed' ELSE 'queued' END,
             problem = CASE WHEN losses + 1 >= $3 THEN jsonb_build_object('detail', $4::text) END
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL
         RETURNING losses",
        submission,
        attempt,
        MAX_LOSSES,
        sentence
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(losses) = losses else {
        return Ok(false);
    };
    if losses < MAX_LOSSES {
        enqueue_in(
            &mut transaction,
            submission,
            FIRST_WAIT * f64::from(1 << losses),
        )
        .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Gives a submission back that its worker has no time to finish, for any worker to take at once. `false`: the attempt does not
/// stand any more.
pub(crate) async fn give_back(
    pool: &PgPool,
    submission: Uuid,
    attempt: i32,
) -> Result<bool, StorageError> {
    let mut transaction = pool.begin().await?;
    let given = sqlx::query!(
        "UPDATE submissions
         SET status = 'queued', stage = NULL, progress_at = clock_timestamp()
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND withdrawn_at IS NULL",
        submission,
        attempt
    )
    .execute(&mut *transaction)
    .await?;
    if given.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("SELECT enqueue($1)", submission)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// What waits is tried at once, as something has worked again. Returns how many were woken.
pub(crate) async fn wake(pool: &PgPool) -> Result<u64, StorageError> {
    let woken = sqlx::query(
        "UPDATE graphile_worker._private_jobs AS jobs
         SET run_at = now()
         FROM submissions s
         WHERE s.waiting_since IS NOT NULL
           AND s.status = 'queued'
           AND jobs.key = 'submission:' || s.id
           AND jobs.locked_at IS NULL
           AND jobs.run_at > now()",
    )
    .execute(pool)
    .await?;
    Ok(woken.rows_affected())
}

async fn enqueue_in(
    connection: &mut sqlx::PgConnection,
    submission: Uuid,
    seconds: f64,
) -> Result<(), StorageError> {
    sqlx::query!("SELECT enqueue($1)", submission)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE graphile_worker._private_jobs
         SET run_at = now() + make_interval(secs => $2)
         WHERE key = 'submission:' || $1 AND locked_at IS NULL",
    )
    .bind(submission)
    .bind(seconds)
    .execute(connection)
    .await?;
    Ok(())
}
