//! The private PostgreSQL: without a database of the operator's own, the server makes one in its
//! data directory from the system's PostgreSQL and runs it for as long as it runs itself.
//!
//! It listens on a unix socket only and asks every role for a password (SCRAM). What lies in the
//! data directory:
//!
//! | name | what |
//! | --- | --- |
//! | `lock` | locked by the one server that uses the directory; holds its process id |
//! | `postgres/` | the database cluster |
//! | `postgres.log` | what PostgreSQL has to say |
//! | `socket/` | the unix socket; `socket-path` names another place where this path is too long |
//! | `secrets/` | random passwords of the roles, and the server's key |
//! | `objects/` | uploaded files ([`crate::objects`]) |

mod account;
mod binaries;
mod creation;
mod error;
mod leftovers;
mod location;
mod postmaster;
mod secrets;

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sqlx::{Connection, Executor, PgConnection};

use crate::migrate::{MigrateError, RolePasswords, migrate};
use account::Account;
use binaries::Binaries;
use postmaster::Postmaster;
use secrets::Passwords;

pub use error::ClusterError;
pub use secrets::server_key;

const OWNER: &str = "referee_owner";

/// A running private PostgreSQL. Dropped without [`PrivateCluster::stop`], it is told to shut
/// down but not waited for.
pub struct PrivateCluster {
    postmaster: Postmaster,
    urls: DatabaseUrls,
    passwords: Passwords,
    is_new: bool,
    // Released last, and by the kernel when this process dies.
    _lock: File,
}

/// Connection URLs of the database `referee`, passwords included; `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrls {
    /// Migrations only.
    pub owner: String,
    pub api: String,
    pub scorer: String,
    pub inference: String,
}

impl PrivateCluster {
    /// Start the PostgreSQL of `data_dir`, which is made where there is none, and wait until it
    /// accepts connections. About a second the first time, a fifth of one later.
    ///
    /// The owner and the database exist then; the other roles and the schema are the migrations'.
    pub async fn start(data_dir: &Path) -> Result<Self, ClusterError> {
        let data_dir = data_dir.to_owned();
        let starting = tokio::task::spawn_blocking(move || Self::start_blocking(&data_dir));
        match starting.await {
            Ok(started) => started,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    fn start_blocking(data_dir: &Path) -> Result<Self, ClusterError> {
        let account = Account::of_this_process()?;
        let data_dir = make_data_dir(data_dir, &account)?;
        let lock = lock(&data_dir)?;

        let cluster = data_dir.join("postgres");
        let is_new = !exists(&data_dir);
        let (binaries, passwords) = if is_new {
            let binaries = Binaries::newest()?;
            let passwords = Passwords::create(&data_dir)?;
            creation::create(&data_dir, &binaries, &account, &passwords.owner)?;
            (binaries, passwords)
        } else {
            leftovers::stop(&cluster)?;
            let passwords = Passwords::read(&data_dir)?;
            (Binaries::of_cluster(&cluster)?, passwords)
        };
        let socket = location::prepare(&data_dir, &account)?;
        let log = data_dir.join("postgres.log");
        let postmaster = Postmaster::start(&cluster, &socket, log, &binaries, &account)?;
        Ok(Self {
            postmaster,
            urls: DatabaseUrls::new(&socket, &passwords),
            passwords,
            is_new,
            _lock: lock,
        })
    }

    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// Brings the database up to date, with a password for each role of the wall, and shuts the roles out of the databases
    /// that every cluster comes with.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        let passwords = RolePasswords {
            api: Some(self.passwords.api.clone()),
            scorer: Some(self.passwords.scorer.clone()),
            inference: Some(self.passwords.inference.clone()),
        };
        migrate(&self.urls.owner, &passwords).await?;
        PgConnection::connect(&self.urls.owner)
            .await?
            .execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
            .await?;
        Ok(())
    }

    /// Whether this start made the cluster.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Resolves when PostgreSQL has ended, asked to or not, with the sentence to end the server
    /// with when it was not.
    pub fn exited(&self) -> impl Future<Output = ClusterError> + Send + use<> {
        self.postmaster.ended()
    }

    /// Shut PostgreSQL down, ending the connections there are, and wait until it has ended.
    pub async fn stop(self) -> Result<(), ClusterError> {
        self.postmaster.stop().await
    }
}

/// The URLs of the cluster in `data_dir`, running or not.
pub fn recorded_urls(data_dir: &Path) -> Result<DatabaseUrls, ClusterError> {
    let not_created = || ClusterError::NotCreated(data_dir.to_owned());
    let data_dir = data_dir.canonicalize().map_err(|_| not_created())?;
    if !exists(&data_dir) {
        return Err(not_created());
    }
    let passwords = Passwords::read(&data_dir)?;
    Ok(DatabaseUrls::new(
        &location::recorded(&data_dir)?,
        &passwords,
    ))
}

fn exists(data_dir: &Path) -> bool {
    data_dir.join("postgres/PG_VERSION").exists()
}

/// The data directory as a canonical path, in a place where PostgreSQL's account can go. One that
/// has to be made can be entered by everyone; what is private in it says so itself.
fn make_data_dir(path: &Path, account: &Account) -> Result<PathBuf, ClusterError> {
    let open = |path: &Path| {
        let canonical = path.canonicalize();
        let canonical = canonical.map_err(ClusterError::file("open", path))?;
        account.check_can_enter(&canonical).map(|()| canonical)
    };
    if path.exists() {
        return open(path);
    }
    let absolute = std::path::absolute(path).map_err(ClusterError::file("create", path))?;
    if let Some(place) = absolute.ancestors().find(|ancestor| ancestor.exists()) {
        open(place)?;
    }
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o711)))
        .map_err(ClusterError::file("create", path))?;
    open(path)
}

/// The lock is the kernel's, on the open file: it ends with this process, however that ends. A child that a killed server
/// was just starting shares the file until it runs its own program, so the lock is waited for, shortly.
fn lock(data_dir: &Path) -> Result<File, ClusterError> {
    let path = data_dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(ClusterError::file("open", &path))?;
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(1);
    let mut attempt = file.try_lock();
    while matches!(attempt, Err(TryLockError::WouldBlock)) && std::time::Instant::now() < patience {
        std::thread::sleep(std::time::Duration::from_millis(20));
        attempt = file.try_lock();
    }
    match attempt {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let recorded = fs::read_to_string(&path).unwrap_or_default();
            return Err(ClusterError::InUse {
                data_dir: data_dir.to_owned(),
                pid: recorded.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(ClusterError::file("lock", path)(error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(ClusterError::file("write", path))?;
    Ok(file)
}

impl DatabaseUrls {
    fn new(socket: &Path, passwords: &Passwords) -> Self {
        let host = percent_encoded(socket);
        let url = |role: &str, password: &str| {
            format!("postgres://{role}:{password}@{host}:5432/referee")
        };
        Self {
            owner: url(OWNER, &passwords.owner),
            api: url("referee_api", &passwords.api),
            scorer: url("referee_scorer", &passwords.scorer),
            inference: url("referee_inference", &passwords.inference),
        }
    }
}

impl fmt::Debug for DatabaseUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrls(***)")
    }
}

/// A path as the host of a URL, which is how both sqlx and libpq take a socket's directory.
fn percent_encoded(path: &Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};
    let mut encoded = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}
