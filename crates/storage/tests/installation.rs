//! Whose store it is: what a database takes for its own, what it leaves alone, and what nobody deletes.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use referee_storage::objects::{MARKER, ObjectError, ObjectStore};
use referee_storage::testing::TestDatabase;
use referee_storage::{NotReady, SweepError, sweep_objects};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// A database with a store, which does not exist before an api looks.
struct Installation {
    database: TestDatabase,
    files: TempDir,
}

impl Installation {
    async fn new() -> Self {
        Self {
            database: TestDatabase::new().await,
            files: tempfile::tempdir().expect("a directory"),
        }
    }

    fn location(&self) -> String {
        let path = self.files.path().join("objects");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.files.path().join("objects").join(name)
    }

    async fn open(&self) -> Result<ObjectStore, NotReady> {
        self.open_at(&self.location()).await
    }

    async fn open_at(&self, location: &str) -> Result<ObjectStore, NotReady> {
        self.database.api.open_or_mark_store(location).await
    }

    /// A stored file of 400 days that the database refers to; its key.
    async fn refer_to(&self, key: &str) {
        let id = Uuid::now_v7();
        let statement = format!(
            "INSERT INTO users (id, handle, password_hash) VALUES ('{id}', 'organizer', 'x');
             INSERT INTO challenges (id, slug, title, classes, primary_error, created_by) VALUES ('{id}', 'clothes', 'C', '[]', 'top1', '{id}');
             INSERT INTO challenge_files (challenge, purpose, key, filename, object_key, bytes, sha256)
                 VALUES ('{id}', 'download', 'train', 'train.npy', '{key}', 3, sha256('abc'))"
        );
        self.database.as_owner(&statement).await;
    }
}

fn incoming() -> String {
    format!("incoming/{}", Uuid::new_v4())
}

fn old_file(path: &Path) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("make it");
    fs::write(path, "years of work").expect("write");
    let file = File::options().write(true).open(path).expect("open");
    let age = Duration::from_hours(24 * 400);
    file.set_modified(SystemTime::now() - age).expect("age it");
}

#[tokio::test]
async fn the_first_api_makes_and_marks_the_store_and_workers_wait_for_that() {
    let ours = Installation::new().await;
    let (scorer, inference) = (&ours.database.scorer, &ours.database.inference);
    let early = scorer
        .open_store(&ours.location())
        .await
        .expect_err("early");
    assert!(
        matches!(early, NotReady::NoStoreYet) && early.is_waited_for(),
        "{early}"
    );
    assert!(!ours.path("").exists(), "a worker makes no store");

    let store = ours.open().await.expect("the first");
    let mark = fs::read_to_string(ours.path(MARKER)).expect("a mark");
    assert_eq!(
        ours.database
            .as_owner(&format!(
                "UPDATE installation SET id = id WHERE id = '{}'",
                mark.trim()
            ))
            .await,
        1
    );
    ours.open().await.expect("another process");
    for opened in [
        scorer.open_store(&ours.location()).await,
        inference.open_store(&ours.location()).await,
    ] {
        opened.expect("it is theirs");
    }
    store
        .put("records/1/1", Bytes::from("x"))
        .await
        .expect("it takes files");
}

#[tokio::test]
async fn two_first_apis_agree() {
    let ours = Installation::new().await;
    for _ in 0..10 {
        let (one, other) = tokio::join!(ours.open(), ours.open());
        one.expect("one");
        other.expect("the other");
        fs::remove_dir_all(ours.path("")).expect("begin anew");
        ours.database.as_owner("DELETE FROM installation").await;
    }
}

#[tokio::test]
async fn a_second_installation_on_the_same_directory_is_refused_and_deletes_nothing() {
    let (first, second) = (Installation::new().await, Installation::new().await);
    first.open().await.expect("its own");
    let kept = first.path(&incoming());
    old_file(&kept);
    let refused = second
        .open_at(&first.location())
        .await
        .expect_err("not its own");
    assert!(
        matches!(refused, NotReady::OfAnother { .. }) && refused.is_final(),
        "{refused}"
    );

    // Even with the store in its hands.
    second.open().await.expect("its own");
    let store = ObjectStore::from_url(&first.location()).expect("open");
    let swept = sweep_objects(&second.database.api, &store).await;
    assert!(
        matches!(swept, Err(SweepError::NotReady(NotReady::OfAnother { .. }))),
        "{swept:?}"
    );
    for worker in [
        second.database.scorer.open_store(&first.location()).await,
        second
            .database
            .inference
            .open_store(&first.location())
            .await,
    ] {
        let refused = worker.expect_err("another's");
        let sentence = refused.to_string();
        assert!(
            sentence.contains("belongs to another installation"),
            "{sentence}"
        );
        assert!(sentence.contains(&first.location()), "{sentence}");
    }
    assert!(kept.exists());
}

