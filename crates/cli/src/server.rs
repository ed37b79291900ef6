//! A server: the roles that one process plays, started in order and stopped in the reverse one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use referee_api::{ApiConfig, App, ServerKey, TrustedProxies};
use referee_networks::DeviceChoice;
use referee_storage::accounts;
use referee_storage::cluster::{self, PrivateCluster};
use referee_storage::objects::ObjectStore;
use referee_storage::registration::{self, NewInvitation};
use referee_storage::{ApiDb, sweep_objects};
use referee_workers::{ScorerConfig, keep_working, run_inference, run_scorer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::databases::{Databases, secret, variable};
use crate::foundation::Foundation;
use crate::models::ModelOptions;

/// How long handlers may take to finish once the server was told to stop: uploads have a minute, then they are answered, which
/// takes a client that reads late ten seconds.
const HANDLERS_FINISH: Duration = Duration::from_secs(75);
/// The workers give the jobs under way five seconds.
const WORKERS_FINISH: Duration = Duration::from_secs(8);
/// How long an address that is in use is waited for: a server that was killed keeps it until the kernel has taken the process
/// apart, which takes a moment on a busy machine.
const ADDRESS_FREED: Duration = Duration::from_secs(5);
const SWEEP: Duration = Duration::from_hours(1);
/// Each holds at most one part of 8 MiB.
const MAX_UPLOAD_SLOTS: usize = 64;

/// A part of a server that can run in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Answers HTTP
    Api,
    /// Scores predictions against the sealed labels
    Scorer,
    /// Runs submitted models
    Inference,
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The private cluster, the objects and the secrets, unless the environment names other places.
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub trusted_proxies: TrustedProxies,
    pub roles: Vec<Role>,
    /// What the inference worker calculates on.
    pub device: DeviceChoice,
    pub models: ModelOptions,
}

type Parts = JoinSet<anyhow::Result<()>>;

/// A running server. [`Server::run_until`] stops it.
pub struct Server {
    address: Option<SocketAddr>,
    api: Parts,
    workers: Parts,
    stop_api: CancellationToken,
    stop_workers: CancellationToken,
    cluster: Option<PrivateCluster>,
    data: PathBuf,
}

impl Server {
    /// Starts every part. Requests are answered when this returns. Where somebody has to migrate the database first, or an api to
    /// choose the object store, it waits until `stop`, and answers 503 meanwhile.
    pub async fn start(options: ServerOptions, stop: &CancellationToken) -> anyhow::Result<Self> {
        anyhow::ensure!(
            options.data.is_dir() || !options.data.exists(),
            "{} is a file; --data takes a directory, which is made where there is none",
            options.data.display()
        );
        let has = |role| options.roles.contains(&role);
        let listener = if has(Role::Api) {
            Some(listen(options.listen).await?)
        } else {
            None
        };
        let given = Databases::from_environment()?;
        let (databases, cluster) = if given.are_unset() {
            let (databases, cluster) = private_databases(&options).await?;
            (databases, Some(cluster))
        } else {
            (given, None)
        };
        let mut server = Self {
            address: listener.as_ref().map(TcpListener::local_addr).transpose()?,
            api: Parts::new(),
            workers: Parts::new(),
            stop_api: CancellationToken::new(),
            stop_workers: CancellationToken::new(),
            cluster,
            data: options.data.clone(),
        };
        if let Err(error) = server
            .start_parts(&options, listener, &databases, stop)
            .await
        {
            let _ = server.stop().await;
            return Err(error);
        }
        Ok(server)
    }

