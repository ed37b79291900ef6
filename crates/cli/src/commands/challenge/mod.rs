mod create;
mod download;
mod shuffle;
mod strip;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use referee_client::documents::{ChallengeChange, ChallengeDocument, LabelState};
use referee_client::http::Upload;

use crate::connection::Connection;
use crate::manifest::{ChallengeDirectory, FILE_NAME};
use crate::output::{self, Align};
use crate::progress;

pub use create::publish_directory;

/// Organize challenges, and look at them
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee challenge create fashion-mnist/\n  referee challenge show fashion-mnist"
)]
pub struct Challenge {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Create(create::Create),
    Check(Check),
    Shuffle(shuffle::Shuffle),
    List(List),
    Show(Show),
    Labels(Labels),
    Rescore(Rescore),
    Download(download::Download),
}

impl Challenge {
    pub async fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Create(create) => create.run().await,
            Action::Check(check) => check.run(),
            Action::Shuffle(shuffle) => shuffle.run(),
            Action::List(list) => list.run().await,
            Action::Show(show) => show.run().await,
            Action::Labels(labels) => labels.run().await,
            Action::Rescore(rescore) => rescore.run().await,
            Action::Download(download) => download.run().await,
        }
    }
}

/// Check a challenge's directory without a server: all that `create` would find out
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge check fashion-mnist/")]
struct Check {
    /// The directory that holds challenge.toml
    dir: PathBuf,
    /// The labels are public anyway: do not ask whether something gives them away
    #[arg(long)]
    known_labels: bool,
}

impl Check {
    fn run(self) -> anyhow::Result<()> {
        let directory = ChallengeDirectory::open(&self.dir)?;
        if let Some(notice) = directory.notice() {
            eprintln!("notice: {notice}");
        }
        if !self.known_labels {
            directory.refuse_leaks()?;
        }
        let validation = directory.manifest.validation.as_ref();
        let images = directory.images.as_ref();
        let sets = [
            images.map(|images| images.path().to_owned()),
            validation.map(|validation| directory.path.join(&validation.images)),
        ];
        for set in sets.iter().flatten() {
            create::check_pictures(set)?;
        }
        output::print_line(&format!(
            "{} is fine: {} images, {} with labels, in {} classes, ranked by {} error.",
            self.dir.join(FILE_NAME).display(),
            directory.labels.len(),
            directory.labels.scored(),
            directory.classes.len(),
            directory.settings.primary(),
        ))
    }
}

/// List the challenges
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge list")]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let challenges = self.connection.client()?.challenges().await?;
        if self.json {
            return output::print_json(&challenges);
        }
        if challenges.is_empty() {
            return output::print_line(
                "There are no challenges yet; `referee challenge create DIR` makes one.",
            );
        }
        let columns = [
            ("slug", Align::Left),
            ("title", Align::Left),
            ("state", Align::Left),
            ("closes (UTC)", Align::Left),
            ("classes", Align::Right),
            ("images", Align::Right),
            ("teams", Align::Right),
            ("submissions", Align::Right),
        ];
        let rows = challenges.into_iter().map(|challenge| {
            [
                challenge.slug,
                challenge.title,
                challenge.state.to_string(),
                challenge.schedule.closes.map_or_else(
                    || "–".to_owned(),
                    |closes| closes.format("%F %R").to_string(),
                ),
                challenge.class_count.to_string(),
                challenge
                    .images
                    .map_or_else(|| "–".to_owned(), |images| images.to_string()),
                challenge.teams.to_string(),
                challenge.submissions.to_string(),
            ]
        });
        output::print(&output::table(columns, rows))
    }
}

/// Show a challenge: its rules, its dates, what can be downloaded, and what changed since its publication
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge show fashion-mnist")]
struct Show {
    #[arg(value_name = "SLUG")]
    challenge: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        let challenge = client.challenge(&self.challenge).await?;
        if self.json {
            return output::print_json(&challenge);
        }
        let changes = client.challenge_changes(&self.challenge).await?;
        output::print(&details(&challenge, &changes))
    }
}

/// The newest ones; the challenge's page and `…/changes` have them all.
const CHANGES_SHOWN: usize = 10;

fn details(challenge: &ChallengeDocument, changes: &[ChallengeChange]) -> String {
    let mut text = format!("{} ({})\n\n", challenge.title, challenge.state);
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<14}{value}").expect("writing to a string cannot fail");
    };
    let images = challenge.images.map_or_else(
        || "no images yet".to_owned(),
        |images| format!("{images} images"),
    );
    line(
        "test set",
        format!("{images}, {} classes", challenge.classes.len()),
    );
    for (name, at) in [
        ("opens", challenge.schedule.opens),
        ("closes", challenge.schedule.closes),
    ] {
        if let Some(at) = at {
            line(name, at.format("%F %R UTC").to_string());
        }
    }
    let board = &challenge.leaderboard;
    let public = if board.public_fraction < 1.0 {
        format!(
            ", {:.0} % of the images public",
            100.0 * board.public_fraction
        )
    } else {
        String::new()
    };
    line(
        "ranked by",
        format!(
            "{} error, the {} of a team{public}, {} feedback",
            board.primary, board.ranking, board.feedback
        ),
    );
    let limits = &challenge.limits;
    let limits = [
        ("a day", limits.per_day),
        ("a week", limits.per_week),
        ("in total", limits.total),
    ];
    let limits: Vec<_> = limits
        .iter()
        .filter_map(|(per, limit)| limit.map(|limit| format!("{limit} {per}")))
        .collect();
    if !limits.is_empty() {
        line("submissions", limits.join(", "));
    }
    line("outside data", challenge.rules.outside_data.to_string());
    line("organizers", challenge.organizers.join(", "));
    line(
        "so far",
        format!(
            "{} submissions by {} teams",
            challenge.submissions, challenge.teams
        ),
    );
    for (key, file) in &challenge.files {
        line(
            "download",
            format!(
                "{key} ({}, {})",
                file.filename,
                indicatif::HumanBytes(file.bytes)
            ),
        );
    }
    for change in changes.iter().take(CHANGES_SHOWN) {
        line(
            "changed",
            format!("{}: {}", change.at.format("%F %R UTC"), change.detail),
        );
    }
    if !challenge.description.is_empty() {
        text.push('\n');
        text.push_str(challenge.description.trim_end());
        text.push('\n');
    }
    text
}

/// Upload corrected labels: a new version, under which everything is scored again
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge labels fashion-mnist test-labels.csv")]
struct Labels {
    #[arg(value_name = "SLUG")]
    challenge: String,
    file: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

impl Labels {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.signed_in()?;
        let sent = progress::with_bar(Upload::file(&self.file), async |labels| {
            client.put_labels(&self.challenge, &labels).await
        });
        let (version, is_new) = sent.await?;
        let what = match (is_new, version.state) {
            (false, _) => "these labels are in use already",
            (true, LabelState::Refused) => version
                .problem
                .as_deref()
                .unwrap_or("the labels cannot be used"),
            (true, _) => "everything is being scored again; the board changes when all is done",
        };
        output::print_line(&format!(
            "Version {} of the labels: {what}.",
            version.version
        ))
    }
}

/// Score every submission again
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee challenge rescore fashion-mnist")]
struct Rescore {
    #[arg(value_name = "SLUG")]
    challenge: String,
    #[command(flatten)]
    connection: Connection,
}

impl Rescore {
    async fn run(self) -> anyhow::Result<()> {
        self.connection
            .signed_in()?
            .rescore(&self.challenge)
            .await?;
        output::print_line("Everything is being scored again; the board changes when all is done.")
    }
}
