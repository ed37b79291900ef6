//! Competitors over HTTP: each signs in, trains on what anyone may download, submits a file and waits for its score.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{MultiProgress, ProgressBar};
use referee_client::Client;
use referee_client::documents::{ChallengeDocument, Kind, Status, Submission};
use referee_client::http::{NewSubmission, Upload};
use tokio::sync::oneshot;

use super::competitors::networks::{self, NETWORKS, NetworkCompetitor, NetworkFormat};
use super::competitors::{COMPETITORS, Competitor};
use super::passwords::Passwords;
use super::public_data::{self, PublicData};
use crate::output::{percent, print_line};
use crate::progress;

/// On how many training images a competitor's training error is measured.
const TRAINING_ERROR_IMAGES: usize = 2_000;

/// One who competes, with predictions or with a network.
#[derive(Clone, Copy)]
enum Entrant {
    Predictor(&'static Competitor),
    Network(&'static NetworkCompetitor),
}

impl Entrant {
    /// From the weakest to the strongest.
    fn all() -> impl DoubleEndedIterator<Item = Self> {
        let predictors = COMPETITORS.iter().map(Self::Predictor);
        predictors.chain(NETWORKS.iter().map(Self::Network))
    }

    fn handle(self) -> &'static str {
        match self {
            Self::Predictor(competitor) => competitor.handle,
            Self::Network(competitor) => competitor.handle,
        }
    }

    /// What the board calls it, and what only the organizers read.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Predictor(competitor) => (competitor.method, competitor.description),
            Self::Network(competitor) => (competitor.method, competitor.description),
        }
    }
}

/// Lets every competitor that has no standing submission to `challenge` train and submit, as many at a time as there are
/// processors; networks train for `most_epochs` at most. Downloads are kept in `directory`.
pub async fn compete(
    server: &Client,
    challenge: &ChallengeDocument,
    passwords: &Passwords,
    directory: &Path,
    most_epochs: Option<usize>,
) -> Result<()> {
    let mut waiting = Vec::new();
    for entrant in Entrant::all() {
        let client = passwords.enter(server, entrant.handle()).await?;
        match standing(&client, &challenge.slug).await? {
            Some(submission) => {
                let submission = client.follow(submission.id, |_| {}).await?;
                let score = score(&submission)?;
                print_line(&format!(
                    "{:<20}submitted before: {score}",
                    entrant.handle()
                ))?;
            }
            None => waiting.push((entrant, client)),
        }
    }
    if waiting.is_empty() {
        return Ok(());
    }
    let data = Arc::new(public_data::download(server, challenge, directory).await?);
    let spinners = MultiProgress::new();
    // The strongest take longest, so they begin.
    let entries = waiting.iter().rev().map(|(entrant, client)| {
        let training = Lessons {
            data: Arc::clone(&data),
            most_epochs,
        };
        enter(*entrant, client, &challenge.slug, training, &spinners)
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

/// What is learned from, and for how long at most.
struct Lessons {
    data: Arc<PublicData>,
    most_epochs: Option<usize>,
}

/// One competitor's way to the board: trains, writes its file, submits it and waits for the score.
async fn enter(
    entrant: Entrant,
    client: &Client,
    slug: &str,
    lessons: Lessons,
    spinners: &MultiProgress,
) -> Result<()> {
    let handle = entrant.handle();
    let spinner = spinners.add(progress::spinner(&format!("{handle} trains")));
    let trained = train(entrant, lessons, spinner.clone()).await?;

    spinner.set_message(format!(
        "{handle} waits for the score of {}",
        trained.filename
    ));
    let file = Upload::memory(&trained.filename, trained.file);
    let (method, description) = entrant.described();
    let submission = NewSubmission {
        kind: match entrant {
            Entrant::Predictor(_) => Kind::Predictions,
            Entrant::Network(_) => Kind::Model,
        },
        ..NewSubmission::predictions(file, method)
    };
    let mut submission = submission
        .with("description", description)
        .with("outside_data", "false");
    if let Entrant::Network(competitor) = entrant
        && competitor.format == NetworkFormat::Onnx
    {
        submission = submission.with("preprocess", networks::recipe());
    }
    let submission = client.submit(slug, &submission).await?;
    let submission = client
        .follow(submission.id, |state| {
            spinner.set_message(format!("{handle}: {}", progress::stage(state)));
        })
        .await?;
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
    /// On the first training images, or on all.
    error: f64,
    filename: String,
    file: Vec<u8>,
}

/// Trains on a thread of its own, which an interrupted demo does not wait for.
async fn train(entrant: Entrant, lessons: Lessons, spinner: ProgressBar) -> Result<Trained> {
    let (done, trained) = oneshot::channel();
    thread::spawn(move || {
        let trained = match entrant {
            Entrant::Predictor(competitor) => Ok(train_predictor(competitor, &lessons.data)),
            Entrant::Network(competitor) => train_network(competitor, &lessons, &spinner),
        };
        // Nobody listens any more when the demo was interrupted.
        let _ = done.send(trained);
    });
    trained.await.with_context(|| {
        format!(
            "the training of {} broke off; run the demo again",
            entrant.handle()
        )
    })?
}

fn train_predictor(competitor: &Competitor, data: &PublicData) -> Trained {
    let start = Instant::now();
    let rule = (competitor.train)(&data.training);
    let time = start.elapsed();
    Trained {
        time,
        error: data.training.first(TRAINING_ERROR_IMAGES).error(&rule),
        filename: format!("{}.{}", competitor.handle, competitor.format.extension()),
        file: competitor.format.encode(&rule(&data.test_images)),
    }
}

fn train_network(
    competitor: &NetworkCompetitor,
    lessons: &Lessons,
    spinner: &ProgressBar,
) -> Result<Trained> {
    let start = Instant::now();
    let trained = competitor.train(&lessons.data.training, lessons.most_epochs, |at| {
        spinner.set_message(format!(
            "{} trains: epoch {} of {}, {} of {} images, {:.0} images/s",
            competitor.handle, at.epoch, at.epochs, at.done, at.total, at.images_per_second
        ));
    })?;
    Ok(Trained {
        time: start.elapsed(),
        error: trained.error,
        filename: format!("{}.{}", competitor.handle, competitor.format.extension()),
        file: trained.file,
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
