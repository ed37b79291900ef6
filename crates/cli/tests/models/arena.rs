//! A server (api and scorer) on a database of its own with a challenge of random images, and inference workers beside it, each
//! a process that a test may kill.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use referee_storage::testing::TestDatabase;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use tempfile::TempDir;

pub const REFEREE: &str = env!("CARGO_BIN_EXE_referee");
pub const IMAGES: usize = 240;
pub const SIDE: usize = 28;

/// What differs between the tests' challenges.
#[derive(Clone, Copy)]
pub struct Rules {
    pub public_images: bool,
    pub validation: bool,
    /// Whether the challenge names a longer class list, [`WIDER`].
    pub wider: bool,
}

/// Twelve classes, those of the challenge by their ids: its class c is class 10 − c here.
pub const WIDER: &str = "other 0\nw0\nw1\nw2\nw3\nw4\nw5\nw6\nw7\nw8\nw9\nother 1\n";

impl Default for Rules {
    fn default() -> Self {
        Self {
            public_images: true,
            validation: false,
            wider: false,
        }
    }
}

pub struct Arena {
    pub database: TestDatabase,
    directory: TempDir,
    address: String,
    _server: Worker,
}

/// A process of `referee serve`, killed at the end of the test.
pub struct Worker(Child);

impl Worker {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// As `kill -9` does.
    pub fn kill(mut self) {
        self.0.kill().expect("kill");
        self.0.wait().expect("wait");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Arena {
    /// `ann` organizes, `bob` competes.
    pub async fn open(rules: Rules) -> Self {
        Self::open_in(rules, |_| {}).await
    }

    /// In a directory that something is done to before the server starts.
    pub async fn open_in(rules: Rules, prepare: impl FnOnce(&Path)) -> Self {
        let database = TestDatabase::new().await;
        let directory = tempfile::tempdir().expect("a directory");
        prepare(directory.path());
        let (server, address) = serve(&database, directory.path());
        let arena = Self {
            database,
            directory,
            address,
            _server: server,
        };
        for handle in ["ann", "bob"] {
            std::fs::create_dir(arena.path(handle)).expect("a home");
            arena.run(handle, &["register", handle]);
        }
        arena.write_challenge(rules);
        let directory = arena.path("challenge");
        arena.run(
            "ann",
            &[
                "challenge",
                "create",
                directory.to_str().expect("UTF-8"),
                "--known-labels",
            ],
        );
        arena
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another inference worker, with options of `referee serve`.
    pub fn worker(&self, options: &[&str]) -> Worker {
        self.worker_in(Command::new(REFEREE), options)
    }

    /// One that sees the objects as docker-compose.yml mounts them: nothing may be written but below `records/`. Only root may
    /// mount.
    pub fn worker_behind_mounts(&self) -> Worker {
        const MOUNTS: &str = r#"
            objects=$1; shift
            mount --bind "$objects" "$objects" && mount -o remount,bind,ro "$objects" || exit
            mount --bind "$objects/records" "$objects/records" && mount -o remount,bind,rw "$objects/records" || exit
            ! touch "$objects/incoming/x" 2>/dev/null && exec "$@"
        "#;
        let mut mounted = Command::new("unshare");
        mounted
            .args(["--mount", "sh", "-c", MOUNTS, "sh"])
            .arg(self.path("objects"))
            .arg(REFEREE);
        self.worker_in(mounted, &[])
    }

    fn worker_in(&self, mut command: Command, options: &[&str]) -> Worker {
        command
            .args([
                "serve",
                "--roles",
                "inference",
                "--device",
                &device(),
                "--data",
            ])
            .arg(self.path("data"))
            .args(["--model-threads", "1"])
            .args(if options.contains(&"--model-shard-seconds") {
                &[][..]
            } else {
                &["--model-shard-seconds", "0.2"]
            })
            .args(options)
            .env(
                "REFEREE_INFERENCE_DATABASE_URL",
                self.database.role_url("referee_inference"),
            )
            .env("REFEREE_OBJECTS", self.path("objects"));
        Worker(command.spawn().expect("start a worker"))
    }

    /// Runs the command line as that person; it must succeed.
    pub fn run(&self, person: &str, arguments: &[&str]) -> String {
        let output = self.attempt(person, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    pub fn attempt(&self, person: &str, arguments: &[&str]) -> Output {
        Command::new(REFEREE)
            .args(arguments)
            .current_dir(self.directory.path())
            .env("HOME", self.path(person))
            .env_remove("XDG_CONFIG_HOME")
            .env("REFEREE_SERVER", &self.address)
            .env("REFEREE_PASSWORD", "correct horse battery")
            .output()
            .expect("run referee")
    }

    /// Submits a model and returns its identifier at once.
    pub fn submit(&self, file: &str, more: &[&str]) -> String {
        let arguments = [
            &[
                "submit",
                file,
                "--challenge",
                "arena",
                "--no-wait",
                "--json",
            ],
            more,
        ];
        let printed = self.run("bob", &arguments.concat());
        let submission: Value = serde_json::from_str(&printed).expect("JSON");
        submission["id"].as_str().expect("an id").to_owned()
    }

    /// The submission as its team sees it.
    pub fn show(&self, id: &str) -> Value {
        let printed = self.run("bob", &["submissions", "show", id, "--json"]);
        serde_json::from_str(&printed).expect("JSON")
    }

    /// The submission once it has reached a final state.
    pub async fn finished(&self, id: &str) -> Value {
        let mut found = self.show(id);
        eventually("a final state", async || {
            found = self.show(id);
            !matches!(found["status"].as_str(), Some("queued" | "running"))
        })
        .await;
        found
    }

    /// What `bob` gets at a path of the API.
    pub fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask("bob", "GET", path, b"").1).expect("JSON")
    }

    pub fn status(&self, path: &str) -> u16 {
        self.ask("bob", "GET", path, b"").0
    }

    /// Status and body of what the API answers that person.
    pub fn ask(&self, person: &str, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut answer = String::new();
        let mut stream = self.send(person, method, path, body);
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status");
        (status.parse().expect("a number"), body.to_owned())
    }

    /// The events at a path of the API as `bob` sees them, each as it comes, until the server ends the stream.
    pub fn events(&self, path: &str) -> impl Iterator<Item = Value> + use<> {
        let lines = BufReader::new(self.send("bob", "GET", path, b"")).lines();
        lines.filter_map(|line| {
            let data = line.expect("UTF-8").strip_prefix("data:")?.to_owned();
            Some(serde_json::from_str(&data).expect("JSON"))
        })
    }

    /// A request over HTTP/1.0, whose answers end with the connection.
    fn send(&self, person: &str, method: &str, path: &str, body: &[u8]) -> std::net::TcpStream {
        let token = self.run(person, &["token", "create", "test"]);
        let host = self.address.strip_prefix("http://").expect("an address");
        let mut stream = std::net::TcpStream::connect(host).expect("connect");
        let json = if body.starts_with(b"{") {
            "Content-Type: application/json\r\n"
        } else {
            ""
        };
        let head = format!(
            "{method} /api/v1/{path} HTTP/1.0\r\nHost: {host}\r\n{json}Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
            token.trim(),
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("send");
        stream.write_all(body).expect("send");
        stream
    }

    /// The canonical record that inference wrote.
    pub async fn record(&self, id: &str) -> Vec<u8> {
        let query = format!("SELECT record_key FROM submissions WHERE id = '{id}'");
        let mut owner = PgConnection::connect(self.database.owner_url())
            .await
            .expect("connect");
        let row = sqlx::query(AssertSqlSafe(query))
            .fetch_one(&mut owner)
            .await
            .expect("query");
        let key: String = row.get(0);
        std::fs::read(self.path("objects").join(key)).expect("the record")
    }

    /// The one text that a query of the owner finds.
    pub async fn text(&self, query: &str) -> String {
        let mut owner = PgConnection::connect(self.database.owner_url())
            .await
            .expect("connect");
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut owner)
            .await
            .expect("query")
    }

    /// How many inference workers have said that they are there.
    pub async fn workers(&self) -> i64 {
        let mut owner = PgConnection::connect(self.database.owner_url())
            .await
            .expect("connect");
        sqlx::query_scalar("SELECT count(*) FROM workers WHERE kind = 'model'")
            .fetch_one(&mut owner)
            .await
            .expect("count")
    }

    /// `(first, lease)` of the ranges that are done.
    pub async fn done(&self) -> Vec<(i32, i32)> {
        self.ranges("record IS NOT NULL").await
    }

    /// `(first, lease)` of the ranges under way.
    pub async fn under_way(&self) -> Vec<(i32, i32)> {
        self.ranges("record IS NULL AND leased_until > now()").await
    }

    async fn ranges(&self, which: &str) -> Vec<(i32, i32)> {
        let query = format!("SELECT first, lease FROM shards WHERE {which} ORDER BY first");
        let mut owner = PgConnection::connect(self.database.owner_url())
            .await
            .expect("connect");
        let rows = sqlx::query(AssertSqlSafe(query))
            .fetch_all(&mut owner)
            .await
            .expect("query");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    fn write_challenge(&self, rules: Rules) {
        let directory = self.path("challenge");
        std::fs::create_dir(&directory).expect("a directory");
        let write = |name: &str, content: &[u8]| {
            std::fs::write(directory.join(name), content).expect("write");
        };
        let validation = "[validation]\nimages = \"images.npy\"\nlabels = \"labels.csv\"\n";
        let toml = format!(
            "slug = \"arena\"\ntitle = \"Arena\"\nclasses = \"classes.txt\"\n[test]\nimages = \"images.npy\"\nlabels = \"labels.csv\"\npublic_images = {}\n{}{}[leaderboard]\nprimary = \"top1\"\n",
            rules.public_images,
            if rules.wider {
                "wider_classes = \"wider.txt\"\n"
            } else {
                ""
            },
            if rules.validation { validation } else { "" }
        );
        write("challenge.toml", toml.as_bytes());
        // Class i has the id w(9 − i), so that the order of the ids is the reverse.
        let classes: Vec<String> = (0..10)
            .map(|class| format!("class {class}\tw{}\n", 9 - class))
            .collect();
        write("classes.txt", classes.concat().as_bytes());
        write("wider.txt", WIDER.as_bytes());
        write("images.npy", &images());
        let labels: Vec<String> = (0..IMAGES)
            .map(|image| format!("{image},{}\n", image % 10))
            .collect();
        write(
            "labels.csv",
            format!("image,label\n{}", labels.concat()).as_bytes(),
        );
    }
}

/// Random pixels, but image i is brightest in column `2 · (i mod 10) + 4`: what a linear network can see.
pub fn pixels() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut pixels: Vec<u8> = (0..IMAGES * SIDE * SIDE)
        .map(|_| random.u8(..100))
        .collect();
    for (image, pixels) in pixels.chunks_exact_mut(SIDE * SIDE).enumerate() {
        for row in pixels.chunks_exact_mut(SIDE) {
            row[2 * (image % 10) + 4] = 255;
        }
    }
    pixels
}

fn images() -> Vec<u8> {
    let header = referee_scoring::npy::header("|u1", &[IMAGES, SIDE, SIDE]);
    [header, pixels()].concat()
}

/// What models run on in these tests: the processor, or what `REFEREE_DEVICE` says.
pub fn device() -> String {
    std::env::var("REFEREE_DEVICE").unwrap_or_else(|_| "cpu".to_owned())
}

/// Polls for five minutes: two tests with two workers each share the processors of a small machine.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(5);
    while !holds().await {
        assert!(
            Instant::now() < deadline,
            "{what} did not come within five minutes"
        );
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

fn serve(database: &TestDatabase, directory: &Path) -> (Worker, String) {
    let mut server = Command::new(REFEREE)
        .args([
            "serve",
            "--roles",
            "api,scorer",
            "--listen",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(directory.join("data"))
        .env("REFEREE_API_DATABASE_URL", database.role_url("referee_api"))
        .env(
            "REFEREE_SCORER_DATABASE_URL",
            database.role_url("referee_scorer"),
        )
        .env("REFEREE_SERVER_KEY", "0f".repeat(32))
        .env("REFEREE_OBJECTS", directory.join("objects"))
        .env("REFEREE_LOG", "warn")
        .stderr(Stdio::piped())
        .spawn()
        .expect("start a server");
    let stderr = BufReader::new(server.stderr.take().expect("a pipe"));
    let mut lines = stderr.lines().map(|line| line.expect("UTF-8"));
    let address = lines
        .find_map(|line| {
            let rest = line.strip_prefix("Referee is ready at ")?;
            Some(rest.split(' ').next()?.to_owned())
        })
        .expect("the server's address");
    // Read on, so that the server never waits for somebody to read its log.
    std::thread::spawn(move || lines.for_each(|line| eprintln!("server: {line}")));
    (Worker(server), address)
}
