//! Making a new cluster: `initdb`, its settings, and the database `referee`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    ClusterError, OWNER,
    account::{Account, OnOurDeath, private_directory},
    binaries::Binaries,
    leftovers,
};

/// Appended to the new cluster's `postgresql.conf`, where the operator may change them.
const SETTINGS: &str = "
# Settings of Referee's private cluster, written once, when it was made.
max_connections = 100
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
";

/// Make the cluster `data_dir/postgres`, or nothing: everything happens in `postgres.new`, which
/// is renamed at the end, so an interruption at any moment is repaired by starting again.
pub(super) fn create(
    data_dir: &Path,
    binaries: &Binaries,
    account: &Account,
    password: &str,
) -> Result<(), ClusterError> {
    let cluster = data_dir.join("postgres.new");
    discard(&cluster)?;
    private_directory(cluster.clone(), account)?;
    initialise(&cluster, binaries, account, password)?;
    append_settings(&cluster)?;
    create_database(&cluster, binaries, account)?;
    let finished = data_dir.join("postgres");
    fs::rename(&cluster, &finished).map_err(ClusterError::file("create", &finished))?;
    File::open(data_dir)
        .and_then(|directory| directory.sync_all())
        .map_err(ClusterError::file("sync", data_dir))
}

/// Remove what an interrupted creation left, its processes first.
fn discard(unfinished: &Path) -> Result<(), ClusterError> {
    if !unfinished.exists() {
        return Ok(());
    }
    leftovers::stop(unfinished)?;
    fs::remove_dir_all(unfinished).map_err(ClusterError::file("remove", unfinished))
}

fn initialise(
    cluster: &Path,
    binaries: &Binaries,
    account: &Account,
    password: &str,
) -> Result<(), ClusterError> {
    let password_file = PasswordFile::write(cluster, account, password)?;
    let mut command = account.command(&binaries.initdb(), cluster, OnOurDeath::Kill);
    command
        .arg("--pgdata")
        .arg(cluster)
        .arg(format!("--username={OWNER}"))
        .arg("--pwfile")
        .arg(&password_file.0)
        .args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ])
        .args(["--data-checksums", "--no-instructions"]);
    run("initdb", command)
}

/// The owner's password where `initdb` can read it, for as long as it runs. It lies beside the
/// cluster, since `initdb` takes only an empty directory, and a password on a command line could
/// be seen by everyone on the machine.
struct PasswordFile(PathBuf);

impl PasswordFile {
    fn write(cluster: &Path, account: &Account, password: &str) -> Result<Self, ClusterError> {
        let path = cluster.with_extension("password");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ClusterError::file("remove", path)(error));
            }
            _ => {}
        }
        let file = Self(path);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file.0)
            .and_then(|mut open| writeln!(open, "{password}"))
            .map_err(ClusterError::file("write", &file.0))?;
        account.give(&file.0)?;
        Ok(file)
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "cannot remove the password file");
        }
    }
}

fn append_settings(cluster: &Path) -> Result<(), ClusterError> {
    let path = cluster.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| {
            file.write_all(SETTINGS.as_bytes())?;
            file.sync_all()
        })
        .map_err(ClusterError::file("write", path))
}

/// Create the database `referee` before anything listens, in PostgreSQL's single-user mode: a
/// cluster that exists has its database.
fn create_database(
    cluster: &Path,
    binaries: &Binaries,
    account: &Account,
) -> Result<(), ClusterError> {
    let (statement, mut writer) =
        io::pipe().map_err(ClusterError::file("make a pipe for", cluster))?;
    writer
        .write_all(b"CREATE DATABASE referee\n")
        .map_err(ClusterError::file("write to a pipe for", cluster))?;
    drop(writer);
    let mut command = account.command(&binaries.postgres(), cluster, OnOurDeath::Kill);
    command
        .arg("--single")
        .arg("-D")
        .arg(cluster)
        .args(["-c", "exit_on_error=on", "postgres"])
        .stdin(statement);
    run("postgres --single", command)
}

fn run(program: &'static str, mut command: Command) -> Result<(), ClusterError> {
    let output = command
        .output()
        .map_err(ClusterError::file("run", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(ClusterError::Creation {
        program,
        output: format!("{}: {}", output.status, text.trim()),
    })
}
