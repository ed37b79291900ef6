//! Hidden labels: they come in here, go behind the wall, and nothing of them comes back.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use referee_client::documents;
use referee_scoring::classes::ClassList;
use referee_scoring::images::ImageList;
use referee_scoring::labels::{Labels, TestImages};
use referee_scoring::{FormatError, ImageOrder, Notice, split};
use referee_storage::challenges::labels::{self, Added, ReadWith};
use referee_storage::challenges::{self, Challenge};
use sha2::Sha256;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::SignedIn;
use crate::config::ServerKey;
use crate::extract::{Json, Path};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::routes::challenges::label_version_document;
use crate::slots::Uploader;
use crate::uploads;

/// 10 million images of a dozen bytes each, twice. All of it is held in memory.
const LARGEST_FILE: usize = 256 << 20;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, upload))
        .routes(routes!(rescore))
}

/// The versions of the hidden labels, newest first: who uploaded them when, and what became of them. The labels themselves
/// come out nowhere. All in one part. For the challenge's organizers.
#[utoipa::path(get, operation_id = "list_label_versions", path = "/challenges/{slug}/labels", tag = "challenges", params(("slug" = String, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The versions", body = documents::Page<documents::LabelVersion>),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn list(
    State(app): State<App>,
    user: SignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::Page<documents::LabelVersion>>, Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let versions = labels::versions(&app.db, challenge.id).await?;
    Ok(Json(documents::Page {
        items: versions.into_iter().map(label_version_document).collect(),
        next: None,
    }))
}

/// Upload the hidden labels, or a corrected version of them: CSV with the header `image,label`; an image is its ordinal
/// from 0 or its name, a label a class index from 0, a name or an id, several joined by `|`, none where the image is
/// skipped. Everything is scored anew, then the board changes over at once. For the challenge's organizers.
#[utoipa::path(put, operation_id = "upload_labels", path = "/challenges/{slug}/labels", tag = "challenges", params(("slug" = String, Path)),
    request_body(content = String, content_type = "text/csv"), security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "A new version", body = documents::LabelVersion),
    (status = 200, description = "The same file as before: no new version", body = documents::LabelVersion),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 409, description = "The classes or the images changed meanwhile", body = documents::Problem),
    (status = 408, description = "Less than 4 KiB a second arrived for a minute", body = documents::Problem),
    (status = 413, description = "The file is too long", body = documents::Problem),
    (status = 422, description = "The file is not what it should be; `errors` says where", body = documents::Problem),
    (status = 503, description = "Every upload slot is taken", body = documents::Problem)
))]
async fn upload(
    State(app): State<App>,
    user: SignedIn,
    peer: Peer,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<documents::LabelVersion>), Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let file = uploads::hold(
        &app,
        Uploader::organizer(&user, peer),
        &headers,
        body,
        LARGEST_FILE,
    )
    .await?;
    let read = read(&app, &challenge, file).await?;
    let added = labels::add(
        &app.db,
        &slug,
        user.0.id,
        &read.digest,
        &read.labels,
        ReadWith {
            classes: &read.classes,
            images: &read.images,
            order: read.order,
        },
    )
    .await?;
    let noticed = |version| {
        Json(documents::LabelVersion {
            notices: read.notices.iter().map(notice_document).collect(),
            ..label_version_document(version)
        })
    };
    match added {
        Added::New(version) => Ok((StatusCode::CREATED, noticed(version))),
        Added::Same(version) => Ok((StatusCode::OK, noticed(version))),
        Added::FactsChanged => Err(Problem::conflict(
            "the classes or the test images changed while the labels were being read; upload the labels again",
        )),
    }
}

/// Score every submission anew under the labels that the board shows, or under later ones that are on their way to it, as a
/// new version of them. For the challenge's organizers.
#[utoipa::path(post, path = "/challenges/{slug}/rescore", tag = "challenges", params(("slug" = String, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 202, description = "The scorer is on it", body = documents::LabelVersion),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 409, description = "The board shows no labels yet, or others than the classes and images are for", body = documents::Problem)
))]
async fn rescore(
    State(app): State<App>,
    user: SignedIn,
    Path(slug): Path<String>,
) -> Result<(StatusCode, Json<documents::LabelVersion>), Problem> {
    app.organized_challenge(&slug, &user).await?;
    let version = labels::rescore(&app.db, &slug, user.0.id).await?;
    let none = || {
        Problem::conflict(
            "there are no labels to score anew with: the board shows none yet, or other classes or images came after them; upload the labels",
        )
    };
    Ok((
        StatusCode::ACCEPTED,
        Json(label_version_document(version.ok_or_else(none)?)),
    ))
}

fn notice_document(notice: &Notice) -> documents::Notice {
    documents::Notice {
        code: notice.code.clone(),
        detail: notice.detail.clone(),
    }
}

struct Read {
    labels: Labels,
    classes: ClassList,
    images: ImageList,
    order: Option<ImageOrder>,
    notices: Vec<Notice>,
    digest: [u8; 32],
}

async fn read(app: &App, challenge: &Challenge, file: Vec<u8>) -> Result<Read, Problem> {
    let (classes, images) = challenges::public_facts(&app.db, challenge.id).await?;
    let known_images = if labels::define_images(&app.db, challenge.id).await? {
        None
    } else {
        images
    };
    let (config, order) = (app.config.clone(), challenge.settings.image_order);
    let public_fraction = challenge.settings.public_fraction;
    let reading = tokio::task::spawn_blocking(move || {
        let known = known_images.as_ref();
        let defined = TestImages::Defined(order.unwrap_or_default());
        let read = Labels::read(
            file.as_slice(),
            &classes,
            known.map_or(defined, TestImages::Listed),
        )?;
        let (labels, images) = (read.labels, read.images);
        if labels.scored() == 0 {
            return Err(FormatError::whole(split::NO_LABEL).into());
        }
        let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        if let Some(fault) = split::fault(public_fraction, count) {
            return Err(FormatError::whole(fault).into());
        }
        let digest = digest(&config.server_key, &classes, &images, &file);
        Ok::<_, Problem>(Read {
            labels,
            classes,
            images,
            order,
            notices: read.notices,
            digest,
        })
    });
    reading.await.map_err(|error| Problem::internal(&error))?
}

/// The fingerprint of a label file together with what gives it its meaning, the classes and the images' names: the same
/// file read with other names is another version. Keyed, because labels could be guessed from a plain hash.
fn digest(key: &ServerKey, classes: &ClassList, images: &ImageList, file: &[u8]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    let mut field = |text: &[u8]| {
        mac.update(&(text.len() as u64).to_le_bytes());
        mac.update(text);
    };
    for entry in classes.entries() {
        field(entry.name.as_bytes());
        field(entry.id.as_deref().unwrap_or_default().as_bytes());
    }
    for name in images.names().unwrap_or_default() {
        field(name.as_bytes());
    }
    field(file);
    mac.finalize().into_bytes().into()
}
