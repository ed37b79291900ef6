use axum::extract::State;
use axum::http::StatusCode;
use referee_client::documents;
use referee_storage::accounts::{self, Role, User};
use referee_storage::registration::{Admission, NewUser, Registered, register as register_user};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::SignedIn;
use crate::config::Registration;
use crate::extract::{Json, Path};
use crate::passwords::{LONGEST_PASSWORD, weakness};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::secrets::secret_hash;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(change))
}

/// Open an account: where the server asks for one, with an invitation. On a server that only its own machine can reach, the first one
/// becomes administrator.
#[utoipa::path(post, path = "/users", tag = "accounts", request_body = documents::NewUser, responses(
    (status = 201, description = "The account", body = documents::User),
    (status = 403, description = "The server asks for an invitation, or this one is used up", body = documents::Problem),
    (status = 409, description = "The handle or the e-mail address is taken", body = documents::Problem),
    (status = 429, description = "Too many accounts were opened from this address", body = documents::Problem),
    (status = 422, description = "The handle, password or e-mail address is not acceptable", body = documents::Problem)
))]
async fn register(
    State(app): State<App>,
    peer: Peer,
    Json(new): Json<documents::NewUser>,
) -> Result<(StatusCode, Json<documents::User>), Problem> {
    check_handle(&new.handle)?;
    check_email(new.email.as_deref())?;
    check_password(&new)?;
    let admission = admission(&app, new.invitation.as_deref())?;
    let opening = match admission {
        Admission::Open { .. } => Some(app.sign_ups.begin(peer)?),
        Admission::Invited(_) | Admission::Appointed(_) => None,
    };
    let password_hash = app.passwords.hash(new.password).await?;
    let new_user = NewUser {
        handle: &new.handle,
        email: new.email.as_deref(),
        password_hash: &password_hash,
        admission,
    };
    match register_user(&app.db, new_user).await? {
        Registered::Done(user) => {
            if let Some(opening) = opening {
                opening.done();
            }
            Ok((StatusCode::CREATED, Json(document(user))))
        }
        Registered::HandleTaken => Err(Problem::conflict(format!(
            "the handle {} is taken; choose another",
            new.handle
        ))),
        Registered::EmailTaken => Err(Problem::conflict(
            "there is an account with this e-mail address already; sign in to that one, or leave the address out",
        )),
        Registered::NotInvited => Err(Problem::forbidden(
            "this invitation is used up or has run out; ask whoever sent it for another",
        )),
    }
}

fn admission(app: &App, invitation: Option<&str>) -> Result<Admission, Problem> {
    match (app.config.registration, invitation) {
        // Also where registration is closed: the only invitations then are those that the operator makes.
        (_, Some(secret)) => Ok(Admission::Invited(secret_hash(secret))),
        (Registration::Open, None) => Ok(Admission::Open {
            first_is_administrator: app.is_reached_from_this_machine_only(),
        }),
        (Registration::Invitation, None) => Err(Problem::forbidden(
            "an account on this server needs an invitation; open the link that you were sent, or ask its operator for one",
        )),
        (Registration::Closed, None) => Err(Problem::forbidden(
            "accounts on this server are opened by its operator only; ask for one",
        )),
    }
}

/// Give an account another role, disable it or enable it again. For administrators.
#[utoipa::path(patch, operation_id = "change_user", path = "/users/{handle}", tag = "accounts", params(("handle" = String, Path, description = "Whatever its case")),
    request_body = documents::UserPatch, security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The account as it is now", body = documents::User),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only administrators may", body = documents::Problem),
    (status = 404, description = "There is no such account", body = documents::Problem),
    (status = 409, description = "An administrator cannot disable or demote the own account", body = documents::Problem)
))]
async fn change(
    State(app): State<App>,
    user: SignedIn,
    Path(handle): Path<String>,
    Json(patch): Json<documents::UserPatch>,
) -> Result<Json<documents::User>, Problem> {
    user.require_administrator()?;
    let demoted = patch
        .role
        .is_some_and(|role| role != documents::Role::Administrator);
    if handle.eq_ignore_ascii_case(&user.0.handle) && (demoted || patch.disabled == Some(true)) {
        return Err(Problem::conflict(
            "you cannot take your own administration away; ask another administrator",
        ));
    }
    let role = patch.role.map(|role| match role {
        documents::Role::Competitor => Role::Competitor,
        documents::Role::Organizer => Role::Organizer,
        documents::Role::Administrator => Role::Administrator,
    });
    let changed = accounts::change_user(&app.db, &handle, role, patch.disabled).await?;
    changed
        .map(|user| Json(document(user)))
        .ok_or_else(|| Problem::not_found(format!("there is no account {handle}")))
}

fn document(user: User) -> documents::User {
    documents::User {
        id: user.id,
        handle: user.handle,
        role: role_document(user.role),
        disabled: user.disabled,
        created_at: user.created_at,
    }
}

pub fn role_document(role: Role) -> documents::Role {
    match role {
        Role::Competitor => documents::Role::Competitor,
        Role::Organizer => documents::Role::Organizer,
        Role::Administrator => documents::Role::Administrator,
    }
}

fn check_handle(handle: &str) -> Result<(), Problem> {
    let mut bytes = handle.bytes();
    let starts_well = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let goes_on_well =
        bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if starts_well && goes_on_well && (2..=39).contains(&handle.len()) {
        return Ok(());
    }
    Err(Problem::unprocessable(
        "a handle is 2 to 39 letters, digits, `-` and `_`, and starts with a letter or a digit",
    ))
}

fn check_password(new: &documents::NewUser) -> Result<(), Problem> {
    let known = [
        new.handle.as_str(),
        new.email.as_deref().unwrap_or_default(),
    ];
    weakness(&new.password, &known).map_or(Ok(()), |fault| Err(Problem::unprocessable(fault)))
}

/// Whether somebody could have these. A short password may be: an administrator on the server's machine gives any.
pub fn may_be_credentials(credentials: &documents::NewSession) -> bool {
    check_handle(&credentials.handle).is_ok() && credentials.password.len() <= LONGEST_PASSWORD
}

fn check_email(email: Option<&str>) -> Result<(), Problem> {
    let plausible = |email: &str| {
        email.len() <= 254
            && !email.contains(char::is_whitespace)
            && email
                .split_once('@')
                .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
    };
    if email.is_none_or(plausible) {
        return Ok(());
    }
    Err(Problem::unprocessable(
        "this is not an e-mail address; leave it out if there is none",
    ))
}