#[tokio::test]
async fn objects_that_are_restored_before_the_dump_wait_for_it() {
    let (old, new) = (Installation::new().await, Installation::new().await);
    old.open().await.expect("the one that was backed up");
    let key = incoming();
    old_file(&old.path(&key));
    fs::rename(old.path(""), new.path("")).expect("restore the objects");
    let refused = new.open().await.expect_err("the database is a new one");
    assert!(
        refused.to_string().contains("when the dump is loaded"),
        "{refused}"
    );
    assert!(new.path(&key).exists());

    let mark = fs::read_to_string(new.path(MARKER)).expect("a mark");
    new.refer_to(&key).await;
    new.database
        .as_owner(&format!(
            "DELETE FROM installation; INSERT INTO installation (id, store_marked_at) VALUES ('{}', now())",
            mark.trim()
        ))
        .await;
    let store = new.open().await.expect("it is the same installation now");
    assert_eq!(
        sweep_objects(&new.database.api, &store)
            .await
            .expect("swept"),
        0
    );
    assert!(new.path(&key).exists());
}

#[tokio::test]
async fn a_store_that_went_away_is_not_made_anew() {
    let ours = Installation::new().await;
    let store = ours.open().await.expect("the first");
    let away = ours.files.path().join("unmounted");
    fs::rename(ours.path(""), &away).expect("unmount");
    for refused in [
        ours.open().await,
        ours.database.scorer.open_store(&ours.location()).await,
    ] {
        let refused = refused.expect_err("missing");
        assert!(
            matches!(refused, NotReady::Objects(ObjectError::Missing { .. })),
            "{refused}"
        );
    }
    // An upload that goes on meanwhile must not make it either, nor land below a mount point.
    for is_mount_point in [false, true] {
        let refused = store
            .put("records/1/1", Bytes::from("x"))
            .await
            .expect_err("away");
        assert!(matches!(refused, ObjectError::Away { .. }), "{refused}");
        let not_ready = ours
            .database
            .api
            .check_store(&store)
            .await
            .expect_err("away");
        assert!(!not_ready.is_final(), "{not_ready}");
        if !is_mount_point {
            assert!(!ours.path("").exists());
            fs::create_dir(ours.path("")).expect("a mount point");
        }
    }
    let refused = ours.open().await.expect_err("empty");
    assert!(matches!(refused, NotReady::Unmarked { .. }), "{refused}");
    assert_eq!(fs::read_dir(ours.path("")).expect("a directory").count(), 0);

    fs::remove_dir(ours.path("")).expect("remove the mount point");
    fs::rename(&away, ours.path("")).expect("mount");
    store
        .put("records/1/1", Bytes::from("x"))
        .await
        .expect("it is back");
    ours.database
        .api
        .check_store(&store)
        .await
        .expect("it is back");
}

#[tokio::test]
async fn a_strangers_directory_is_not_adopted() {
    for name in ["thesis.tex", "photos/1.jpg", "incoming/x", "half#1"] {
        let ours = Installation::new().await;
        old_file(&ours.path(name));
        let refused = ours.open().await.expect_err("a stranger's");
        assert!(matches!(refused, NotReady::Unmarked { .. }), "{refused}");
        assert!(!ours.path(MARKER).exists());
        assert_eq!(
            fs::read(ours.path(name)).expect("it is there"),
            b"years of work"
        );

        // The way on that the sentence names.
        let sentence = refused.to_string();
        let line = sentence.split("write the line ").nth(1).expect("a way on");
        let id = line.split(' ').next().expect("an id");
        fs::write(ours.path(MARKER), format!("{id}\n")).expect("write it");
        ours.open().await.expect("adopted by hand");
    }
}

