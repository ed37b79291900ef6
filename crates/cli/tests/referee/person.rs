use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub const REFEREE: &str = env!("CARGO_BIN_EXE_referee");
pub const PASSWORD: &str = "correct horse battery staple";

/// Somebody at a command line of their own: a home directory, a server, nothing else in the environment.
pub struct Person {
    pub handle: String,
    server: String,
    home: TempDir,
}

impl Person {
    /// Somebody without an account.
    pub fn new(server: &str, handle: &str) -> Self {
        Self {
            handle: handle.to_owned(),
            server: server.to_owned(),
            home: tempfile::tempdir().expect("a home directory"),
        }
    }

    pub fn register(server: &str, handle: &str) -> Self {
        let person = Self::new(server, handle);
        person.run(["register", handle]).done();
        person
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The same account after its server has moved to another address.
    pub fn follow(&mut self, server: &str) {
        server.clone_into(&mut self.server);
        self.run(["login", &self.handle.clone()]).done();
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(REFEREE);
        command
            .current_dir(self.home())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home())
            .env("REFEREE_SERVER", &self.server)
            .env("REFEREE_PASSWORD", PASSWORD);
        command
    }

    pub fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        Run::of(self.command().args(arguments))
    }

    /// A file in the home directory, where commands run.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.home().join(name), content).expect("write a file");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.home().join(name)).expect("read a file")
    }

    /// Submits a file of the home directory, waits, and returns the submission.
    pub fn submit(&self, file: &str, challenge: &str) -> Value {
        self.run(["submit", file, "--challenge", challenge, "--json"])
            .json()
    }
}

/// What a command did.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("run referee");
        Self {
            code: status.code().expect("an exit code"),
            stdout: String::from_utf8(stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(stderr).expect("stderr is UTF-8"),
        }
    }

    /// It did what it was asked for; what it printed.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        assert_eq!(
            self.stderr, "",
            "nothing to complain about, and no terminal for bars"
        );
        self.stdout
    }

    /// It could not do it, printed no result, and said why; that.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        self.stderr
    }

    /// It printed one JSON document and nothing else.
    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}
