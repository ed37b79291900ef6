//! A stored file as an answer: whole or in part (RFC 9110, section 14).

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;

use crate::app::App;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::uploads::store_problem;

/// What the answer says about a file.
pub struct Download<'a> {
    pub object_key: &'a str,
    pub filename: &'a str,
    pub bytes: u64,
    /// Strong: of the content.
    pub etag: String,
}

/// Answers with the file, or with the one range that the request asks for.
///
/// # Errors
/// 416 for a range that begins after the end, 429 where the address downloads too many files already.
pub async fn answer(
    app: &App,
    peer: Peer,
    headers: &HeaderMap,
    file: Download<'_>,
) -> Result<Response, Problem> {
    if names(headers, &file.etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, file.etag)]).into_response());
    }
    let place = app.download_place(peer)?;
    let range = wanted_range(headers, &file);
    let (status, content, length) = match &range {
        Wanted::Everything => (
            StatusCode::OK,
            app.objects
                .read(file.object_key)
                .await
                .map_err(store_problem)?,
            file.bytes,
        ),
        Wanted::Part(part) => {
            let content = app.objects.read_range(file.object_key, part.clone()).await;
            (
                StatusCode::PARTIAL_CONTENT,
                content.map_err(store_problem)?,
                part.end - part.start,
            )
        }
        Wanted::Nothing => {
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("the file has {} bytes; ask for some of those", file.bytes),
            );
            let size = [(header::CONTENT_RANGE, format!("bytes */{}", file.bytes))];
            return Ok((size, problem).into_response());
        }
    };
    // Given back when all of it is sent, or nobody wants it any more.
    let content = content.inspect(move |_| {
        let _held = &place;
    });
    let mut response = (status, Body::from_stream(content)).into_response();
    let answer = response.headers_mut();
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut describe = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.insert(name, value);
        }
    };
    describe(header::ETAG, file.etag);
    describe(
        header::CONTENT_DISPOSITION,
        referee_client::disposition(file.filename),
    );
    if let Wanted::Part(part) = range {
        let place = format!("bytes {}-{}/{}", part.start, part.end - 1, file.bytes);
        describe(header::CONTENT_RANGE, place);
    }
    Ok(response)
}

/// Whether `If-None-Match` names the tag (RFC 9110, section 13.1.2: weak comparison).
pub fn names(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

#[derive(Debug, PartialEq)]
enum Wanted {
    Everything,
    Part(Range<u64>),
    /// A range outside the file.
    Nothing,
}

/// The single range that is asked for. Several ranges, other units and a copy that has changed since (`If-Range`) get
/// everything, as the RFC allows.
fn wanted_range(headers: &HeaderMap, file: &Download<'_>) -> Wanted {
    let unchanged = headers
        .get(header::IF_RANGE)
        .is_none_or(|etag| etag == file.etag.as_str());
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok());
    match range.and_then(|range| range.strip_prefix("bytes=")) {
        Some(range) if unchanged => parse_range(range, file.bytes).unwrap_or(Wanted::Everything),
        _ => Wanted::Everything,
    }
}

/// `first-last`, `first-` or `-length`; `None` where it is none of them.
fn parse_range(range: &str, bytes: u64) -> Option<Wanted> {
    let (first, last) = range.trim().split_once('-')?;
    let part = if first.is_empty() {
        let length = last.parse::<u64>().ok()?;
        bytes.saturating_sub(length)..bytes
    } else {
        let first = first.parse::<u64>().ok()?;
        let last = if last.is_empty() {
            u64::MAX
        } else {
            last.parse().ok()?
        };
        if last < first {
            return None;
        }
        first..bytes.min(last.saturating_add(1))
    };
    Some(if part.start < part.end {
        Wanted::Part(part)
    } else {
        Wanted::Nothing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 9110, section 14.1.2, for a file of 10,000 bytes.
    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, wanted) in [
            ("0-499", Wanted::Part(0..500)),
            ("500-999", Wanted::Part(500..1000)),
            ("-500", Wanted::Part(9500..10_000)),
            ("9500-", Wanted::Part(9500..10_000)),
            ("0-0", Wanted::Part(0..1)),
            ("9999-20000", Wanted::Part(9999..10_000)),
            ("-20000", Wanted::Part(0..10_000)),
            ("10000-", Wanted::Nothing),
            ("-0", Wanted::Nothing),
        ] {
            assert_eq!(parse_range(range, 10_000), Some(wanted), "{range}");
        }
        for odd in ["", "-", "5-3", "a-b", "0-0,-1", "1"] {
            assert_eq!(parse_range(odd, 10_000), None, "{odd}");
        }
    }

    /// The table of RFC 9110, section 8.8.3.2, and the forms of the header.
    #[test]
    fn a_copy_is_known_by_weak_comparison() {
        for (value, etag, expected) in [
            ("\"67\"", "W/\"67\"", true),
            ("W/\"67\"", "W/\"67\"", true),
            ("W/\"67\"", "\"67\"", true),
            ("\"67\"", "\"67\"", true),
            ("\"1\", W/\"67\"", "\"67\"", true),
            ("*", "\"67\"", true),
            ("\"6\"", "\"67\"", false),
        ] {
            let headers =
                HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]);
            assert_eq!(names(&headers, etag), expected, "{value} {etag}");
        }
    }
}
