//! Test images, and the public validation set beside them.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use referee_client::documents;
use referee_scoring::{ImageFile, ImageList, ImageOrder, Labels};
use referee_storage::challenges::files::{self, Content, Purpose, TestImages};
use referee_storage::challenges::{self, Challenge};
use referee_storage::objects::Stored;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::extract::{Json, Path};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::routes::files::{answer, stored_status};
use crate::secrets::hexadecimal;
use crate::slots::Uploader;
use crate::uploads::{self, LARGEST_FILE, store_problem};

/// Public labels: 10 million images of a dozen bytes each, twice.
const LARGEST_LABELS: u64 = 256 << 20;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload_test, download_test))
        .routes(routes!(
            upload_validation_images,
            download_validation_images
        ))
        .routes(routes!(
            upload_validation_labels,
            download_validation_labels
        ))
}

/// Upload the test images: `.npy` (uint8 `[N,H,W]` or `[N,H,W,C]`) or an uncompressed `.tar` of JPEG and PNG, in the order of the names
/// that the settings say (`test.order`), else in their byte order. They take the place of the ones there. For the challenge's organizers.
#[utoipa::path(put, operation_id = "upload_test_images", path = "/challenges/{slug}/images", tag = "challenges", params(("slug" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "Stored", body = documents::StoredFile),
    (status = 200, description = "Stored in the place of the images before", body = documents::StoredFile),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 409, description = "The challenge is published with other images", body = documents::Problem),
    (status = 408, description = "Less than 4 KiB a second arrived for a minute", body = documents::Problem),
    (status = 413, description = "The file is too long", body = documents::Problem),
    (status = 422, description = "The file is not what it should be; the detail says what was expected", body = documents::Problem),
    (status = 503, description = "Every upload slot is taken", body = documents::Problem)
))]
async fn upload_test(
    State(app): State<App>,
    user: SignedIn,
    peer: Peer,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<documents::StoredFile>), Problem> {
    let order = app
        .organized_challenge(&slug, &user)
        .await?
        .settings
        .image_order;
    let stored = uploads::receive(
        &app,
        Uploader::organizer(&user, peer),
        &headers,
        body,
        LARGEST_FILE,
    )
    .await?;
    let filename = uploads::filename(&headers, "test-images");
    let images = or_delete(
        &app,
        &stored,
        read_images(&app, &stored.key, stored.bytes, order.unwrap_or_default()).await,
    )
    .await?;
    let put = files::put_test_images(
        &app.db,
        &slug,
        &filename,
        &stored,
        &images.list,
        order,
        images.sizes.as_deref(),
    )
    .await?;
    let refusal = match put {
        TestImages::Stored { is_new } => {
            return Ok((
                stored_status(is_new),
                Json(stored_document(filename, &stored)),
            ));
        }
        TestImages::OtherCount(before) => Problem::conflict(format!(
            "these are {} images, but the challenge is published with {before}; upload that many, or make a new challenge",
            images.list.len()
        )),
        TestImages::OtherOrder => Problem::conflict(
            "the order of the images changed while they were being received; upload them again",
        ),
        TestImages::OtherNames => Problem::conflict(
            "the images of a published challenge keep their names; upload the same files, or make a new challenge",
        ),
        TestImages::NewNames => Problem::conflict(
            "this challenge is published with images that have no names, and names could give the labels away; upload the images as an NPY array, or make a new challenge",
        ),
    };
    or_delete(&app, &stored, Err(refusal)).await
}

/// Download the test images, where they are public.
#[utoipa::path(get, operation_id = "download_test_images", path = "/challenges/{slug}/images", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The images as they were uploaded", body = Vec<u8>, content_type = "application/octet-stream",
        headers(("ETag" = String), ("Content-Disposition" = String))),
    (status = 206, description = "The part that `Range` asks for", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "The file whose `ETag` is in `If-None-Match`"),
    (status = 404, description = "There is no such challenge, or its images are not public", body = documents::Problem),
    (status = 416, description = "The part begins after the end", body = documents::Problem)
))]
async fn download_test(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    if !challenge.settings.public_images {
        return Err(Problem::not_found(format!(
            "the test images of `{slug}` are not public"
        )));
    }
    download(&app, peer, &headers, &challenge, Purpose::TestImages).await
}

