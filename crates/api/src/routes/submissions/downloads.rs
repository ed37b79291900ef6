use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use referee_client::documents;
use referee_scoring::Over;
use referee_scoring::predictions::{self, Expected};
use referee_storage::challenges;
use referee_storage::submissions::Submission;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Access, look};
use crate::app::App;
use crate::auth::SignedIn;
use crate::downloads::{self, Download};
use crate::extract::Path;
use crate::peer::Peer;
use crate::problem::Problem;

/// Prediction files that are read again at the same time, each on a core.
static READING: Semaphore = Semaphore::const_new(2);

/// The file as it was uploaded, for its team and the organizers.
#[utoipa::path(get, path = "/submissions/{id}/file", tag = "submissions", params(("id" = Uuid, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The file", content_type = "application/octet-stream"),
    (status = 403, description = "It is another team's", body = documents::Problem),
    (status = 404, description = "There is no submission that the caller may see", body = documents::Problem)
))]
pub(super) async fn file(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    peer: Peer,
    headers: HeaderMap,
    user: SignedIn,
) -> Result<Response, Problem> {
    let (submission, access) = look(&app, id, Some(&user.0)).await?;
    if !access.is_insider() {
        return Err(Problem::forbidden(
            "only its team and the organizers may download what was submitted",
        ));
    }
    let file = Download {
        object_key: &submission.object_key,
        filename: &submission.filename,
        bytes: submission.bytes.unsigned_abs(),
        // The file of a submission never changes.
        etag: format!("\"{id}\""),
    };
    let answer = downloads::answer(&app, peer, &headers, file).await?;
    Ok(([(header::CACHE_CONTROL, "private, no-cache")], answer).into_response())
}

/// What a submission predicts as the canonical record, NPY int32 `[N,6]`, over the challenge's wider classes where it names such
/// (`test.wider_classes`): for the organizers and, where the images are
/// public, for its team.
#[utoipa::path(get, path = "/submissions/{id}/predictions", tag = "submissions", params(("id" = Uuid, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The canonical record", content_type = "application/octet-stream"),
    (status = 403, description = "The caller may not see predictions of single images", body = documents::Problem),
    (status = 404, description = "There is no submission that the caller may see", body = documents::Problem),
    (status = 409, description = "It has no record: the file is not acceptable", body = documents::Problem)
))]
pub(super) async fn predictions(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    user: SignedIn,
) -> Result<Response, Problem> {
    let (submission, access) = look(&app, id, Some(&user.0)).await?;
    if !may_see_predictions(&app, &submission, access).await? {
        return Err(Problem::forbidden(
            "only the organizers may see predictions of single images and, where the images are public, the team that made them",
        ));
    }
    let record = record(&app, &submission).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{id}.npy\""),
        ),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    Ok((headers, record).into_response())
}

async fn may_see_predictions(
    app: &App,
    submission: &Submission,
    access: Access,
) -> Result<bool, Problem> {
    if access.organizer || !access.member {
        return Ok(access.organizer);
    }
    let challenge = challenges::challenge(&app.db, &submission.slug).await?;
    Ok(challenge.is_some_and(|challenge| challenge.settings.public_images))
}

/// Reads the submission's file, or the record that inference made of it, as the scorer does.
async fn record(app: &App, submission: &Submission) -> Result<Vec<u8>, Problem> {
    let (_, images) = challenges::public_facts(&app.db, submission.challenge).await?;
    let (classes, wider) = challenges::classes(&app.db, submission.challenge).await?;
    let images =
        images.ok_or_else(|| Problem::conflict("this challenge has no test images any more"))?;
    let boxes = submission
        .form
        .get("boxes")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or_default();
    let says_challenge = submission
        .form
        .get("classes")
        .and_then(serde_json::Value::as_str);
    let over = match (says_challenge, &submission.record_key) {
        (Some("challenge"), None) => Over::Challenge,
        _ => Over::Wider,
    };
    let key = submission
        .record_key
        .as_ref()
        .unwrap_or(&submission.object_key);
    let content = app
        .objects
        .reader(key)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let _permit = READING
        .acquire()
        .await
        .map_err(|error| Problem::internal(&error))?;
    tokio::task::spawn_blocking(move || {
        let expected = Expected {
            classes: &classes,
            images: &images,
            boxes,
            devkit: false,
        };
        let read = match &wider {
            Some(wider) => predictions::read_within(content, &expected, wider, over),
            None => predictions::read(content, &expected),
        };
        let read = read.map_err(|error| {
            if error.is_unreadable() {
                Problem::internal(&error)
            } else {
                Problem::conflict(format!("it has no record: {error}"))
            }
        })?;
        let mut npy = Vec::new();
        read.record
            .write_npy(&mut npy)
            .map_err(|error| Problem::internal(&error))?;
        Ok(npy)
    })
    .await
    .map_err(|error| Problem::internal(&error))?
}
