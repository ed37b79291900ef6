//! The processes of the last release work on while the new one's are started: every query of theirs still runs on the newest
//! schema, as the roles that ran it. `previous_release.json` holds the queries; at a release, `RECORD_RELEASE=1` renews it.

use std::collections::BTreeSet;
use std::fs;

use referee_storage::testing::TestDatabase;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

const ROLES: [&str; 3] = ["referee_api", "referee_scorer", "referee_inference"];
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/previous_release.json");
const PREPARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.sqlx");

/// Queries that the newest schema refuses on purpose, with the reason: for a fault in the wall, say, that cannot wait for the next
/// release. A part of the query's text names it. Old processes then have to stop before `referee migrate`; say so in the release's
/// notes.
const WITHDRAWN: [(&str, &str); 4] = [
    (
        "INSERT INTO label_versions",
        "a version that copies others while its rows come from the api reads labels (docs/WALL.md): the last release's uploads of labels wait",
    ),
    (
        "labels_stale_since = CASE WHEN $5",
        "what labels were read with is noted by a trigger: the last release's uploads of images wait",
    ),
    (
        "closes = $8",
        "the close lets private scores out, and is set by a function alone: the last release's changes of settings wait",
    ),
    (
        "pg_advisory_xact_lock",
        "whoever may take any lock may keep the scorer from its own: the last release's sign-ups wait",
    ),
];

#[derive(Deserialize, Serialize)]
struct Release {
    last_migration: i64,
    queries: Vec<String>,
}

impl Release {
    fn recorded() -> Self {
        let text = fs::read_to_string(RECORDED).expect("read the last release's queries");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What is compiled in now.
    async fn current(database: &TestDatabase) -> Self {
        let mut owner = connect(database.owner_url()).await;
        let last_migration = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut owner)
            .await
            .expect("the last migration");
        let mut queries = Vec::new();
        for file in fs::read_dir(PREPARED).expect("read .sqlx").flatten() {
            let text = fs::read_to_string(file.path()).expect("read a query");
            let prepared: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            queries.push(prepared["query"].as_str().expect("a query").to_owned());
        }
        queries.sort();
        Self {
            last_migration,
            queries,
        }
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connect")
}

/// The numbers of the queries that each role can run.
struct Runnable(BTreeSet<(usize, &'static str)>);

impl Runnable {
    async fn on(database: &TestDatabase, queries: &[String]) -> Self {
        let mut runnable = BTreeSet::new();
        for role in ROLES {
            let mut connection = connect(&database.role_url(role)).await;
            // Planned for any values, so that the tables are looked at whatever they are.
            connection
                .execute("SET plan_cache_mode = force_generic_plan")
                .await
                .expect("set");
            for (number, query) in queries.iter().enumerate() {
                if runs(&mut connection, query).await {
                    runnable.insert((number, role));
                }
            }
        }
        Self(runnable)
    }
}

/// Whether PostgreSQL would begin to run it: names, types and privileges, but no row.
async fn runs(connection: &mut PgConnection, query: &str) -> bool {
    let prepare = format!("PREPARE release_query AS {query}");
    if connection.execute(AssertSqlSafe(prepare)).await.is_err() {
        return false;
    }
    let parameters: i32 = sqlx::query_scalar(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'release_query'",
    )
    .fetch_one(&mut *connection)
    .await
    .expect("how many parameters");
    let nulls = vec!["NULL"; parameters.unsigned_abs() as usize].join(", ");
    let explain = if nulls.is_empty() {
        "EXPLAIN EXECUTE release_query".to_owned()
    } else {
        format!("EXPLAIN EXECUTE release_query({nulls})")
    };
    let explained = connection.execute(AssertSqlSafe(explain)).await;
    connection
        .execute("DEALLOCATE release_query")
        .await
        .expect("forget it");
    explained.is_ok()
}

/// `table.column` of what an INSERT that does not know the column would fail for.
async fn required_columns(database: &TestDatabase) -> BTreeSet<String> {
    let mut owner = connect(database.owner_url()).await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT table_schema || '.' || table_name || '.' || column_name
         FROM information_schema.columns
         WHERE table_schema IN ('public', 'sealed')
           AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'",
    )
    .fetch_all(&mut owner)
    .await
    .expect("list the columns");
    columns.into_iter().collect()
}

async fn tables(database: &TestDatabase) -> Vec<String> {
    let mut owner = connect(database.owner_url()).await;
    sqlx::query_scalar(
        "SELECT table_schema || '.' || table_name || '.'
         FROM information_schema.tables
         WHERE table_schema IN ('public', 'sealed')",
    )
    .fetch_all(&mut owner)
    .await
    .expect("list the tables")
}

#[tokio::test]
async fn the_last_releases_queries_run_on_the_newest_schema_as_the_roles_that_ran_them() {
    if std::env::var_os("RECORD_RELEASE").is_some() {
        let current = Release::current(&TestDatabase::new().await).await;
        let text = serde_json::to_string_pretty(&current).expect("JSON");
        fs::write(RECORDED, text + "\n").expect("write it");
    }
    let release = Release::recorded();
    let database = TestDatabase::of_release(release.last_migration).await;
    let before = Runnable::on(&database, &release.queries).await;
    for (number, query) in release.queries.iter().enumerate() {
        assert!(
            ROLES.iter().any(|role| before.0.contains(&(number, role))),
            "nobody could run this in the release itself: {query}"
        );
    }
    let (old_tables, old_columns) = (tables(&database).await, required_columns(&database).await);

    database.migrate().await;
    let after = Runnable::on(&database, &release.queries).await;
    let (mut withdrawn, mut unknown) = (BTreeSet::new(), Vec::new());
    for (number, role) in before.0.difference(&after.0) {
        let query = &release.queries[*number];
        match WITHDRAWN.iter().position(|(part, _)| query.contains(part)) {
            Some(known) => _ = withdrawn.insert(known),
            None => unknown.push(format!("as {role}: {query}")),
        }
    }
    assert_eq!(
        unknown,
        Vec::<String>::new(),
        "the last release can no longer run this; expand before you contract, or add it to WITHDRAWN"
    );
    assert_eq!(
        withdrawn.len(),
        WITHDRAWN.len(),
        "WITHDRAWN names what runs"
    );
    for column in required_columns(&database).await.difference(&old_columns) {
        let is_of_an_old_table = old_tables.iter().any(|table| column.starts_with(table));
        assert!(
            !is_of_an_old_table,
            "the last release does not fill {column}: give it a default"
        );
    }

    // That all this would be found.
    for (breaks, what) in [
        (
            "ALTER TABLE submissions RENAME COLUMN filename TO name",
            "filename",
        ),
        ("REVOKE SELECT ON teams FROM referee_api", "teams"),
    ] {
        database.as_owner(breaks).await;
        let broken = Runnable::on(&database, &release.queries).await;
        let lost = after.0.difference(&broken.0).count();
        assert!(lost > 0, "{breaks} broke nothing that names {what}");
    }
}
