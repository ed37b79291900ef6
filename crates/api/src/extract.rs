//! axum's extractors with their rejections turned into problem documents. What no text may hold is refused here, once:
//! PostgreSQL stores no NUL.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request, path};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::problem::Problem;

/// JSON that has not arrived as a whole by then is given up.
const JSON_ARRIVES: Duration = Duration::from_secs(30);

/// A JSON body, of a request or an answer.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let body = timeout(JSON_ARRIVES, Bytes::from_request(whole, state))
            .await
            .map_err(|_| too_slow())?
            .map_err(JsonRejection::from)
            .map_err(|rejection| json_problem(&rejection))?;
        if escapes_nul(&body) {
            return Err(Problem::unprocessable(
                "a text holds the character NUL (\\u0000); leave it out",
            ));
        }
        let request = Request::from_parts(parts, Body::from(body));
        let read = axum::Json::from_request(request, state).await;
        read.map(|axum::Json(value)| Self(value))
            .map_err(|rejection| json_problem(&rejection))
    }
}

/// Whether a text of this JSON holds a NUL, which JSON can only write as `\u0000`. Backslashes are nowhere but in texts.
fn escapes_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(backslash) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[backslash + 1..].starts_with(b"u0000") {
            return true;
        }
        rest = rest.get(backslash + 2..).unwrap_or_default();
    }
    false
}

fn too_slow() -> Problem {
    let seconds = JSON_ARRIVES.as_secs();
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("this JSON did not arrive within {seconds} s; send it again over a faster line"),
    )
}

fn json_problem(rejection: &JsonRejection) -> Problem {
    let status = rejection.status();
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            "this JSON is longer than is accepted: 2 MiB, and for the settings of a challenge 16 MiB".to_owned()
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "send JSON, with the header `Content-Type: application/json`".to_owned()
        }
        _ => own_words(&rejection.body_text()),
    };
    Problem::new(status, detail)
}

/// What an extractor of axum says, without what only its programmers understand.
fn own_words(text: &str) -> String {
    for (theirs, ours) in [
        (
            "Failed to deserialize the JSON body into the target type",
            "the JSON is not what is expected here",
        ),
        (
            "Failed to parse the request body as JSON",
            "this is no JSON",
        ),
        (
            "Failed to deserialize query string",
            "the query is not understood",
        ),
    ] {
        if let Some(cause) = text.strip_prefix(theirs) {
            return format!("{ours}{cause}");
        }
    }
    text.to_owned()
}

/// The placeholders of the route.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            return Err(Problem::not_found(
                "nothing has a name with the character NUL (%00) in it",
            ));
        }
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| path_problem(&rejection))
    }
}

/// What is no id is the id of nothing.
fn path_problem(rejection: &PathRejection) -> Problem {
    use path::ErrorKind::{DeserializeError, ParseError, ParseErrorAtIndex, ParseErrorAtKey};
    if let PathRejection::FailedToDeserializePathParams(failure) = rejection
        && let DeserializeError { value, .. }
        | ParseError { value, .. }
        | ParseErrorAtIndex { value, .. }
        | ParseErrorAtKey { value, .. } = failure.kind()
    {
        let value: String = value.chars().take(80).collect();
        return Problem::not_found(format!(
            "there is no `{value}` here: an id looks like 0190163d-8694-739b-aea5-966c26f8ad91"
        ));
    }
    Problem::new(rejection.status(), rejection.body_text())
}

/// The query string. A parameter without a value, as forms send what was left empty, is as good as absent.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("%00") {
            return Err(Problem::unprocessable(
                "the query holds the character NUL (%00); leave it out",
            ));
        }
        let given: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.ends_with('='))
            .collect();
        let uri = Uri::try_from(format!("/?{}", given.join("&")))
            .map_err(|error| Problem::bad_request(error.to_string()))?;
        axum::extract::Query::try_from_uri(&uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| {
                Problem::new(rejection.status(), own_words(&rejection.body_text()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8259, section 7: `\\` is a backslash.
    #[test]
    fn a_nul_is_told_from_a_backslash_before_its_digits() {
        for (json, holds) in [
            (r#"{"a": "b\u0000"}"#, true),
            (r#"["\\\u0000"]"#, true),
            (r#"["\\u0000", "\n", "\u0001"]"#, false),
            ("u0000", false),
            ("\\", false),
        ] {
            assert_eq!(escapes_nul(json.as_bytes()), holds, "{json}");
        }
    }
}
