use std::path::PathBuf;

use anyhow::Context as _;
use referee_storage::{cluster, migrate};

use crate::databases::{role_passwords, url};
use crate::output;

/// Prepare a database, or bring it up to date: roles, queue and schema
///
/// The only command that uses the owner's DATABASE_URL. The three login roles get the passwords REFEREE_API_PASSWORD,
/// REFEREE_SCORER_PASSWORD and REFEREE_INFERENCE_PASSWORD, else those in their database URLs; without either, a role keeps its
/// own. Each variable, and DATABASE_PASSWORD, can be read from a file: `…_FILE=PATH`. A private cluster needs none of this:
/// `referee serve` migrates it.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee migrate      # with DATABASE_URL=postgres://owner:secret@db/referee in the environment"
)]
pub struct Migrate {}

impl Migrate {
    pub async fn run(self) -> anyhow::Result<()> {
        let owner = url("DATABASE_URL", "DATABASE_PASSWORD")?.context("DATABASE_URL is not set; give the address of the database and its owner, postgres://OWNER:PASSWORD@HOST/DATABASE")?;
        migrate(&owner, &role_passwords()?).await?;
        output::print_line("The database is up to date.")
    }
}

/// Print the connection URL of the private cluster, for psql and pg_dump
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  pg_dump \"$(referee database-url --data /var/lib/referee owner)\" > referee.sql"
)]
pub struct DatabaseUrl {
    /// The data directory of the server
    #[arg(long, value_name = "DIR", default_value = "referee-data")]
    data: PathBuf,
    role: DatabaseRole,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DatabaseRole {
    Owner,
    Api,
    Scorer,
    Inference,
}

impl DatabaseUrl {
    pub fn run(self) -> anyhow::Result<()> {
        let urls = cluster::recorded_urls(&self.data)?;
        output::print_line(match self.role {
            DatabaseRole::Owner => &urls.owner,
            DatabaseRole::Api => &urls.api,
            DatabaseRole::Scorer => &urls.scorer,
            DatabaseRole::Inference => &urls.inference,
        })
    }
}
