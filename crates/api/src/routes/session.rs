use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{Duration, Utc};
use referee_client::documents;
use referee_storage::accounts;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{self, MaybeSignedIn};
use crate::config::Registration;
use crate::extract::Json;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::routes::{me, users};
use crate::secrets::{new_secret, secret_hash};

/// How long a browser stays signed in.
const LIFETIME: Duration = Duration::days(30);

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, sign_in, sign_out))
}

/// Who is signed in: what `GET /me` says, without an error where it is nobody.
#[utoipa::path(get, operation_id = "show_session", path = "/session", tag = "accounts", security((), ("token" = []), ("session" = [])), responses(
    (status = 200, description = "The account, or `null`", body = documents::CurrentSession),
    (status = 403, description = "The account is disabled", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    MaybeSignedIn(user): MaybeSignedIn,
) -> Result<Json<documents::CurrentSession>, Problem> {
    let me = match user {
        Some(user) => Some(me::document(&app, user).await?),
        None => None,
    };
    let registration = match app.config.registration {
        Registration::Open => documents::Registration::Open,
        Registration::Invitation => documents::Registration::Invitation,
        Registration::Closed => documents::Registration::Closed,
    };
    Ok(Json(documents::CurrentSession { me, registration }))
}

/// Sign a browser in: the answer sets the session cookie (`HttpOnly`, `SameSite=Lax`).
#[utoipa::path(post, path = "/session", tag = "accounts", request_body = documents::NewSession, responses(
    (status = 200, description = "The account; with the session cookie", body = documents::Me),
    (status = 401, description = "The handle or the password is wrong", body = documents::Problem),
    (status = 403, description = "The account is disabled", body = documents::Problem),
    (status = 429, description = "Too many failed attempts; `Retry-After` says when the next is allowed", body = documents::Problem)
))]
async fn sign_in(
    State(app): State<App>,
    peer: Peer,
    Json(credentials): Json<documents::NewSession>,
) -> Result<Response, Problem> {
    let wrong = || Problem::unauthorized("the handle or the password is wrong");
    if !users::may_be_credentials(&credentials) {
        // Nobody has these; the answer takes as long as any other, and nothing is remembered of them.
        app.passwords.verify(String::new(), None).await?;
        return Err(wrong());
    }
    let handle = credentials.handle;
    let account = accounts::user_with_password_hash(&app.db, &handle).await?;
    let hash = account.as_ref().map(|(_, hash)| hash.clone());
    let verify = async {
        let matches = app
            .passwords
            .verify(credentials.password, hash.clone())
            .await?;
        Ok(account.filter(|_| matches))
    };
    let found = app
        .failed_sign_ins
        .limit(&handle, hash.as_deref(), peer, verify)
        .await?;
    let (user, password_hash) = found.ok_or_else(wrong)?;
    if user.disabled {
        return Err(auth::disabled());
    }
    let secret = new_secret("").map_err(|error| Problem::internal(&error))?;
    let expires_at = Utc::now() + LIFETIME;
    let secret_hash = secret_hash(&secret);
    if !accounts::open_session(&app.db, user.id, &password_hash, &secret_hash, expires_at).await? {
        return Err(wrong());
    }
    let cookie = cookie(&app, &secret, LIFETIME);
    Ok((
        [(header::SET_COOKIE, cookie)],
        Json(me::document(&app, user).await?),
    )
        .into_response())
}

/// Sign the browser out: its session ends here, whatever becomes of the cookie.
#[utoipa::path(delete, path = "/session", tag = "accounts", security(("session" = [])), responses(
    (status = 204, description = "There is no session any more")
))]
async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(secret) = auth::session_secret(&headers) {
        accounts::close_session(&app.db, &secret_hash(secret)).await?;
    }
    let cookie = cookie(&app, "", Duration::zero());
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

fn cookie(app: &App, secret: &str, lifetime: Duration) -> String {
    let secure = if app.config.is_https() {
        "; Secure"
    } else {
        ""
    };
    let seconds = lifetime.num_seconds();
    format!(
        "{}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        auth::COOKIE
    )
}
