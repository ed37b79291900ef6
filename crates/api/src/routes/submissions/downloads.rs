use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use referee_client::documents;
use referee_scoring::predictions::{self, Expected};
use referee_storage::challenges;
use referee_storage::submissions::Submission;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Access, look};
use crate::app::App;
use crate::auth::SignedIn;
use crate::extract::Path;
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
    user: SignedIn,
) -> Result<Response, Problem> {
    let (submission, access) = look(&app, id, Some(&user.0)).await?;
    if !access.is_insider() {
        return Err(Problem::forbidden(
            "only its team and the organizers may download what was submitted",
        ));
    }
    let content = app
        .objects
        .read(&submission.object_key)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let mut response = attachment(&submission.filename, Body::from_stream(content));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(submission.bytes));
    Ok(response)
}

/// What a submission predicts as the canonical record, NPY int32 `[N,6]`: for the organizers and, where the images are
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
    Ok(attachment(
        &format!("{}.npy", submission.id),
        Body::from(record),
    ))
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
    let (classes, images) = challenges::public_facts(&app.db, submission.challenge).await?;
    let images =
        images.ok_or_else(|| Problem::conflict("this challenge has no test images any more"))?;
    let boxes = submission
        .form
        .get("boxes")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or_default();
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
        let read = predictions::read(content, &expected).map_err(|error| {
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

/// A body that browsers store under a name instead of showing it.
fn attachment(filename: &str, body: Body) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (header::CONTENT_DISPOSITION, disposition(filename)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
    ];
    (headers, body).into_response()
}

/// RFC 6266: the name in ASCII for old clients and, percent-encoded, in full.
fn disposition(filename: &str) -> HeaderValue {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let ascii: String = filename
        .chars()
        .map(|character| if plain(character) { character } else { '_' })
        .collect();
    let mut value = format!("attachment; filename=\"{ascii}\"");
    if ascii != filename {
        value.push_str("; filename*=UTF-8''");
        for byte in filename.bytes() {
            if plain(char::from(byte)) {
                value.push(char::from(byte));
            } else {
                value.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6266 section 5 and RFC 8187 section 3.2: `€ rates` is `%e2%82%ac%20rates`.
    #[test]
    fn a_file_keeps_its_name_in_any_script() {
        assert_eq!(
            disposition("run-1.npy"),
            "attachment; filename=\"run-1.npy\""
        );
        assert_eq!(
            disposition("€ rates"),
            "attachment; filename=\"__rates\"; filename*=UTF-8''%E2%82%AC%20rates"
        );
        assert_eq!(
            disposition("a\"\r\nb"),
            "attachment; filename=\"a___b\"; filename*=UTF-8''a%22%0D%0Ab"
        );
    }
}
