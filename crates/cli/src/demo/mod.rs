//! `referee demo`: a running server with a real challenge in it, and real competitors who train and submit over HTTP.
//!
//! What the demo does, anyone could do from outside: the organizer creates the challenge from a directory as
//! `referee challenge create` does, and the competitors know only what the server lets anyone download.

mod competition;
mod competitors;
mod dataset;
mod passwords;
mod public_data;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use referee_api::TrustedProxies;
use referee_client::Client;
use referee_client::documents::{self, ChallengeDocument, Leaderboard, Split, State};
use referee_networks::DeviceChoice;
use referee_storage::{ApiDb, accounts, cluster};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::dataset::FashionMnist;
use self::passwords::Passwords;
use crate::commands::challenge::publish_directory;
use crate::commands::leaderboard::board_text;
use crate::databases::Databases;
use crate::manifest::ChallengeDirectory;
use crate::models::ModelOptions;
use crate::server::{Role, Server, ServerOptions};
use crate::{output, progress};

/// The challenge's name in addresses, as `challenge.toml` has it.
const SLUG: &str = "fashion-mnist";

/// Who opens the first account, and with it becomes the administrator.
const ORGANIZER: &str = "organizer";

#[derive(Clone, Debug, clap::Args)]
pub struct Demo {
    /// Where everything is kept, the database too
    #[arg(long, value_name = "DIR", default_value = "referee-demo")]
    data: PathBuf,

    /// Address of the server
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Stop after the leaderboard
    #[arg(long)]
    once: bool,

    /// Networks train for so many epochs at most, for tests that have no minutes
    #[arg(long, value_name = "N", hide = true)]
    most_epochs: Option<usize>,
}

/// Starts the server, lets the competition take place in it, and keeps it up until it is interrupted.
pub async fn run(demo: Demo) -> Result<()> {
    let data_set = FashionMnist::locate()?;
    let mut interrupted = pin!(interruption()?);
    let starting = progress::spinner("starting the server and its database");
    let options = ServerOptions {
        data: demo.data.clone(),
        listen: demo.listen,
        trusted_proxies: TrustedProxies::default(),
        roles: vec![Role::Api, Role::Scorer, Role::Inference],
        device: DeviceChoice::Cpu,
        models: ModelOptions::default(),
    };
    let server = Server::start(options, &CancellationToken::new()).await;
    starting.finish_and_clear();
    let server = server?;
    let address = server
        .address()
        .context("the server does not listen; start the demo again")?;
    let client = Client::new(&format!("http://{}", reachable(address)), None)?;

    let mut outcome = Ok(());
    let visit = async {
        tokio::select! {
            result = hold_competition(&client, &data_set, &demo) => outcome = result,
            () = &mut interrupted => return,
        }
        if outcome.is_ok() && !demo.once {
            eprintln!("The server stays up until Ctrl-C. Run the same command again to continue.");
            interrupted.await;
        }
    };
    Box::pin(server.run_until(visit)).await?;
    outcome
}

/// Everything that happens over HTTP, from the first account to the board.
async fn hold_competition(server: &Client, data_set: &FashionMnist, demo: &Demo) -> Result<()> {
    let data = &demo.data;
    let directory = data.join("demo");
    let passwords = Passwords::in_directory(directory.join("passwords"))?;
    let organizer = passwords.enter(server, ORGANIZER).await?;
    if organizer.me().await?.role == documents::Role::Competitor {
        // The first account of a server that other machines can reach is nobody special.
        make_administrator(data).await?;
    }
    let challenge = published_challenge(&organizer, data_set, &directory.join(SLUG)).await?;
    let downloads = directory.join("downloads");
    competition::compete(server, &challenge, &passwords, &downloads, demo.most_epochs).await?;

    let board = settled_board(server).await?;
    output::print(&format!(
        "\n{}\n{}/challenges/{SLUG}\nSign in as {ORGANIZER} with the password in {}\n",
        board_text(&board),
        server.server(),
        passwords.file(ORGANIZER).display(),
    ))
}

/// The board once the ranks of its newest entry are computed, which takes about a second; after five as it is.
async fn settled_board(server: &Client) -> Result<Leaderboard> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let board = server.leaderboard(SLUG, Split::Public).await?;
        let is_settled = board
            .entries
            .iter()
            .all(|entry| entry.rank.is_none() || entry.rank_low.is_some());
        if is_settled || Instant::now() > deadline {
            return Ok(board);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn make_administrator(data: &Path) -> Result<()> {
    let url = match Databases::from_environment()?.api {
        Some(url) => url,
        None => cluster::recorded_urls(data)?.api,
    };
    let db = ApiDb::connect(&url).await?;
    accounts::change_user(&db, ORGANIZER, Some(accounts::Role::Administrator), None).await?;
    db.close().await;
    Ok(())
}

/// The challenge, created and published from the data set's files when it is not there yet.
async fn published_challenge(
    organizer: &Client,
    data_set: &FashionMnist,
    directory: &Path,
) -> Result<ChallengeDocument> {
    match organizer.challenge(SLUG).await {
        Ok(challenge) if challenge.state != State::Draft => return Ok(challenge),
        Err(error) if error.status() != Some(404) => return Err(error.into()),
        _ => {}
    }
    let writing = progress::spinner("writing the challenge's files");
    data_set.write_challenge(directory)?;
    writing.finish_and_clear();
    publish_directory(organizer, &ChallengeDirectory::open(directory)?, false).await
}

/// The address under which this machine reaches a server that listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// Ends with the first SIGINT or SIGTERM from now on.
fn interruption() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_reached_here() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reached("[::]:8080"), "[::1]:8080");
        assert_eq!(reached("127.0.0.1:81"), "127.0.0.1:81");
    }

    #[test]
    fn the_challenge_files_name_the_slug() {
        assert!(include_str!("challenge.toml").contains(&format!("slug = \"{SLUG}\"")));
    }
}
