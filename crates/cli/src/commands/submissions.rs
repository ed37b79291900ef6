use std::fmt::Write as _;

use clap::Subcommand;
use referee_client::Client;
use referee_client::documents::{Primary, Submission, SubmissionPatch};
use uuid::Uuid;

use super::submit::score_table;
use crate::connection::Connection;
use crate::output::{self, Align, percent};
use crate::progress;

/// List your submissions, or look at one, withdraw it, or select it
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee submissions fashion-mnist\n  referee submissions show 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d",
    args_conflicts_with_subcommands = true
)]
pub struct Submissions {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only those to this challenge
    #[arg(value_name = "SLUG")]
    challenge: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Action {
    Show(Show),
    Withdraw(Withdraw),
    Select(Select),
}

impl Submissions {
    pub async fn run(self) -> anyhow::Result<()> {
        match self.action {
            Some(Action::Show(show)) => show.run().await,
            Some(Action::Withdraw(withdraw)) => withdraw.run().await,
            Some(Action::Select(select)) => select.run().await,
            None => list(&self.connection.signed_in()?, self.challenge, self.json).await,
        }
    }
}

async fn list(client: &Client, challenge: Option<String>, json: bool) -> anyhow::Result<()> {
    let challenges = match challenge {
        Some(slug) => vec![slug],
        None => client
            .challenges()
            .await?
            .into_iter()
            .map(|challenge| challenge.slug)
            .collect(),
    };
    let mut submissions = Vec::new();
    for slug in challenges {
        submissions.extend(client.submissions(&slug).await?);
    }
    submissions.sort_by_key(|submission| std::cmp::Reverse(submission.id));
    if json {
        return output::print_json(&submissions);
    }
    if submissions.is_empty() {
        return output::print_line(
            "There are no submissions yet; `referee submit FILE --challenge SLUG` makes one.",
        );
    }
    let columns = [
        ("id", Align::Left),
        ("challenge", Align::Left),
        ("team", Align::Left),
        ("method", Align::Left),
        ("status", Align::Left),
        ("top-1 error", Align::Right),
        ("top-5 error", Align::Right),
        ("submitted (UTC)", Align::Left),
    ];
    let rows = submissions.into_iter().map(|submission| {
        let error = |primary| {
            submission.scores.as_ref().map_or_else(
                || "–".to_owned(),
                |scores| {
                    percent(match primary {
                        Primary::Top1 => scores.public.top1_error,
                        Primary::Top5 => scores.public.top5_error,
                    })
                },
            )
        };
        [
            submission.id.to_string(),
            submission.challenge.clone(),
            submission.team.clone(),
            submission.method.clone(),
            submission.status.to_string(),
            error(Primary::Top1),
            error(Primary::Top5),
            submission.created_at.format("%F %R").to_string(),
        ]
    });
    output::print(&output::table(columns, rows))
}

/// Show a submission
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee submissions show 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d")]
pub struct Show {
    #[arg(value_parser = submission_id)]
    id: Uuid,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub async fn run(self) -> anyhow::Result<()> {
        let submission = self.connection.client()?.submission(self.id).await?;
        if self.json {
            return output::print_json(&submission);
        }
        output::print(&details(&submission))
    }
}

pub fn submission_id(text: &str) -> Result<Uuid, &'static str> {
    text.parse()
        .map_err(|_| "an id looks like 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d; `referee submissions` lists those of yours")
}

fn details(submission: &Submission) -> String {
    let mut marks = vec![submission.status.to_string(), submission.entry.to_string()];
    for (is_set, mark) in [
        (submission.selected, "selected"),
        (submission.late, "late"),
        (submission.verified, "verified"),
    ] {
        if is_set {
            marks.push(mark.to_owned());
        }
    }
    let mut text = format!(
        "{} by {} in {}\n{}\n",
        submission.method,
        submission.team,
        submission.challenge,
        marks.join(", ")
    );
    let mut line = |text_of_line: String| {
        writeln!(text, "{text_of_line}").expect("writing to a string cannot fail");
    };
    if !submission.status.is_final() {
        line(progress::stage(submission));
    }
    if let Some(hidden) = &submission.hidden {
        line(format!("hidden by the organizers: {}", hidden.reason));
    }
    if let Some(problem) = &submission.problem {
        line(problem.detail.clone());
        problem
            .errors
            .iter()
            .for_each(|error| line(format!("  {error}")));
    }
    for notice in &submission.notices {
        line(format!("notice: {}", notice.detail));
    }
    if let Some(scores) = &submission.scores {
        text.push_str(&score_table(scores));
    }
    text
}

/// Withdraw a submission: it leaves the leaderboard, and its quota stays spent
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee submissions withdraw 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d"
)]
pub struct Withdraw {
    #[arg(value_parser = submission_id)]
    id: Uuid,
    #[command(flatten)]
    connection: Connection,
}

impl Withdraw {
    pub async fn run(self) -> anyhow::Result<()> {
        self.connection.signed_in()?.withdraw(self.id).await?;
        output::print_line("The submission is withdrawn.")
    }
}

/// Select a submission for the private board
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee submissions select 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d"
)]
pub struct Select {
    #[arg(value_parser = submission_id)]
    id: Uuid,
    /// Take the selection back
    #[arg(long)]
    not: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Select {
    pub async fn run(self) -> anyhow::Result<()> {
        let patch = SubmissionPatch {
            selected: Some(!self.not),
            ..SubmissionPatch::default()
        };
        self.connection
            .signed_in()?
            .update_submission(self.id, &patch)
            .await?;
        output::print_line(if self.not {
            "The submission is not selected."
        } else {
            "The submission is selected for the private board."
        })
    }
}
