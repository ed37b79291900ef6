//! What the database announces when something that people watch has changed.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification};
use uuid::Uuid;

use crate::{ApiDb, StorageError};

/// Without a notification for this long, the connection is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(5);

/// Something that changed; whoever cares reads it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A submission, by its id.
    Submission(Uuid),
    /// A challenge's board, state or settings, by the challenge's id.
    Board(Uuid),
}

/// The one connection of an api process that LISTENs.
pub struct Changes {
    listener: PgListener,
}

impl Changes {
    /// Takes a connection of the pool for as long as the value lives. What changed before it returns is not announced.
    pub async fn listen(db: &ApiDb) -> Result<Self, StorageError> {
        let mut listener = PgListener::connect_with(db.pool()).await?;
        listener.eager_reconnect(false);
        listener
            .listen_all(["referee_submission", "referee_board"])
            .await?;
        Ok(Self { listener })
    }

    /// The next change.
    ///
    /// # Errors
    /// When the connection is lost, also silently: changes may have been missed, so listen anew and re-read everything.
    pub async fn next(&mut self) -> Result<Change, StorageError> {
        loop {
            match tokio::time::timeout(QUIET, self.listener.try_recv()).await {
                Ok(Ok(Some(notification))) => {
                    if let Some(change) = understand(&notification) {
                        return Ok(change);
                    }
                }
                Ok(Ok(None)) => {
                    return Err(lost("the connection that listens for changes was closed"));
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_quiet) => self.check_connection().await?,
            }
        }
    }

    async fn check_connection(&mut self) -> Result<(), StorageError> {
        match tokio::time::timeout(
            PATIENCE,
            sqlx::query("SELECT 1").execute(&mut self.listener),
        )
        .await
        {
            Ok(answer) => answer.map(drop).map_err(StorageError::from),
            Err(_) => Err(lost(
                "the connection that listens for changes does not answer",
            )),
        }
    }
}

fn lost(what: &'static str) -> StorageError {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::ConnectionAborted,
        what,
    ))
    .into()
}

fn understand(notification: &PgNotification) -> Option<Change> {
    let id = notification.payload().parse().ok()?;
    match notification.channel() {
        "referee_submission" => Some(Change::Submission(id)),
        "referee_board" => Some(Change::Board(id)),
        _ => None,
    }
}
