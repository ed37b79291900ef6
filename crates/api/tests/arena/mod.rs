//! A server without a socket over a database of its own, with one open challenge of ten images in two classes. The
//! scorer's part is played by its own storage functions, so that a test decides what is scored and when.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use chrono::{DateTime, Utc};
use referee_api::{ApiConfig, App, ServerKey, router};
use referee_scoring::outcome::{Bitmap, Outcome, Tally};
use referee_scoring::{Class, ClassEntry, ClassList, ImageList, Labels};
use referee_storage::StorageError;
use referee_storage::accounts::{Role, create_token, open_session};
use referee_storage::challenges::settings::{
    AfterClose, Change, Feedback, OutsideData, Primary, Ranking, Settings, change, create,
};
use referee_storage::challenges::{challenge, labels};
use referee_storage::objects::ObjectStore;
use referee_storage::registration::{Admission, NewUser, register};
use referee_storage::scorer::{self, Judged};
use referee_storage::testing::TestDatabase;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use uuid::Uuid;

pub const IMAGES: usize = 10;
const PUBLIC: u32 = 5;

pub struct Arena {
    pub database: TestDatabase,
    pub router: Router,
    pub challenge: Uuid,
    objects: tempfile::TempDir,
}

/// Class 1 for every image, as ILSVRC text.
pub const FILE: &str = "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n";

impl Arena {
    /// `organizer` runs the challenge; its settings are what `adjust` makes of them.
    pub async fn open(adjust: impl FnOnce(&mut Settings)) -> Self {
        let database = TestDatabase::new().await;
        let objects = tempfile::tempdir().expect("a directory");
        let store = ObjectStore::local(objects.path()).expect("an object store");
        let organizer = person(&database, "organizer").await;
        let mut settings = settings();
        adjust(&mut settings);
        // Nobody publishes a challenge that is over: the close is set when it is published.
        let over = settings.closes.take_if(|closes| *closes < Utc::now());
        assert!(
            create(&database.api, "arena", &settings, organizer)
                .await
                .expect("create")
        );
        let created = challenge(&database.api, "arena")
            .await
            .expect("read")
            .expect("created");
        let sealed = Labels::from_sets((0..IMAGES).map(|_| vec![Class(0)]));
        labels::add(
            &database.api,
            "arena",
            organizer,
            &[1; 32],
            &sealed,
            labels::ReadWith {
                classes: &ClassList::new(settings.classes).expect("valid classes"),
                images: &ImageList::ordinals(IMAGES),
                order: None,
            },
        )
        .await
        .expect("add labels");
        let public: Bitmap = (0..IMAGES).map(|image| image < PUBLIC as usize).collect();
        scorer::add_split(&database.scorer, created.id, &[2; 32], &public)
            .await
            .expect("split");
        scorer::seal(&database.scorer, created.id, 1)
            .await
            .expect("seal");
        assert!(
            scorer::flip(&database.scorer, created.id, 1, &[])
                .await
                .expect("flip")
        );
        let config = ApiConfig {
            listens_on_loopback: false,
            max_upload_slots: 64,
            ..ApiConfig::local(ServerKey([3; 32]))
        };
        let router = router(App::new(database.api.clone(), store, config));
        let arena = Self {
            database,
            router,
            challenge: created.id,
            objects,
        };
        arena.set(|_| {}).await;
        if let Some(closes) = over {
            let statement = format!("UPDATE challenges SET closes = '{}'", closes.to_rfc3339());
            arena.database.as_owner(&statement).await;
        }
        arena
    }

    /// Changes the settings, and publishes.
    pub async fn set(&self, adjust: impl FnOnce(&mut Settings)) {
        let changed = change::<StorageError>(&self.database.api, "arena", |challenge, _| {
            let mut settings = challenge.settings.clone();
            adjust(&mut settings);
            Ok(Change {
                settings,
                publish: true,
                known_labels: false,
            })
        });
        changed
            .await
            .expect("change")
            .expect("there is a challenge");
    }

    /// Makes an account; its token is its handle.
    pub async fn person(&self, handle: &str) {
        person(&self.database, handle).await;
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        Answer::read(response).await
    }

