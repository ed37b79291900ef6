//! Questions that would make a stronger role tell a sealed thing, each tried as the role that would ask it. `docs/WALL.md` goes
//! through every column; what stands here is what once was, or could have been, an answer.

use referee_storage::testing::TestDatabase;
use referee_storage::{ApiDb, StorageError, cluster::PrivateCluster, scorer};
use sqlx::{Executor, Row};
use uuid::Uuid;

use super::{REFUSED, ROLES, attempt, connect, sealed_challenge};

/// `sealed_challenge` with labels that the board shows.
async fn open_challenge(database: &TestDatabase) -> Uuid {
    let challenge = sealed_challenge(database).await;
    database
        .as_owner(&format!(
            "UPDATE label_versions SET state = 'current', created_at = clock_timestamp();
             UPDATE challenges
             SET label_version = 1, images = 2, image_names = '{{a.png,b.png}}', public_fraction = 0.5, published_at = now(),
                 closes = now() + interval '1 day';
             INSERT INTO sealed.splits VALUES ('{challenge}', sha256('key'), 2, '\\x01')"
        ))
        .await;
    challenge
}

async fn labels_of(database: &TestDatabase, version: i32) -> Vec<Vec<i16>> {
    let mut owner = connect(database.owner_url()).await;
    sqlx::query("SELECT labels FROM sealed.labels WHERE version = $1 ORDER BY ordinal")
        .bind(version)
        .fetch_all(&mut owner)
        .await
        .expect("read as owner")
        .iter()
        .map(|row| row.get("labels"))
        .collect()
}

/// All labels but one given, the missing one filled in by the scorer: then a count told it.
#[tokio::test]
async fn a_version_is_wholly_the_file_or_wholly_the_copy() {
    let database = TestDatabase::new().await;
    let challenge = open_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;
    let row = |version: i32, ordinal: i32| {
        format!("INSERT INTO sealed.labels VALUES ('{challenge}', {version}, {ordinal}, '{{9}}')")
    };

    // No version but by the two functions, and no row but with its version.
    for columns in ["", ", copy_of", ", state", ", current_at"] {
        let value = match columns {
            ", copy_of" => ", 1",
            ", state" => ", 'current'",
            ", current_at" => ", now()",
            _ => "",
        };
        let statement = format!(
            "INSERT INTO label_versions (challenge, version, images, digest, created_by{columns})
             VALUES ('{challenge}', 2, 2, sha256('y'), '{challenge}'{value})"
        );
        assert_eq!(attempt(&mut api, &statement).await, REFUSED, "{statement}");
    }
    let copy = format!("SELECT add_rescore('{challenge}', '{challenge}')");
    let file = format!("SELECT add_label_version('{challenge}', 2, sha256('y'), '{challenge}')");
    for statement in [row(1, 2), format!("{copy}; {}", row(2, 0))] {
        assert_eq!(attempt(&mut api, &statement).await, REFUSED, "{statement}");
        assert_eq!(labels_of(&database, 2).await, Vec::<Vec<i16>>::new());
    }
    // A file's rows in the transaction that makes its version, and not a moment later.
    let whole = format!("{file}; {}; {}", row(2, 0), row(2, 1));
    assert_eq!(attempt(&mut api, &whole).await, "went through, 3 rows");
    assert_eq!(attempt(&mut api, &file).await, "went through, 1 rows");
    for version in [2, 3] {
        assert_eq!(attempt(&mut api, &row(version, 7)).await, REFUSED);
    }
    let mut scorer = connect(&database.role_url("referee_scorer")).await;
    assert_eq!(
        attempt(&mut scorer, &row(3, 0)).await,
        REFUSED,
        "the scorer adds to no file either"
    );

    // The copy is the scorer's, of what the board shows or will show, all of it, once.
    assert_eq!(attempt(&mut api, &copy).await, "went through, 1 rows");
    scorer::copy_labels(&database.scorer, challenge, 2, 4)
        .await
        .expect("copy");
    scorer::copy_labels(&database.scorer, challenge, 1, 4)
        .await
        .expect("copy again, whatever of");
    assert_eq!(labels_of(&database, 4).await, [[9], [9]]);
    assert_eq!(attempt(&mut api, &row(4, 7)).await, REFUSED);
}

