use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use referee_client::documents;
use referee_storage::challenges::files::{self, Content, File, Purpose};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::downloads::{self, Download};
use crate::extract::{Json, Path};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::routes::challenges::stored_file_document;
use crate::secrets::hexadecimal;
use crate::slots::Uploader;
use crate::uploads::{self, LARGEST_FILE};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload, download))
}

/// Upload a file for competitors to download, such as training data, under a key; it takes the place of the one there.
/// For the challenge's organizers. The name in `Content-Disposition` is what downloads are called.
#[utoipa::path(put, operation_id = "upload_file", path = "/challenges/{slug}/files/{key}", tag = "challenges",
    params(("slug" = String, Path), ("key" = String, Path, description = "1 to 100 letters, digits, `.`, `_` and `-`")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "Stored under a new key", body = documents::StoredFile),
    (status = 200, description = "Stored in the place of the file before", body = documents::StoredFile),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 408, description = "Less than 4 KiB a second arrived for a minute", body = documents::Problem),
    (status = 413, description = "The file is too long", body = documents::Problem),
    (status = 422, description = "The key is not acceptable", body = documents::Problem),
    (status = 503, description = "Every upload slot is taken; `Retry-After` says when to try again", body = documents::Problem)
))]
async fn upload(
    State(app): State<App>,
    user: SignedIn,
    peer: Peer,
    Path((slug, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<documents::StoredFile>), Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    check_key(&key)?;
    let stored = uploads::receive(
        &app,
        Uploader::organizer(&user, peer),
        &headers,
        body,
        LARGEST_FILE,
    )
    .await?;
    let filename = uploads::filename(&headers, &key);
    let is_new = files::put_file(
        &app.db,
        challenge.id,
        Purpose::Download,
        &key,
        &filename,
        &stored,
        Content::Plain,
    )
    .await?;
    let document = documents::StoredFile {
        filename,
        bytes: stored.bytes,
        sha256: hexadecimal(&stored.sha256),
    };
    Ok((stored_status(is_new), Json(document)))
}

/// Download a file, whole or in part (`Range`).
#[utoipa::path(get, operation_id = "download_file", path = "/challenges/{slug}/files/{key}", tag = "challenges",
    params(("slug" = String, Path), ("key" = String, Path)), responses(
    (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream",
        headers(("ETag" = String), ("Content-Disposition" = String))),
    (status = 206, description = "The part that `Range` asks for", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "The file whose `ETag` is in `If-None-Match`"),
    (status = 404, description = "There is no such challenge or file", body = documents::Problem),
    (status = 416, description = "The part begins after the end", body = documents::Problem)
))]
async fn download(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path((slug, key)): Path<(String, String)>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    let file = files::file(&app.db, challenge.id, Purpose::Download, &key).await?;
    let missing = || Problem::not_found(format!("`{slug}` has no file `{key}`"));
    answer(&app, peer, &headers, &file.ok_or_else(missing)?).await
}

/// The answer with a file of a challenge.
pub async fn answer(
    app: &App,
    peer: Peer,
    headers: &HeaderMap,
    file: &File,
) -> Result<Response, Problem> {
    let document = stored_file_document(file);
    let download = Download {
        object_key: &file.object_key,
        filename: &file.filename,
        bytes: document.bytes,
        etag: format!("\"{}\"", document.sha256),
    };
    downloads::answer(app, peer, headers, download).await
}

/// Stored: under a new name, or in the place of what was there.
pub fn stored_status(is_new: bool) -> StatusCode {
    if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

fn check_key(key: &str) -> Result<(), Problem> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=100).contains(&key.len()) && key.bytes().all(allowed) && !key.starts_with('.') {
        return Ok(());
    }
    Err(Problem::unprocessable(
        "a file's key is 1 to 100 letters, digits, `.`, `_` and `-`, and does not start with `.`",
    ))
}
