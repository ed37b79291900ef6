use axum::extract::State;
use referee_client::documents;
use referee_storage::challenges::files::{self, Purpose};
use referee_storage::presence::{self, Alive};
use referee_storage::submissions::{self, retries};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::submissions::documents as submission_documents;
use crate::app::App;
use crate::auth::SignedIn;
use crate::board::kind;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// Submissions that are listed one by one.
const LISTED: i64 = 100;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(retry))
}

/// What is being worked on in the challenge, what waits, and which workers are alive. For the challenge's organizers.
#[utoipa::path(get, operation_id = "show_queue", path = "/challenges/{slug}/queue", tag = "challenges", params(("slug" = String, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "The queue", body = documents::WorkQueue),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn show(
    State(app): State<App>,
    user: SignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::WorkQueue>, Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let workers = presence::alive(&app.db).await?;
    let (backlog, found) = submissions::unfinished(&app.db, challenge.id, LISTED).await?;
    Ok(Json(documents::WorkQueue {
        workers: workers.into_iter().map(worker).collect(),
        waiting: backlog.waiting.unsigned_abs(),
        running: backlog.running.unsigned_abs(),
        failed: backlog.failed.unsigned_abs(),
        oldest_waiting_seconds: backlog.oldest_waiting_seconds,
        submissions: submission_documents(&app, found).await?,
        image_problems: image_problems(&app, challenge.id).await?,
    }))
}

/// Run again what failed through no fault of its submitters, and at once what waits for trouble of the server's to pass. For the
/// challenge's organizers.
#[utoipa::path(post, operation_id = "retry_queue", path = "/challenges/{slug}/queue/retry", tag = "challenges", params(("slug" = String, Path)),
    security(("token" = []), ("session" = [])), responses(
    (status = 200, description = "How many are queued again", body = documents::Retried),
    (status = 401, description = "Nobody is signed in", body = documents::Problem),
    (status = 403, description = "Only its organizers may", body = documents::Problem),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
async fn retry(
    State(app): State<App>,
    user: SignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::Retried>, Problem> {
    let challenge = app.organized_challenge(&slug, &user).await?;
    let retried = retries::retry_all(&app.db, challenge.id).await?;
    Ok(Json(documents::Retried { retried }))
}

/// What workers have found wrong with the challenge's images, a sentence for each set.
pub async fn image_problems(app: &App, challenge: Uuid) -> Result<Vec<String>, Problem> {
    let found = files::image_problems(&app.db, challenge).await?;
    let sentences = found.into_iter().map(|(purpose, problem)| {
        let which = match purpose {
            Purpose::ValidationImages => "validation images",
            _ => "test images",
        };
        format!("{which}: {problem}")
    });
    Ok(sentences.collect())
}

fn worker(alive: Alive) -> documents::Worker {
    documents::Worker {
        kind: kind(alive.kind),
        device: alive.device,
        started_at: alive.started_at,
    }
}
