use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use rustix::process::Signal;

use super::compose::Compose;
use crate::server::{eventually, signal};

/// What the service `postgres` makes of its environment: a server on TCP that asks everyone for a password.
pub struct Postgres {
    pub port: u16,
    process: Child,
    programs: PathBuf,
    directory: PathBuf,
    owner: String,
    password: String,
}

impl Postgres {
    pub fn start(directory: &Path, compose: &Compose) -> Self {
        let environment = compose.environment("postgres");
        let owner = environment["POSTGRES_USER"].clone();
        let programs = programs();
        fs::create_dir(directory).expect("make a directory");
        let everyone = fs::Permissions::from_mode(0o777);
        fs::set_permissions(directory, everyone).expect("hand it to the user postgres");
        // Not even the directory of the secrets can be entered by others.
        let password_file = directory.join("owner_password");
        fs::copy(&environment["POSTGRES_PASSWORD_FILE"], &password_file).expect("copy it");
        let data = directory.join("data");
        let made = as_postgres(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--username", &owner])
            .arg("--pwfile")
            .arg(&password_file)
            .args(environment["POSTGRES_INITDB_ARGS"].split(' '))
            .output()
            .expect("run initdb");
        assert!(made.status.success(), "{}", text(&made.stderr));
        // Below those that the kernel gives to whoever asks for any, so that nobody gets it before PostgreSQL does.
        let port = std::iter::repeat_with(|| fastrand::u16(20_000..30_000))
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .expect("a free port");
        let postgres = Self {
            port,
            process: spawn(&programs, directory, port),
            programs,
            directory: directory.to_owned(),
            owner,
            password: compose.secret("owner_password"),
        };
        eventually("PostgreSQL answers", || {
            postgres.run("postgres", "SELECT 1").ok()
        });
        let name = &environment["POSTGRES_DB"];
        postgres
            .run("postgres", &format!("CREATE DATABASE {name}"))
            .expect("create it");
        postgres
    }

    /// As an update of its package does it: every connection is cut.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    pub fn stop(&mut self) {
        signal(&self.process, Signal::INT);
        self.process.wait().expect("it ends");
    }

    pub fn start_again(&mut self) {
        self.process = spawn(&self.programs, &self.directory, self.port);
        eventually("PostgreSQL answers", || {
            self.run("postgres", "SELECT 1").ok()
        });
    }

    /// Waits until exactly these roles have connections, in the order of their names.
    pub fn is_used_by(&self, roles: &[&str]) {
        let names = "SELECT DISTINCT usename FROM pg_stat_activity
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                     ORDER BY usename";
        eventually(&format!("{roles:?} are connected, and nobody else"), || {
            let connected = self.run("referee", names).expect("ask");
            connected.lines().eq(roles.iter().copied()).then_some(())
        });
    }

    /// # Errors
    /// What psql says.
    pub fn query(&self, role: &str, password: &str, query: &str) -> Result<String, String> {
        self.psql(role, password, "referee", query)
    }

    /// As the owner; without the final newline.
    pub fn ask(&self, query: &str) -> String {
        let answer = self.run("referee", query).expect("ask");
        answer.trim_end().to_owned()
    }

    /// Begins a transaction of the owner with this statement, and leaves it open.
    pub fn hold(&self, statement: &str) -> Held {
        let mut session = self
            .session(&self.owner, &self.password, "referee")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run psql");
        let mut input = session.stdin.take().expect("its stdin");
        writeln!(input, "BEGIN; {statement}; SELECT 'held';").expect("ask");
        let output = BufReader::new(session.stdout.take().expect("its stdout"));
        let held = output
            .lines()
            .any(|line| line.expect("read it").contains("held"));
        assert!(held, "psql ended before `{statement}` was done");
        Held {
            session,
            _input: input,
        }
    }

    fn run(&self, database: &str, query: &str) -> Result<String, String> {
        self.psql(&self.owner, &self.password, database, query)
    }

    fn psql(
        &self,
        role: &str,
        password: &str,
        database: &str,
        query: &str,
    ) -> Result<String, String> {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .session(role, password, database)
            .args(["--command", query])
            .output()
            .expect("run psql");
        if status.success() {
            Ok(text(&stdout))
        } else {
            Err(text(&stderr))
        }
    }

    /// psql, which runs what is given to it and prints bare answers.
    fn session(&self, role: &str, password: &str, database: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align"])
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--username", role, "--dbname", database])
            .env("PGPASSWORD", password);
        psql
    }
}

/// A transaction that is rolled back when this is dropped.
pub struct Held {
    session: Child,
    /// psql leaves at its end.
    _input: ChildStdin,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // PostgreSQL's fast shutdown.
        signal(&self.process, Signal::INT);
        let _ = self.process.wait();
    }
}

fn spawn(programs: &Path, directory: &Path, port: u16) -> Child {
    as_postgres(&programs.join("postgres"))
        .arg("-D")
        .arg(directory.join("data"))
        .args(["-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
        .stderr(fs::File::create(directory.join("log")).expect("a log"))
        .spawn()
        .expect("start postgres")
}

/// The newest PostgreSQL of Debian's packages, or the one that `REFEREE_POSTGRES_BIN` names.
fn programs() -> PathBuf {
    if let Some(programs) = std::env::var_os("REFEREE_POSTGRES_BIN") {
        return programs.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql");
    let versions = versions.flatten().map(|version| version.path().join("bin"));
    let newest = versions.max_by_key(|programs| {
        let version = programs.parent().and_then(Path::file_name);
        version.and_then(|version| version.to_str()?.parse::<u32>().ok())
    });
    newest.expect("Debian's package postgresql")
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if is_root {
        Path::new("setpriv")
    } else {
        program
    });
    if is_root {
        command.args([
            "--reuid",
            "postgres",
            "--regid",
            "postgres",
            "--clear-groups",
        ]);
        command.arg(program);
    }
    command.current_dir("/");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
