//! A challenge with a running scorer, on a database of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use referee_scoring::classes::ClassEntry;
use referee_scoring::images::ImageList;
use referee_scoring::labels::Labels;
use referee_storage::StorageError;
use referee_storage::accounts::Role;
use referee_storage::challenges::files::put_test_images;
use referee_storage::challenges::labels::{Added, ReadWith, add, rescore};
use referee_storage::challenges::settings::{
    AfterClose, Change, Feedback, OutsideData, Primary, Ranking, Settings, change, create,
};
use referee_storage::challenges::{challenge, public_facts};
use referee_storage::objects::ObjectStore;
use referee_storage::registration::{Admission, NewUser, register};
use referee_storage::submissions::intake::{Intake, NewSubmission, accept};
use referee_storage::submissions::{Entry, Kind, Status, Submission, submission};
use referee_storage::testing::TestDatabase;
use referee_workers::{ScorerConfig, run_scorer};
use sqlx::{Connection, PgConnection, Row};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const SLUG: &str = "arena";

/// What a PNG file begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What differs between the tests' challenges.
pub struct Rules {
    pub public_fraction: f64,
    pub ladder: bool,
    pub images: usize,
    pub per_day: Option<i32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            public_fraction: 1.0,
            ladder: false,
            images: super::IMAGES,
            per_day: None,
        }
    }
}

pub struct Person {
    id: Uuid,
    handle: String,
}

pub struct Arena {
    pub database: TestDatabase,
    objects: ObjectStore,
    pub challenge: Uuid,
    organizer: Uuid,
    images: usize,
    running: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
    directory: tempfile::TempDir,
}

/// ILSVRC text with one guess per image: classes are numbered from 1 there.
pub fn text(guesses: impl Iterator<Item = usize>) -> String {
    guesses.fold(String::new(), |lines, class| {
        lines + &format!("{}\n", class + 1)
    })
}

impl Arena {
    /// Not published yet, and without labels.
    pub async fn draft(images: usize) -> Self {
        let arena = Self::without_labels(Rules {
            images,
            ..Rules::default()
        })
        .await;
        arena
            .sql("UPDATE challenges SET published_at = NULL, leak_checks = 0")
            .await;
        arena
    }

    pub async fn publish(&self) {
        self.sql("UPDATE challenges SET published_at = now()").await;
    }