    pub async fn get(&self, handle: Option<&str>, path: &str) -> Answer {
        self.send(
            request("GET", handle, path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub async fn patch(&self, handle: &str, path: &str, change: &Value) -> Answer {
        let request =
            request("PATCH", Some(handle), path).header("content-type", "application/json");
        self.send(
            request
                .body(Body::from(change.to_string()))
                .expect("a request"),
        )
        .await
    }

    pub async fn withdraw(&self, handle: &str, id: Uuid) -> StatusCode {
        let path = format!("/submissions/{id}");
        self.send(
            request("DELETE", Some(handle), &path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
        .status
    }

    pub async fn submit(&self, handle: &str, method: &str) -> Uuid {
        let answer = self
            .send(upload(handle, &[("method", method)], FILE.as_bytes()))
            .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        answer.id()
    }

    /// Ends a submission as scored, with so many misses (top-1, top-5) among the five images of each split.
    pub async fn score(&self, id: Uuid, public: (u32, u32), private: (u32, u32)) {
        let claim = scorer::claim(&self.database.scorer, id)
            .await
            .expect("claim")
            .expect("it is queued");
        let tally = |(top1_misses, top5_misses)| Tally {
            images: PUBLIC,
            top1_misses,
            top5_misses,
        };
        let judged = Judged {
            label_version: 1,
            outcome: Outcome {
                top1: Bitmap::new(IMAGES),
                top5: Bitmap::new(IMAGES),
            },
            public: tally(public),
            private: Some(tally(private)),
            public_mask: (0..IMAGES).map(|image| image < PUBLIC as usize).collect(),
        };
        let notices = serde_json::json!([]);
        let stored = scorer::store_outcome(&self.database.scorer, &claim, &judged, &notices).await;
        assert_eq!(stored.expect("store"), scorer::Stored::Done);
    }

    /// Submits, and is scored at once.
    pub async fn scored(
        &self,
        handle: &str,
        method: &str,
        public: (u32, u32),
        private: (u32, u32),
    ) -> Uuid {
        let id = self.submit(handle, method).await;
        self.score(id, public, private).await;
        id
    }

    /// Closes the challenge now and releases the private scores.
    pub async fn close(&self) {
        self.set(|settings| settings.closes = Some(Utc::now()))
            .await;
        assert!(
            scorer::release_private_scores(&self.database.scorer, self.challenge)
                .await
                .expect("release")
        );
    }

    /// Waits until the board shows `expected` as `rank method`, best first.
    pub async fn board(&self, split: &str, expected: &[&str]) {
        let path = format!("/challenges/arena/leaderboard?split={split}");
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let answer = self.get(None, &path).await;
            let shown = (answer.status == StatusCode::OK).then(|| answer.json()["entries"].clone());
            let entries = shown.iter().filter_map(Value::as_array).flatten();
            if shown.is_some() && entries.map(line).eq(expected.iter().copied()) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the {split} board shows {shown:?} instead of {expected:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Files in the object store, unfinished ones included.
    pub fn stored_files(&self) -> usize {
        fn count(directory: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(directory).expect("readable");
            entries
                .map(|entry| entry.expect("readable").path())
                .map(|path| if path.is_dir() { count(&path) } else { 1 })
                .sum()
        }
        count(self.objects.path())
    }
}

fn line(entry: &Value) -> String {
    let rank = entry["rank"]
        .as_u64()
        .map_or_else(|| "-".to_owned(), |rank| rank.to_string());
    format!("{rank} {}", entry["method"].as_str().expect("a method"))
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a whole body");
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn id(&self) -> Uuid {
        self.json()["id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("a UUID")
    }

    pub fn detail(&self) -> String {
        self.json()["detail"].as_str().expect("a detail").to_owned()
    }
}

pub fn request(method: &str, handle: Option<&str>, path: &str) -> axum::http::request::Builder {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"));
    match handle {
        Some(handle) => request.header("authorization", format!("Bearer {handle}")),
        None => request,
    }
}

pub const BOUNDARY: &str = "a-boundary";

/// The parts before the content of a file, and what ends the form.
pub fn form(fields: &[(&str, &str)]) -> (String, String) {
    let part = |disposition: &str, content: &str| {
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {disposition}\r\n\r\n{content}")
    };
    let fields = fields
        .iter()
        .map(|(name, text)| part(&format!("name=\"{name}\""), &format!("{text}\r\n")));
    let file = part("name=\"file\"; filename=\"p.txt\"", "");
    let start: String = fields.chain([file]).collect();
    (start, format!("\r\n--{BOUNDARY}--\r\n"))
}

pub fn upload_of(handle: &str, body: Body, key: Option<&str>) -> Request<Body> {
    let mut request = request("POST", Some(handle), "/challenges/arena/submissions").header(
        "content-type",
        format!("multipart/form-data; boundary={BOUNDARY}"),
    );
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.body(body).expect("a request")
}

pub fn upload(handle: &str, fields: &[(&str, &str)], file: &[u8]) -> Request<Body> {
    let (start, end) = form(fields);
    upload_of(
        handle,
        Body::from([start.as_bytes(), file, end.as_bytes()].concat()),
        None,
    )
}

async fn person(database: &TestDatabase, handle: &str) -> Uuid {
    let new = NewUser {
        handle,
        email: None,
        password_hash: "x",
        admission: Admission::Appointed(Role::Competitor),
    };
    let user = register(&database.api, new)
        .await
        .expect("create")
        .done()
        .expect("a free handle");
    let session = *user.id.as_bytes();
    let session: [u8; 32] = [session, session].concat().try_into().expect("32 bytes");
    let expires_at = Utc::now() + chrono::TimeDelta::days(1);
    let opened = open_session(&database.api, user.id, "x", &session, expires_at).await;
    assert!(opened.expect("open"), "the password is `x`");
    let secret: [u8; 32] = Sha256::digest(handle).into();
    create_token(&database.api, user.id, &session, "test", &secret)
        .await
        .expect("create")
        .expect("a token");
    user.id
}

fn settings() -> Settings {
    let class = |name: &str| ClassEntry {
        name: name.to_owned(),
        id: None,
    };
    Settings {
        title: "Arena".to_owned(),
        series: None,
        description: String::new(),
        classes: vec![class("cat"), class("dog")],
        wider_classes: None,
        public_images: true,
        image_order: None,
        opens: None,
        closes: None,
        after_close: AfterClose::Reject,
        per_day: None,
        per_week: None,
        total: None,
        upload_mb: 1,
        primary: Primary::Top1,
        public_fraction: 0.5,
        feedback: Feedback::Exact,
        ranking: Ranking::Best,
        final_selections: 1,
        reference: None,
        outside_data: OutsideData::Declared,
    }
}

/// A day that is over.
pub fn yesterday() -> DateTime<Utc> {
    Utc::now() - chrono::TimeDelta::days(1)
}
