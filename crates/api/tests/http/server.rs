use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use referee_api::{ApiConfig, App, ServerKey, router, serve};
use referee_storage::scorer;
use referee_storage::testing::TestDatabase;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

/// A server with nothing in it.
pub struct Server {
    pub db: TestDatabase,
    app: App,
    pub router: Router,
    pub objects: tempfile::TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON answer")
    }

    /// The sentence of a problem document.
    pub fn detail(&self) -> String {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        self.json()["detail"]
            .as_str()
            .expect("a problem has a detail")
            .to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("an ASCII header")
    }
}

impl Server {
    pub async fn new() -> Self {
        Self::with(ApiConfig {
            max_upload_slots: 2,
            ..ApiConfig::local(ServerKey([7; 32]))
        })
        .await
    }

    pub async fn with(config: ApiConfig) -> Self {
        let db = TestDatabase::new().await;
        let objects = tempfile::tempdir().expect("a temporary directory");
        let location = objects.path().to_str().expect("a UTF-8 path");
        let store = db.api.open_or_mark_store(location).await.expect("a store");
        let app = App::new(db.api.clone(), store, config);
        Self {
            db,
            router: router(app.clone()),
            app,
            objects,
        }
    }

    /// The same server at a port of this machine, until the token is cancelled.
    pub async fn listen(&self) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(serve(listener, self.app.clone(), stopped));
        (address, stop, serving)
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router always answers");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("the whole body");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends JSON, with a token unless it is empty.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: &Value) -> Answer {
        let request = request(method, path, token).header(header::CONTENT_TYPE, "application/json");
        self.send(
            request
                .body(Body::from(body.to_string()))
                .expect("a request"),
        )
        .await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(
            request(Method::GET, path, token)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub async fn put(&self, path: &str, token: &str, content: impl Into<Body>) -> Answer {
        self.send(
            request(Method::PUT, path, token)
                .body(content.into())
                .expect("a request"),
        )
        .await
    }

    /// Registers an account (the first becomes administrator) and returns a token of it.
    pub async fn person(&self, handle: &str) -> String {
        let credentials = json!({"handle": handle, "password": "correct horse"});
        let registered = self.ask(Method::POST, "/users", "", &credentials).await;
        assert_eq!(registered.status, StatusCode::CREATED);
        let cookie = self.sign_in(handle).await;
        let request = request(Method::POST, "/me/tokens", "")
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(r#"{"name":"test"}"#));
        let created = self.send(request.expect("a request")).await;
        assert_eq!(created.status, StatusCode::CREATED);
        created.json()["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// The session cookie as a browser sends it back.
    pub async fn sign_in(&self, handle: &str) -> String {
        let credentials = json!({"handle": handle, "password": "correct horse"});
        let answer = self.ask(Method::POST, "/session", "", &credentials).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer
            .header("set-cookie")
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned()
    }

    /// Makes the draft `tiny` with three classes.
    pub async fn draft(&self, organizer: &str) {
        let settings = json!({
            "slug": "tiny",
            "title": "Tiny",
            "classes": [{"name": "cat"}, {"name": "dog"}, {"name": "owl", "id": "n01621127"}],
        });
        let made = self
            .ask(Method::POST, "/challenges", organizer, &settings)
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    }

    /// Does with the newest labels of `tiny` what the scorer does: seals them, looks for leaks, shows them.
    pub async fn scorer_looks(&self, finding: Option<&str>) {
        let db = &self.db.scorer;
        let challenge: Uuid = scorer::untended_challenges(db).await.expect("an answer")[0];
        let facts = scorer::facts(db, challenge)
            .await
            .expect("an answer")
            .expect("a test set");
        for version in scorer::versions_in_work(db, challenge)
            .await
            .expect("an answer")
        {
            let all_public = std::iter::repeat_n(true, facts.images.len()).collect();
            scorer::add_split(db, challenge, &[0; 32], &all_public)
                .await
                .expect("splits");
            scorer::seal(db, challenge, version.version)
                .await
                .expect("seals");
            assert!(
                scorer::flip(db, challenge, version.version, &[])
                    .await
                    .expect("flips")
            );
        }
        scorer::mark_leak(db, challenge, facts.revision, finding)
            .await
            .expect("marks");
    }
}

/// A request below `/api/v1`, with a token unless it is empty.
pub fn request(method: Method, path: &str, token: &str) -> axum::http::request::Builder {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::HOST, "localhost:8080");
    if token.is_empty() {
        request
    } else {
        request.header(header::AUTHORIZATION, format!("Bearer {token}"))
    }
}
