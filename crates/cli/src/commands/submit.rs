use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use referee_client::documents::{
    Entry, Kind, Scores, Split, Status, Submission, SubmissionProblem,
};
use referee_client::http::{NewSubmission, Upload};
use referee_client::{Client, ClientError};
use referee_networks::onnx::{OnnxFile, SideFiles};

use crate::connection::Connection;
use crate::input;
use crate::output::{self, Align, WrongFile, percent, percent_interval};
use crate::progress;

/// Submit predictions or a model, and wait for the score
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee submit predictions.csv --challenge fashion-mnist --method \"k nearest neighbours\"\n  referee submit lenet5.safetensors --challenge fashion-mnist --architecture lenet5"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub struct Submit {
    /// The predictions or the model; - for predictions from stdin
    file: PathBuf,
    #[arg(long, value_name = "SLUG")]
    challenge: String,
    /// What the board calls it [default: the file's name]
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// What only your team and the organizers read
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Each class is followed by the four integers of a box, which are ignored
    #[arg(long)]
    boxes: bool,
    /// It was made with data from elsewhere
    #[arg(long)]
    outside_data: bool,
    #[arg(long, value_name = "URL")]
    paper_url: Option<String>,
    #[arg(long, value_name = "URL")]
    code_url: Option<String>,
    /// A model's architecture, such as resnet50 or mlp(512,256)
    #[arg(long, value_name = "A")]
    architecture: Option<String>,
    /// A model's preprocessing, where its file does not say: JSON, a file that holds it, or a name such as torchvision:ResNet50_Weights.IMAGENET1K_V2
    #[arg(long, value_name = "JSON|FILE|NAME")]
    preprocess: Option<String>,
    /// How a model's columns map to classes
    #[arg(long, value_name = "challenge|wnid|FILE")]
    class_order: Option<String>,
    /// Leave out so many of a model's first columns (1 where TensorFlow puts 'background' first)
    #[arg(long, value_name = "N")]
    class_offset: Option<u32>,
    /// Which of a model's outputs holds the logits
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Return as soon as it is received
    #[arg(long)]
    no_wait: bool,
    /// Print the submission as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Submit {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.signed_in()?;
        let form = self.form()?;
        let submission = progress::with_bar(form.file.clone(), async |file| {
            client
                .submit(&self.challenge, &NewSubmission { file, ..form })
                .await
        });
        let submission = submission.await?;
        if self.no_wait {
            return if self.json {
                output::print_json(&submission)
            } else {
                output::print(&format!(
                    "Received. Look at it with: referee submissions show {}\n{}",
                    submission.id,
                    capacity(&submission)
                ))
            };
        }
        let waited = wait(&client, &submission).await;
        let submission = waited.with_context(|| {
            format!(
                "the submission is received, `referee submissions show {}` shows it; waiting for its score broke off",
                submission.id
            )
        })?;
        if self.json {
            output::print_json(&submission)?;
        }
        if let Some(problem) = &submission.problem {
            return Err(wrong(problem).into());
        }
        if self.json {
            return Ok(());
        }
        output::print(&report(&client, &submission).await?)
    }

    fn form(&self) -> anyhow::Result<NewSubmission> {
        let (file, name) = self.file()?;
        let method = self.method.clone().or(name).context(
            "the file has no name that the board could show; give one with --method NAME",
        )?;
        let kind = if self.describes_a_model() {
            Kind::Model
        } else {
            kind_of(&self.file)
        };
        let mut form = NewSubmission {
            kind,
            data: side_files(&self.file)?,
            ..NewSubmission::predictions(file, &method)
        };
        form = form.with("outside_data", self.outside_data.to_string());
        if self.boxes {
            form = form.with("boxes", "true");
        }
        let fields = [
            ("description", self.description.clone()),
            ("paper_url", self.paper_url.clone()),
            ("code_url", self.code_url.clone()),
            ("architecture", self.architecture.clone()),
            (
                "preprocess",
                self.preprocess.as_deref().map(text_or_file).transpose()?,
            ),
            (
                "class_order",
                self.class_order.as_deref().map(text_or_file).transpose()?,
            ),
            (
                "class_offset",
                self.class_offset.map(|offset| offset.to_string()),
            ),
            ("output", self.output.clone()),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                form = form.with(field, value);
            }
        }
        Ok(form)
    }

    /// What is sent, and what the board calls it if it is not told otherwise.
    fn file(&self) -> anyhow::Result<(Upload, Option<String>)> {
        if input::is_stream(&self.file) {
            let mut content = Vec::new();
            input::open(&self.file)?
                .read_to_end(&mut content)
                .with_context(|| format!("{} cannot be read", input::name(&self.file)))?;
            return Ok((Upload::memory("stdin", content), None));
        }
        input::refuse_directory(&self.file)?;
        input::refuse_part_of_model(&self.file)?;
        let stem = self
            .file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        Ok((Upload::file(&self.file), stem))
    }

    fn describes_a_model(&self) -> bool {
        self.architecture.is_some()
            || self.preprocess.is_some()
            || self.class_order.is_some()
            || self.class_offset.is_some()
            || self.output.is_some()
    }
}

