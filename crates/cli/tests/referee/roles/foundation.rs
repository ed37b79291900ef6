//! What each part waits for before it works, and what it refuses to work with.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{ChildStderr, Command, Stdio};

use super::compose::Compose;
use super::postgres::Postgres;
use super::{Process, get};
use crate::person::Run;
use crate::server::{eventually, until_said};

/// A process with its log, so that one line can be waited for after another.
struct Waiting {
    process: Process,
    log: BufReader<ChildStderr>,
}

impl Waiting {
    fn start(mut command: Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("start it");
        let log = BufReader::new(process.stderr.take().expect("its stderr"));
        Self {
            process: Process(process),
            log,
        }
    }

    fn until_said(&mut self, what: &str) {
        let mut said = String::new();
        while !said.contains(what) {
            let read = self.log.read_line(&mut said).expect("read its log");
            assert!(read > 0, "it ended before it said `{what}`:\n{said}");
        }
    }

    /// Its further log goes nowhere.
    fn works(mut self) -> Process {
        self.until_said("Referee's workers are ready");
        std::thread::spawn(move || std::io::copy(&mut self.log, &mut std::io::sink()));
        self.process
    }
}

/// Workers that come first make no store, and work when an api has made it.
pub struct Early([Waiting; 2]);

pub fn workers_wait_for_the_first_api(compose: &Compose) -> Early {
    Early(["scorer", "inference"].map(|service| {
        let mut worker = Waiting::start(compose.command(service));
        worker.until_said("waiting: the database has no object store yet");
        worker
    }))
}

pub fn and_work_when_it_has_made_the_store(Early(workers): Early) {
    for worker in workers {
        worker.works().stop();
    }
}

pub fn a_worker_on_another_store_refuses_to_start(compose: &Compose, elsewhere: &std::path::Path) {
    let missing = elsewhere.join("typing-error");
    let empty = elsewhere.join("empty");
    let others = elsewhere.join("others");
    for directory in [&empty, &others] {
        fs::create_dir_all(directory).expect("make it");
    }
    let mark = "01234567-89ab-7def-8123-456789abcdef\n";
    fs::write(others.join("referee-installation"), mark).expect("mark it");
    for service in ["scorer", "inference"] {
        for (store, sentence) in [
            (&missing, "is missing"),
            (&empty, "is not this database's"),
            (&others, "belongs to another installation"),
        ] {
            let mut worker = compose.command(service);
            worker.env("REFEREE_OBJECTS", store);
            let refused = Run::of(&mut worker).refused();
            assert!(refused.contains(sentence), "{refused}");
            assert!(refused.contains(&store.display().to_string()), "{refused}");
        }
    }
    assert!(!missing.exists());
    assert_eq!(fs::read_dir(empty).expect("empty").count(), 0);
}

/// Each process stays up, says why, and works when somebody has migrated.
pub fn an_older_schema_is_waited_for(compose: &Compose, postgres: &Postgres) {
    let last = "SELECT max(version) FROM _sqlx_migrations";
    // As it was before: the tables are there, so only the list of what has run tells.
    postgres.ask(&format!(
        "CREATE TABLE hidden AS SELECT * FROM _sqlx_migrations WHERE version = ({last});
         DELETE FROM _sqlx_migrations WHERE version = ({last})"
    ));
    let mut scorer = Waiting::start(compose.command("scorer"));
    scorer.until_said("waiting: the database's schema is older");
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let api = compose.command_with("api", &["serve", "--roles", "api", "--listen", &listen]);
    let mut api = Waiting::start(api);
    api.until_said("waiting: the database's schema is older");
    for path in ["/readyz", "/api/v1/challenges"] {
        let answer = eventually("it answers", || {
            let answer = get(&port.to_string(), path);
            (!answer.is_empty()).then_some(answer)
        });
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(
            answer.to_lowercase().contains("\nretry-after: "),
            "{answer}"
        );
        assert!(answer.contains("`referee migrate`"), "{answer}");
    }
    assert!(get(&port.to_string(), "/healthz").starts_with("HTTP/1.1 200"));
    postgres.ask("INSERT INTO _sqlx_migrations SELECT * FROM hidden; DROP TABLE hidden");
    api.until_said("Referee is ready at ");
    assert!(get(&port.to_string(), "/readyz").starts_with("HTTP/1.1 200"));
    scorer.works().stop();
    api.process.stop();
}

pub fn a_newer_schema_is_refused(compose: &Compose, postgres: &Postgres) {
    postgres.ask(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', true, '', 0)",
    );
    for service in ["api", "scorer", "inference", "migrate"] {
        let refused = Run::of(&mut compose.command(service)).refused();
        assert!(
            refused.contains("newer than this version of Referee"),
            "{refused}"
        );
    }
    postgres.ask("DELETE FROM _sqlx_migrations WHERE version = 9999");
    let (scorer, _) = until_said(compose.command("scorer"), "Referee's workers are ready");
    Process(scorer).stop();
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
