use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use crate::audit;

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
    #[error(
        "the role {role} has settings that `referee migrate` did not give it ({settings}): somebody has used the role for that; find out who, then run `referee migrate`, which takes them away"
    )]
    RoleChanged { role: String, settings: String },
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
            Self::Corrupt(_) | Self::RoleChanged { .. } => true,
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

/// A role may change its own password and defaults, and PostgreSQL lets nobody forbid it. What can be done is to notice.
///
/// # Errors
/// [`StorageError::RoleChanged`] where one of the three login roles has defaults of its own making.
async fn refuse_changed_defaults(pool: &PgPool) -> Result<(), StorageError> {
    let changed = sqlx::query!(
        r#"
        SELECT current_user::text AS "role!", string_agg(setting, ', ') AS "settings!"
        FROM pg_db_role_setting AS own, unnest(own.setconfig) AS setting
        WHERE own.setrole = current_user::regrole
          AND own.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND current_user IN ('referee_api', 'referee_scorer', 'referee_inference')
          AND setting <> 'search_path=public'
        HAVING count(*) > 0
        "#
    )
    .fetch_optional(pool)
    .await?;
    match changed {
        Some(changed) => Err(StorageError::RoleChanged {
            role: changed.role,
            settings: changed.settings,
        }),
        None => Ok(()),
    }
}

/// `invalid_password`
const WRONG_PASSWORD: &str = "28P01";

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
                let pool = match pool {
                    Ok(pool) => pool,
                    Err(error) => return Err(cause(error, url).await.into()),
                };
                refuse_changed_defaults(&pool).await?;
                Ok(Self(pool))
            }

            /// Whether the role still has the password and the defaults that it was given. Connections that are open would go on
            /// for a while if it had not.
            pub async fn is_as_given(&self) -> Result<bool, StorageError> {
                match refuse_changed_defaults(&self.0).await {
                    Ok(()) => {}
                    Err(StorageError::RoleChanged { .. }) => return Ok(false),
                    Err(error) => return Err(error),
                }
                match PgConnection::connect_with(&self.0.connect_options()).await {
                    Ok(connection) => connection.close().await?,
                    Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(WRONG_PASSWORD) => {
                        return Ok(false);
                    }
                    Err(error) => return Err(error.into()),
                }
                Ok(true)
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

impl ApiDb {
    /// A transaction that changes something: what is written down of it says who did it, and from where.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StorageError> {
        let mut transaction = self.0.begin().await?;
        if let Some((account, address)) = audit::actor() {
            sqlx::query!(
                "SELECT set_config('referee.actor', $1, true) AS actor, set_config('referee.address', $2, true) AS address",
                account.map(|account| account.to_string()),
                address,
            )
            .fetch_one(&mut *transaction)
            .await?;
        }
        Ok(transaction)
    }
}
