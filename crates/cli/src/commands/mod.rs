//! The command line: a file per group of commands, each with its arguments, its help and what it does.

mod account;
mod admin;
mod audit;
pub mod challenge;
mod check;
mod convert;
mod infer_child;
pub mod leaderboard;
mod migrate;
mod predict;
mod profile;
mod score;
mod serve;
mod submissions;
mod submit;
mod verify;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{demo, output};

/// A scoring referee for the common task framework: hidden labels, honest numbers.
#[derive(Parser)]
#[command(
    name = "referee",
    version,
    max_term_width = 100,
    after_help = "Begin with `referee demo`, or `referee serve` and `referee register HANDLE`."
)]
pub struct Referee {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    /// Start a server with a real challenge and real competitors in it
    #[command(after_help = "Example:\n  referee demo --once")]
    Demo(demo::Demo),
    Migrate(migrate::Migrate),
    DatabaseUrl(migrate::DatabaseUrl),
    Admin(admin::Admin),
    Audit(audit::Audit),
    Register(account::Register),
    Login(account::Login),
    Token(account::Token),
    Challenge(challenge::Challenge),
    Submit(submit::Submit),
    Submissions(submissions::Submissions),
    #[command(hide = true)]
    Show(submissions::Show),
    #[command(hide = true)]
    Withdraw(submissions::Withdraw),
    #[command(hide = true)]
    Select(submissions::Select),
    Leaderboard(leaderboard::Leaderboard),
    Check(check::Check),
    Verify(verify::Verify),
    Score(score::Score),
    Predict(predict::Predict),
    Profile(profile::Profile),
    Convert(convert::Convert),
    #[command(hide = true)]
    InferChild(infer_child::InferChild),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  referee completions bash > ~/.local/share/bash-completion/completions/referee"
    )]
    Completions {
        shell: clap_complete::Shell,
    },
}

impl Referee {
    /// The process that runs a model, if this is one.
    pub fn infer_child(&self) -> Option<&infer_child::InferChild> {
        match &self.command {
            Command::InferChild(child) => Some(child),
            _ => None,
        }
    }
}

/// Does what was asked for.
pub async fn run(referee: Referee) -> anyhow::Result<()> {
    match referee.command {
        Command::Serve(serve) => Box::pin(serve.run()).await,
        Command::Demo(arguments) => Box::pin(demo::run(arguments)).await,
        Command::Migrate(migrate) => migrate.run().await,
        Command::DatabaseUrl(database_url) => database_url.run(),
        Command::Admin(admin) => admin.run().await,
        Command::Audit(audit) => audit.run().await,
        Command::Register(register) => register.run().await,
        Command::Login(login) => login.run().await,
        Command::Token(token) => token.run().await,
        Command::Challenge(challenge) => challenge.run().await,
        Command::Submit(submit) => submit.run().await,
        Command::Submissions(submissions) => submissions.run().await,
        Command::Show(show) => show.run().await,
        Command::Withdraw(withdraw) => withdraw.run().await,
        Command::Select(select) => select.run().await,
        Command::Leaderboard(leaderboard) => leaderboard.run().await,
        Command::Check(check) => check.run().await,
        Command::Verify(verify) => verify.run().await,
        Command::Score(score) => score.run(),
        Command::Predict(predict) => predict.run().await,
        Command::Profile(profile) => profile.run(),
        Command::Convert(convert) => convert.run(),
        Command::InferChild(child) => {
            child.run();
            Ok(())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Referee::command(), "referee", &mut script);
            output::print(&String::from_utf8(script)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_contradict_nowhere() {
        Referee::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            check_all(command, &path);
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let (_, example) = help.split_once("Example:\n").unwrap_or_default();
            let shown = example.lines().any(|line| {
                let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '-');
                path.split_whitespace()
                    .all(|name| words.any(|word| word == name))
            });
            assert!(shown, "{path} has no example that calls it: {help}");
        }
        fn check_all(command: &clap::Command, path: &str) {
            command
                .get_subcommands()
                .filter(|subcommand| !subcommand.is_hide_set())
                .for_each(|subcommand| check(subcommand, path));
        }
        check_all(&Referee::command(), "referee");
    }
}