/// Labels that were taken out of use, or were read with other names, do not come back under a new split or new names.
#[tokio::test]
async fn old_labels_are_not_scored_anew() {
    let database = TestDatabase::new().await;
    let challenge = open_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;
    database
        .as_owner("UPDATE challenges SET published_at = NULL")
        .await;
    let rescored = async |api: &mut sqlx::PgConnection| -> Option<i32> {
        sqlx::query_scalar("SELECT add_rescore($1, $1)")
            .bind(challenge)
            .fetch_one(api)
            .await
            .expect("ask for a rescore")
    };
    assert_eq!(rescored(&mut api).await, Some(2));
    database
        .as_owner("UPDATE label_versions SET state = 'superseded'")
        .await;
    assert_eq!(rescored(&mut api).await, None, "superseded");

    database
        .as_owner("UPDATE label_versions SET state = 'current' WHERE version = 1")
        .await;
    let fresh = || scorer::labels_are_fresh(&database.scorer, challenge, 1);
    for change in [
        "UPDATE challenges SET classes = '[{\"name\": \"a\"}]'",
        "UPDATE challenges SET image_names = '{b.png,a.png}'",
        "UPDATE challenges SET image_names = NULL",
        "UPDATE challenges SET images = 3",
    ] {
        database
            .as_owner("UPDATE label_versions SET created_at = clock_timestamp()")
            .await;
        assert!(fresh().await.expect("ask"), "before {change}");
        assert_eq!(attempt(&mut api, change).await, "went through, 1 rows");
        assert!(!fresh().await.expect("ask"), "after {change}");
        assert_eq!(rescored(&mut api).await, None, "{change}");
    }
    // Nor can the mark be wiped off, or the number that caches go by be set back.
    let forged = "UPDATE challenges SET labels_stale_since = NULL";
    assert_eq!(attempt(&mut api, forged).await, REFUSED);
    let revision = |text: &'static str| {
        let url = database.owner_url().to_owned();
        async move {
            let mut owner = connect(&url).await;
            sqlx::query_scalar::<_, i32>(text)
                .fetch_one(&mut owner)
                .await
                .expect("read")
        }
    };
    let before = revision("SELECT facts_revision FROM challenges").await;
    attempt(&mut api, "UPDATE challenges SET facts_revision = 1").await;
    let after = revision("SELECT facts_revision FROM challenges").await;
    assert_eq!(after, before + 1);
}

/// The close lets every private score out.
#[tokio::test]
async fn the_close_is_moved_by_its_function_and_never_into_the_past() {
    let database = TestDatabase::new().await;
    let challenge = open_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;
    let set = |closes: &str| format!("SELECT set_schedule('{challenge}', NULL, {closes})");
    for statement in [
        "UPDATE challenges SET closes = now()".to_owned(),
        "UPDATE challenges SET opens = now()".to_owned(),
        "UPDATE challenges SET private_released_at = now()".to_owned(),
        "UPDATE challenges SET published_at = NULL".to_owned(),
        "UPDATE challenges SET published_at = now() - interval '1 day'".to_owned(),
        set("now() - interval '6 minutes'"),
        format!(
            "INSERT INTO challenges (id, slug, title, classes, primary_error, created_by, private_released_at)
             VALUES (gen_random_uuid(), 'other', '', '[]', 'top1', '{challenge}', now())"
        ),
        format!(
            "INSERT INTO challenges (id, slug, title, classes, primary_error, created_by, published_at)
             VALUES (gen_random_uuid(), 'other', '', '[]', 'top1', '{challenge}', now())"
        ),
    ] {
        assert_eq!(attempt(&mut api, &statement).await, REFUSED, "{statement}");
    }
    let later = set("now() + interval '2 days'");
    assert_eq!(attempt(&mut api, &later).await, "went through, 1 rows");
    database
        .as_owner("UPDATE challenges SET closes = now(), private_released_at = now()")
        .await;
    assert_eq!(attempt(&mut api, &later).await, REFUSED, "released");
    // A draft is not published into its own past.
    database
        .as_owner("UPDATE challenges SET published_at = NULL, private_released_at = NULL, closes = now() - interval '1 day'")
        .await;
    let publish = "UPDATE challenges SET published_at = now()";
    assert_eq!(attempt(&mut api, publish).await, REFUSED);
}

