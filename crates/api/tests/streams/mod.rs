//! Event streams as their listeners see them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use futures::StreamExt;
use referee_storage::scorer;
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use crate::arena::{Arena, request};

/// Far longer than anything here takes, and shorter than the minute after which a challenge's stream looks by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open stream.
struct Events(BodyDataStream);

impl Events {
    async fn of(arena: &Arena, path: &str) -> Self {
        let open = request("GET", Some("ada"), path)
            .body(Body::empty())
            .expect("a request");
        let response = arena
            .router
            .clone()
            .oneshot(open)
            .await
            .expect("infallible");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body().into_data_stream())
    }

    /// The next event that holds these words.
    async fn until(&mut self, words: &str) -> String {
        let found = async {
            while let Some(event) = self.0.next().await {
                let event = String::from_utf8(event.expect("readable").into()).expect("UTF-8");
                if event.contains(words) {
                    return event;
                }
            }
            panic!("the stream ended without {words}");
        };
        timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("no event says {words}"))
    }

    async fn until_the_end(mut self) -> String {
        let mut rest = Vec::new();
        while let Some(event) = self.0.next().await {
            rest.extend_from_slice(&event.expect("readable"));
        }
        String::from_utf8(rest).expect("UTF-8")
    }
}

#[tokio::test]
async fn a_stream_tells_the_state_at_once_and_ends_with_the_final_one() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let id = arena.submit("ada", "m").await;
    let path = format!("/submissions/{id}/events");
    let mut events = Events::of(&arena, &path).await;
    let mut unread = Vec::new();
    for _ in 0..5 {
        unread.push(Events::of(&arena, &path).await);
    }
    events.until("\"status\":\"queued\"").await;
    arena.score(id, (1, 0), (1, 0)).await;
    let rest = events.until_the_end().await;
    assert!(rest.contains("\"status\":\"scored\""), "{rest}");
    // Of these the first event is read when everything has happened: what keeps the last one back is the half second between any
    // two events, or nothing. A busy machine may hold up some of them, not all.
    let mut pauses = Vec::new();
    for mut events in unread {
        events.until("\"status\":\"queued\"").await;
        let told = Instant::now();
        let rest = events.until_the_end().await;
        pauses.push(told.elapsed());
        assert!(rest.contains("\"status\":\"scored\""), "{rest}");
    }
    assert!(
        pauses
            .iter()
            .any(|pause| *pause < Duration::from_millis(400)),
        "the final state waits for nothing: {pauses:?}"
    );
    let last = rest
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("id:"))
        .expect("an id")
        .trim()
        .to_owned();
    let seen = request("GET", Some("ada"), &path)
        .header("last-event-id", last)
        .body(Body::empty())
        .expect("a request");
    assert_eq!(arena.send(seen).await.status, StatusCode::NO_CONTENT);
}

/// What changes while the server listens to nobody is told as soon as it listens again.
#[tokio::test]
async fn open_streams_hear_what_a_lost_connection_missed() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let id = arena.submit("ada", "m").await;
    let mut submission = Events::of(&arena, &format!("/submissions/{id}/events")).await;
    let mut challenge = Events::of(&arena, "/challenges/arena/events").await;
    submission.until("\"status\":\"queued\"").await;
    challenge.until("\"state\":\"open\"").await;
    // From here on the stream looks again only when it is told to.
    scorer::claim(&arena.database.scorer, id)
        .await
        .expect("claim")
        .expect("it is queued");
    submission.until("\"status\":\"running\"").await;

    let listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    assert_eq!(arena.database.as_owner(listening).await, 1);
    arena.score(id, (1, 0), (1, 0)).await;
    arena
        .set(|settings| settings.closes = Some(chrono::Utc::now()))
        .await;
    submission.until("\"status\":\"scored\"").await;
    challenge.until("\"state\":\"closed\"").await;
}

/// A change is announced once, and may come when the database is too busy to say what it is.
#[tokio::test]
async fn a_stream_reads_again_what_it_could_not_read() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let id = arena.submit("ada", "m").await;
    let mut events = Events::of(&arena, &format!("/submissions/{id}/events")).await;
    events.until("\"status\":\"queued\"").await;
    // From here on the stream looks again only when it is told to.
    scorer::claim(&arena.database.scorer, id)
        .await
        .expect("claim")
        .expect("it is queued");
    events.until("\"status\":\"running\"").await;

    let unreadable = async {
        let database = &arena.database;
        database
            .as_owner("REVOKE SELECT ON teams FROM referee_api")
            .await;
        arena.score(id, (1, 0), (1, 0)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        database
            .as_owner("GRANT SELECT ON teams TO referee_api")
            .await;
    };
    tokio::join!(events.until("\"status\":\"scored\""), unreadable);
}

#[tokio::test]
async fn one_address_cannot_take_every_stream() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let open = async |host: u8| {
        let mut open = request("GET", Some("ada"), "/challenges/arena/events")
            .body(Body::empty())
            .expect("a request");
        let peer = SocketAddr::from(([192, 0, 2, host], 80));
        open.extensions_mut().insert(ConnectInfo(peer));
        arena
            .router
            .clone()
            .oneshot(open)
            .await
            .expect("infallible")
    };
    let mut streams = Vec::new();
    for _ in 0..1000 {
        let stream = open(1).await;
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    let refused = open(1).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(open(2).await.status(), StatusCode::OK);
    streams.pop();
    assert_eq!(open(1).await.status(), StatusCode::OK);
}
