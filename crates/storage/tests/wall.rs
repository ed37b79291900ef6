//! The wall between the web process and the hidden labels, tried from the outside: as each role, over its own connection.

#[path = "wall/oracles.rs"]
mod oracles;

use std::os::unix::fs::PermissionsExt as _;

use referee_storage::cluster::PrivateCluster;
use referee_storage::testing::TestDatabase;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use uuid::Uuid;

const ROLES: [&str; 3] = ["referee_api", "referee_scorer", "referee_inference"];

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connect")
}

/// SQLSTATE of the refusal, or what happened instead.
async fn attempt(connection: &mut PgConnection, statement: &str) -> String {
    match connection
        .execute(AssertSqlSafe(statement.to_owned()))
        .await
    {
        Ok(done) => format!("went through, {} rows", done.rows_affected()),
        Err(sqlx::Error::Database(error)) => error.code().map_or_else(String::new, Into::into),
        Err(other) => other.to_string(),
    }
}

/// `insufficient_privilege`
const REFUSED: &str = "42501";

/// A challenge with one label version and sealed labels, written by the owner.
async fn sealed_challenge(database: &TestDatabase) -> Uuid {
    let challenge = Uuid::now_v7();
    let mut owner = connect(database.owner_url()).await;
    owner
        .execute(AssertSqlSafe(format!(
            "INSERT INTO users (id, handle, password_hash) VALUES ('{challenge}', 'organizer', 'x');
             INSERT INTO challenges (id, slug, title, classes, primary_error, created_by)
                 VALUES ('{challenge}', 'wall', 'Wall', '[]', 'top1', '{challenge}');
             INSERT INTO label_versions (challenge, version, images, digest, created_by)
                 VALUES ('{challenge}', 1, 2, sha256('x'), '{challenge}');
             INSERT INTO sealed.labels VALUES ('{challenge}', 1, 0, '{{7}}'), ('{challenge}', 1, 1, '{{3,4}}');"
        )))
        .await
        .expect("insert the challenge");
    challenge
}

#[tokio::test]
async fn the_api_role_adds_labels_and_can_do_nothing_else_behind_the_wall() {
    let database = TestDatabase::new().await;
    let challenge = sealed_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;

    let version = format!(
        "SELECT add_label_version('{challenge}', 1, sha256('y'), '{challenge}');
         INSERT INTO sealed.labels VALUES ('{challenge}', 2, 0, '{{1}}')"
    );
    assert_eq!(attempt(&mut api, &version).await, "went through, 2 rows");
    for statement in [
        "SELECT * FROM sealed.labels",
        "SELECT count(*) FROM sealed.labels",
        "INSERT INTO sealed.labels SELECT * FROM sealed.labels",
        "UPDATE sealed.labels SET labels = '{}'",
        "DELETE FROM sealed.labels",
        "TRUNCATE sealed.labels",
        "COPY sealed.labels TO STDOUT",
        "SELECT * FROM sealed.splits",
        "SELECT * FROM sealed.outcomes",
        "SELECT * FROM sealed.scores",
        "SELECT nextval('sealed.scored_seq')",
        "INSERT INTO released_scores VALUES (gen_random_uuid(), 1, 'public', 1, 0, 0)",
        "UPDATE released_scores SET top1_misses = 0",
        "UPDATE rank_ranges SET rank_low = 1",
        "UPDATE submissions SET status = 'scored'",
        "UPDATE submissions SET scored_at = now()",
        "UPDATE label_versions SET state = 'current'",
        "UPDATE challenges SET label_version = 1",
        "UPDATE challenges SET private_released_at = now()",
        "SELECT * FROM graphile_worker._private_jobs",
        "SELECT graphile_worker.add_job('score')",
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE TEMPORARY TABLE mine (x int)",
        "CREATE FUNCTION sealed.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE sealed.labels DISABLE ROW LEVEL SECURITY",
        "SET ROLE referee_scorer",
        "SET ROLE referee_owner",
    ] {
        assert_eq!(attempt(&mut api, statement).await, REFUSED, "{statement}");
    }
    let returning =
        format!("INSERT INTO sealed.labels VALUES ('{challenge}', 1, 3, '{{1}}') RETURNING labels");
    assert_eq!(attempt(&mut api, &returning).await, REFUSED, "{returning}");
    let conflict = format!(
        "INSERT INTO sealed.labels VALUES ('{challenge}', 1, 0, '{{1}}') ON CONFLICT (challenge, version, ordinal) DO NOTHING"
    );
    assert_eq!(attempt(&mut api, &conflict).await, REFUSED, "{conflict}");
}

