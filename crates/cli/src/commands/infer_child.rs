use std::process::ExitCode;

use referee_workers::{Attempts, probe, run_child};

/// Run one model, locked in, for the inference worker that started this
#[derive(clap::Args)]
pub struct InferChild {
    /// Instead of running a model, try to get out, and say as JSON what became of each attempt
    #[arg(long, value_name = "JSON", hide = true)]
    probe: Option<String>,
}

impl InferChild {
    /// To be called before any thread is started: only the calling one would be locked in.
    pub fn run(&self) -> ExitCode {
        let Some(attempts) = &self.probe else {
            return run_child();
        };
        match tried(attempts) {
            Ok(found) => {
                println!("{found}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

fn tried(attempts: &str) -> anyhow::Result<String> {
    let attempts: Attempts = serde_json::from_str(attempts)?;
    Ok(serde_json::to_string(&probe(&attempts)?)?)
}
