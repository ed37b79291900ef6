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
mod foundation;
mod input;
mod manifest;
mod memory;
mod models;
mod output;
mod progress;
mod server;
mod wider;

use std::process::ExitCode;

use clap::Parser as _;

use commands::Referee;

/// 0 = done, 1 = could not be done (one sentence on stderr), 2 = bad arguments (clap's own).
fn main() -> ExitCode {
    let referee = Referee::parse();
    // A process that runs a model is locked in thread by thread, so it starts none before.
    if let Some(child) = referee.infer_child() {
        return child.run();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(referee)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
}