/// The leak check answers about sealed labels, so that it is asked a limited number of times.
#[tokio::test]
async fn the_api_role_gets_no_more_answers_from_the_leak_check_than_are_due() {
    let database = TestDatabase::new().await;
    let challenge = sealed_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;
    for statement in [
        "UPDATE challenges SET leak_checks = 0",
        "UPDATE challenges SET label_leak = NULL",
        "ALTER TABLE challenges DISABLE TRIGGER end_leak_checks",
        "DELETE FROM challenge_changes",
        "INSERT INTO challenge_changes (challenge, what) VALUES (gen_random_uuid(), 'labels')",
        "UPDATE challenge_changes SET at = now()",
    ] {
        assert_eq!(attempt(&mut api, statement).await, REFUSED, "{statement}");
    }
    let negative = format!(
        "INSERT INTO challenges (id, slug, title, classes, primary_error, created_by, leak_checks)
         VALUES (gen_random_uuid(), 'more', 'More', '[]', 'top1', '{challenge}', -1000)"
    );
    assert_eq!(attempt(&mut api, &negative).await, REFUSED);

    // A publication ends it, and taking it back begins nothing anew.
    for (published, answer) in [("now()", "went through, 1 rows"), ("NULL", REFUSED)] {
        let statement = format!("UPDATE challenges SET published_at = {published}");
        assert_eq!(attempt(&mut api, &statement).await, answer);
    }
    let mut scorer = connect(&database.role_url("referee_scorer")).await;
    let answer = "UPDATE challenges SET label_leak = 'x', leak_checks = leak_checks + 1 WHERE leak_checks < 20";
    assert_eq!(attempt(&mut scorer, answer).await, "went through, 0 rows");
    assert_eq!(
        attempt(&mut api, "SELECT FROM challenge_changes").await,
        "went through, 1 rows"
    );
}

/// Whoever makes a large object owns it, and it may be as large as the disk.
#[tokio::test]
async fn nobody_makes_large_objects() {
    let database = TestDatabase::new().await;
    for role in ROLES {
        let mut attacker = connect(&database.role_url(role)).await;
        for statement in [
            "SELECT lo_creat(-1)",
            "SELECT lo_create(0)",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT lo_import('/etc/passwd')",
        ] {
            let outcome = attempt(&mut attacker, statement).await;
            assert_eq!(outcome, REFUSED, "{role}: {statement}");
        }
    }
}

#[tokio::test]
async fn inference_writes_to_models_alone() {
    let database = TestDatabase::new().await;
    let challenge = sealed_challenge(&database).await;
    let mut owner = connect(database.owner_url()).await;
    owner
        .execute(AssertSqlSafe(format!(
            "INSERT INTO teams (id, challenge, name) VALUES ('{challenge}', '{challenge}', 'us');
             INSERT INTO submissions (id, challenge, team, submitter, kind, entry, method, form, object_key, filename, bytes, sha256, received_at)
                 SELECT gen_random_uuid(), '{challenge}', '{challenge}', '{challenge}', kind, 'competitor', 'm', '{{}}', kind, 'f', 1, sha256('x'), now()
                 FROM unnest(ARRAY['model', 'predictions']) AS kind"
        )))
        .await
        .expect("insert two submissions");
    let mut inference = connect(&database.role_url("referee_inference")).await;
    assert_eq!(
        attempt(&mut inference, "SELECT FROM submissions").await,
        "went through, 2 rows"
    );
    assert_eq!(
        attempt(&mut inference, "UPDATE submissions SET status = 'running'").await,
        "went through, 1 rows"
    );
    let running: String =
        sqlx::query_scalar("SELECT kind FROM submissions WHERE status = 'running'")
            .fetch_one(&mut owner)
            .await
            .expect("one");
    assert_eq!(running, "model");
}

#[tokio::test]
async fn the_workers_see_no_account_and_inference_sees_no_label() {
    let database = TestDatabase::new().await;
    sealed_challenge(&database).await;
    for role in ["referee_scorer", "referee_inference"] {
        let mut worker = connect(&database.role_url(role)).await;
        for statement in [
            "SELECT * FROM users",
            "SELECT * FROM sessions",
            "SELECT * FROM tokens",
            "UPDATE submissions SET hidden_reason = 'x'",
            "UPDATE submissions SET team = gen_random_uuid()",
            "CREATE TABLE public.mine (x int)",
            "CREATE SCHEMA mine",
            "CREATE TEMPORARY TABLE mine (x int)",
            "CREATE TABLE graphile_worker.mine (x int)",
            "DELETE FROM submissions",
        ] {
            assert_eq!(
                attempt(&mut worker, statement).await,
                REFUSED,
                "{role}: {statement}"
            );
        }
    }
    let mut inference = connect(&database.role_url("referee_inference")).await;
    for statement in [
        "SELECT * FROM sealed.labels",
        "INSERT INTO sealed.labels VALUES (gen_random_uuid(), 1, 0, '{}')",
        "SELECT * FROM sealed.splits",
        "SELECT * FROM sealed.outcomes",
        "SELECT * FROM sealed.scores",
        "SELECT * FROM released_scores",
        "UPDATE submissions SET scored_at = now()",
    ] {
        assert_eq!(
            attempt(&mut inference, statement).await,
            REFUSED,
            "{statement}"
        );
    }
    let mut scorer = connect(&database.role_url("referee_scorer")).await;
    assert_eq!(
        attempt(&mut scorer, "SELECT * FROM sealed.labels").await,
        "went through, 2 rows"
    );
    for statement in [
        "UPDATE sealed.labels SET labels = '{}'",
        "DELETE FROM sealed.labels",
        "DELETE FROM sealed.outcomes",
    ] {
        assert_eq!(
            attempt(&mut scorer, statement).await,
            REFUSED,
            "{statement}"
        );
    }
}

