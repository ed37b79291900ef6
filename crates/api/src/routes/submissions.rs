//! Submissions after they came in: who may see what of them, and what their people may change. How they come in is
//! [`super::intake`].

mod access;
mod document;
mod downloads;
pub mod wording;

use axum::extract::State;
use axum::http::StatusCode;
use referee_client::documents;
use referee_storage::challenges::State as ChallengeState;
use referee_storage::submissions::marks::{self, Changes};
use referee_storage::submissions::{self, Submission, Whose, intake, retries};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::extract::{Json, Path, Query};
use crate::page::PageQuery;
use crate::problem::Problem;
pub use access::{Access, look};
pub use document::{document, documents};

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, change, withdraw))
        .routes(routes!(retry))
        .routes(routes!(downloads::file))
        .routes(routes!(downloads::predictions))
        .routes(routes!(layers))
}

/// Submissions to a challenge, newest first: the team's own; for its organizers, all.
#[utoipa::path(get, operation_id = "list_submissions", path = "/challenges/{slug}/submissions", tag = "submissions", params(("slug" = String, Path), PageQuery, StatusQuery),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "A part of the list", body = documents::Page<documents::Submission>),
    (status = 400, description = "There is no such status", body = documents::Problem),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn list(
    State(app): State<App>,
    Path(slug): Path<String>,
    user: SignedIn,
    Query(part): Query<PageQuery>,
    Query(only): Query<StatusQuery>,
) -> Result<Json<documents::Page<documents::Submission>>, Problem> {
    let statuses = only.statuses()?;
    let terms = intake::terms(&app.db, &slug, user.0.id).await?;
    let organizes = |terms: &intake::Terms| terms.organizes || user.is_administrator();
    let terms = terms
        .filter(|terms| {
            terms.state_at(chrono::Utc::now()) != ChallengeState::Draft || organizes(terms)
        })
        .ok_or_else(|| Problem::not_found(format!("there is no challenge `{slug}`")))?;
    let whose = if organizes(&terms) {
        Whose::All
    } else {
        Whose::TeamOf(user.0.id)
    };
    let found = submissions::submissions(
        &app.db,
        terms.challenge,
        whose,
        statuses.as_deref(),
        part.after,
        part.wanted(),
    )
    .await?;
    Ok(Json(page(&app, part, found).await?))
}

/// Which submissions of a list are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatusQuery {
    /// Only those in one of these states, joined by commas: `status=rejected,failed`.
    status: Option<String>,
}

impl StatusQuery {
    fn statuses(&self) -> Result<Option<Vec<String>>, Problem> {
        let known = |word: &str| {
            let status: documents::Status = word.parse().map_err(Problem::bad_request)?;
            Ok(status.to_string())
        };
        self.status
            .as_ref()
            .map(|words| words.split(',').map(known).collect())
            .transpose()
    }
}

/// A part of a list out of what was found for it.
pub async fn page(
    app: &App,
    part: PageQuery,
    found: Vec<Submission>,
) -> Result<documents::Page<documents::Submission>, Problem> {
    let documents = documents(app, found).await?;
    let with_ids = documents
        .into_iter()
        .map(|document| (document.id, document));
    Ok(part.page(with_ids.collect()))
}

/// A submission. Anyone may read one that is on the board, without `description` and `problem`; else its team and the
/// organizers.
#[utoipa::path(get, operation_id = "show_submission", path = "/submissions/{id}", tag = "submissions", params(("id" = Uuid, Path)),
    security((), ("token" = []), ("session" = [])), responses(
    (status = 200, description = "The submission", body = documents::Submission),
    (status = 404, description = "There is none that the caller may see", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    MaybeSignedIn(user): MaybeSignedIn,
) -> Result<Json<documents::Submission>, Problem> {
    let (submission, access) = look(&app, id, user.as_ref()).await?;
    Ok(Json(access.view(document(&app, submission).await?)))
}

/// The layers of a submission's network in the order of their execution, and the filters of the first if it is a convolution.
/// Whoever may see the submission may see them.
#[utoipa::path(get, path = "/submissions/{id}/layers", tag = "submissions", params(("id" = Uuid, Path)),
    security((), ("token" = []), ("session" = [])), responses(
    (status = 200, description = "The layers", body = documents::ModelLayers),
    (status = 404, description = "There is no submission that the caller may see, or it is no model that has been looked at", body = documents::Problem)
))]
async fn layers(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    MaybeSignedIn(user): MaybeSignedIn,
) -> Result<Json<documents::ModelLayers>, Problem> {
    let (submission, _) = look(&app, id, user.as_ref()).await?;
    let found = submissions::layers(&app.db, submission.id).await?;
    let found = found.ok_or_else(|| {
        Problem::not_found(
            "this submission has no layers: it is no model, or has not been looked at yet",
        )
    })?;
    serde_json::from_value(found)
        .map(Json)
        .map_err(|error| Problem::internal(&error))
}

