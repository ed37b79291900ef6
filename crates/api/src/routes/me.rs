use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use referee_client::documents;
use referee_storage::accounts::{self, User};
use referee_storage::submissions;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::auth::{self, SignedIn};
use crate::extract::{Json, Path, Query};
use crate::page::PageQuery;
use crate::problem::Problem;
use crate::routes::submissions::page;
use crate::routes::users::role_document;
use crate::secrets::{new_secret, secret_hash};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(list_submissions))
        .routes(routes!(create_token))
        .routes(routes!(delete_token))
}

/// The account that the request is made with, and its tokens.
#[utoipa::path(get, operation_id = "show_me", path = "/me", tag = "accounts", security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The account", body = documents::Me),
    (status = 401, description = "Nobody is signed in", body = documents::Problem)
))]
async fn show(State(app): State<App>, user: SignedIn) -> Result<Json<documents::Me>, Problem> {
    Ok(Json(document(&app, user.0).await?))
}

/// The submissions of all teams that the account is in, whatever the challenge, newest first.
#[utoipa::path(get, operation_id = "list_my_submissions", path = "/me/submissions", tag = "accounts", params(PageQuery),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "A part of the list", body = documents::Page<documents::Submission>),
    (status = 401, description = "Nobody is signed in", body = documents::Problem)
))]
async fn list_submissions(
    State(app): State<App>,
    user: SignedIn,
    Query(part): Query<PageQuery>,
) -> Result<Json<documents::Page<documents::Submission>>, Problem> {
    let found = submissions::of_user(&app.db, user.0.id, part.after, part.wanted()).await?;
    Ok(Json(page(&app, part, found).await?))
}

/// Make an API token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/me/tokens", tag = "accounts", request_body = documents::NewToken,
    security(("token" = []), ("session" = [])), responses(
    (status = 201, description = "The token with its secret", body = documents::CreatedToken),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 422, description = "The name is empty, too long or no single line", body = documents::Problem)
))]
async fn create_token(
    State(app): State<App>,
    user: SignedIn,
    headers: HeaderMap,
    Json(new): Json<documents::NewToken>,
) -> Result<(StatusCode, Json<documents::CreatedToken>), Problem> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
        return Err(Problem::unprocessable(
            "a token's name is one line of 1 to 100 characters",
        ));
    }
    let secret = new_secret("referee_").map_err(|error| Problem::internal(&error))?;
    let by = auth::credential_hash(&headers).ok_or_else(auth::not_signed_in)?;
    let secret_hash = secret_hash(&secret);
    let token = accounts::create_token(&app.db, user.0.id, &by, name, &secret_hash)
        .await?
        .ok_or_else(auth::not_signed_in)?;
    let created = documents::CreatedToken {
        id: token.id,
        name: token.name,
        token: secret,
        created_at: token.created_at,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revoke a token: from now on it opens nothing.
#[utoipa::path(delete, path = "/me/tokens/{id}", tag = "accounts", params(("id" = Uuid, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 204, description = "The token is gone"),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 404, description = "This account has no such token", body = documents::Problem)
))]
async fn delete_token(
    State(app): State<App>,
    user: SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    if accounts::delete_token(&app.db, user.0.id, id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!(
        "this account has no token {id}"
    )))
}

pub async fn document(app: &App, user: User) -> Result<documents::Me, Problem> {
    let tokens = accounts::tokens(&app.db, user.id).await?;
    let tokens = tokens.into_iter().map(|token| documents::Token {
        id: token.id,
        name: token.name,
        created_at: token.created_at,
        last_used_at: token.last_used_at,
    });
    Ok(documents::Me {
        id: user.id,
        handle: user.handle,
        role: role_document(user.role),
        email: user.email,
        created_at: user.created_at,
        tokens: tokens.collect(),
    })
}