/// Upload the images of the public validation set: `.npy` or `.tar`, as the test images. For the challenge's organizers.
#[utoipa::path(put, path = "/challenges/{slug}/validation/images", tag = "challenges", params(("slug" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "Stored", body = documents::StoredFile),
    (status = 200, description = "Stored in the place of the images before", body = documents::StoredFile),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 408, description = "Less than 4 KiB a second arrived for a minute", body = documents::Problem),
    (status = 413, description = "The file is too long", body = documents::Problem),
    (status = 422, description = "The file is not what it should be, or the validation labels are not for these images", body = documents::Problem),
    (status = 503, description = "Every upload slot is taken", body = documents::Problem)
))]
async fn upload_validation_images(
    State(app): State<App>,
    user: SignedIn,
    peer: Peer,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<documents::StoredFile>), Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let stored = uploads::receive(
        &app,
        Uploader::organizer(&user, peer),
        &headers,
        body,
        LARGEST_FILE,
    )
    .await?;
    let agreed = async {
        let images = read_images(&app, &stored.key, stored.bytes, ImageOrder::Bytes).await?;
        if let Some(labels) = validation_file(&app, &challenge, Purpose::ValidationLabels).await? {
            check_labels(&app, &challenge, &labels.object_key, Some(images.list)).await?;
        }
        Ok(Content::of_images(images.sizes.as_deref()))
    };
    let content = or_delete(&app, &stored, agreed.await).await?;
    put_validation(
        &app,
        &challenge,
        Purpose::ValidationImages,
        &headers,
        &stored,
        content,
    )
    .await
}

/// Download the validation images.
#[utoipa::path(get, path = "/challenges/{slug}/validation/images", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The images as they were uploaded", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, description = "The part that `Range` asks for", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "The file whose `ETag` is in `If-None-Match`"),
    (status = 404, description = "There is no such challenge, or it has no validation images", body = documents::Problem)
))]
async fn download_validation_images(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    download(&app, peer, &headers, &challenge, Purpose::ValidationImages).await
}

/// Upload the labels of the public validation set: CSV with the header `image,label`. For the challenge's organizers.
#[utoipa::path(put, path = "/challenges/{slug}/validation/labels", tag = "challenges", params(("slug" = String, Path)),
    request_body(content = String, content_type = "text/csv"), security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "Stored", body = documents::StoredFile),
    (status = 200, description = "Stored in the place of the labels before", body = documents::StoredFile),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 408, description = "Less than 4 KiB a second arrived for a minute", body = documents::Problem),
    (status = 413, description = "The file is too long", body = documents::Problem),
    (status = 422, description = "The file is not what it should be; `errors` says where", body = documents::Problem),
    (status = 503, description = "Every upload slot is taken", body = documents::Problem)
))]
async fn upload_validation_labels(
    State(app): State<App>,
    user: SignedIn,
    peer: Peer,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<documents::StoredFile>), Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let stored = uploads::receive(
        &app,
        Uploader::organizer(&user, peer),
        &headers,
        body,
        LARGEST_LABELS,
    )
    .await?;
    let agreed = async {
        let images = match validation_file(&app, &challenge, Purpose::ValidationImages).await? {
            Some(file) => Some(
                read_images(
                    &app,
                    &file.object_key,
                    file.bytes.unsigned_abs(),
                    ImageOrder::Bytes,
                )
                .await?
                .list,
            ),
            None => None,
        };
        check_labels(&app, &challenge, &stored.key, images).await
    };
    or_delete(&app, &stored, agreed.await).await?;
    put_validation(
        &app,
        &challenge,
        Purpose::ValidationLabels,
        &headers,
        &stored,
        Content::Plain,
    )
    .await
}

