use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

use crate::installation;
use crate::objects::ObjectStore;
use crate::readiness::{self, NotReady};

/// A query that did not go through.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("the database did not answer as expected: {0}")]
    Database(#[from] sqlx::Error),
    #[error("a stored document cannot be read: {0}")]
    Document(#[from] serde_json::Error),
    #[error("the database holds what it should not: {0}")]
    Corrupt(&'static str),
}

impl StorageError {
    /// The name of the unique, check or foreign-key constraint that the query violated, if that is what went wrong.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// Whether a text holds what PostgreSQL stores in none, such as a NUL (SQLSTATE `character_not_in_repertoire`, and
    /// `untranslatable_character` inside JSON).
    pub fn is_unstorable_text(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("22021" | "22P05"))
            }
            _ => false,
        }
    }
}

/// A pool that waited in vain does not say for what; one more try does.
async fn cause(error: sqlx::Error, url: &str) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut => PgConnection::connect(url).await.err().unwrap_or(error),
        error => error,
    }
}

macro_rules! role_pool {
    ($(#[$doc:meta])* $name:ident, $max_connections:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(PgPool);

        impl $name {
            /// Connects as the role in `url`, which may take up to 10 seconds to listen. Waits as long for a free connection
            /// later on.
            pub async fn connect(url: &str) -> Result<Self, StorageError> {
                let pool = PgPoolOptions::new()
                    .max_connections($max_connections)
                    .acquire_timeout(Duration::from_secs(10))
                    .connect(url)
                    .await;
                match pool {
                    Ok(pool) => Ok(Self(pool)),
                    Err(error) => Err(cause(error, url).await.into()),
                }
            }

            pub(crate) fn pool(&self) -> &PgPool {
                &self.0
            }

            /// Whether the database answers.
            pub async fn is_reachable(&self) -> bool {
                sqlx::query("SELECT 1").execute(&self.0).await.is_ok()
            }

            /// Whether the database has the schema that this build knows.
            pub async fn check_schema(&self) -> Result<(), NotReady> {
                readiness::check_schema(&self.0).await
            }

            /// Opens the store at `location`, which an api has marked as this database's.
            pub async fn open_store(&self, location: &str) -> Result<ObjectStore, NotReady> {
                installation::open_store(&self.0, location).await
            }

            /// Whether the store is this database's.
            pub async fn check_store(&self, store: &ObjectStore) -> Result<(), NotReady> {
                installation::check_store(&self.0, store).await
            }

            /// Closes every connection, waiting for queries under way.
            pub async fn close(&self) {
                self.0.close().await;
            }
        }
    };
}

role_pool!(
    /// Connections of `referee_api`: people, challenges, submissions and released scores; no label, no write to a score.
    ApiDb,
    20
);
role_pool!(
    /// Connections of `referee_scorer`: sealed labels, outcomes and released scores; no account.
    ScorerDb,
    12
);
role_pool!(
    /// Connections of `referee_inference`: submissions and image locations; nothing sealed, no account.
    InferenceDb,
    8
);
