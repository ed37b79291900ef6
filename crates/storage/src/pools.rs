use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

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

    /// Whether the same query may go through later: the database is away, full or busy. What the data themselves are the cause of
    /// does not.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                // Classes `data exception` and `integrity constraint violation`.
                !matches!(error.code().as_deref(), Some(code) if code.starts_with("22") || code.starts_with("23"))
            }
            Self::Database(error) => !matches!(
                error,
                sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }
            ),
            Self::Document(_) => false,
            Self::Corrupt(_) => true,
        }
    }

    /// Whether the database's disk is full (SQLSTATE `disk_full`).
    pub fn is_disk_full(&self) -> bool {
        self.has_code(|code| code == "53100")
    }

    /// Whether the database did not answer, or not as one that is at work: it is away, starts, ends, is read-only or out of
    /// something.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            ) => true,
            // connection exception, insufficient resources, operator intervention, system error; read_only_sql_transaction
            _ => self.has_code(|code| {
                ["08", "53", "57", "58"]
                    .iter()
                    .any(|class| code.starts_with(class))
                    || code == "25006"
            }),
        }
    }

    fn has_code(&self, is_meant: impl FnOnce(&str) -> bool) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| is_meant(&code))
            }
            _ => false,
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
