//! What changed in a challenge after its publication.

use axum::extract::State;
use chrono::{DateTime, Utc};
use referee_client::documents;
use referee_storage::challenges::changes::{self, ChallengeChange};
use serde_json::Value;

use crate::app::App;
use crate::auth::MaybeSignedIn;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// What changed since a challenge was published, newest first: dates, limits, ranking and other rules, files, and the labels. The newest
/// thousand.
#[utoipa::path(get, operation_id = "list_challenge_changes", path = "/challenges/{slug}/changes", tag = "challenges", params(("slug" = String, Path)), responses(
    (status = 200, description = "The changes", body = documents::Page<documents::ChallengeChange>),
    (status = 404, description = "There is no such challenge", body = documents::Problem)
))]
pub async fn list(
    State(app): State<App>,
    viewer: MaybeSignedIn,
    Path(slug): Path<String>,
) -> Result<Json<documents::Page<documents::ChallengeChange>>, Problem> {
    let challenge = app.visible_challenge(&slug, &viewer).await?.challenge;
    let items = changes::changes(&app.db, challenge.id).await?;
    Ok(Json(documents::Page {
        items: items.into_iter().map(document).collect(),
        next: None,
    }))
}

fn document(change: ChallengeChange) -> documents::ChallengeChange {
    documents::ChallengeChange {
        detail: sentence(&change),
        at: change.at,
        what: change.what,
        before: change.before,
        after: change.after,
    }
}

fn sentence(change: &ChallengeChange) -> String {
    let (before, after) = (shown(change.before.as_ref()), shown(change.after.as_ref()));
    let from_to = |subject: &str| match (&before, &after) {
        (None, None) => format!("{subject} changed"),
        (Some(before), None) => format!("{subject} was taken away (it was {before})"),
        (None, Some(after)) => format!("{subject} was set to {after}"),
        (Some(before), Some(after)) if before == after => {
            format!("{subject} was replaced ({after})")
        }
        (Some(before), Some(after)) => format!("{subject} changed from {before} to {after}"),
    };
    let version = after.as_deref().unwrap_or("?");
    match change.what.as_str() {
        "published" if change.after.is_none() => "the publication was taken back".to_owned(),
        "published" => "the challenge was published".to_owned(),
        "released" => "the private scores were released".to_owned(),
        "labels" => format!(
            "the labels were corrected: the board shows scores under version {version} of them"
        ),
        "rescored" => format!(
            "everything was scored anew: the board shows version {version}, with the same labels"
        ),
        "title" => from_to("the title"),
        "series" => from_to("the series"),
        "description" => from_to("the description"),
        "test.public_images" => from_to("whether the test images are public"),
        "test.images" => from_to("the file of test images"),
        "validation.images" => from_to("the file of validation images"),
        "validation.labels" => from_to("the file of validation labels"),
        "schedule.opens" => from_to("the opening"),
        "schedule.closes" => from_to("the close"),
        "schedule.after_close" => from_to("what happens after the close"),
        "limits.per_day" => from_to("the limit of submissions a day"),
        "limits.per_week" => from_to("the limit of submissions a week"),
        "limits.total" => from_to("the limit of submissions in total"),
        "limits.upload_mb" => from_to("the largest upload, in MB,"),
        "leaderboard.primary" => from_to("the error that ranks"),
        "leaderboard.public_fraction" => from_to("the public fraction of the images"),
        "leaderboard.feedback" => from_to("the feedback"),
        "leaderboard.ranking" => from_to("which of a team's submissions stands on the board"),
        "leaderboard.final_selections" => from_to("the number of final selections"),
        "rules.outside_data" => from_to("the rule on outside data"),
        other => from_to(&match other.strip_prefix("files.") {
            Some(key) => format!("the file `{key}`"),
            None => format!("`{other}`"),
        }),
    }
}

/// A value as a sentence has it.
fn shown(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(match text.parse::<DateTime<Utc>>() {
            Ok(time) => time.format("%F %R UTC").to_string(),
            Err(_) => format!("`{text}`"),
        }),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        other => Some(other.to_string()),
    }
}
