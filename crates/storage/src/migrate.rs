//! Bringing a database up to date: the only work that uses the owner's credentials.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use crate::StorageError;
use crate::readiness::{self, NotReady};

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");
const QUEUE_GRANTS: &str = include_str!("queue_grants.sql");
/// Arbitrary, but the same in every `referee migrate`.
const ROLE_LOCK: i64 = 0x0072_6566_6572_6565;

/// The passwords that the three login roles get. None, or an empty one, leaves a role's password as it is: PostgreSQL would
/// take either for a wish to have none.
#[derive(Clone, Default)]
pub struct RolePasswords {
    pub api: Option<String>,
    pub scorer: Option<String>,
    pub inference: Option<String>,
}

/// Why a database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the owner's database does not answer: see that PostgreSQL runs where DATABASE_URL says and that the user and the password are right: {0}"
    )]
    Unreachable(sqlx::Error),
    #[error("the database could not be migrated: {0}")]
    Database(#[from] sqlx::Error),
    #[error("a migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("nothing was changed: {0}")]
    NotOurs(NotReady),
    #[error("the queue's schema could not be brought up to date: {0}")]
    Queue(#[from] graphile_worker_migrations::MigrateError),
}

/// Creates the login roles, the queue's schema and Referee's own, or brings them up to date, in that order.
///
/// `owner_url` names the database and a role that may create roles and owns the database. Running it twice, or from
/// several processes at once, is harmless: roles belong to the whole server, so the work is done under an advisory lock
/// in the server's `postgres` database.
pub async fn migrate(owner_url: &str, passwords: &RolePasswords) -> Result<(), MigrateError> {
    migrate_to(owner_url, passwords, None).await
}

/// As [`migrate`], up to a migration, as an earlier release would have done it.
pub(crate) async fn migrate_to(
    owner_url: &str,
    passwords: &RolePasswords,
    last: Option<i64>,
) -> Result<(), MigrateError> {
    let options = PgConnectOptions::from_str(owner_url)?;
    let mut server = PgConnection::connect_with(&options.clone().database("postgres"))
        .await
        .map_err(MigrateError::Unreachable)?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(ROLE_LOCK)
        .execute(&mut server)
        .await?;

    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await
        .map_err(MigrateError::Unreachable)?;
    let migrated = migrate_locked(&mut server, &pool, passwords, last).await;
    pool.close().await;
    server.close().await?; // ends the session, and with it the lock
    migrated
}

async fn migrate_locked(
    server: &mut PgConnection,
    pool: &PgPool,
    passwords: &RolePasswords,
    last: Option<i64>,
) -> Result<(), MigrateError> {
    match readiness::check_schema(pool).await {
        Ok(()) | Err(NotReady::Older { .. }) => {}
        Err(NotReady::Storage(StorageError::Database(error))) => return Err(error.into()),
        Err(error) => return Err(MigrateError::NotOurs(error)),
    }
    let database: String = sqlx::query_scalar("SELECT current_database()")
        .fetch_one(pool)
        .await?;
    for (role, password) in [
        ("referee_api", &passwords.api),
        ("referee_scorer", &passwords.scorer),
        ("referee_inference", &passwords.inference),
    ] {
        create_role(server, role, password.as_deref()).await?;
    }
    let database_rights: String = sqlx::query_scalar(
        "SELECT format(
             'REVOKE ALL ON DATABASE %1$I FROM PUBLIC;
              GRANT CONNECT ON DATABASE %1$I TO referee_api, referee_scorer, referee_inference;
              REVOKE CREATE ON SCHEMA public FROM PUBLIC;
              ALTER ROLE referee_api RESET ALL; ALTER ROLE referee_scorer RESET ALL; ALTER ROLE referee_inference RESET ALL;
              ALTER ROLE referee_api IN DATABASE %1$I RESET ALL;
              ALTER ROLE referee_scorer IN DATABASE %1$I RESET ALL;
              ALTER ROLE referee_inference IN DATABASE %1$I RESET ALL;
              ALTER ROLE referee_api IN DATABASE %1$I SET search_path = public;
              ALTER ROLE referee_scorer IN DATABASE %1$I SET search_path = public;
              ALTER ROLE referee_inference IN DATABASE %1$I SET search_path = public',
             $1)",
    )
    .bind(&database)
    .fetch_one(pool)
    .await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(database_rights))
        .execute(pool)
        .await?;

    graphile_worker_migrations::migrate(pool.clone(), graphile_worker::Schema::default()).await?;
    match last {
        Some(last) => MIGRATIONS.run_to(last, pool).await?,
        None => MIGRATIONS.run(pool).await?,
    }
    sqlx::raw_sql(QUEUE_GRANTS).execute(pool).await?;
    Ok(())
}

/// A login role without any attribute or membership of its own.
async fn create_role(
    server: &mut PgConnection,
    role: &str,
    password: Option<&str>,
) -> Result<(), sqlx::Error> {
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(role)
            .fetch_one(&mut *server)
            .await?;
    let statement: String = sqlx::query_scalar(
        "SELECT format('%s ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS', $1, $2)
             || CASE WHEN $3 <> '' THEN format(' PASSWORD %L', $3) ELSE '' END",
    )
    .bind(if exists { "ALTER" } else { "CREATE" })
    .bind(role)
    .bind(password)
    .fetch_one(&mut *server)
    .await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(server)
        .await?;
    Ok(())
}

/// Changes with every change of the schema: names the template that tests clone.
#[cfg(feature = "testing")]
pub(crate) fn schema_fingerprint() -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for migration in MIGRATIONS.iter() {
        migration.checksum.hash(&mut hasher);
    }
    QUEUE_GRANTS.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