/// Change a submission. `hidden` and `verified` are the organizers' to change, the rest its team's.
#[utoipa::path(patch, operation_id = "change_submission", path = "/submissions/{id}", tag = "submissions", params(("id" = Uuid, Path)),
    request_body = documents::SubmissionPatch, security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The submission as it is now", body = documents::Submission),
    (status = 403, description = "This is somebody else's to change", body = documents::Problem),
    (status = 404, description = "There is none that the caller may see", body = documents::Problem),
    (status = 409, description = "It cannot be selected; names those that are", body = documents::Problem),
    (status = 422, description = "A field is not acceptable", body = documents::Problem)
))]
async fn change(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    user: SignedIn,
    Json(patch): Json<documents::SubmissionPatch>,
) -> Result<Json<documents::Submission>, Problem> {
    let (submission, access) = look(&app, id, Some(&user.0)).await?;
    let changes_own = patch.method.is_some()
        || patch.description.is_some()
        || patch.paper_url.is_some()
        || patch.code_url.is_some()
        || patch.selected.is_some();
    if changes_own && !access.member {
        return Err(Problem::forbidden(
            "only the team that made this submission may change that",
        ));
    }
    if (patch.hidden.is_some() || patch.verified.is_some()) && !access.organizer {
        return Err(Problem::forbidden(
            "only the challenge's organizers may hide or verify a submission",
        ));
    }
    let changes = checked(patch).map_err(Problem::unprocessable)?;
    marks::change(&app.db, submission.id, user.0.id, &changes)
        .await?
        .map_err(|refusal| Problem::conflict(refusal.to_string()))?;
    let submission = stored(&app, id).await?;
    Ok(Json(access.view(document(&app, submission).await?)))
}

/// Withdraw a submission: it leaves the leaderboard for good, and its quota stays spent.
#[utoipa::path(delete, operation_id = "withdraw_submission", path = "/submissions/{id}", tag = "submissions", params(("id" = Uuid, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 204, description = "It is withdrawn"),
    (status = 403, description = "It is another team's", body = documents::Problem),
    (status = 404, description = "There is none that the caller may see", body = documents::Problem)
))]
async fn withdraw(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    user: SignedIn,
) -> Result<StatusCode, Problem> {
    let (submission, access) = look(&app, id, Some(&user.0)).await?;
    if !access.member {
        return Err(Problem::forbidden(
            "only the team that made this submission may withdraw it; organizers hide one instead",
        ));
    }
    marks::withdraw(&app.db, submission.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Run a submission again that failed through no fault of its submitter, or at once one that waits for trouble of the server's to
/// pass. For the challenge's organizers.
#[utoipa::path(post, operation_id = "retry_submission", path = "/submissions/{id}/retry", tag = "submissions", params(("id" = Uuid, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "It is queued again", body = documents::Submission),
    (status = 403, description = "Only the challenge's organizers may", body = documents::Problem),
    (status = 404, description = "There is none that the caller may see", body = documents::Problem),
    (status = 409, description = "It has not failed", body = documents::Problem)
))]
async fn retry(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    user: SignedIn,
) -> Result<Json<documents::Submission>, Problem> {
    let (submission, access) = look(&app, id, Some(&user.0)).await?;
    if !access.organizer {
        return Err(Problem::forbidden(
            "only the challenge's organizers may run a submission again",
        ));
    }
    if !retries::retry(&app.db, submission.id).await? {
        return Err(Problem::conflict(
            "only what failed, or waits for the server, can be run again; this submission does neither",
        ));
    }
    let submission = stored(&app, id).await?;
    Ok(Json(access.view(document(&app, submission).await?)))
}

/// The submission with this id, whoever asks.
///
/// # Errors
/// 404 where there is none.
pub async fn stored(app: &App, id: Uuid) -> Result<Submission, Problem> {
    submissions::submission(&app.db, id)
        .await?
        .ok_or_else(|| no_submission(id))
}

fn no_submission(id: Uuid) -> Problem {
    Problem::not_found(format!(
        "there is no submission {id}, or it is another team's and not on the board"
    ))
}

fn checked(patch: documents::SubmissionPatch) -> Result<Changes, String> {
    let address = |field: &'static str, address: Option<Option<String>>| {
        let checked = address.map(|address| {
            address
                .map(|address| wording::web_address(field, &address))
                .transpose()
        });
        checked.transpose()
    };
    Ok(Changes {
        method: patch
            .method
            .map(|text| wording::method(&text))
            .transpose()?,
        description: patch.description.map(wording::description).transpose()?,
        paper_url: address("paper_url", patch.paper_url)?,
        code_url: address("code_url", patch.code_url)?,
        selected: patch.selected,
        hidden: patch
            .hidden
            .map(|hidden| {
                hidden
                    .map(|hidden| wording::reason(&hidden.reason))
                    .transpose()
            })
            .transpose()?,
        verified: patch.verified,
    })
}
