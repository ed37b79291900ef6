use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use chrono::{TimeDelta, Utc};
use clap::Subcommand;
use referee_api::{LONGEST_PASSWORD, weakness};
use referee_storage::ApiDb;
use referee_storage::accounts::{self, Role, User};
use referee_storage::audit;
use referee_storage::challenges::challenge;
use referee_storage::cluster::{self, ClusterError, PrivateCluster};
use referee_storage::registration::{self, Admission, NewInvitation, NewUser, Registered};
use referee_storage::submissions::retries;
use uuid::Uuid;

use super::account::new_password;
use super::submissions::submission_id;
use crate::databases::url;
use crate::output;

/// Change accounts and run submissions again on the server's machine, whether or not the server runs
///
/// Finds the database as DATABASE_URL or REFEREE_API_DATABASE_URL, else as the private cluster in DIR.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  referee admin grant ada --role organizer\n  referee admin --data /var/lib/referee password ada"
)]
pub struct Admin {
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
    /// Make an account administrator, or organizer
    #[command(after_help = "Example:\n  referee admin grant ada --role organizer")]
    Grant {
        handle: String,
        #[arg(long, default_value = "administrator")]
        role: Granted,
    },
    /// Make an account an ordinary competitor's
    #[command(after_help = "Example:\n  referee admin revoke ada")]
    Revoke { handle: String },
    /// Lock an account: it cannot sign in and its tokens do not work
    #[command(after_help = "Example:\n  referee admin disable mallory")]
    Disable { handle: String },
    /// Let an account that was locked sign in again
    #[command(after_help = "Example:\n  referee admin enable mallory")]
    Enable { handle: String },
    /// Open an account, whoever may otherwise (its password is asked for, or REFEREE_PASSWORD)
    #[command(after_help = "Example:\n  referee admin add ada --role organizer")]
    Add {
        handle: String,
        #[arg(long)]
        email: Option<String>,
        #[arg(long)]
        role: Option<Granted>,
    },
    /// Make an invitation and print its link, which opens accounts
    #[command(after_help = "Example:\n  referee admin invite --uses 30 --days 14")]
    Invite {
        /// How many accounts it opens
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
        uses: i32,
        /// After how many days it has run out
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
        days: u16,
        /// What the accounts may do besides competing
        #[arg(long)]
        role: Option<Granted>,
    },
    /// Run submissions again that failed through no fault of their submitters, and at once those that wait for the server
    #[command(
        after_help = "Example:\n  referee admin retry 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d\n  referee admin retry --failed fashion-mnist"
    )]
    Retry {
        #[arg(value_name = "ID", required_unless_present = "failed", conflicts_with = "failed", value_parser = submission_id)]
        submission: Option<Uuid>,
        /// All of this challenge
        #[arg(long, value_name = "SLUG")]
        failed: Option<String>,
    },
    /// Give an account another password (asked for, or REFEREE_PASSWORD), end its sessions and delete its tokens
    #[command(after_help = "Example:\n  referee admin password ada")]
    Password { handle: String },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Granted {
    Organizer,
    Administrator,
}

impl Granted {
    fn role(self) -> Role {
        match self {
            Self::Organizer => Role::Organizer,
            Self::Administrator => Role::Administrator,
        }
    }
}

impl Admin {
    pub async fn run(self) -> anyhow::Result<()> {
        // Before the database is opened: people take their time.
        let password = match &self.action {
            Action::Password { .. } | Action::Add { .. } => Some(new_password()?),
            _ => None,
        };
        if let Some(password) = &password {
            anyhow::ensure!(
                password.len() <= LONGEST_PASSWORD,
                "this password has {} bytes and could not sign in; choose one of at most {LONGEST_PASSWORD}",
                password.len()
            );
            if let Some(weakness) = weakness(password, &[]) {
                anyhow::bail!(weakness);
            }
        }
        let (db, cluster) = database(&self.data).await?;
        // What the audit trail says of where this was done.
        let here = Some("referee admin".to_owned());
        let done = audit::acting(here, self.action.carry_out(&db, password)).await;
        db.close().await;
        if let Some(cluster) = cluster {
            cluster.stop().await?;
        }
        output::print_line(&done?)
    }
}

