use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use referee_storage::ApiDb;
use referee_storage::audit::{self, Check, Head, Line};
use serde_json::json;

use super::admin;
use crate::output;

/// How many lines are read at once.
const PART: i64 = 10_000;

/// Check or export the audit trail: who did what, when and from where
///
/// Each line of the trail has a hash over it and over the hash of the line before. The log tells the newest hash once a day: the
/// head, which stands for everything up to it. Finds the database as `referee admin` does.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee audit verify --head 4711:5b0f…\n  referee audit export > trail.jsonl"
)]
pub struct Audit {
    #[command(subcommand)]
    action: Action,
    /// The data directory of the server
    #[arg(
        long,
        value_name = "DIR",
        default_value = "referee-data",
        global = true
    )]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// Look at every hash of the trail and print its head
    #[command(
        after_help = "Example:\n  referee audit verify\n  referee audit verify --file trail.jsonl --head 4711:5b0f…"
    )]
    Verify {
        /// A head that was logged or printed before: the trail must go through it
        #[arg(long, value_name = "POSITION:HASH")]
        head: Option<Head>,
        /// A trail that was exported, instead of the database's
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the trail as JSON lines
    ///
    /// People and addresses stand in it by a random id. Whose it is, as far as they were not forgotten, is told by --names.
    #[command(
        after_help = "Example:\n  referee audit export > trail.jsonl\n  referee audit export --names > names.jsonl"
    )]
    Export {
        /// Print what the ids stand for instead
        #[arg(long)]
        names: bool,
    },
}

impl Audit {
    pub async fn run(self) -> anyhow::Result<()> {
        if let Action::Verify {
            head,
            file: Some(file),
        } = &self.action
        {
            let head = verify_file(file, *head)?;
            return output::print_line(&format!("{} is whole up to {head}.", file.display()));
        }
        let (db, cluster) = admin::database(&self.data).await?;
        let done = self.action.carry_out(&db).await;
        db.close().await;
        if let Some(cluster) = cluster {
            cluster.stop().await?;
        }
        done
    }
}

impl Action {
    async fn carry_out(&self, db: &ApiDb) -> anyhow::Result<()> {
        match self {
            Self::Verify { head, .. } => {
                let mut check = Check::new(*head);
                each_line(db, |line| Ok(check.follow(line)?)).await?;
                let waiting = match audit::waiting(db).await? {
                    0 => String::new(),
                    1 => " One entry waits for the scorer to add it.".to_owned(),
                    waiting => format!(" {waiting} entries wait for the scorer to add them."),
                };
                output::print_line(&format!(
                    "The audit trail is whole up to {}.{waiting}",
                    check.end()?
                ))
            }
            Self::Export { names: false } => {
                each_line(db, |line| output::print_line(&line.exported())).await
            }
            Self::Export { names: true } => {
                for (id, name) in audit::names(db).await? {
                    output::print_line(&json!({"id": id, "name": name}).to_string())?;
                }
                Ok(())
            }
        }
    }
}

async fn each_line(
    db: &ApiDb,
    mut act: impl FnMut(&Line) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut last = 0;
    loop {
        let lines = audit::lines(db, last, PART).await?;
        let Some(newest) = lines.last() else {
            return Ok(());
        };
        last = newest.position;
        for line in &lines {
            act(line)?;
        }
    }
}

fn verify_file(file: &Path, head: Option<Head>) -> anyhow::Result<Head> {
    let unreadable = || format!("{} cannot be read", file.display());
    let opened = std::fs::File::open(file).with_context(unreadable)?;
    let mut check = Check::new(head);
    for (number, line) in (1..).zip(BufReader::new(opened).lines()) {
        let line = line.with_context(unreadable)?;
        let line = Line::imported(&line).ok_or_else(|| {
            anyhow!(
                "{}, line {number}: not a line of `referee audit export`; export the trail again",
                file.display()
            )
        })?;
        check.follow(&line)?;
    }
    Ok(check.end()?)
}
