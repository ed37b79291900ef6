use axum::extract::State;
use chrono::Utc;
use referee_client::documents;
use referee_storage::submissions::intake::Refusal;
use referee_storage::submissions::quota::{self, Allowance};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{MaybeSignedIn, SignedIn};
use crate::extract::{Json, Path};
use crate::problem::Problem;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How much of the challenge's limits the team of whoever asks has used, when that renews, and which submissions it has
/// selected for the private board.
#[utoipa::path(get, operation_id = "show_quota", path = "/challenges/{slug}/quota", tag = "submissions", params(("slug" = String, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The quota", body = documents::Quota),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    user: SignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::Quota>, Problem> {
    let id = user.0.id;
    let challenge = app
        .visible_challenge(&slug, &MaybeSignedIn(Some(user.0)))
        .await?
        .challenge;
    let quota = quota::quota(&app.db, challenge.id, id, Utc::now()).await?;
    Ok(Json(documents::Quota {
        team: quota.team,
        day: quota.day.map(allowance),
        week: quota.week.map(allowance),
        total: quota.total.map(allowance),
        next_allowed_at: quota.refusal.as_ref().and_then(Refusal::next),
        refusal: quota.refusal.map(|refusal| refusal.to_string()),
        selected: u32::try_from(quota.selected.len()).unwrap_or(u32::MAX),
        final_selections: challenge.settings.final_selections.unsigned_abs(),
        selections: quota
            .selected
            .into_iter()
            .map(|(submission, method)| documents::Selection { submission, method })
            .collect(),
    }))
}

fn allowance(allowance: Allowance) -> documents::Allowance {
    documents::Allowance {
        limit: allowance.limit.unsigned_abs(),
        used: allowance.used.unsigned_abs(),
        renews_at: allowance.renews_at,
    }
}
