//! A challenge as a whole: listed, made, shown, changed, published.

mod changes;
mod document;
mod publishing;
mod settings;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::Utc;
use referee_client::documents;
use referee_scoring::classes::{ClassEntry, ClassList};
use referee_storage::accounts::Role;
use referee_storage::challenges::{self, Viewer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::extract::{Json, Path, Query};
use crate::page::PageQuery;
use crate::problem::Problem;

pub use document::{label_version_document, state_document, stored_file_document};

/// What the settings of a challenge may be long, in bytes of JSON.
const LARGEST_SETTINGS: usize = 16 << 20;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
        .routes(routes!(image_names))
        .routes(routes!(changes::list))
        // The class list of ImageNet-21k, with every synonym, is 2 MB.
        .layer(DefaultBodyLimit::max(LARGEST_SETTINGS))
}

/// The challenges, newest first: published ones, and drafts for those who run them.
#[utoipa::path(get, operation_id = "list_challenges", path = "/challenges", tag = "challenges", params(PageQuery), responses(
    (status = 200, description = "A part of the list", body = documents::Page<documents::ChallengeSummary>)
))]
async fn list(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<documents::Page<documents::ChallengeSummary>>, Problem> {
    let viewer = match &viewer.0 {
        None => Viewer::Anyone,
        Some(user) if user.role == Role::Administrator => Viewer::Administrator,
        Some(user) => Viewer::User(user.id),
    };
    let found = challenges::list(&app.db, viewer, query.after, query.wanted()).await?;
    let now = Utc::now();
    let mut items = Vec::with_capacity(found.len());
    for found in found {
        let board = app.boards.deciding(&found.slug).await?;
        items.push((found.id, document::summary(found, board.best(), now)));
    }
    Ok(Json(query.page(items)))
}

/// Make a challenge, as a draft that only its organizers see. Labels, images and files are uploaded next; publishing is
/// a change of it.
#[utoipa::path(post, operation_id = "create_challenge", path = "/challenges", tag = "challenges", request_body = documents::ChallengeSettings,
    security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "The draft", body = documents::ChallengeDocument,
        headers(("Location" = String, description = "Its address"))),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only organizers may", body = documents::Problem),
    (status = 409, description = "The slug is taken", body = documents::Problem),
    (status = 422, description = "A setting is not acceptable; the detail lists them all", body = documents::Problem)
))]
async fn create(
    State(app): State<App>,
    user: SignedIn,
    Json(new): Json<documents::ChallengeSettings>,
) -> Result<impl IntoResponse, Problem> {
    user.require_organizer()?;
    check(&new)?;
    settings::is_to_come(new.schedule.closes)?;
    let slug = new.slug.clone();
    if !challenges::settings::create(&app.db, &slug, &settings::to_store(new), user.0.id).await? {
        return Err(Problem::conflict(format!(
            "the slug `{slug}` is taken; choose another"
        )));
    }
    let location = [(header::LOCATION, format!("/api/v1/challenges/{slug}"))];
    let created = document::challenge(&app, &slug, &MaybeSignedIn(Some(user.0))).await?;
    Ok((StatusCode::CREATED, location, Json(created)))
}

/// A challenge in full. Its organizers also see what stands between a draft and its publication.
#[utoipa::path(get, operation_id = "show_challenge", path = "/challenges/{slug}", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The challenge", body = documents::ChallengeDocument),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::ChallengeDocument>, Problem> {
    Ok(Json(document::challenge(&app, &slug, &viewer).await?))
}

/// Change settings, publish a draft, or both: the settings are changed first. For the challenge's organizers.
///
/// Once a challenge is published its classes, its number of images and its public fraction stay as they are. Its close
/// may be moved until private scores are released.
#[utoipa::path(patch, operation_id = "change_challenge", path = "/challenges/{slug}", tag = "challenges", params(("slug" = String, Path)),
    request_body = documents::ChallengePatch, security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The challenge as it is now", body = documents::ChallengeDocument),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem),
    (status = 409, description = "This cannot change any more; or the draft cannot be published yet, and the detail lists \
        what is missing; or something public gives the labels away", body = documents::Problem),
    (status = 422, description = "A setting is not acceptable; the detail lists them all", body = documents::Problem),
    (status = 503, description = "The workers have not looked at the labels and the pictures yet", body = documents::Problem)
))]
async fn change(
    State(app): State<App>,
    user: SignedIn,
    Path(slug): Path<String>,
    Json(patch): Json<documents::ChallengePatch>,
) -> Result<Json<documents::ChallengeDocument>, Problem> {
    app.organized_challenge(&slug, &user).await?;
    let publish = patch.published;
    settings::apply(&app, &slug, patch).await?;
    if publish == Some(true) {
        publishing::publish(&app, &slug).await?;
    }
    Ok(Json(
        document::challenge(&app, &slug, &MaybeSignedIn(Some(user.0))).await?,
    ))
}

/// The names of the test images by ordinal. They are public whether or not the images are: prediction files may use them.
#[utoipa::path(get, path = "/challenges/{slug}/images/names", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The names, if there are any", body = documents::ImageNames),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn image_names(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::ImageNames>, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    let names = challenges::image_names(&app.db, challenge.id).await?;
    Ok(Json(documents::ImageNames { names }))
}

/// # Errors
/// 422 that lists all that is wrong.
fn check(settings: &documents::ChallengeSettings) -> Result<(), Problem> {
    let mut faults = settings.faults();
    if let Err(fault) = ClassList::new(class_entries(&settings.classes)) {
        faults.push(fault.to_string());
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Problem::unprocessable(faults.join("; ")))
}

fn class_entries(classes: &[documents::Class]) -> Vec<ClassEntry> {
    let entry = |class: &documents::Class| ClassEntry {
        name: class.name.clone(),
        id: class.id.clone(),
    };
    classes.iter().map(entry).collect()
}
