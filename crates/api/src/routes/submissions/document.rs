use std::collections::HashMap;

use chrono::SecondsFormat;
use referee_client::documents::{
    Hidden, Progress, Queue, Scores, SplitScore, Status, StoredFile, Submission,
};
use referee_scoring::Tally;
use referee_storage::submissions::{self, Place, ReleasedScore};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::board::{capacity, kind};
use crate::problem::Problem;
use crate::secrets::hexadecimal;

/// The document of a submission, with its place in the queue if it waits.
pub async fn document(
    app: &App,
    submission: submissions::Submission,
) -> Result<Submission, Problem> {
    let place = if status(&submission) == Status::Queued {
        submissions::place(&app.db, submission.id).await?
    } else {
        None
    };
    convert(submission, place)
}

/// The documents of submissions, in the same order.
pub async fn documents(
    app: &App,
    found: Vec<submissions::Submission>,
) -> Result<Vec<Submission>, Problem> {
    let queued: Vec<_> = found
        .iter()
        .filter(|submission| status(submission) == Status::Queued)
        .map(|submission| submission.id)
        .collect();
    let places = if queued.is_empty() {
        HashMap::default()
    } else {
        submissions::places(&app.db, &queued).await?
    };
    found
        .into_iter()
        .map(|submission| {
            let place = places.get(&submission.id).copied();
            convert(submission, place)
        })
        .collect()
}

fn convert(
    submission: submissions::Submission,
    place: Option<Place>,
) -> Result<Submission, Problem> {
    Ok(Submission {
        status: status(&submission),
        progress: progress(&submission),
        queue: place.map(queue),
        scores: scores(&submission),
        id: submission.id,
        challenge: submission.slug,
        team: submission.team_name,
        submitter: submission.submitter,
        kind: kind(submission.kind),
        method: submission.method,
        description: Some(submission.description),
        file: Some(StoredFile {
            filename: submission.filename,
            bytes: submission.bytes.unsigned_abs(),
            sha256: hexadecimal(&submission.sha256),
        }),
        entry: capacity(submission.entry),
        problem: submission.problem.map(written).transpose()?,
        notices: written(submission.notices)?,
        model: submission.model.map(written).transpose()?,
        preprocess: submission.preprocess.or_else(|| {
            let asked = submission.form.get("preprocess");
            asked.filter(|recipe| !recipe.is_null()).cloned()
        }),
        outside_data: submission.outside_data,
        paper_url: submission.paper_url,
        code_url: submission.code_url,
        selected: submission.selected,
        late: submission.late,
        hidden: submission.hidden_reason.map(|reason| Hidden { reason }),
        verified: submission.verified,
        created_at: submission.created_at,
        scored_at: submission.scored_at,
        revision: submission.revision,
    })
}

/// Withdrawal wins over whatever the workers made of it.
fn status(submission: &submissions::Submission) -> Status {
    if submission.withdrawn_at.is_some() {
        return Status::Withdrawn;
    }
    match submission.status {
        submissions::Status::Queued => Status::Queued,
        submissions::Status::Running => Status::Running,
        submissions::Status::Scored => Status::Scored,
        submissions::Status::Rejected => Status::Rejected,
        submissions::Status::Failed => Status::Failed,
    }
}

fn progress(submission: &submissions::Submission) -> Option<Progress> {
    match (
        status(submission),
        submission.waiting_for,
        submission.waiting_since,
    ) {
        (Status::Running, ..) => {}
        (Status::Queued, Some(wait), Some(since)) => {
            let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            return Some(Progress {
                stage: format!("waiting for {} since {since}", wait.what()),
                done: 0,
                total: 0,
                images_per_second: None,
                eta_seconds: None,
            });
        }
        _ => return None,
    }
    let done = submission.progress_done.unwrap_or_default().unsigned_abs();
    let total = submission.progress_total.unwrap_or_default().unsigned_abs();
    let left = total.saturating_sub(done);
    Some(Progress {
        stage: submission
            .stage
            .clone()
            .unwrap_or_else(|| "starting".to_owned()),
        done,
        total,
        images_per_second: submission.images_per_second,
        eta_seconds: eta(left, submission.images_per_second),
    })
}

fn eta(left: u64, images_per_second: Option<f64>) -> Option<f64> {
    let left = u32::try_from(left).ok()?;
    let pace = images_per_second.filter(|pace| *pace > 0.0)?;
    Some(f64::from(left) / pace)
}

fn queue(place: Place) -> Queue {
    Queue {
        position: place.position,
        eta_seconds: place.eta_seconds,
        workers_alive: place.workers_alive,
    }
}

fn scores(submission: &submissions::Submission) -> Option<Scores> {
    let label_version = submission.label_version?.unsigned_abs();
    let score = |released: ReleasedScore| {
        let tally = Tally::from(released);
        SplitScore {
            images: tally.images,
            label_version,
            top1_error: tally.top1_error(),
            top5_error: tally.top5_error(),
            top1_interval: tally.top1_interval().into(),
            top5_interval: tally.top5_interval().into(),
        }
    };
    Some(Scores {
        public: score(submission.public_score?.0),
        private: submission.private_score.map(|released| score(released.0)),
    })
}

/// What a worker wrote as JSON.
fn written<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::internal(&error))
}
