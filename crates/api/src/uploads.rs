//! A request's body on its way into the object store: never held in memory, never trusted to end.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use referee_storage::objects::{ObjectError, Stored};

use crate::app::App;
use crate::problem::Problem;
use crate::slots::Uploader;

/// The longest file that an organizer may upload: twice ImageNet's training set.
pub const LARGEST_FILE: u64 = 300 << 30;

/// Stores the whole body under a new key, whose object nobody refers to yet.
///
/// # Errors
/// 503 where every upload slot or the person's share is taken or another needs it more, 413 past `limit` bytes, 408 for a sender that is too slow, 400 where the sender
/// breaks off. Nothing is left behind then.
pub async fn receive(
    app: &App,
    who: Uploader,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
) -> Result<Stored, Problem> {
    let announced = announced_length(headers);
    let mut slot = app.upload_slots.take(who, announced).await?;
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut upload = app.objects.upload(limit);
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = tokio::select! {
            chunk = slot.wait(chunks.next()) => chunk?,
            () = app.last_call.cancelled() => return Err(stopping()),
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|_| broken_off())?;
        slot.arrived(chunk.len());
        upload.write(chunk).await.map_err(store_problem)?;
    }
    let stored = upload.finish().await.map_err(store_problem)?;
    count(&stored);
    Ok(stored)
}

/// Counts a stored file for `/metrics`.
pub fn count(stored: &Stored) {
    metrics::counter!("referee_uploads_total").increment(1);
    metrics::counter!("referee_upload_bytes_total").increment(stored.bytes);
}

/// The whole body in memory: for hidden labels, which may be stored nowhere but behind the wall.
///
/// # Errors
/// As [`receive`].
pub async fn hold(
    app: &App,
    who: Uploader,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let announced = announced_length(headers);
    let mut slot = app.upload_slots.take(who, announced).await?;
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit as u64));
    }
    let mut held = Vec::new();
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = tokio::select! {
            chunk = slot.wait(chunks.next()) => chunk?,
            () = app.last_call.cancelled() => return Err(stopping()),
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|_| broken_off())?;
        slot.arrived(chunk.len());
        if held.len() + chunk.len() > limit {
            return Err(too_large(limit as u64));
        }
        held.extend_from_slice(&chunk);
    }
    Ok(held)
}

/// The name in `Content-Disposition` (RFC 6266), where it is usable as a file name, else `otherwise`.
pub fn filename(headers: &HeaderMap, otherwise: &str) -> String {
    let disposition = headers
        .get(header::CONTENT_DISPOSITION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let name = extended(disposition).or_else(|| plain(disposition));
    let is_usable = |name: &String| {
        !name.is_empty()
            && name.len() <= 200
            && name != "."
            && name != ".."
            && !name.contains(|character: char| {
                character.is_control() || matches!(character, '/' | '\\')
            })
    };
    name.filter(is_usable)
        .unwrap_or_else(|| otherwise.to_owned())
}

/// What comes after `name=`, whatever the case of the name.
fn parameter<'a>(disposition: &'a str, name: &str) -> Option<&'a str> {
    let start = disposition.to_ascii_lowercase().find(name)?;
    Some(disposition[start + name.len()..].trim_start())
}

/// `filename*=UTF-8''…`, percent-encoded (RFC 8187).
fn extended(disposition: &str) -> Option<String> {
    let value = parameter(disposition, "filename*=")?.split(';').next()?;
    let (charset, rest) = value.trim().split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// `filename="…"` or, of letters that need no quotes, `filename=…`.
fn plain(disposition: &str) -> Option<String> {
    let value = parameter(disposition, "filename=")?;
    let name = match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => value.split(';').next()?.trim_end(),
    };
    Some(name.to_owned())
}

/// What went wrong with the store or the upload, as an answer.
pub fn store_problem(error: ObjectError) -> Problem {
    match error {
        ObjectError::TooLarge { limit } => too_large(limit),
        ObjectError::NotFound { .. } => Problem::internal(&error),
        error => error.into(),
    }
}

pub fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn too_large(limit: u64) -> Problem {
    Problem::too_large(format!(
        "this file is longer than {limit} bytes, the most that is accepted here"
    ))
}

/// The answer to an upload that did not come to its end before the server stops.
pub fn stopping() -> Problem {
    Problem::unavailable(
        10,
        "the server is being stopped, and nothing of this upload was kept; send it again in a few seconds",
    )
}

fn broken_off() -> Problem {
    Problem::bad_request("the upload broke off; upload the file again")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The examples of RFC 6266, section 5, and names that no file may have.
    #[test]
    fn a_name_is_read_in_every_spelling_of_the_rfc() {
        for (value, expected) in [
            ("Attachment; filename=example.html", "example.html"),
            ("INLINE; FILENAME= \"an example.html\"", "an example.html"),
            ("attachment; filename*= UTF-8''%e2%82%ac%20rates", "€ rates"),
            (
                "attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates",
                "€ rates",
            ),
            ("attachment; filename=plain.csv; size=3", "plain.csv"),
            ("attachment", "otherwise"),
            ("attachment; filename=\"../x\"", "otherwise"),
            ("attachment; filename*=UTF-8''..%2Fx", "otherwise"),
            ("attachment; filename*=UTF-8''a%0", "otherwise"),
        ] {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]);
            assert_eq!(filename(&headers, "otherwise"), expected);
        }
    }
}
