//! What can go wrong with the private cluster, each a sentence with its remedy.

use std::{io, path::PathBuf, process::ExitStatus};

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no PostgreSQL found: install Debian's package `postgresql`, or set REFEREE_POSTGRES_BIN to the \
         directory that holds `postgres` and `initdb`"
    )]
    NotInstalled,
    #[error(
        "REFEREE_POSTGRES_BIN is {0}, where no `postgres` and `initdb` of one version can be run"
    )]
    NotInConfigured(PathBuf),
    #[error(
        "{cluster} was made by PostgreSQL {version}, which is not installed: install Debian's package \
         `postgresql-{version}`, or set REFEREE_POSTGRES_BIN to its directory"
    )]
    VersionMissing { cluster: PathBuf, version: u32 },
    #[error(
        "another server{} uses {data_dir}: stop that one, or give this one a data directory of its own",
        .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse { data_dir: PathBuf, pid: Option<u32> },
    #[error(
        "PostgreSQL does not run as root and there is no user `postgres` to run it as: install Debian's \
         package `postgresql`, or start the server as an ordinary user"
    )]
    NoPostgresUser,
    #[error(
        "as root the server runs PostgreSQL as the user `postgres`, who cannot enter {barrier}: choose a data \
         directory elsewhere, such as /var/lib/referee, or run `chmod o+x {barrier}`"
    )]
    Unreachable { barrier: PathBuf },
    #[error("no database in {0} yet: start it once with `referee serve --data {0}`")]
    NotCreated(PathBuf),
    #[error(
        "{0} does not hold the 64 hexadecimal digits the server wrote there: restore it from a backup"
    )]
    SecretDamaged(PathBuf),
    #[error(
        "{0} is missing, and the database beside it was made with it: restore it from a backup of the same \
         data directory"
    )]
    SecretMissing(PathBuf),
    #[error("{program} could not make a new database: {output}")]
    Creation {
        program: &'static str,
        output: String,
    },
    #[error("PostgreSQL did not start ({status}): {reason}; its log is {log}")]
    NotStarted {
        status: ExitStatus,
        reason: String,
        log: PathBuf,
    },
    #[error(
        "PostgreSQL was not ready after {seconds} s; see its log {log}, then start the server again"
    )]
    NotReady { seconds: u64, log: PathBuf },
    #[error(
        "PostgreSQL ended unexpectedly ({status}): {reason}; its log is {log}. Start the server again: the \
         database recovers by itself"
    )]
    Ended {
        status: ExitStatus,
        reason: String,
        log: PathBuf,
    },
    #[error(
        "PostgreSQL processes of an earlier run still use {cluster} and do not end: stop them with `kill {}`",
        .pids.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
    )]
    LeftOver { cluster: PathBuf, pids: Vec<i32> },
    #[error(
        "PostgreSQL (process {pid}) did not stop within {seconds} s; the next start will stop it"
    )]
    NotStopped { pid: i32, seconds: u64 },
    #[error("cannot {action} {path}: {source}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl ClusterError {
    /// For `map_err`: what was being done to which file.
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
