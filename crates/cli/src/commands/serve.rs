use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use referee_api::TrustedProxies;
use referee_networks::DeviceChoice;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::memory;
use crate::models::ModelOptions;
use crate::server::{Role, Server, ServerOptions};

/// Run a server: everything in one process by default
///
/// Without database URLs in the environment it makes and runs a PostgreSQL of its own in DIR. With
/// REFEREE_API_DATABASE_URL, REFEREE_SCORER_DATABASE_URL and REFEREE_INFERENCE_DATABASE_URL (those of the chosen roles) it
/// uses a database that `referee migrate` has prepared; the passwords may stand apart, in REFEREE_API_PASSWORD and so on. The
/// api role then needs a REFEREE_SERVER_KEY. Each of these can be read from a file: `…_FILE=PATH`.
///
/// REFEREE_PUBLIC_URL is the address that browsers use, REFEREE_OBJECTS a directory or URL for uploaded files, REFEREE_LOG
/// filters what is logged (`info,referee_api=debug`). REFEREE_REGISTRATION says who may open an account: open, invitation or closed
/// (see `referee admin invite` and `referee admin add`); REFEREE_SIGN_UPS_PER_HOUR how many one address may without an invitation,
/// 30 by default.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee serve --data /var/lib/referee --listen 0.0.0.0:8080")]
pub struct Serve {
    /// Where everything is kept; made where there is none
    #[arg(long, value_name = "DIR", default_value = "referee-data")]
    data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Proxies whose X-Forwarded-For says who sends a request, besides those on this machine: addresses and networks, such as
    /// 192.0.2.7,172.18.0.0/16. Never a network from which people reach the server directly: they could pretend to be anyone
    #[arg(
        long,
        value_name = "LIST",
        env = "REFEREE_TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true
    )]
    trusted_proxies: TrustedProxies,
    /// What this process does
    #[arg(long, value_delimiter = ',', default_value = "api,scorer,inference")]
    roles: Vec<Role>,
    /// What submitted models run on: auto, cpu, cuda or cuda:N
    #[arg(long, env = "REFEREE_DEVICE", default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    models: ModelOptions,
    /// How the log on stderr is written
    #[arg(long, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Serve {
    pub async fn run(self) -> anyhow::Result<()> {
        start_log(self.log_format);
        raise_open_files_limit();
        memory::return_what_is_freed();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = CancellationToken::new();
        let told = stop.clone();
        tokio::spawn(async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            told.cancel();
        });
        let options = ServerOptions {
            data: self.data,
            listen: self.listen,
            trusted_proxies: self.trusted_proxies,
            roles: self.roles,
            device: self.device,
            models: self.models,
        };
        let data = options.data.clone();
        let server = Server::start(options, &stop).await?;
        match server.address() {
            Some(address) => eprintln!(
                "Referee is ready at http://{address} and keeps its data in {}",
                data.display()
            ),
            None => eprintln!("Referee's workers are ready"),
        }
        server.run_until(stop.cancelled()).await
    }
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("REFEREE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,graphile_worker=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

/// Each connection, upload and event stream is an open file; the usual soft limit of 1024 is soon reached.
fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        )
    {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}