/// Download the validation labels.
#[utoipa::path(get, path = "/challenges/{slug}/validation/labels", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The labels as they were uploaded", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, description = "There is no such challenge, or it has no validation labels", body = documents::Problem)
))]
async fn download_validation_labels(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    download(&app, peer, &headers, &challenge, Purpose::ValidationLabels).await
}

async fn download(
    app: &App,
    peer: Peer,
    headers: &HeaderMap,
    challenge: &Challenge,
    purpose: Purpose,
) -> Result<Response, Problem> {
    let file = files::file(&app.db, challenge.id, purpose, purpose.key()).await?;
    let missing = || {
        Problem::not_found(format!(
            "`{}` has no {}",
            challenge.slug,
            purpose.key().replace('-', " ")
        ))
    };
    answer(app, peer, headers, &file.ok_or_else(missing)?).await
}

async fn validation_file(
    app: &App,
    challenge: &Challenge,
    purpose: Purpose,
) -> Result<Option<files::File>, Problem> {
    Ok(files::file(&app.db, challenge.id, purpose, purpose.key()).await?)
}

async fn put_validation(
    app: &App,
    challenge: &Challenge,
    purpose: Purpose,
    headers: &HeaderMap,
    stored: &Stored,
    content: Content,
) -> Result<(StatusCode, Json<documents::StoredFile>), Problem> {
    let filename = uploads::filename(headers, purpose.key());
    let is_new = files::put_file(
        &app.db,
        challenge.id,
        purpose,
        purpose.key(),
        &filename,
        stored,
        content,
    )
    .await?;
    Ok((
        stored_status(is_new),
        Json(stored_document(filename, stored)),
    ))
}

fn stored_document(filename: String, stored: &Stored) -> documents::StoredFile {
    documents::StoredFile {
        filename,
        bytes: stored.bytes,
        sha256: hexadecimal(&stored.sha256),
    }
}

/// Images in the order of their ordinals.
struct ImageSet {
    list: ImageList,
    /// Encoded bytes of each image, where they are files.
    sizes: Option<Vec<i64>>,
}

/// What a stored set of images holds, read off the async threads: at most as many as PostgreSQL counts in an int4.
async fn read_images(
    app: &App,
    object_key: &str,
    bytes: u64,
    order: ImageOrder,
) -> Result<ImageSet, Problem> {
    let file = app
        .objects
        .reader(object_key)
        .await
        .map_err(store_problem)?;
    let reading = tokio::task::spawn_blocking(move || {
        let images = ImageFile::read(file, bytes)?.in_order(order);
        if i32::try_from(images.len()).is_err() {
            return Err(Problem::unprocessable(format!(
                "{} images; a test set has 1 to {}",
                images.len(),
                i32::MAX
            )));
        }
        // PostgreSQL has no unsigned numbers; no file comes near the difference.
        let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
        Ok(ImageSet {
            list: images.list()?,
            sizes: images
                .sizes()
                .map(|sizes| sizes.into_iter().map(signed).collect()),
        })
    });
    reading.await.map_err(|error| Problem::internal(&error))?
}

/// Whether stored public labels can be read, with these images where they are known.
async fn check_labels(
    app: &App,
    challenge: &Challenge,
    object_key: &str,
    images: Option<ImageList>,
) -> Result<(), Problem> {
    let (classes, _) = challenges::public_facts(&app.db, challenge.id).await?;
    let file = app
        .objects
        .reader(object_key)
        .await
        .map_err(store_problem)?;
    let reading = tokio::task::spawn_blocking(move || {
        Labels::parse_csv(file, &classes, images.as_ref()).map(drop)
    });
    let read = reading.await.map_err(|error| Problem::internal(&error))?;
    read.map_err(Problem::from)
}

/// Passes a result on; where the file is refused, its object goes at once instead of with the next sweep.
async fn or_delete<T>(
    app: &App,
    stored: &Stored,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    if result.is_err()
        && let Err(error) = app.objects.delete(&stored.key).await
    {
        tracing::warn!(%error, "a refused upload stays until the next sweep");
    }
    result
}
