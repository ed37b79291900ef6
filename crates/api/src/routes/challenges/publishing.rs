//! What stands between a draft and its publication.

use std::time::Duration;

use chrono::Utc;
use referee_client::documents;
use referee_scoring::image_order::fault_of_unsaid_order;
use referee_storage::challenges::labels::{self, LabelState, LabelVersion};
use referee_storage::challenges::settings::{self, Change};
use referee_storage::challenges::{self, Challenge, files};
use referee_storage::presence;
use referee_storage::submissions::Kind;
use tokio::time::{Instant, sleep};

use super::document::Files;
use crate::app::App;
use crate::problem::Problem;
use crate::routes::queue::image_problems;

/// How long the workers get to look at what was uploaded just now.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What is missing, and what the scorer found.
pub async fn outlook(
    app: &App,
    challenge: &Challenge,
    newest: Option<&LabelVersion>,
    validation: Option<&documents::ValidationDocument>,
) -> Result<documents::Publishing, Problem> {
    let mut missing = Vec::new();
    match newest {
        None => missing.push("the labels of the test images (PUT …/labels)".to_owned()),
        Some(LabelVersion {
            state: LabelState::Refused,
            problem,
            version,
            ..
        }) => missing.push(format!(
            "labels that can be used: version {version} was refused, because {}",
            problem.as_deref().unwrap_or("the scorer could not read it"),
        )),
        Some(_) if !labels::newest_is_fresh(&app.db, challenge.id).await? => missing.push(
            "the labels once more (PUT …/labels), because other classes or test images came after them"
                .to_owned(),
        ),
        Some(_) => {}
    }
    if let Some(closes) = challenge
        .settings
        .closes
        .filter(|closes| *closes < Utc::now())
    {
        missing.push(format!(
            "a close to come: schedule.closes ({closes}) is over"
        ));
    }
    if challenge.settings.image_order.is_none()
        && let Some(names) = challenges::image_names(&app.db, challenge.id).await?
        && let Some(fault) = fault_of_unsaid_order(&names)
    {
        missing.push(format!("the order of the test images ({fault})"));
    }
    for problem in image_problems(app, challenge.id).await? {
        missing.push(format!("images that models can be run on ({problem})"));
    }
    if let Some(validation) = validation {
        if validation.images.is_none() {
            missing.push("the validation images (PUT …/validation/images)".to_owned());
        }
        if validation.labels.is_none() {
            missing.push("the validation labels (PUT …/validation/labels)".to_owned());
        }
    }
    let is_in_work = newest
        .is_some_and(|newest| matches!(newest.state, LabelState::Uploaded | LabelState::Sealed));
    let mut waits_for = Vec::new();
    if is_in_work || (newest.is_some() && !challenge.leak.is_checked) {
        waits_for.push("the scorer is looking at the labels".to_owned());
    }
    if files::has_unseen_pictures(&app.db, challenge.id).await? {
        let workers = presence::alive(&app.db).await?;
        let looks = workers.iter().any(|worker| worker.kind == Kind::Model);
        waits_for.push(if looks {
            "an inference worker is looking whether every picture can be decoded".to_owned()
        } else {
            "an inference worker has to look whether every picture can be decoded, and none is there: start one with `referee serve --roles inference`".to_owned()
        });
    }
    Ok(documents::Publishing {
        missing,
        checking: !waits_for.is_empty(),
        waits_for,
        leak: challenge.leak.finding.clone(),
        known_labels: challenge.leak.known_labels,
    })
}

/// Publishes a draft; a challenge that is published already stays so.
///
/// # Errors
/// 409 that lists what is missing, or says what gives the labels away; 503 where the workers have not looked at the labels and
/// the pictures within 5 seconds.
pub async fn publish(app: &App, slug: &str) -> Result<(), Problem> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Some(challenge) = challenges::challenge(&app.db, slug).await? else {
            return Err(Problem::not_found(format!(
                "there is no challenge `{slug}`"
            )));
        };
        if challenge.published_at.is_some() {
            return Ok(());
        }
        let newest = labels::newest(&app.db, challenge.id).await?;
        let validation = Files::sort(files::files(&app.db, challenge.id).await?).validation;
        let outlook = outlook(app, &challenge, newest.as_ref(), validation.as_ref()).await?;
        if !outlook.missing.is_empty() {
            let missing = outlook.missing.join("; ");
            return Err(Problem::conflict(format!(
                "this draft cannot be published yet; it lacks {missing}"
            )));
        }
        if outlook.checking {
            if Instant::now() < deadline {
                sleep(BETWEEN_LOOKS).await;
                continue;
            }
            return Err(Problem::unavailable(
                5,
                format!(
                    "this draft cannot be published yet, because {}; publish again in a few seconds",
                    outlook.waits_for.join("; ")
                ),
            ));
        }
        if let Some(finding) = outlook.leak.filter(|_| !outlook.known_labels) {
            return Err(Problem::conflict(finding));
        }
        let published = settings::change(&app.db, slug, |now, _| {
            // Labels, images or classes that changed since then have not been looked at, or not here.
            let is_same = now.leak.is_checked
                && now.facts_revision == challenge.facts_revision
                && now.label_version == challenge.label_version;
            is_same
                .then(|| Change {
                    settings: now.settings.clone(),
                    publish: true,
                    known_labels: now.leak.known_labels,
                })
                .ok_or_else(|| {
                    Problem::conflict(
                        "the draft was changed while it was being published; publish again",
                    )
                })
        });
        published.await?;
        return Ok(());
    }
}
