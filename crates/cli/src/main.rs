//! `referee`: the server, its tools, and the command line of organizers and competitors, in one binary.

#![expect(
    clippy::doc_markdown,
    reason = "clap shows doc comments in the terminal, where backticks around variables are noise"
)]

mod commands;
mod connection;
mod credentials;
mod databases;
mod demo;
mod manifest;
mod output;
mod progress;
mod server;
mod test_images;

use std::process::ExitCode;

use clap::Parser as _;

use commands::Referee;

/// 0 = done, 1 = could not be done (one sentence on stderr), 2 = bad arguments (clap's own).
#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(Referee::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
}
