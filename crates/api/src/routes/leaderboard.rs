//! The leaderboard of a challenge: one whole document, served from memory.

use axum::extract::FromRequestParts;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use referee_client::documents::{self, Split};
use referee_storage::challenges::State as ChallengeState;
use referee_storage::challenges::organizers::is_organizer;
use referee_storage::leaderboard::Standing;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::MaybeSignedIn;
use crate::board::Body;
use crate::downloads::names;
use crate::extract::{Path, Query};
use crate::outage::mark_age;
use crate::problem::Problem;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Which board; the public one unless told.
    #[serde(default)]
    split: Split,
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

/// The leaderboard as one document, by the primary error, then the other, then earlier time.
#[utoipa::path(get, operation_id = "show_leaderboard", path = "/challenges/{slug}/leaderboard", tag = "leaderboard", params(("slug" = String, Path), Asked),
    security((), ("token" = []), ("session" = [])), responses(
    (status = 200, description = "The whole board", body = documents::Leaderboard,
        headers(("etag" = String, description = "From the board's revision"),
            ("age" = Option<u64>, description = "Only while the database is away: for how many seconds the board may have changed unseen"))),
    (status = 304, description = "Nothing changed since the revision in `If-None-Match`"),
    (status = 403, description = "The private board is not released yet", body = documents::Problem),
    (status = 404, description = "There is no such challenge, or no such board of it", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    mut parts: Parts,
) -> Result<Response, Problem> {
    let standing = app.boards.standing(&slug).await?;
    let audience = audience(&app, &standing, &mut parts).await?;
    if asked.split == Split::Private && check_released(&standing).is_err() {
        // Whoever has read the challenge since the release may ask for its board before the release is announced here.
        check_released(&app.boards.latest_standing(&slug).await?)?;
    }
    let board = app.boards.board(&slug, asked.split).await?;
    let mut headers = HeaderMap::new();
    let etag = etag(board.revision());
    headers.insert(
        header::ETAG,
        HeaderValue::try_from(&etag).map_err(|error| Problem::internal(&error))?,
    );
    if let Some(lost) = app.contact.lost_since() {
        mark_age(&mut headers, lost.elapsed());
    }
    headers.insert(header::CACHE_CONTROL, audience);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if names(&parts.headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let body = match asked.format {
        Format::Json => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            board.json().clone()
        }
        Format::Csv => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
            );
            let name = format!("attachment; filename=\"{slug}-{}.csv\"", asked.split);
            headers.insert(
                header::CONTENT_DISPOSITION,
                HeaderValue::try_from(name).map_err(|error| Problem::internal(&error))?,
            );
            tokio::task::spawn_blocking(move || board.csv().cloned())
                .await
                .map_err(|error| Problem::internal(&error))?
                .map_err(|error| Problem::internal(&error))?
        }
    };
    let bytes = in_encoding(&parts.headers, body, &mut headers);
    Ok((headers, bytes).into_response())
}

/// Drafts are shown to their organizers only, and kept out of shared caches. Nobody else's account matters here, so
/// that a reader of a published board costs no query.
async fn audience(
    app: &App,
    standing: &Standing,
    parts: &mut Parts,
) -> Result<HeaderValue, Problem> {
    if standing.state_at(chrono::Utc::now()) != ChallengeState::Draft {
        return Ok(HeaderValue::from_static("no-cache"));
    }
    let viewer = MaybeSignedIn::from_request_parts(parts, app).await?;
    require_organizer(app, standing, viewer).await?;
    Ok(HeaderValue::from_static("private, no-cache"))
}

/// # Errors
/// 404, as for a challenge that does not exist, unless one of its organizers asks.
pub async fn require_organizer(
    app: &App,
    standing: &Standing,
    viewer: MaybeSignedIn,
) -> Result<(), Problem> {
    if let Ok(user) = viewer.required()
        && (user.is_administrator() || is_organizer(&app.db, standing.challenge, user.0.id).await?)
    {
        return Ok(());
    }
    Err(Problem::not_found(format!(
        "there is no challenge `{}`",
        standing.slug
    )))
}

fn check_released(standing: &Standing) -> Result<(), Problem> {
    if !standing.has_private {
        return Err(Problem::not_found(
            "all test images of this challenge are public: there is no private board",
        ));
    }
    let is_over = standing.state_at(chrono::Utc::now()) == ChallengeState::Closed;
    match (is_over, standing.closes) {
        (true, _) if standing.private_released_at.is_some() => Ok(()),
        (true, _) => Err(Problem::forbidden(
            "the private scores are being released; try again in a minute",
        )),
        (false, Some(closes)) => {
            let closes = closes.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            Err(Problem::forbidden(format!(
                "the private board is shown after the close, {closes}"
            )))
        }
        (false, None) => Err(Problem::forbidden(
            "the private board is shown after the close, which has no date yet",
        )),
    }
}

/// Weak, as the same revision is served plain and compressed.
fn etag(revision: i64) -> String {
    format!("W/\"{revision}\"")
}

fn in_encoding(request: &HeaderMap, body: Body, response: &mut HeaderMap) -> Bytes {
    if !accepts_gzip(request) {
        return body.plain;
    }
    response.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    body.gzip
}

/// Whether `Accept-Encoding` lists gzip with a weight above 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepts = |coding: &str| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| {
            name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip")
        });
        let weight = parts
            .find_map(|parameter| parameter.strip_prefix("q="))
            .map_or(Ok(1.0), str::parse::<f32>);
        named && weight.is_ok_and(|weight| weight > 0.0)
    };
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(accepts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    /// The examples of RFC 9110, section 12.5.3.
    #[test]
    fn an_encoding_is_accepted_as_the_standard_says() {
        for (value, expected) in [
            ("compress, gzip", true),
            ("", false),
            ("compress;q=0.5, gzip;q=1.0", true),
            ("gzip;q=0, identity", false),
            ("br", false),
        ] {
            assert_eq!(
                accepts_gzip(&headers(header::ACCEPT_ENCODING, value)),
                expected,
                "{value}"
            );
        }
    }
}
