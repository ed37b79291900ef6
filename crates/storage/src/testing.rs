//! A fresh, migrated database for each test, on the PostgreSQL server that `scripts/dev-database` (and so
//! `scripts/test`) starts.

use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chrono::{NaiveTime, TimeDelta, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::migrate::{RolePasswords, migrate, migrate_to};
use crate::{ApiDb, InferenceDb, ScorerDb};

/// A database of its own, dropped at the end. Hands out the three roles' pools, as production code gets them, and the
/// owner's address for what only a test may look at.
pub struct TestDatabase {
    pub api: ApiDb,
    pub scorer: ScorerDb,
    pub inference: InferenceDb,
    owner_url: String,
    name: String,
}

impl TestDatabase {
    /// Clones the migrated template.
    ///
    /// # Panics
    /// Where there is no test server; the message says which script starts it.
    pub async fn new() -> Self {
        let template = template().await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut server = connect("referee_owner", "postgres").await;
        server
            .execute(AssertSqlSafe(format!(
                "CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
            )))
            .await
            .expect("clone the template");
        // Rights on the database itself and settings per role and database are not part of a template.
        server
            .execute(AssertSqlSafe(format!(
                "REVOKE ALL ON DATABASE {name} FROM PUBLIC;
                 GRANT CONNECT ON DATABASE {name} TO referee_api, referee_scorer, referee_inference;
                 ALTER ROLE referee_api IN DATABASE {name} SET search_path = public;
                 ALTER ROLE referee_scorer IN DATABASE {name} SET search_path = public;
                 ALTER ROLE referee_inference IN DATABASE {name} SET search_path = public"
            )))
            .await
            .expect("restore the clone's rights");
        Self::connected(name).await
    }

    /// With the schema of an earlier release: that of its last migration.
    ///
    /// # Panics
    /// Where there is no test server, or it refuses.
    pub async fn of_release(last_migration: i64) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut server = connect("referee_owner", "postgres").await;
        server
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .expect("create a database");
        let owner = url("referee_owner", &name);
        migrate_to(&owner, &RolePasswords::default(), Some(last_migration))
            .await
            .expect("migrate as that release did");
        Self::connected(name).await
    }

    /// Runs the migrations that are still to be run.
    ///
    /// # Panics
    /// Where one fails.
    pub async fn migrate(&self) {
        migrate(&self.owner_url, &RolePasswords::default())
            .await
            .expect("migrate");
    }

    async fn connected(name: String) -> Self {
        Self {
            api: ApiDb::connect(&url("referee_api", &name))
                .await
                .expect("connect as api"),
            scorer: ScorerDb::connect(&url("referee_scorer", &name))
                .await
                .expect("connect as scorer"),
            inference: InferenceDb::connect(&url("referee_inference", &name))
                .await
                .expect("connect as inference"),
            owner_url: url("referee_owner", &name),
            name,
        }
    }

    /// The owner's connection URL.
    pub fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// Does what no role may, such as setting a row's clock; returns how many rows that was about.
    ///
    /// # Panics
    /// Where the database refuses; the message holds the statement.
    pub async fn as_owner(&self, statement: &str) -> u64 {
        let done = connect("referee_owner", &self.name)
            .await
            .execute(AssertSqlSafe(statement.to_owned()))
            .await;
        done.unwrap_or_else(|error| panic!("{error}: {statement}"))
            .rows_affected()
    }

    /// Waits until somebody waits for a lock that somebody else holds.
    ///
    /// # Panics
    /// Where nobody does for 30 seconds.
    pub async fn until_somebody_waits(&self) {
        let mut observer = connect("referee_owner", &self.name).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        let waits = "SELECT EXISTS (
                         SELECT
                         FROM pg_locks
                         JOIN pg_stat_activity USING (pid)
                         WHERE NOT granted AND datname = current_database()
                     )";
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut observer)
            .await
            .expect("look for waiting connections")
        {
            assert!(Instant::now() < deadline, "nobody waits for a lock");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The connection URL of one of the login roles.
    pub fn role_url(&self, role: &str) -> String {
        url(role, &self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop_database = AssertSqlSafe(format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            self.name
        ));
        // A test's own runtime may be single-threaded and is busy dropping: use another.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("build a runtime")
                .block_on(async {
                    connect("referee_owner", "postgres")
                        .await
                        .execute(drop_database)
                        .await
                        .map(drop)
                })
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("the test database {} was left behind", self.name);
        }
    }
}

/// Waits for midnight (UTC) where it is less than a minute away, so that a test which counts by the day begins and ends in the same
/// one.
pub async fn not_around_midnight() {
    let left = TimeDelta::days(1) - (Utc::now().time() - NaiveTime::MIN);
    if left < TimeDelta::minutes(1) {
        // A second more, as timers do not follow the clock.
        let wait = (left + TimeDelta::seconds(1)).to_std();
        tokio::time::sleep(wait.unwrap_or_default()).await;
    }
}

/// The server's address: `REFEREE_TEST_DATABASE_URL`, or the `DATABASE_URL` in the `.env` that `scripts/dev-database` writes.
fn server_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        std::env::var("REFEREE_TEST_DATABASE_URL")
            .ok()
            .or_else(|| {
                let dotenv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env");
                let text = std::fs::read_to_string(dotenv).ok()?;
                text.lines()
                    .find_map(|line| line.strip_prefix("DATABASE_URL=").map(str::to_owned))
            })
            .expect("no test server: run scripts/dev-database first, or let scripts/test do it")
    })
}

fn url(role: &str, database: &str) -> String {
    // postgres://ROLE@HOST/DATABASE?QUERY
    let server = server_url();
    let after_scheme = server.split_once("://").expect("a URL").1;
    let (authority, path) = after_scheme.split_once('/').expect("a URL with a path");
    let host = authority
        .rsplit('@')
        .next()
        .expect("rsplit yields at least one item");
    let query = path
        .split_once('?')
        .map(|(_, query)| format!("?{query}"))
        .unwrap_or_default();
    format!("postgres://{role}@{host}/{database}{query}")
}

async fn connect(role: &str, database: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(&url(role, database)).expect("a valid URL");
    PgConnection::connect_with(&options)
        .await
        .expect("the test server does not answer: run scripts/dev-database")
}

/// The migrated template's name. Made once per schema, whichever test process comes first.
async fn template() -> String {
    static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{}", crate::migrate::schema_fingerprint());
            let mut server = connect("referee_owner", "postgres").await;
            server
                .execute("SELECT pg_advisory_lock(1)")
                .await
                .expect("lock");
            let ready: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn)",
            )
            .bind(&name)
            .fetch_one(&mut server)
            .await
            .expect("look for the template");
            if !ready {
                for statement in [
                    format!("DROP DATABASE IF EXISTS {name}"),
                    format!("CREATE DATABASE {name}"),
                ] {
                    server
                        .execute(AssertSqlSafe(statement))
                        .await
                        .expect("create the template");
                }
                migrate(&url("referee_owner", &name), &RolePasswords::default())
                    .await
                    .expect("migrate the template");
                server
                    .execute(AssertSqlSafe(format!(
                        "ALTER DATABASE {name} ALLOW_CONNECTIONS false"
                    )))
                    .await
                    .expect("seal the template");
            }
            name
        })
        .await
        .clone()
}