/// Tried in an experiment, and it worked while the roles were members of the queue's owner: a trigger on a queue table
/// runs with the rights of whoever works on the queue, and the scorer may read the labels.
#[tokio::test]
async fn a_trigger_on_the_queue_cannot_be_planted() {
    let database = TestDatabase::new().await;
    for role in ROLES {
        let mut attacker = connect(&database.role_url(role)).await;
        let function = "CREATE FUNCTION public.leak() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.users SELECT gen_random_uuid(), labels::text, NULL, '' FROM sealed.labels; RETURN NEW; END $$";
        assert_eq!(attempt(&mut attacker, function).await, REFUSED, "{role}");
        // With a function that exists, so that the privilege on the table alone decides.
        let trigger = "CREATE TRIGGER leak BEFORE UPDATE ON graphile_worker._private_jobs
             FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()";
        assert_eq!(attempt(&mut attacker, trigger).await, REFUSED, "{role}");
        let on_ours = "CREATE TRIGGER leak BEFORE UPDATE ON public.submissions
             FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()";
        assert_eq!(attempt(&mut attacker, on_ours).await, REFUSED, "{role}");
        let rule =
            "CREATE RULE leak AS ON UPDATE TO graphile_worker._private_jobs DO INSTEAD NOTHING";
        assert_eq!(attempt(&mut attacker, rule).await, REFUSED, "{role}");
    }
}

/// The second known attack: a schema named after a role comes first in the default `search_path`.
#[tokio::test]
async fn a_schema_named_after_a_role_cannot_be_made_and_would_not_be_searched() {
    let database = TestDatabase::new().await;
    for attacker in ROLES {
        let mut connection = connect(&database.role_url(attacker)).await;
        for victim in ROLES {
            let statement = format!("CREATE SCHEMA {victim}");
            assert_eq!(
                attempt(&mut connection, &statement).await,
                REFUSED,
                "{attacker}: {statement}"
            );
        }
        let search_path: String = sqlx::query_scalar("SHOW search_path")
            .fetch_one(&mut connection)
            .await
            .expect("show");
        assert_eq!(search_path, "public", "{attacker}");
    }
}

/// Every cluster comes with databases that let everyone in.
#[tokio::test]
async fn in_a_private_cluster_the_roles_enter_no_other_database() {
    let data = tempfile::tempdir().expect("a directory");
    let passable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(data.path(), passable).expect("set the mode");
    let cluster = PrivateCluster::start(data.path()).await.expect("start");
    cluster.migrate().await.expect("migrate");
    cluster.migrate().await.expect("and again, at every start");
    let urls = cluster.urls();
    for url in [&urls.api, &urls.scorer, &urls.inference] {
        let own = url.parse::<PgConnectOptions>().expect("a URL");
        PgConnection::connect_with(&own)
            .await
            .expect("its own")
            .close()
            .await
            .expect("leave");
        for other in ["postgres", "template1", "template0"] {
            let refused = PgConnection::connect_with(&own.clone().database(other)).await;
            let error = refused.expect_err(other);
            let code = error.as_database_error().and_then(DatabaseError::code);
            // template0 takes no connections at all: object_not_in_prerequisite_state
            let expected = if other == "template0" {
                "55000"
            } else {
                REFUSED
            };
            assert_eq!(code.as_deref(), Some(expected), "{other}: {error}");
        }
    }
    cluster.stop().await.expect("stop");
}

/// Everything that anyone but the owner may do, in one committed table: what is new must be added there by hand.
#[tokio::test]
async fn every_privilege_membership_and_owner_is_as_listed() {
    let database = TestDatabase::new().await;
    let mut owner = connect(database.owner_url()).await;
    let lines: Vec<String> = sqlx::query(include_str!("wall.sql"))
        .fetch_all(&mut owner)
        .await
        .expect("list privileges")
        .iter()
        .map(|row| row.get::<String, _>("line"))
        .collect();
    let found = lines.join("\n") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wall.txt");
    if std::env::var_os("UPDATE_WALL").is_some() {
        std::fs::write(path, &found).expect("write the list");
    }
    let listed = std::fs::read_to_string(path).expect("read the list");
    assert_eq!(
        found, listed,
        "privileges differ from tests/wall.txt; if every new line is meant, renew it with UPDATE_WALL=1 and review the diff"
    );
}
