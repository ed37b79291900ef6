//! The running PostgreSQL: starting it, knowing when it is ready, stopping it, noticing its end.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::{
    ClusterError,
    account::{Account, OnOurDeath},
    binaries::Binaries,
};

/// Crash recovery of a large database is the only thing that takes long.
const READY_WITHIN: Duration = Duration::from_mins(10);
const STOPPED_WITHIN: Duration = Duration::from_mins(1);
const LOG_LIMIT: u64 = 10 << 20;

pub(super) struct Postmaster {
    pid: Pid,
    /// Set when the process has ended.
    ended: watch::Receiver<Option<ExitStatus>>,
    log: Log,
}

impl Postmaster {
    /// Start PostgreSQL on `cluster`, listening in `socket_directory` only, and wait until it
    /// accepts connections. Blocks.
    pub(super) fn start(
        cluster: &Path,
        socket_directory: &Path,
        log: PathBuf,
        binaries: &Binaries,
        account: &Account,
    ) -> Result<Self, ClusterError> {
        let (log, output) = Log::open(log)?;
        let mut command = account.command(&binaries.postgres(), cluster, OnOurDeath::ShutDown);
        command.arg("-D").arg(cluster);
        for setting in settings(socket_directory) {
            command.arg("-c").arg(setting);
        }
        let errors = output
            .try_clone()
            .map_err(ClusterError::file("write", &log.path))?;
        command.stdout(output).stderr(errors);
        let (pid, ended) =
            spawn_kept(command).map_err(ClusterError::file("run", binaries.postgres()))?;
        let postmaster = Self { pid, ended, log };
        postmaster.wait_until_ready(cluster)?;
        Ok(postmaster)
    }