/// A new disk has this at its root, and a server that was killed while it marked the store left its half.
#[tokio::test]
async fn what_a_file_system_makes_counts_for_nothing() {
    let ours = Installation::new().await;
    fs::create_dir_all(ours.path("lost+found")).expect("make it");
    fs::create_dir(ours.path("incoming")).expect("make it");
    fs::write(ours.path(&format!("{MARKER}#1")), "half").expect("write");
    ours.open().await.expect("it is as good as empty");
}

/// As earlier versions left them.
#[tokio::test]
async fn an_unmarked_store_is_adopted_by_the_database_whose_objects_it_holds() {
    let ours = Installation::new().await;
    let key = incoming();
    ours.refer_to(&key).await;
    let refused = ours.open().await.expect_err("missing");
    assert!(
        matches!(refused, NotReady::Objects(ObjectError::Missing { .. })),
        "{refused}"
    );
    assert!(!ours.path("").exists());
    fs::create_dir(ours.path("")).expect("make it");
    let refused = ours.open().await.expect_err("empty, and so another's");
    assert!(matches!(refused, NotReady::Unmarked { .. }), "{refused}");

    old_file(&ours.path(&key));
    old_file(&ours.path("strangers.txt"));
    let orphan = ours.path(&incoming());
    old_file(&orphan);
    let store = ours.open().await.expect("its own");
    assert_eq!(
        sweep_objects(&ours.database.api, &store)
            .await
            .expect("swept"),
        1
    );
    assert!(!orphan.exists());
    assert!(ours.path(&key).exists() && ours.path("strangers.txt").exists());

    // A copy that left the mark behind.
    fs::remove_file(ours.path(MARKER)).expect("remove");
    ours.open().await.expect("its own still");
    assert!(ours.path(MARKER).exists());
}

#[tokio::test]
async fn a_damaged_mark_is_no_mark() {
    let ours = Installation::new().await;
    ours.open().await.expect("the first");
    for damaged in ["", "mine", &"x".repeat(1000)] {
        fs::write(ours.path(MARKER), damaged).expect("damage it");
        let refused = ours.open().await.expect_err("damaged");
        assert!(
            matches!(refused, NotReady::Objects(ObjectError::Mark { .. })),
            "{refused}"
        );
    }
}

/// A newer version may refer to objects from tables that this one does not know.
#[tokio::test]
async fn nothing_is_swept_under_another_schema() {
    let ours = Installation::new().await;
    let store = ours.open().await.expect("the first");
    let orphan = ours.path(&incoming());
    old_file(&orphan);
    ours.database
        .as_owner(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of the future', true, '', 0)",
        )
        .await;
    for refused in [
        ours.database.api.check_schema().await,
        ours.database.scorer.check_schema().await,
        ours.database.inference.check_schema().await,
    ] {
        let refused = refused.expect_err("newer");
        assert!(
            matches!(refused, NotReady::Newer { found: 9999, .. }),
            "{refused}"
        );
    }
    let swept = sweep_objects(&ours.database.api, &store).await;
    assert!(matches!(swept, Err(SweepError::NotReady(_))), "{swept:?}");
    assert!(orphan.exists());

    ours.database
        .as_owner("DELETE FROM _sqlx_migrations WHERE version = 9999")
        .await;
    ours.database
        .api
        .check_schema()
        .await
        .expect("as this version knows it");
    assert_eq!(
        sweep_objects(&ours.database.api, &store)
            .await
            .expect("swept"),
        1
    );

    ours.database
        .as_owner("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await;
    let refused = ours
        .database
        .scorer
        .check_schema()
        .await
        .expect_err("older");
    assert!(refused.is_waited_for(), "{refused}");
}

/// Whoever adds a column that names an object must tell the sweep, which would delete it otherwise.
#[tokio::test]
async fn the_sweep_asks_about_every_column_that_names_an_object() {
    let database = TestDatabase::new().await;
    let mut owner = PgConnection::connect(database.owner_url())
        .await
        .expect("connect");
    let found: Vec<String> = sqlx::query_scalar(
        r"SELECT table_name || '.' || column_name
          FROM information_schema.columns
          WHERE table_schema IN ('public', 'sealed') AND data_type = 'text' AND column_name ~ '(object|record).*key|_key$'
          ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .expect("look");
    let asked = [
        "challenge_files.object_key",
        "submission_data.object_key",
        "submissions.idempotency_key", // names no object
        "submissions.object_key",
        "submissions.record_key",
        "users.email_key", // nor does this
    ];
    assert_eq!(found, asked);
}