    async fn start_parts(
        &mut self,
        options: &ServerOptions,
        listener: Option<TcpListener>,
        databases: &Databases,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let Foundation {
            api,
            scorer,
            inference,
            objects,
        } = self
            .foundation(options, listener.as_ref(), databases, stop)
            .await?;
        if let Some(db) = scorer {
            let (objects, stop) = (objects.clone(), self.stop_workers.clone());
            let scorer = move |stop| {
                let (db, objects) = (db.clone(), objects.clone());
                async move {
                    db.check_schema().await?;
                    db.check_store(&objects).await?;
                    run_scorer(db, objects, ScorerConfig::default(), stop).await
                }
            };
            self.workers
                .spawn(async move { Ok(keep_working(stop, scorer).await?) });
        }
        if let Some(db) = inference {
            let config = options.models.config(options.device, &options.data)?;
            let (objects, stop) = (objects.clone(), self.stop_workers.clone());
            let inference = move |stop| {
                let (db, objects, config) = (db.clone(), objects.clone(), config.clone());
                async move {
                    db.check_schema().await?;
                    db.check_store(&objects).await?;
                    run_inference(db, objects, config, stop).await
                }
            };
            self.workers
                .spawn(async move { Ok(keep_working(stop, inference).await?) });
        }
        if let (Some(db), Some(listener)) = (api, listener) {
            let config = ApiConfig {
                public_url: variable("REFEREE_PUBLIC_URL")?
                    .map(|url| url.trim_end_matches('/').to_owned()),
                listens_on_loopback: listener.local_addr()?.ip().is_loopback(),
                server_key: ServerKey(self.server_key()?),
                trusted_proxies: options.trusted_proxies.clone(),
                max_upload_slots: MAX_UPLOAD_SLOTS,
                registration: parsed("REFEREE_REGISTRATION")?.unwrap_or_default(),
                sign_ups_per_hour: parsed("REFEREE_SIGN_UPS_PER_HOUR")?
                    .unwrap_or(ApiConfig::SIGN_UPS_PER_HOUR),
            };
            let from_elsewhere = !config.listens_on_loopback || config.public_url.is_some();
            if from_elsewhere && !registration::has_accounts(&db).await? {
                let address = listener.local_addr()?;
                let url = config.public_url.clone();
                let url = url.unwrap_or_else(|| format!("http://{address}"));
                print_setup_link(&db, &url).await?;
            }
            self.api.spawn(sweep_hourly(
                db.clone(),
                objects.clone(),
                self.stop_api.clone(),
            ));
            let app = App::new(db, objects, config);
            let stop = self.stop_api.clone();
            self.api.spawn(async move {
                referee_api::serve(listener, app, stop.cancelled_owned()).await;
                Ok(())
            });
        }
        Ok(())
    }

    /// What the parts stand on. While it is waited for, whoever asks is told why.
    async fn foundation(
        &self,
        options: &ServerOptions,
        listener: Option<&TcpListener>,
        databases: &Databases,
        stop: &CancellationToken,
    ) -> anyhow::Result<Foundation> {
        let own = options.data.join("objects");
        let given = variable("REFEREE_OBJECTS")?;
        let location = match &given {
            Some(location) => location,
            None => own.to_str().context(
                "the name of the data directory is not UTF-8; choose another with --data",
            )?,
        };
        let (waiting, why) = watch::channel(String::new());
        let answering = CancellationToken::new();
        let _answers_end_with_this = answering.clone().drop_guard();
        if let Some(listener) = listener {
            let listener = another_of(listener)?;
            tokio::spawn(async move {
                referee_api::serve_waiting(listener, why, answering.cancelled_owned()).await;
            });
        }
        let roles = &options.roles;
        let found = Foundation::lay(databases, roles, location, &waiting, stop).await?;
        if given.is_none() && self.cluster.is_some() {
            // The directory is this process's alone: whatever is half written is of one that was killed.
            found.objects.sweep_unfinished(Duration::ZERO).await?;
        }
        Ok(found)
    }

    /// The key that label files are fingerprinted with: `REFEREE_SERVER_KEY`, else the private installation's own.
    fn server_key(&self) -> anyhow::Result<[u8; 32]> {
        match secret("REFEREE_SERVER_KEY")? {
            Some(digits) => key_from_digits(&digits)
                .context("REFEREE_SERVER_KEY must be 64 hexadecimal digits; make them once with `openssl rand -hex 32` and keep them"),
            None if self.cluster.is_some() => Ok(cluster::server_key(&self.data)?),
            None => Err(anyhow!(
                "REFEREE_SERVER_KEY is not set; make it once with `openssl rand -hex 32` and give every api process the same"
            )),
        }
    }

