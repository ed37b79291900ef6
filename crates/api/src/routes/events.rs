//! Streams of what changes: a submission until it is final, a challenge's state and boards for as long as somebody
//! listens. Each event is the whole object, so that a client that missed some has missed nothing.

mod challenge;
mod submission;

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use referee_client::documents;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Listener;
use crate::extract::Path;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::routes::submissions::{document, look};
use challenge::ChallengeEvents;
use submission::SubmissionEvents;

/// A comment in a quiet stream, so that proxies and clients know that it is alive.
const QUIET: Duration = Duration::from_secs(15);
/// Between two events of one stream, the final one excepted: at most two a second.
const BETWEEN_EVENTS: Duration = Duration::from_millis(500);
/// How often it is asked whether the listener is still signed in and has the rights that they had.
const STILL_THERE: Duration = Duration::from_secs(10);
/// Before the state is read again after an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(submission_events))
        .routes(routes!(challenge_events))
}

/// A submission as it changes: its state at once, then whenever it changes, at most twice a second. The server closes
/// the stream after a final state and when the listener signs out or loses rights, and answers 204 to whoever has seen the final one already.
#[utoipa::path(get, path = "/submissions/{id}/events", tag = "submissions",
    params(("id" = Uuid, Path), ("Last-Event-ID" = Option<String>, Header, description = "The revision seen last")),
    security((), ("token" = []), ("session" = [])), responses(
    (status = 200, description = "Unnamed events: `data` is the submission, `id` its revision",
        body = documents::Submission, content_type = "text/event-stream"),
    (status = 204, description = "The final state has been seen"),
    (status = 404, description = "There is no submission that the caller may see", body = documents::Problem),
    (status = 429, description = "Too many streams are open from this address", body = documents::Problem),
    (status = 503, description = "Too many streams are open", body = documents::Problem)
))]
async fn submission_events(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    listener: Listener,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let changes = app.hub.watch(id);
    let (submission, access) = look(&app, id, listener.user()).await?;
    let (revision, challenge) = (submission.revision, submission.challenge);
    let first = access.view(document(&app, submission).await?);
    if first.status.is_final() && last_seen(&headers) == Some(revision) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = app.stream_place(peer)?;
    let closing = app.closing.clone();
    let events = SubmissionEvents::new(app, challenge, listener, changes, first);
    let events = stream::unfold((events, place), |(mut events, place)| async move {
        let event = events.next().await?;
        Some((event, (events, place)))
    });
    Ok(answer(events, closing))
}

/// A challenge's state and its boards' revision: as they are at once, then whenever they change, at most twice a second.
#[utoipa::path(get, path = "/challenges/{slug}/events", tag = "leaderboard", params(("slug" = String, Path)),
    security((), ("token" = []), ("session" = [])), responses(
    (status = 200, description = "Unnamed events: `id` is the boards' revision",
        body = documents::ChallengeEvent, content_type = "text/event-stream"),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 429, description = "Too many streams are open from this address", body = documents::Problem),
    (status = 503, description = "Too many streams are open", body = documents::Problem)
))]
async fn challenge_events(
    State(app): State<App>,
    Path(slug): Path<String>,
    listener: Listener,
    peer: Peer,
) -> Result<Response, Problem> {
    let standing = app.boards.standing(&slug).await?;
    challenge::may_listen(&app, &standing, &listener).await?;
    let place = app.stream_place(peer)?;
    let closing = app.closing.clone();
    let events = ChallengeEvents::new(app, slug, standing.challenge, listener);
    let events = stream::unfold((events, place), |(mut events, place)| async move {
        let event = events.next().await?;
        Some((event, (events, place)))
    });
    Ok(answer(events, closing))
}

fn last_seen(headers: &HeaderMap) -> Option<i64> {
    headers
        .get("last-event-id")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn event(revision: i64, document: &impl serde::Serialize) -> Result<Event, axum::Error> {
    Event::default()
        .id(revision.to_string())
        .json_data(document)
}

fn answer(
    events: impl Stream<Item = Result<Event, axum::Error>> + Send + 'static,
    closing: CancellationToken,
) -> Response {
    use futures::StreamExt;
    let until_closing = events.take_until(closing.cancelled_owned());
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // nginx would hold events back.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    (
        headers,
        Sse::new(until_closing).keep_alive(KeepAlive::new().interval(QUIET)),
    )
        .into_response()
}

/// Sees to it that a stream sends at most two events a second.
#[derive(Default)]
struct Pace {
    sent: Option<Instant>,
}

impl Pace {
    fn just_sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// When the next event may be sent.
    fn next(&self) -> Instant {
        self.sent
            .map_or_else(Instant::now, |sent| sent + BETWEEN_EVENTS)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_holds_a_comment_every_15_seconds() {
        let start = Instant::now();
        let mut body = answer(stream::pending(), CancellationToken::new())
            .into_body()
            .into_data_stream();
        for seconds in [15, 30] {
            let comment = body.next().await.expect("open").expect("readable");
            assert_eq!(comment, ":\n\n".as_bytes(), "what clients skip");
            assert_eq!(start.elapsed(), Duration::from_secs(seconds));
        }
    }
}