/// Another split, other names or another rule of feedback would be another question to the same labels.
#[tokio::test]
async fn what_labels_were_read_and_split_by_stays() {
    let database = TestDatabase::new().await;
    open_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;
    for statement in [
        "UPDATE challenges SET classes = '[{\"name\": \"a\"}]'",
        "UPDATE challenges SET images = 1",
        "UPDATE challenges SET images = NULL",
        "UPDATE challenges SET image_names = '{b.png,a.png}'",
        "UPDATE challenges SET image_names = NULL",
        "UPDATE challenges SET public_fraction = 1",
    ] {
        assert_eq!(attempt(&mut api, statement).await, REFUSED, "{statement}");
    }
    let stricter = "UPDATE challenges SET feedback = 'ladder'";
    assert_eq!(attempt(&mut api, stricter).await, "went through, 1 rows");
    for statement in [
        "UPDATE challenges SET feedback = 'exact'",
        "UPDATE challenges SET primary_error = 'top5'",
    ] {
        assert_eq!(attempt(&mut api, statement).await, REFUSED, "{statement}");
    }
    // In a draft too: whose labels are split already.
    database
        .as_owner("UPDATE challenges SET published_at = NULL")
        .await;
    let fraction = "UPDATE challenges SET public_fraction = 1";
    assert_eq!(attempt(&mut api, fraction).await, REFUSED);
}

/// What is scored is scored by the scorer.
#[tokio::test]
async fn no_row_comes_into_the_world_scored() {
    let database = TestDatabase::new().await;
    let challenge = open_challenge(&database).await;
    let mut api = connect(&database.role_url("referee_api")).await;
    let team = format!(
        "INSERT INTO teams (id, challenge, name) VALUES ('{challenge}', '{challenge}', 'us')"
    );
    assert_eq!(attempt(&mut api, &team).await, "went through, 1 rows");
    let insert = |column: &str, value: &str| {
        format!(
            "INSERT INTO submissions (id, challenge, team, submitter, kind, entry, method, object_key, filename, bytes, sha256, received_at{column})
             VALUES (gen_random_uuid(), '{challenge}', '{challenge}', '{challenge}', 'model', 'competitor', 'm', 'k', 'f', 1, sha256('x'), now(){value})"
        )
    };
    for (column, value) in [
        ("status", "'scored'"),
        ("status", "'queued'"),
        ("priority", "-1"),
        ("attempt", "7"),
        ("stage", "'scoring'"),
        ("progress_done", "1"),
        ("progress_total", "1"),
        ("images_per_second", "1"),
        ("progress_at", "now()"),
        ("record_key", "'records/mine'"),
        ("problem", "'{}'"),
        ("notices", "'[]'"),
        ("model", "'{}'"),
        ("preprocess", "'{}'"),
        ("scored_at", "now()"),
        ("scored_seq", "-1"),
        ("selected", "true"),
        ("withdrawn_at", "now()"),
        ("hidden_at", "now()"),
        ("verified_at", "now()"),
        ("hidden_images_at", "now()"),
        ("inference_attempts", "7"),
        ("revision", "7"),
    ] {
        let statement = insert(&format!(", {column}"), &format!(", {value}"));
        assert_eq!(attempt(&mut api, &statement).await, REFUSED, "{column}");
    }
    assert_eq!(
        attempt(&mut api, &insert("", "")).await,
        "went through, 1 rows"
    );
    let mut inference = connect(&database.role_url("referee_inference")).await;
    let scored = "UPDATE submissions SET status = 'scored'";
    assert_eq!(attempt(&mut inference, scored).await, REFUSED);
    database.as_owner(scored).await;
    assert_eq!(
        attempt(&mut inference, "UPDATE submissions SET status = 'queued'").await,
        "went through, 0 rows"
    );
}

