//! What is answered while the database is away: pages as they were when somebody without an account last read them, marked with
//! their age; everything else 503, within a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::auth;
use crate::problem::Problem;

/// How long an answer may still take once the database is known to be away.
const PATIENCE: Duration = Duration::from_millis(200);
/// The largest answer that is remembered, and the most that all may take, in bytes.
const LARGEST: usize = 1 << 20;
const MOST: usize = 64 << 20;
/// What was remembered longer than this before the outage may have stopped being public meanwhile.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// Answers that anybody may read, by path and query.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    by_address: HashMap<String, Remembered>,
    bytes: usize,
}

struct Remembered {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
}

/// Answers from memory, or 503, what the database would have to be asked for while it is away.
pub async fn answer_from_memory(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with("/api/v1/") || path == "/api/v1/openapi.json" {
        return next.run(request).await;
    }
    let reads = *request.method() == Method::GET;
    let is_upload = *request.method() == Method::PUT
        || (request.headers().get(header::CONTENT_TYPE))
            .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    // Boards have a memory of their own.
    let address = (reads && !path.ends_with("/leaderboard")).then(|| request.uri().to_string());
    let is_anonymous = auth::credential_hash(request.headers()).is_none();
    let answer = if !is_upload {
        let lost = async {
            app.contact.lost().await;
            sleep(PATIENCE).await;
        };
        tokio::select! {
            biased;
            answer = next.run(request) => answer,
            () = lost => database_away().into_response(),
        }
    } else if app.contact.lost_since().is_some() {
        database_away().into_response()
    } else {
        // An upload under way goes on: the database may be back at its end.
        next.run(request).await
    };
    let Some(address) = address else {
        return answer;
    };
    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
        let outage = app.contact.lost_since().unwrap_or_else(Instant::now);
        return app.memory.recall(&address, outage).unwrap_or(answer);
    }
    if is_anonymous && is_worth_remembering(&answer) {
        return app.memory.keep(address, answer).await;
    }
    answer
}

/// The answer where the database is away.
pub fn database_away() -> Problem {
    Problem::unavailable(
        5,
        "the database of this server does not answer; try again in a few seconds",
    )
}

/// Marks an answer as one from memory, in HTTP's own words (RFC 7234, sections 5.1 and 5.5.1).
pub fn mark_age(headers: &mut HeaderMap, age: Duration) {
    headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    headers.insert(
        header::WARNING,
        HeaderValue::from_static("110 - \"Response is Stale\""),
    );
}

fn is_worth_remembering(answer: &Response) -> bool {
    let is_json = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let length = answer.body().size_hint().exact();
    answer.status() == StatusCode::OK
        && is_json
        && !answer.headers().contains_key(header::SET_COOKIE)
        && length.is_some_and(|length| length <= LARGEST as u64)
}

impl Memory {
    async fn keep(&self, address: String, answer: Response) -> Response {
        let (parts, body) = answer.into_parts();
        let body = match to_bytes(body, LARGEST).await {
            Ok(body) => body,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        let remembered = Remembered {
            at: Instant::now(),
            headers: parts.headers.clone(),
            body: body.clone(),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(address, remembered);
        Response::from_parts(parts, Body::from(body))
    }

    fn recall(&self, address: &str, outage: Instant) -> Option<Response> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = answers.by_address.get(address)?;
        if remembered.at + REMEMBERED_FOR < outage {
            return None;
        }
        let mut headers = remembered.headers.clone();
        mark_age(&mut headers, remembered.at.elapsed());
        Some((headers, remembered.body.clone()).into_response())
    }
}

impl Answers {
    fn insert(&mut self, address: String, remembered: Remembered) {
        let name = address.len();
        self.bytes += name + remembered.body.len();
        if let Some(before) = self.by_address.insert(address, remembered) {
            self.bytes -= name + before.body.len();
        }
        if self.bytes > MOST {
            self.forget_half();
        }
    }

    /// The older half, so that this is done seldom.
    fn forget_half(&mut self) {
        let mut times: Vec<Instant> = self.by_address.values().map(|known| known.at).collect();
        times.sort_unstable();
        let Some(middle) = times.get(times.len() / 2).copied() else {
            return;
        };
        self.by_address.retain(|_, known| known.at > middle);
        self.bytes = self
            .by_address
            .iter()
            .map(|(address, known)| address.len() + known.body.len())
            .sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: String) -> Remembered {
        Remembered {
            at: Instant::now(),
            headers: HeaderMap::new(),
            body: text.into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_stays_bounded_and_the_newest_stays() {
        let memory = Memory::default();
        for number in 0..200 {
            tokio::time::advance(Duration::from_secs(1)).await;
            let body = "x".repeat(LARGEST);
            memory
                .0
                .lock()
                .expect("free")
                .insert(format!("/{number}"), answer(body));
        }
        assert!(memory.0.lock().expect("free").bytes <= MOST);
        assert!(memory.recall("/199", Instant::now()).is_some());
        assert!(memory.recall("/0", Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_recalled_says_how_old_it_is_and_is_not_too_old() {
        let memory = Memory::default();
        memory
            .0
            .lock()
            .expect("free")
            .insert("/a".into(), answer("{}".into()));
        tokio::time::advance(Duration::from_mins(59)).await;
        let outage = Instant::now();
        // However long the outage lasts.
        tokio::time::advance(Duration::from_hours(9)).await;
        let recalled = memory.recall("/a", outage).expect("remembered");
        assert_eq!(
            recalled.headers()[header::AGE],
            (10 * 3600 - 60).to_string()
        );
        assert_eq!(
            recalled.headers()[header::WARNING],
            "110 - \"Response is Stale\""
        );
        assert!(
            memory
                .recall("/a", outage + Duration::from_mins(2))
                .is_none()
        );
    }
}