    /// Where the API listens, if this process plays that role.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Runs until `shutdown` or until a part ends by itself, then stops everything, PostgreSQL last.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let postgres_ended: Pin<Box<dyn Future<Output = _> + Send>> = match &self.cluster {
            Some(cluster) => Box::pin(cluster.exited()),
            None => Box::pin(std::future::pending()),
        };
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            error = postgres_ended => Err(error.into()),
            Some(ended) = self.api.join_next() => Err(why(ended)),
            Some(ended) = self.workers.join_next() => Err(why(ended)),
        };
        let stopped = self.stop().await;
        ended.and(stopped)
    }

    /// The API first, so that nothing new arrives; then the workers; then what both stand on.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.stop_api.cancel();
        finish(&mut self.api, HANDLERS_FINISH, "requests").await;
        self.stop_workers.cancel();
        finish(
            &mut self.workers,
            WORKERS_FINISH,
            "jobs, which run again at the next start,",
        )
        .await;
        match self.cluster.take() {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }
}

/// Removes what uploads that broke off have left, every hour until `stop`. Not in the first: whoever has just started with the
/// wrong database or store has time to notice.
async fn sweep_hourly(
    db: ApiDb,
    objects: ObjectStore,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut hour = interval_at(Instant::now() + SWEEP, SWEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = hour.tick() => match sweep_objects(&db, &objects).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "swept objects that nothing refers to"),
                Err(error) => tracing::warn!(%error, "objects were not swept; the next try is in an hour"),
            },
        }
    }
}

/// Waits for tasks that were told to end, and cuts them off when their time is up.
async fn finish(parts: &mut Parts, time: Duration, what: &str) {
    let all = async {
        while let Some(part) = parts.join_next().await {
            if let Ok(Err(error)) = part {
                tracing::warn!("{error:#}");
            }
        }
    };
    if timeout(time, all).await.is_err() {
        tracing::warn!(
            "some {what} did not finish within {} s and were cut off",
            time.as_secs()
        );
        parts.shutdown().await;
    }
}

fn why(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("a part of the server ended by itself; start it again"),
        Ok(Err(error)) => error,
        Err(panic) => panic.into(),
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let begun = Instant::now();
    let mut attempt = TcpListener::bind(address).await;
    while matches!(&attempt, Err(error) if error.kind() == io::ErrorKind::AddrInUse)
        && begun.elapsed() < ADDRESS_FREED
    {
        sleep(Duration::from_millis(20)).await;
        attempt = TcpListener::bind(address).await;
    }
    attempt
        .with_context(|| format!("cannot listen on {address}; choose another address with --listen, such as 127.0.0.1:8081"))
}

/// Starts the private cluster and brings it up to date.
async fn private_databases(options: &ServerOptions) -> anyhow::Result<(Databases, PrivateCluster)> {
    let cluster = PrivateCluster::start(&options.data).await?;
    if let Err(error) = cluster.migrate().await {
        let _ = cluster.stop().await;
        return Err(error.into());
    }
    let urls = cluster.urls().clone();
    let databases = Databases {
        api: Some(urls.api),
        scorer: Some(urls.scorer),
        inference: Some(urls.inference),
    };
    Ok((databases, cluster))
}

/// The same socket once more, for who accepts from it meanwhile.
fn another_of(listener: &TcpListener) -> io::Result<TcpListener> {
    use std::os::fd::AsFd as _;
    let socket = listener.as_fd().try_clone_to_owned()?;
    TcpListener::from_std(std::net::TcpListener::from(socket))
}

/// The link by which whoever has started this server opens the account that administers it; without it the first to come would.
async fn print_setup_link(db: &ApiDb, url: &str) -> anyhow::Result<()> {
    let secret = referee_api::new_secret("")?;
    let invitation = NewInvitation {
        secret_hash: referee_api::secret_hash(&secret),
        role: accounts::Role::Administrator,
        uses: 1,
        expires_at: None,
    };
    registration::invite(db, &invitation).await?;
    eprintln!(
        "There is no account yet. This link, which works once, opens the one that administers this server:\n  {url}/sign-up?invitation={secret}"
    );
    Ok(())
}

/// A variable's value.
fn parsed<T>(name: &str) -> anyhow::Result<Option<T>>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let value = variable(name)?;
    let parse = |text: String| {
        text.parse()
            .map_err(|error| anyhow!("{name} is `{text}`: {error}"))
    };
    value.map(parse).transpose()
}

fn key_from_digits(digits: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    let pairs = digits.as_bytes().chunks_exact(2);
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        let key = key_from_digits(&"0f".repeat(32)).unwrap();
        assert_eq!(key, [15; 32]);
        assert!(key_from_digits("0f").is_none());
        assert!(key_from_digits(&"xy".repeat(32)).is_none());
    }
}