/// Whoever holds a lock by name keeps the scorer from it.
#[tokio::test]
async fn nobody_takes_the_scorers_locks() {
    let database = TestDatabase::new().await;
    let mut owner = connect(database.owner_url()).await;
    let takers: Vec<(String, String)> = sqlx::query_as(
        "SELECT oid::regprocedure::text, proname || '(' || repeat('1, ', pronargs - 1) || '1)'
         FROM pg_proc
         WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_' AND pronargs > 0",
    )
    .fetch_all(&mut owner)
    .await
    .expect("list");
    assert!(takers.len() >= 20, "{takers:?}");
    for role in ["referee_api", "referee_inference"] {
        let mut attacker = connect(&database.role_url(role)).await;
        for (taker, call) in &takers {
            // Two ways to call it: by its types, as 1 may be either.
            let types = if taker.contains("bigint") {
                "bigint"
            } else {
                "integer"
            };
            let call = call.replace('1', &format!("1::{types}"));
            let heartbeat = role == "referee_inference"
                && taker == "pg_try_advisory_xact_lock(integer,integer)";
            let outcome = attempt(&mut attacker, &format!("SELECT {call}")).await;
            assert_eq!(outcome == REFUSED, !heartbeat, "{role}: {taker}: {outcome}");
        }
        assert_eq!(
            attempt(&mut attacker, "SELECT pg_advisory_unlock_all()").await,
            REFUSED
        );
    }
}

/// PostgreSQL lets a role change its own password and defaults and lets nobody forbid it. It is noticed, and `migrate` undoes it.
#[tokio::test]
async fn a_role_that_changed_itself_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().expect("a directory");
    let passable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(data.path(), passable).expect("set the mode");
    let cluster = PrivateCluster::start(data.path()).await.expect("start");
    cluster.migrate().await.expect("migrate");
    let url = cluster.urls().api.clone();
    let db = ApiDb::connect(&url).await.expect("connect");
    let mut attacker = connect(&url).await;
    assert!(db.is_as_given().await.expect("ask"));

    for change in [
        "ALTER ROLE referee_api SET statement_timeout = '1h'",
        "ALTER ROLE referee_api IN DATABASE referee SET search_path = pg_catalog",
        "ALTER ROLE referee_api PASSWORD 'mine'",
    ] {
        attacker.execute(change).await.expect(change);
        assert!(!db.is_as_given().await.expect("ask"), "{change}");
        if !change.contains("PASSWORD") {
            let refused = ApiDb::connect(&url).await.expect_err("a changed role");
            assert!(
                matches!(refused, StorageError::RoleChanged { .. }),
                "{refused}"
            );
        }
        cluster.migrate().await.expect("migrate");
        assert!(db.is_as_given().await.expect("ask"), "after {change}");
    }
    for change in [
        "ALTER ROLE referee_scorer PASSWORD 'mine'",
        "ALTER ROLE referee_scorer SET statement_timeout = 1",
        "ALTER ROLE referee_api SUPERUSER",
        "ALTER ROLE referee_api VALID UNTIL 'infinity'",
        "ALTER ROLE referee_api CONNECTION LIMIT 0",
        "ALTER ROLE referee_scorer RENAME TO other",
    ] {
        assert_eq!(attempt(&mut attacker, change).await, REFUSED, "{change}");
    }
    db.close().await;
    cluster.stop().await.expect("stop");
}