/// The files beside an ONNX file that hold its tensors, as `torch.onnx.export` writes them.
fn side_files(file: &Path) -> anyhow::Result<Vec<Upload>> {
    if extension(file).as_deref() != Some("onnx") {
        return Ok(Vec::new());
    }
    // What cannot be read the server refuses, with the reason.
    let Ok(model) = OnnxFile::open(file, SideFiles::default()) else {
        return Ok(Vec::new());
    };
    let beside = model
        .beside(file)
        .with_context(|| format!("{} cannot be sent", file.display()))?;
    Ok(beside.iter().map(|(_, path)| Upload::file(path)).collect())
}

fn extension(file: &Path) -> Option<String> {
    let extension = file.extension()?;
    Some(extension.to_string_lossy().to_ascii_lowercase())
}

fn kind_of(file: &Path) -> Kind {
    match extension(file).as_deref() {
        Some("safetensors" | "onnx" | "pt" | "pth" | "bin" | "h5" | "tflite") => Kind::Model,
        _ => Kind::Predictions,
    }
}

/// The content of a file where there is one of that name, else the text itself.
fn text_or_file(text: &str) -> anyhow::Result<String> {
    if Path::new(text).is_file() {
        return std::fs::read_to_string(text)
            .with_context(|| format!("{text} cannot be read as text"));
    }
    Ok(text.to_owned())
}

async fn wait(client: &Client, submission: &Submission) -> Result<Submission, ClientError> {
    let spinner = progress::spinner("received");
    let result = client
        .follow(submission.id, |state| {
            spinner.set_message(progress::stage(state));
        })
        .await;
    spinner.finish_and_clear();
    result
}

fn wrong(problem: &SubmissionProblem) -> WrongFile {
    WrongFile {
        detail: problem.detail.clone(),
        errors: problem.errors.clone(),
    }
}

/// What an organizer may not expect, and others need not be told.
fn capacity(submission: &Submission) -> &'static str {
    match submission.entry {
        Entry::Competitor => "",
        Entry::Baseline => {
            "As you organize this challenge, this is a baseline: listed on the board, without a rank.\n"
        }
    }
}

/// The notices, the scores, and the team's place on the board.
async fn report(client: &Client, submission: &Submission) -> anyhow::Result<String> {
    let mut parts: Vec<String> = submission
        .notices
        .iter()
        .map(|notice| format!("notice: {}\n", notice.detail))
        .collect();
    parts.push(match &submission.scores {
        Some(scores) => score_table(scores),
        None => format!("The submission is {}.\n", submission.status),
    });
    parts.push(capacity(submission).to_owned());
    if submission.status == Status::Scored {
        let board = client
            .leaderboard(&submission.challenge, Split::Public)
            .await?;
        let ranked = board
            .entries
            .iter()
            .filter(|entry| entry.rank.is_some())
            .count();
        let place = board
            .entries
            .iter()
            .find(|entry| entry.team == submission.team && entry.rank.is_some());
        if let Some((place, rank)) = place.and_then(|place| Some((place, place.rank?))) {
            let by = if place.submission == submission.id {
                "this submission"
            } else {
                "an earlier submission"
            };
            parts.push(format!(
                "{} stands at rank {rank} of {ranked} with {by}.\n",
                submission.team
            ));
        }
    }
    Ok(parts.concat())
}

/// One line a split.
pub fn score_table(scores: &Scores) -> String {
    let columns = [
        ("images", Align::Left),
        ("number", Align::Right),
        ("top-1 error", Align::Right),
        ("95 % interval", Align::Right),
        ("top-5 error", Align::Right),
        ("95 % interval", Align::Right),
    ];
    let splits = [
        ("public", Some(&scores.public)),
        ("private", scores.private.as_ref()),
    ];
    let rows = splits.into_iter().filter_map(|(name, score)| {
        let score = score?;
        Some([
            name.to_owned(),
            score.images.to_string(),
            percent(score.top1_error),
            percent_interval(score.top1_interval),
            percent(score.top5_error),
            percent_interval(score.top5_interval),
        ])
    });
    output::table(columns, rows)
}