/// The database, and the private cluster in `data` if it had to be started for this.
pub(super) async fn database(data: &Path) -> anyhow::Result<(ApiDb, Option<PrivateCluster>)> {
    let external = match url("DATABASE_URL", "DATABASE_PASSWORD")? {
        Some(url) => Some(url),
        None => url("REFEREE_API_DATABASE_URL", "REFEREE_API_PASSWORD")?,
    };
    if let Some(url) = external {
        let db = ApiDb::connect(&url).await.context(
            "the database cannot be used: see that PostgreSQL runs where DATABASE_URL or REFEREE_API_DATABASE_URL says, that the password is right, and that `referee migrate` has run",
        )?;
        return Ok((db, None));
    }
    let urls = cluster::recorded_urls(data)?;
    let cluster = match PrivateCluster::start(data).await {
        Ok(cluster) => Some(cluster),
        Err(ClusterError::InUse { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok((ApiDb::connect(&urls.api).await?, cluster))
}

impl Action {
    /// Does it and says what was done.
    async fn carry_out(&self, db: &ApiDb, password: Option<String>) -> anyhow::Result<String> {
        let nobody = |handle: &str| {
            anyhow!("there is no account {handle}; `referee register {handle}` opens it")
        };
        let change = async |handle: &str, role, disabled| {
            accounts::change_user(db, handle, role, disabled)
                .await?
                .ok_or_else(|| nobody(handle))
        };
        let still_disabled = |user: &User| {
            if user.disabled {
                format!(
                    " The account is still disabled; `referee admin enable {}` lets it in.",
                    user.handle
                )
            } else {
                String::new()
            }
        };
        match self {
            Self::Grant { handle, role } => {
                let (role, what) = match role {
                    Granted::Administrator => (Role::Administrator, "an administrator."),
                    Granted::Organizer => {
                        (Role::Organizer, "an organizer: they may create challenges.")
                    }
                };
                let user = change(handle, Some(role), None).await?;
                Ok(format!(
                    "{} is {what}{}",
                    user.handle,
                    still_disabled(&user)
                ))
            }
            Self::Revoke { handle } => Ok(format!(
                "{} is a competitor.",
                change(handle, Some(Role::Competitor), None).await?.handle
            )),
            Self::Disable { handle } => {
                let user = change(handle, None, Some(true)).await?;
                Ok(format!("{} is disabled.", user.handle))
            }
            Self::Enable { handle } => {
                let user = change(handle, None, Some(false)).await?;
                Ok(format!("{} can sign in again.", user.handle))
            }
            Self::Add {
                handle,
                email,
                role,
            } => {
                let password_hash = hash(password).await?;
                let role = role.map_or(Role::Competitor, Granted::role);
                let new = NewUser {
                    handle,
                    email: email.as_deref(),
                    password_hash: &password_hash,
                    admission: Admission::Appointed(role),
                };
                match registration::register(db, new).await? {
                    Registered::Done(user) => Ok(format!("{} can sign in.", user.handle)),
                    Registered::EmailTaken => Err(anyhow!(
                        "another account has this mail address; leave it out"
                    )),
                    Registered::HandleTaken | Registered::NotInvited => {
                        Err(anyhow!("the handle {handle} is taken; choose another"))
                    }
                }
            }
            Self::Invite { uses, days, role } => {
                let secret = referee_api::new_secret("")?;
                let new = NewInvitation {
                    secret_hash: referee_api::secret_hash(&secret),
                    role: role.map_or(Role::Competitor, Granted::role),
                    uses: *uses,
                    expires_at: Some(Utc::now() + TimeDelta::days(i64::from(*days))),
                };
                registration::invite(db, &new).await?;
                let server = std::env::var("REFEREE_PUBLIC_URL")
                    .unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned());
                Ok(format!(
                    "{}/sign-up?invitation={secret}",
                    server.trim_end_matches('/')
                ))
            }
            Self::Retry { submission, failed } => retry(db, *submission, failed.as_deref()).await,
            Self::Password { handle } => {
                let hash = hash(password).await?;
                anyhow::ensure!(
                    accounts::set_password(db, handle, &hash).await?,
                    nobody(handle)
                );
                Ok(format!(
                    "{handle} has another password; their sessions have ended and their tokens are deleted."
                ))
            }
        }
    }
}

async fn hash(password: Option<String>) -> anyhow::Result<String> {
    let password = password.context("no password was given; set REFEREE_PASSWORD or type one")?;
    tokio::task::spawn_blocking(move || referee_api::hash_password(&password))
        .await?
        .map_err(|error| anyhow!("the password cannot be hashed: {error}"))
}

/// Queues one submission, or all of a challenge, again.
async fn retry(
    db: &ApiDb,
    submission: Option<Uuid>,
    failed: Option<&str>,
) -> anyhow::Result<String> {
    if let Some(id) = submission {
        anyhow::ensure!(
            retries::retry(db, id).await?,
            "there is no submission {id} that failed or waits for the server; `referee submissions show {id}` says what became of it"
        );
        return Ok(format!("{id} is queued again."));
    }
    let slug = failed.context("name a submission, or a challenge with --failed SLUG")?;
    let found = challenge(db, slug).await?;
    let found = found.with_context(|| {
        format!("there is no challenge `{slug}`; `referee challenge list` shows those that are")
    })?;
    Ok(match retries::retry_all(db, found.id).await? {
        0 => format!("No submission to {slug} has failed or waits for the server."),
        1 => "1 submission is queued again.".to_owned(),
        retried => format!("{retried} submissions are queued again."),
    })
}
