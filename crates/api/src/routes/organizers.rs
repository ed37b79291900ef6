use axum::extract::State;
use axum::http::StatusCode;
use referee_client::documents;
use referee_storage::accounts::{self, User};
use referee_storage::challenges::organizers::{self, Removal};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::extract::{Json, Path};
use crate::problem::Problem;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(add, remove))
}

/// Who runs a challenge. All of them, in the order in which they were added.
#[utoipa::path(get, operation_id = "list_organizers", path = "/challenges/{slug}/organizers", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The organizers", body = documents::Page<documents::Organizer>),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn list(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::Page<documents::Organizer>>, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    let items = organizers::organizers(&app.db, challenge.id).await?;
    let document = |organizer: organizers::Organizer| documents::Organizer {
        handle: organizer.handle,
        added_at: organizer.added_at,
    };
    Ok(Json(documents::Page {
        items: items.into_iter().map(document).collect(),
        next: None,
    }))
}

/// Let somebody else run the challenge too. For its organizers.
#[utoipa::path(put, operation_id = "add_organizer", path = "/challenges/{slug}/organizers/{handle}", tag = "challenges",
    params(("slug" = String, Path), ("handle" = String, Path)), security(("token" = []), ("session" = [])), responses(
    (status = 204, description = "This account is an organizer"),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge or account", body = documents::Problem)
))]
async fn add(
    State(app): State<App>,
    user: SignedIn,
    Path((slug, handle)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    organizers::add_organizer(&app.db, challenge.id, account(&app, &handle).await?.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take an organizer away. For the challenge's organizers; it keeps at least one.
#[utoipa::path(delete, operation_id = "remove_organizer", path = "/challenges/{slug}/organizers/{handle}", tag = "challenges",
    params(("slug" = String, Path), ("handle" = String, Path)), security(("token" = []), ("session" = [])), responses(
    (status = 204, description = "This account is not an organizer any more"),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge, account or organizer", body = documents::Problem),
    (status = 409, description = "This is the last organizer", body = documents::Problem)
))]
async fn remove(
    State(app): State<App>,
    user: SignedIn,
    Path((slug, handle)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let organizer = account(&app, &handle).await?;
    match organizers::remove_organizer(&app.db, challenge.id, organizer.id).await? {
        Removal::Removed => Ok(StatusCode::NO_CONTENT),
        Removal::NotAnOrganizer => Err(Problem::not_found(format!(
            "{handle} is not an organizer of `{slug}`"
        ))),
        Removal::TheLast => Err(Problem::conflict(
            "a challenge keeps at least one organizer; add another one first",
        )),
    }
}

async fn account(app: &App, handle: &str) -> Result<User, Problem> {
    let user = accounts::user_by_handle(&app.db, handle).await?;
    user.ok_or_else(|| Problem::not_found(format!("there is no account {handle}")))
}
