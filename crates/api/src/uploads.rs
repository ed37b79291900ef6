//! A request's body on its way into the object store: never held in memory, never trusted to end.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use referee_storage::objects::{ObjectError, Stored};

use crate::app::App;
use crate::problem::Problem;

/// The longest file that an organizer may upload: twice ImageNet's training set.
pub const LARGEST_FILE: u64 = 300 << 30;

/// A sender that is silent for this long gives its place to somebody else.
pub const SILENCE: Duration = Duration::from_mins(1);

/// Stores the whole body under a new key, whose object nobody refers to yet.
///
/// # Errors
/// 503 where every upload slot is taken, 413 past `limit` bytes, 408 after a minute of silence, 400 where the sender
/// breaks off. Nothing is left behind then.
pub async fn receive(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
) -> Result<Stored, Problem> {
    let _slot = app.upload_slot()?;
    if announced_length(headers).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut upload = app.objects.upload(limit);
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = tokio::time::timeout(SILENCE, chunks.next())
            .await
            .map_err(|_| silent())?;
        let Some(chunk) = chunk else { break };
        upload
            .write(chunk.map_err(|_| broken_off())?)
            .await
            .map_err(store_problem)?;
    }
    let stored = upload.finish().await.map_err(store_problem)?;
    metrics::counter!("referee_uploads_total").increment(1);
    metrics::counter!("referee_upload_bytes_total").increment(stored.bytes);
    Ok(stored)
}

/// The whole body in memory: for hidden labels, which may be stored nowhere but behind the wall.
///
/// # Errors
/// As [`receive`].
pub async fn hold(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let _slot = app.upload_slot()?;
    let announced = announced_length(headers).unwrap_or(0);
    if announced > limit as u64 {
        return Err(too_large(limit as u64));
    }
    let mut held = Vec::new();
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = tokio::time::timeout(SILENCE, chunks.next())
            .await
            .map_err(|_| silent())?;
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|_| broken_off())?;
        if held.len() + chunk.len() > limit {
            return Err(too_large(limit as u64));
        }
        held.extend_from_slice(&chunk);
    }
    Ok(held)
}

/// The name in `Content-Disposition`, where it is usable as a file name, else `otherwise`.
pub fn filename(headers: &HeaderMap, otherwise: &str) -> String {
    let disposition = headers
        .get(header::CONTENT_DISPOSITION)
        .and_then(|value| value.to_str().ok());
    let quoted = disposition.and_then(|value| value.split_once("filename=\""));
    let name = quoted
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(name, _)| name);
    let is_usable = |name: &&str| {
        !name.is_empty()
            && name.len() <= 200
            && *name != "."
            && *name != ".."
            && !name.contains(|character: char| {
                character.is_control() || matches!(character, '/' | '\\')
            })
    };
    name.filter(is_usable).unwrap_or(otherwise).to_owned()
}

/// What went wrong with the store or the upload, as an answer.
pub fn store_problem(error: ObjectError) -> Problem {
    match error {
        ObjectError::TooLarge { limit } => too_large(limit),
        error => Problem::internal(&error),
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
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

fn silent() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "no byte arrived for a minute; upload the file again",
    )
}

fn broken_off() -> Problem {
    Problem::bad_request("the upload broke off; upload the file again")
}
