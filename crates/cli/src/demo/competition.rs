//! Competitors over HTTP: each signs in, trains on what anyone may download, submits a file and waits for its score.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::MultiProgress;
use referee_client::Client;
use referee_client::documents::{ChallengeDocument, Status, Submission};
use referee_client::http::{NewSubmission, Upload};
use tokio::sync::oneshot;

use super::competitors::{COMPETITORS, Competitor};
use super::passwords::Passwords;
use super::public_data::{self, PublicData};
use crate::output::{percent, print_line};
use crate::progress;

/// On how many training images a competitor's training error is measured.
const TRAINING_ERROR_IMAGES: usize = 2_000;

/// Lets every competitor that has no standing submission to `challenge` train and submit, as many at a time as there are
/// processors. Downloads are kept in `directory`.
pub async fn compete(
    server: &Client,
    challenge: &ChallengeDocument,
    passwords: &Passwords,
    directory: &Path,
) -> Result<()> {
    let mut waiting = Vec::new();
    for competitor in &COMPETITORS {
        let client = passwords.enter(server, competitor.handle).await?;
        match standing(&client, &challenge.slug).await? {
            Some(submission) => {
                let submission = client.follow(submission.id, |_| {}).await?;
                let score = score(&submission)?;
                print_line(&format!(
                    "{:<20}submitted before: {score}",
                    competitor.handle
                ))?;
            }
            None => waiting.push((competitor, client)),
        }
    }
    if waiting.is_empty() {
        return Ok(());
    }
    let data = Arc::new(public_data::download(server, challenge, directory).await?);
    let spinners = MultiProgress::new();
    // The strongest take longest, so they begin.
    let entries = waiting.iter().rev().map(|(competitor, client)| {
        enter(
            competitor,
            client,
            &challenge.slug,
            Arc::clone(&data),
            &spinners,
        )
    });
    stream::iter(entries)
        .buffer_unordered(available_parallelism().map_or(2, usize::from))
        .try_collect()
        .await
}

/// The team's latest submission that counts, or is about to.
async fn standing(client: &Client, slug: &str) -> Result<Option<Submission>> {
    let counts = |status| matches!(status, Status::Queued | Status::Running | Status::Scored);
    let submissions = client.submissions(slug).await?;
    Ok(submissions
        .into_iter()
        .find(|submission| counts(submission.status)))
}

/// One competitor's way to the board: trains, writes its file, submits it and waits for the score.
async fn enter(
    competitor: &'static Competitor,
    client: &Client,
    slug: &str,
    data: Arc<PublicData>,
    spinners: &MultiProgress,
) -> Result<()> {
    let handle = competitor.handle;
    let spinner = spinners.add(progress::spinner(&format!("{handle} trains")));
    let trained = train(competitor, data).await?;

    spinner.set_message(format!(
        "{handle} waits for the score of {}",
        trained.filename
    ));
    let file = Upload::memory(&trained.filename, trained.file);
    let submission = NewSubmission::predictions(file, competitor.method)
        .with("description", competitor.description)
        .with("outside_data", "false");
    let submission = client.submit(slug, &submission).await?;
    let submission = client.follow(submission.id, |_| {}).await?;
    spinner.finish_and_clear();

    let line = format!(
        "{handle:<20}trained for {:4.1} s, training error {:>7}; {}: {}",
        trained.time.as_secs_f64(),
        percent(trained.error),
        trained.filename,
        score(&submission)?,
    );
    spinners.suspend(|| print_line(&line))
}

/// What a competitor has when it has trained.
struct Trained {
    time: Duration,
    /// On the first training images.
    error: f64,
    filename: String,
    file: Vec<u8>,
}

/// Trains on a thread of its own, which an interrupted demo does not wait for.
async fn train(competitor: &'static Competitor, data: Arc<PublicData>) -> Result<Trained> {
    let (done, trained) = oneshot::channel();
    thread::spawn(move || {
        let start = Instant::now();
        let rule = (competitor.train)(&data.training);
        let time = start.elapsed();
        // Nobody listens any more when the demo was interrupted.
        let _ = done.send(Trained {
            time,
            error: data.training.first(TRAINING_ERROR_IMAGES).error(&rule),
            filename: format!("{}.{}", competitor.handle, competitor.format.extension()),
            file: competitor.format.encode(&rule(&data.test_images)),
        });
    });
    trained.await.with_context(|| {
        format!(
            "the training of {} broke off; run the demo again",
            competitor.handle
        )
    })
}

/// The public score in words.
///
/// # Errors
/// The reason if there is none.
fn score(submission: &Submission) -> Result<String> {
    let Some(scores) = &submission.scores else {
        let reason = submission
            .problem
            .as_ref()
            .map_or("no reason is given", |problem| &problem.detail);
        bail!(
            "the submission of {} was {}: {reason}",
            submission.team,
            submission.status
        );
    };
    let (top1, top5) = (scores.public.top1_error, scores.public.top5_error);
    Ok(format!(
        "top-1 error {:>7}, top-5 error {:>7}",
        percent(top1),
        percent(top5)
    ))
}
