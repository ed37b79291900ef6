use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use crate::{ApiDb, StorageError};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A connection of its own, on which the database is asked whether it is there: those of the pool may all be busy, and wait for
/// one that is away.
pub struct Probe {
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
}

impl Probe {
    pub fn of_api(db: &ApiDb) -> Self {
        Self {
            options: db.pool().connect_options(),
            connection: None,
        }
    }

    /// Asks. A connection that has broken, alone or with the database, is made anew first.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&mut self) -> Result<(), StorageError> {
        if let Some(connection) = &mut self.connection
            && within(sqlx::query("SELECT 1").execute(connection))
                .await
                .is_ok()
        {
            return Ok(());
        }
        self.connection = None;
        let mut connection = within(PgConnection::connect_with(&self.options)).await?;
        within(sqlx::query("SELECT 1").execute(&mut connection)).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

async fn within<T>(
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StorageError> {
    match timeout(PATIENCE, asking).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}