/// Nobody writes to the trail but the triggers, and nobody takes from it.
#[tokio::test]
async fn the_trail_is_only_ever_added_to() {
    let database = TestDatabase::new().await;
    open_challenge(&database).await;
    for role in ROLES {
        let mut attacker = connect(&database.role_url(role)).await;
        for statement in [
            "INSERT INTO audit_trail VALUES (1, '{}', sha256('x'))",
            "UPDATE audit_trail SET line = '{}'",
            "DELETE FROM audit_trail",
            "TRUNCATE audit_trail",
            "INSERT INTO audit_pending (entry) VALUES ('{}')",
            "UPDATE audit_pending SET entry = '{}'",
            "DELETE FROM audit_pending",
            "DELETE FROM audit_people",
            "UPDATE audit_people SET id = gen_random_uuid()",
            "DELETE FROM audit_addresses",
            "SELECT audit('mine', NULL, NULL, NULL)",
            "ALTER TABLE audit_trail DISABLE TRIGGER ALL",
        ] {
            let outcome = attempt(&mut attacker, statement).await;
            assert_eq!(outcome, REFUSED, "{role}: {statement}");
        }
    }
    let mut scorer = connect(&database.role_url("referee_scorer")).await;
    assert_eq!(
        attempt(&mut scorer, "SELECT chain_audit()").await,
        "went through, 1 rows"
    );
    let mut owner = connect(database.owner_url()).await;
    for statement in [
        "UPDATE audit_trail SET line = '{}'",
        "DELETE FROM audit_trail",
        "TRUNCATE audit_trail",
    ] {
        assert_eq!(attempt(&mut owner, statement).await, REFUSED, "{statement}");
    }
}

/// A salt before its time would let guesses be tried against the commitment.
#[tokio::test]
async fn a_commitment_is_opened_in_its_time() {
    let database = TestDatabase::new().await;
    let challenge = open_challenge(&database).await;
    database
        .as_owner(&format!(
            "INSERT INTO sealed.commitments VALUES ('{challenge}', 1, sha256('salt'), 'rules')"
        ))
        .await;
    for role in ["referee_api", "referee_inference"] {
        let mut attacker = connect(&database.role_url(role)).await;
        for statement in [
            "SELECT salt FROM sealed.commitments",
            "UPDATE label_versions SET commitment = sha256('x')",
        ] {
            let outcome = attempt(&mut attacker, statement).await;
            assert_eq!(outcome, REFUSED, "{role}: {statement}");
        }
    }
    let mut api = connect(&database.role_url("referee_api")).await;
    let open = format!("SELECT salt FROM open_commitment('{challenge}', 1)");
    for (state, rows) in [
        ("published_at = NULL, closes = now()", 0),
        ("published_at = now()", 0),
        ("private_released_at = now()", 1),
        ("private_released_at = NULL, public_fraction = 1", 1),
        ("closes = now() + interval '1 day'", 0),
    ] {
        database
            .as_owner(&format!("UPDATE challenges SET {state}"))
            .await;
        let outcome = attempt(&mut api, &open).await;
        assert_eq!(outcome, format!("went through, {rows} rows"), "{state}");
    }
}

/// What the scorer says of labels is one of a few sentences, in which no number stands.
#[test]
fn refusals_tell_nothing() {
    use scorer::LabelRefusal as Refusal;
    for refusal in [
        Refusal::NotWhole,
        Refusal::OtherCount,
        Refusal::Stale,
        Refusal::NothingLabelled,
        Refusal::SideWithoutLabels,
    ] {
        let sentence = refusal.sentence();
        assert!(!sentence.contains(char::is_numeric), "{sentence}");
    }
}