    /// PostgreSQL writes its state into the last line of `postmaster.pid`; its own `pg_ctl`
    /// waits by reading it too.
    fn wait_until_ready(&self, cluster: &Path) -> Result<(), ClusterError> {
        let pid_file = cluster.join("postmaster.pid");
        let start = Instant::now();
        let mut announced = Duration::ZERO;
        loop {
            let state = fs::read_to_string(&pid_file).unwrap_or_default();
            if state
                .lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
            {
                return Ok(());
            }
            if let Some(status) = *self.ended.borrow() {
                return Err(ClusterError::NotStarted {
                    status,
                    reason: self.log.last_complaint(),
                    log: self.log.path.clone(),
                });
            }
            let waited = start.elapsed();
            if waited > READY_WITHIN {
                return Err(ClusterError::NotReady {
                    seconds: READY_WITHIN.as_secs(),
                    log: self.log.path.clone(),
                });
            }
            if waited > announced + Duration::from_secs(10) {
                announced = waited;
                tracing::info!(seconds = waited.as_secs(), "PostgreSQL is recovering");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resolves when PostgreSQL has ended, with the sentence that says so.
    pub(super) fn ended(&self) -> impl Future<Output = ClusterError> + Send + use<> {
        let mut ended = self.ended.clone();
        let log = self.log.clone();
        async move {
            let status = ended
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|status| *status);
            ClusterError::Ended {
                status: status.unwrap_or_default(),
                reason: log.last_complaint(),
                log: log.path,
            }
        }
    }

    /// Fast shutdown: transactions are rolled back, everything is written, connections end.
    pub(super) async fn stop(&self) -> Result<(), ClusterError> {
        self.signal(Signal::INT);
        let mut ended = self.ended.clone();
        let waiting = tokio::time::timeout(STOPPED_WITHIN, ended.wait_for(Option::is_some));
        match waiting.await {
            Ok(_) => Ok(()),
            Err(_) => Err(ClusterError::NotStopped {
                pid: self.pid.as_raw_nonzero().get(),
                seconds: STOPPED_WITHIN.as_secs(),
            }),
        }
    }

    fn signal(&self, signal: Signal) {
        // Once the process has ended, its number may be another's.
        if self.ended.borrow().is_none()
            && let Err(error) = kill_process(self.pid, signal)
        {
            tracing::debug!(%error, "PostgreSQL ended by itself");
        }
    }
}

impl Drop for Postmaster {
    /// Not waited for: a server that starts before it has ended waits for it.
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}

/// What must hold whatever `postgresql.conf` says: nobody reaches the server over a network, and
/// no value from a query or a row, a label least of all, is written to the log.
fn settings(socket_directory: &Path) -> impl Iterator<Item = OsString> {
    // A list of directories, each of which may be quoted, with quotes in it doubled.
    let mut socket = b"unix_socket_directories=\"".to_vec();
    for &byte in socket_directory.as_os_str().as_bytes() {
        if byte == b'"' {
            socket.push(b'"');
        }
        socket.push(byte);
    }
    socket.push(b'"');
    let fixed = [
        "listen_addresses=",
        "port=5432",
        "unix_socket_permissions=0700",
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
        "log_parameter_max_length_on_error=0",
    ];
    fixed
        .into_iter()
        .map(OsString::from)
        .chain(std::iter::once(OsString::from_vec(socket)))
}

/// Start `command` from a thread of its own, which then waits for it: so the thread that the
/// parent-death signal is tied to lives exactly as long as it should.
fn spawn_kept(mut command: Command) -> io::Result<(Pid, watch::Receiver<Option<ExitStatus>>)> {
    let (started, start) = std::sync::mpsc::sync_channel(1);
    let (end, ended) = watch::channel(None);
    thread::Builder::new()
        .name("postgres".to_owned())
        .spawn(move || match command.spawn() {
            Ok(mut child) => {
                if started.send(Ok(Pid::from_child(&child))).is_ok() {
                    end.send_replace(Some(child.wait().unwrap_or_default()));
                }
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        })?;
    let pid = start
        .recv()
        .map_err(|_| io::Error::other("the thread that starts PostgreSQL ended"))??;
    Ok((pid, ended))
}

/// `DIR/postgres.log`, to which PostgreSQL appends.
#[derive(Clone)]
struct Log {
    path: PathBuf,
    /// Where this run's lines begin.
    start: u64,
}

impl Log {
    /// Open the log for PostgreSQL to write to; one that has grown large begins anew.
    fn open(path: PathBuf) -> Result<(Self, File), ClusterError> {
        let open = || {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)?;
            let length = file.metadata()?.len();
            if length <= LOG_LIMIT {
                return Ok((length, file));
            }
            file.set_len(0)?;
            Ok((0, file))
        };
        match open() {
            Ok((start, file)) => Ok((Self { path, start }, file)),
            Err(error) => Err(ClusterError::file("open", path)(error)),
        }
    }

    /// The last fatal line of this run, else its last line.
    fn last_complaint(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.start))?;
            file.take(LOG_LIMIT).read_to_end(&mut text)
        });
        if let Err(error) = read {
            return format!("its log cannot be read ({error})");
        }
        complaint(&String::from_utf8_lossy(&text)).to_owned()
    }
}

fn complaint(log: &str) -> &str {
    let mut backwards = log.lines().rev().map(str::trim);
    let severe = backwards
        .clone()
        .find_map(|line| Some(&line[line.find("FATAL:").or_else(|| line.find("PANIC:"))?..]));
    severe
        .or_else(|| backwards.find(|line| !line.is_empty()))
        .unwrap_or("it logged nothing")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{complaint, settings};

    #[test]
    fn names_the_fatal_line() {
        // As PostgreSQL 15 logs it when another program holds the socket.
        let log = "2026-01-01 00:00:00.000 UTC [7] LOG:  starting PostgreSQL 15.14\n\
                   2026-01-01 00:00:00.001 UTC [7] FATAL:  could not create any Unix-domain sockets\n\
                   2026-01-01 00:00:00.002 UTC [7] LOG:  database system is shut down\n";
        assert_eq!(
            complaint(log),
            "FATAL:  could not create any Unix-domain sockets"
        );
        assert_eq!(
            complaint("setpriv: exec failed\n\n"),
            "setpriv: exec failed"
        );
        assert_eq!(complaint(""), "it logged nothing");
    }

    #[test]
    fn a_socket_directory_is_one_directory_whatever_its_name() {
        let last = settings(Path::new("/srv/a, \"b\"/socket")).last().unwrap();
        assert_eq!(last, "unix_socket_directories=\"/srv/a, \"\"b\"\"/socket\"");
    }
}