    /// Gives a draft a tar of images; image i lies at `places[i]` of it.
    pub async fn upload_images(&self, places: &[usize]) {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|&image| places[image]);
        let mut tar = tar::Builder::new(Vec::new());
        for image in order {
            let mut header = tar::Header::new_ustar();
            header.set_size(PNG.len() as u64);
            let name = format!("{image:06}.png");
            tar.append_data(&mut header, name, PNG).expect("append");
        }
        let tar = Bytes::from(tar.into_inner().expect("a tar"));
        let mut upload = self.objects.upload(1 << 30);
        upload.write(tar).await.expect("write");
        let stored = upload.finish().await.expect("store");
        let names = (0..places.len()).map(|image| format!("{image:06}.png"));
        let images = ImageList::named(names.collect()).expect("names");
        let sizes = vec![PNG.len().try_into().expect("small"); places.len()];
        put_test_images(
            &self.database.api,
            SLUG,
            "images.tar",
            &stored,
            &images,
            None,
            Some(&sizes),
        )
        .await
        .expect("put");
    }

    /// How often the scorer has answered whether something gives the labels away, and whether it has answered for these.
    pub async fn leak_checks(&self) -> (i32, bool) {
        let query = "SELECT leak_checks, label_leak_checked FROM challenges";
        let row = self.rows(query).await.remove(0);
        (row.get(0), row.get(1))
    }

    /// With labels: image i is of class i mod 10.
    pub async fn start(rules: Rules) -> Self {
        let arena = Self::without_labels(rules).await;
        arena.upload_true_labels().await;
        arena.version_shown(1).await;
        arena
    }

    pub async fn upload_true_labels(&self) {
        let labels: String = std::iter::once("image,label\n".to_owned())
            .chain((0..self.images).map(|i| format!("{i},{}\n", super::truth(i))))
            .collect();
        self.upload_labels(&labels).await;
    }

    pub async fn without_labels(rules: Rules) -> Self {
        let database = TestDatabase::new().await;
        let directory = tempfile::tempdir().expect("a directory");
        let objects = ObjectStore::local(directory.path()).expect("an object store");
        let organizer = person(&database, "organizer").await.id;
        let settings = Settings {
            title: "Arena".to_owned(),
            series: None,
            description: String::new(),
            classes: (0..10)
                .map(|class| ClassEntry {
                    name: format!("class {class}"),
                    id: None,
                })
                .collect(),
            wider_classes: None,
            public_images: true,
            image_order: None,
            opens: None,
            closes: None,
            after_close: AfterClose::Score,
            per_day: rules.per_day,
            per_week: None,
            total: None,
            upload_mb: 1,
            primary: Primary::Top1,
            public_fraction: rules.public_fraction,
            feedback: if rules.ladder {
                Feedback::Ladder
            } else {
                Feedback::Exact
            },
            ranking: Ranking::Best,
            final_selections: 1,
            reference: None,
            outside_data: OutsideData::Declared,
        };
        assert!(
            create(&database.api, SLUG, &settings, organizer)
                .await
                .expect("create")
        );
        let created = challenge(&database.api, SLUG)
            .await
            .expect("read")
            .expect("a challenge");
        let arena = Self {
            database,
            objects,
            challenge: created.id,
            organizer,
            images: rules.images,
            running: Mutex::new(None),
            directory,
        };
        arena
            .sql("UPDATE challenges SET published_at = now()")
            .await;
        arena.start_scorer().await;
        arena
    }

    /// One whose watchdog is quick to act.
    pub async fn start_scorer(&self) {
        self.start_scorer_with(Duration::from_millis(500)).await;
    }

    pub async fn start_scorer_with(&self, deadline: Duration) {
        let shutdown = CancellationToken::new();
        let config = ScorerConfig {
            deadline,
            ..ScorerConfig::default()
        };
        let run = run_scorer(
            self.database.scorer.clone(),
            self.objects.clone(),
            config,
            shutdown.clone(),
        );
        let task = tokio::spawn(async move { run.await.expect("the scorer runs") });
        *self.running.lock().await = Some((shutdown, task));
    }

    pub async fn stop_scorer(&self) {
        let (shutdown, task) = self.running.lock().await.take().expect("a running scorer");
        shutdown.cancel();
        task.await.expect("the scorer stops");
    }

    pub async fn competitor(&self, handle: &str) -> Person {
        person(&self.database, handle).await
    }

    pub async fn upload_labels(&self, csv: &str) {
        let (classes, known) = public_facts(&self.database.api, self.challenge)
            .await
            .expect("facts");
        let ordinals = ImageList::ordinals(self.images);
        let (labels, images) =
            Labels::parse_csv(csv.as_bytes(), &classes, known.as_ref().or(Some(&ordinals)))
                .expect("valid labels");
        let digest = *Uuid::now_v7().as_bytes();
        let digest: [u8; 32] = [digest, digest].concat().try_into().expect("32 bytes");
        let added = add(
            &self.database.api,
            SLUG,
            self.organizer,
            &digest,
            &labels,
            ReadWith {
                classes: &classes,
                images: &images,
                order: None,
            },
        )
        .await
        .expect("add");
        assert!(matches!(added, Added::New(_)));
    }

    /// As an organizer may in a draft.
    pub async fn rename_class(&self, class: usize, name: &str) {
        let renamed = change::<StorageError>(&self.database.api, SLUG, |challenge, _| {
            let mut settings = challenge.settings.clone();
            name.clone_into(&mut settings.classes[class].name);
            Ok(Change {
                settings,
                publish: false,
                known_labels: false,
            })
        });
        renamed.await.expect("change").expect("a challenge");
    }

    pub async fn rescore(&self) {
        rescore(&self.database.api, SLUG, self.organizer)
            .await
            .expect("rescore")
            .expect("a version to score anew");
    }

    /// Stores a file and its submission, as the api does at the end of an upload.
    pub async fn submit(&self, person: &Person, file: &str) -> Uuid {
        let mut upload = self.objects.upload(1 << 20);
        upload
            .write(Bytes::copy_from_slice(file.as_bytes()))
            .await
            .expect("write");
        let stored = upload.finish().await.expect("store");
        let id = Uuid::now_v7();
        let accepted = accept(
            &self.database.api,
            &NewSubmission {
                id,
                challenge: self.challenge,
                submitter: person.id,
                handle: &person.handle,
                kind: Kind::Predictions,
                entry: Entry::Competitor,
                method: "guesses",
                description: "",
                paper_url: None,
                code_url: None,
                outside_data: false,
                form: &serde_json::json!({}),
                data: &[],
                object_key: &stored.key,
                filename: "guesses.txt",
                bytes: i64::try_from(stored.bytes).expect("small"),
                sha256: &stored.sha256,
                idempotency_key: None,
                received_at: Utc::now(),
                late: false,
            },
        )
        .await
        .expect("accept");
        assert!(matches!(accepted, Intake::Accepted));
        id
    }

    /// The submission once it has reached a final state.
    pub async fn finished(&self, id: Uuid) -> Submission {
        self.eventually("a final state", async || {
            !matches!(self.read(id).await.status, Status::Queued | Status::Running)
        })
        .await;
        self.read(id).await
    }

    pub async fn read(&self, id: Uuid) -> Submission {
        submission(&self.database.api, id)
            .await
            .expect("read")
            .expect("a submission")
    }

    pub async fn version_shown(&self, version: i32) {
        self.eventually("the label version", async || {
            let shown = challenge(&self.database.api, SLUG)
                .await
                .expect("read")
                .expect("a challenge");
            shown.label_version == Some(version)
        })
        .await;
    }

    pub async fn eventually(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !holds().await {
            assert!(Instant::now() < deadline, "{what} did not come within 90 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// (images, top-1 misses, top-5 misses) that may be seen, under the version that the board shows.
    pub async fn released(&self, id: Uuid, split: &str) -> Option<(i32, i32, i32)> {
        self.counts("released_scores", id, split).await
    }

    /// The same behind the wall.
    pub async fn sealed(&self, id: Uuid, split: &str) -> Option<(i32, i32, i32)> {
        self.counts("sealed.scores", id, split).await
    }

    async fn counts(&self, table: &str, id: Uuid, split: &str) -> Option<(i32, i32, i32)> {
        let query = format!(
            "SELECT t.images, t.top1_misses, t.top5_misses
             FROM {table} t
             JOIN challenges USING (label_version)
             WHERE t.submission = '{id}' AND t.split = '{split}'"
        );
        let rows = self.rows(&query).await;
        rows.first().map(|row| (row.get(0), row.get(1), row.get(2)))
    }

    pub async fn public_top1_misses_in_order(&self) -> Vec<i32> {
        let query = "SELECT top1_misses FROM released_scores JOIN challenges USING (label_version)
                     JOIN submissions ON submissions.id = submission ORDER BY scored_seq";
        self.rows(query)
            .await
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    /// From the first of these that was scored to the last.
    pub async fn seconds_of_scoring(&self, submissions: &[Uuid]) -> f64 {
        sqlx::query_scalar(
            "SELECT extract(epoch FROM max(scored_at) - min(scored_at))::float8 FROM submissions WHERE id = ANY ($1)",
        )
        .bind(submissions)
        .fetch_one(&mut self.owner().await)
        .await
        .expect("query")
    }

    pub async fn label_states(&self) -> Vec<String> {
        self.rows("SELECT state FROM label_versions ORDER BY version")
            .await
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    /// Why a version of the labels was refused, once it is.
    pub async fn label_problem(&self, version: i32) -> String {
        let query = format!(
            "SELECT problem FROM label_versions WHERE version = {version} AND state = 'refused'"
        );
        self.eventually("the refusal", async || !self.rows(&query).await.is_empty())
            .await;
        self.rows(&query).await[0].get(0)
    }

    pub async fn watchdog_actions(&self) -> Vec<String> {
        self.rows("SELECT action FROM watchdog_actions ORDER BY id")
            .await
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    pub async fn leak(&self) -> Option<String> {
        self.rows("SELECT label_leak FROM challenges").await[0].get(0)
    }

    pub async fn close(&self) {
        self.sql("UPDATE challenges SET closes = now()").await;
    }

    /// What a queue that lost its jobs looks like.
    pub async fn forget_jobs(&self) {
        self.sql("DELETE FROM graphile_worker._private_jobs").await;
    }

    /// When the job with this key is due again, once that many tries have failed.
    pub async fn retry(&self, key: &str, attempts: i32) -> DateTime<Utc> {
        let query = format!(
            "SELECT run_at FROM graphile_worker._private_jobs
             WHERE key = '{key}' AND attempts = {attempts} AND locked_at IS NULL AND last_error IS NOT NULL"
        );
        self.eventually("a try that failed", async || {
            !self.rows(&query).await.is_empty()
        })
        .await;
        self.rows(&query).await[0].get(0)
    }

    /// How often work on the submission was begun.
    pub async fn attempts(&self, id: Uuid) -> i32 {
        let query = format!("SELECT attempt FROM submissions WHERE id = '{id}'");
        self.rows(&query).await[0].get(0)
    }

    /// Makes the job with this key due in an hour.
    pub async fn put_off(&self, key: &str) {
        let later = format!(
            "UPDATE graphile_worker._private_jobs SET run_at = now() + interval '1 hour' WHERE key = '{key}' RETURNING key"
        );
        assert_eq!(self.rows(&later).await.len(), 1, "{key}");
    }

    /// Makes the job with this key due; returns the time from which it is.
    pub async fn due_now(&self, key: &str) -> DateTime<Utc> {
        let due = format!(
            "UPDATE graphile_worker._private_jobs SET run_at = now() WHERE key = '{key}' RETURNING run_at"
        );
        self.rows(&due).await[0].get(0)
    }

    /// Returns what was lost.
    pub async fn lose_file(&self, id: Uuid) -> Bytes {
        let key = self.read(id).await.object_key;
        let file = self.objects.read(&key).await.expect("open");
        let parts: Vec<Bytes> = file.try_collect().await.expect("read");
        self.objects.delete(&key).await.expect("delete");
        parts.concat().into()
    }

    /// In the place of the file there is something that can be found, and not read.
    pub async fn break_file(&self, id: Uuid) {
        self.lose_file(id).await;
        let path = self.directory.path().join(self.read(id).await.object_key);
        std::os::unix::fs::symlink(&path, &path).expect("a link to itself");
    }

    /// As where a mount vanishes.
    pub fn take_store_away(&self) {
        std::fs::rename(self.directory.path(), self.away()).expect("take it away");
    }

    pub fn bring_store_back(&self) {
        std::fs::rename(self.away(), self.directory.path()).expect("bring it back");
    }

    fn away(&self) -> std::path::PathBuf {
        self.directory.path().with_extension("away")
    }

    pub async fn restore_file(&self, id: Uuid, file: Bytes) {
        let key = self.read(id).await.object_key;
        self.objects.put(&key, file).await.expect("store");
    }

    async fn owner(&self) -> PgConnection {
        PgConnection::connect(self.database.owner_url())
            .await
            .expect("connect as the owner")
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::query(statement)
            .execute(&mut self.owner().await)
            .await
            .expect(statement);
    }

    async fn rows(&self, query: &str) -> Vec<sqlx::postgres::PgRow> {
        sqlx::query(sqlx::AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut self.owner().await)
            .await
            .expect("query")
    }
}

async fn person(database: &TestDatabase, handle: &str) -> Person {
    let user = register(
        &database.api,
        NewUser {
            handle,
            email: None,
            password_hash: "not a hash",
            admission: Admission::Appointed(Role::Competitor),
        },
    )
    .await
    .expect("create")
    .done()
    .expect("a free handle");
    Person {
        id: user.id,
        handle: handle.to_owned(),
    }
}
