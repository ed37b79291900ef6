use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::person::{Person, REFEREE};

/// Starts `referee` so that it ends with whoever holds the pipe to its stdin: the shared server, which no test owns, ends
/// with the tests' process, however that ends.
const UNTIL_STDIN_CLOSES: &str = r#"
    data=$1; shift
    "$@" </dev/null & server=$!
    (while kill -0 $server 2>/dev/null; do sleep 1; done; kill $$ 2>/dev/null) & watch=$!
    trap 'kill -TERM $server 2>/dev/null; wait $server; kill $watch 2>/dev/null; rm -rf "$data"; exit' TERM
    read -r _
    kill -TERM $$
"#;

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::start);

/// One server for many tests, each with challenges and accounts of its own.
pub struct Shared {
    pub address: String,
    pub data: PathBuf,
    /// The first account: administrator, and so allowed to create challenges.
    pub organizer: Person,
    _running: Child,
}

/// The shared server.
pub fn shared() -> &'static Shared {
    &SHARED
}

impl Shared {
    fn start() -> Self {
        let data = data_dir().keep();
        let mut command = Command::new("sh");
        command
            .args(["-c", UNTIL_STDIN_CLOSES, "sh"])
            .arg(&data)
            .arg(REFEREE)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdin(Stdio::piped());
        let (running, address) = until_ready(command);
        Self {
            organizer: Person::register(&address, "organizer"),
            address,
            data,
            _running: running,
        }
    }
}

/// A server of a test's own, which may be killed.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0")
    }

    /// `listen`: the address, or port 0 for a free one.
    pub fn start_at(data: &Path, listen: &str) -> Self {
        let mut command = Command::new(REFEREE);
        command
            .args(["serve", "--listen", listen, "--data"])
            .arg(data);
        let (process, address) = until_ready(command);
        Self { process, address }
    }

    /// `kill -9`: nothing gets to say goodbye.
    pub fn kill(mut self) {
        self.process.kill().expect("kill the server");
        self.process.wait().expect("it is gone");
    }

    /// As Ctrl-C does it. Returns whether it ended well.
    pub fn stop(mut self) -> bool {
        signal(&self.process, Signal::INT);
        self.process.wait().expect("it ends").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // PostgreSQL, which a failed test leaves running, ends when its parent does.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A directory that PostgreSQL's user can reach, as it must where the tests run as root.
pub fn data_dir() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let passable = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(directory.path(), passable).expect("set the mode");
    directory
}

/// Runs a server's command until it says where it listens.
pub fn until_ready(command: Command) -> (Child, String) {
    let (process, line) = until_said(command, "Referee is ready at ");
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    (process, address.expect("an address").to_owned())
}

/// Runs a command until it says so on stderr, and returns that line. Its further log goes nowhere.
pub fn until_said(mut command: Command, what: &str) -> (Child, String) {
    let mut process = command
        .env_remove("REFEREE_TOKEN")
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the server");
    let mut log = BufReader::new(process.stderr.take().expect("its stderr"));
    let mut said = String::new();
    let line = loop {
        let start = said.len();
        let read = log.read_line(&mut said).expect("read its log");
        assert!(read > 0, "it ended before it said `{what}`:\n{said}");
        if said[start..].contains(what) {
            break said[start..].to_owned();
        }
    };
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (process, line)
}

/// Asks a process to end.
pub fn signal(process: &Child, signal: Signal) {
    // A process that has ended needs no asking.
    let _ = kill_process(Pid::from_child(process), signal);
}

/// Asks again until there is an answer.
///
/// # Panics
/// After a minute: everything that a test waits for takes seconds.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "waited a minute: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
