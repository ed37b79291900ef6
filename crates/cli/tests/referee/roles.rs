//! The parts as docker-compose.yml starts them: a process, an environment and a database role for each, over TCP, against a
//! PostgreSQL that asks for passwords. No container engine is needed for that, and none is tried.

mod compose;
mod foundation;
mod losses;
mod postgres;

use std::net::TcpStream;
use std::process::{Child, Command};
use std::{fs, io};

use rustix::process::Signal;

use self::compose::Compose;
use self::postgres::Postgres;
use crate::challenge::{Directory, predictions};
use crate::person::{Person, Run};
use crate::server::{data_dir, signal, until_ready, until_said};

/// Ends with the test, however that ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn worker(command: Command) -> Self {
        Self(until_said(command, "Referee's workers are ready").0)
    }

    /// `kill -9`: nothing gets to say goodbye.
    fn kill(mut self) {
        self.0.kill().expect("kill it");
        self.0.wait().expect("it is gone");
    }

    /// As `docker compose stop` does it.
    fn stop(mut self) {
        signal(&self.0, Signal::TERM);
        assert!(self.0.wait().expect("it ends").success());
    }
}

#[test]
fn each_part_of_the_compose_file_works_with_its_own_role_only() {
    let files = data_dir();
    let mut compose = Compose::read(files.path());
    let mut postgres = Postgres::start(&files.path().join("postgres"), &compose);
    compose.database_at(postgres.port);

    let migrate = Run::of(&mut compose.command("migrate"));
    assert_eq!(migrate.done(), "The database is up to date.\n");
    let again = Run::of(&mut compose.command("migrate"));
    assert_eq!(
        again.done(),
        "The database is up to date.\n",
        "`up` runs it every time"
    );
    migrate_by_hand_leaves_the_roles_their_passwords(&compose);
    postgres.is_used_by(&[]);

    let early = foundation::workers_wait_for_the_first_api(&compose);
    let (api, address) = until_ready(compose.command("api"));
    let api = Process(api);
    let address = address.replace("0.0.0.0", "127.0.0.1");
    foundation::and_work_when_it_has_made_the_store(early);
    postgres.is_used_by(&["referee_api"]);
    let port = address.rsplit(':').next().expect("a port");
    let healthy = get(port, &compose.health_check_path("api"));
    assert!(healthy.starts_with("HTTP/1.1 200"), "{healthy}");

    let scorer = Process::worker(compose.command("scorer"));
    postgres.is_used_by(&["referee_api", "referee_scorer"]);
    // Two of them, as `--scale inference=2` would start.
    let inference = [(); 2].map(|()| Process::worker(compose.command("inference")));
    let all = ["referee_api", "referee_inference", "referee_scorer"];
    postgres.is_used_by(&all);

    // The server listens for everyone, so that its first account is nobody special.
    let organizer = Person::new(&address, "organizer");
    let welcome = organizer.run(["register", "organizer"]).done();
    assert!(welcome.contains("(competitor)"), "{welcome}");
    let admin = |action| {
        Run::of(&mut compose.command_with("migrate", &["admin", action, "organizer"])).done()
    };
    assert_eq!(admin("disable"), "organizer is disabled.\n");
    assert_eq!(
        admin("grant"),
        "organizer is an administrator. The account is still disabled; `referee admin enable organizer` lets it in.\n"
    );
    assert_eq!(admin("enable"), "organizer can sign in again.\n");

    let directory = Directory::new("clothes", "");
    organizer
        .run(["challenge", "create", directory.argument()])
        .done();
    let ada = Person::register(&address, "ada");
    ada.write("predictions.txt", predictions(20));
    let submission = ada.submit("predictions.txt", "clothes");
    assert_eq!(submission["scores"]["public"]["top1_error"], 0.2);
    let board = ada.run(["leaderboard", "clothes", "--json"]).json();
    assert_eq!(board["entries"][0]["team"], "ada");
    postgres.is_used_by(&all);

    only_the_api_is_in_the_apis_environment(&api, &compose);
    // What whoever takes over the web process could do with what it holds.
    let password = compose.secret("api_password");
    assert!(
        postgres
            .query("referee_api", &password, "SELECT FROM users")
            .is_ok()
    );
    let refused = |role, query| postgres.query(role, &password, query).expect_err("refused");
    assert!(refused("referee_api", "SELECT FROM sealed.labels").contains("permission denied"));
    for role in ["referee_owner", "referee_scorer", "referee_inference"] {
        assert!(
            refused(role, "SELECT 1").contains("password authentication failed"),
            "{role}"
        );
    }

    let scorer = losses::what_a_stopped_scorer_leaves_is_scored_by_the_next(scorer, &compose, &ada);
    let scorer = losses::what_a_killed_scorer_had_begun_is_scored_by_the_next(
        scorer, &compose, &postgres, &ada,
    );
    let scorer = losses::what_has_lost_its_job_is_queued_again_and_counted(
        scorer, &compose, &postgres, &ada, port,
    );
    losses::who_reads_goes_on_while_the_database_is_away(&mut postgres, port);
    postgres.restart();
    losses::who_lost_the_database_works_on_when_it_is_back(&ada);
    postgres.is_used_by(&all);
    for process in [api, scorer].into_iter().chain(inference) {
        process.stop();
    }
    postgres.is_used_by(&[]);
    foundation::an_older_schema_is_waited_for(&compose, &postgres);
    foundation::a_newer_schema_is_refused(&compose, &postgres);
    foundation::a_worker_on_another_store_refuses_to_start(
        &compose,
        &files.path().join("elsewhere"),
    );
    assert!(
        compose.is_working_directory_empty(),
        "containers are read-only"
    );
}

/// That each part can sign in afterwards is what the rest of the test shows.
fn migrate_by_hand_leaves_the_roles_their_passwords(compose: &Compose) {
    let by_hand = || {
        let mut migrate = compose.command("migrate");
        for role in ["API", "SCORER", "INFERENCE"] {
            migrate.env_remove(format!("REFEREE_{role}_PASSWORD_FILE"));
        }
        migrate
    };
    assert_eq!(
        Run::of(&mut by_hand()).done(),
        "The database is up to date.\n"
    );
    let mut with_empty = by_hand();
    with_empty
        .env("REFEREE_API_DATABASE_URL", "postgres://referee_api:@db/r")
        .env("REFEREE_SCORER_PASSWORD", "");
    assert_eq!(
        Run::of(&mut with_empty).done(),
        "The database is up to date.\n"
    );
    let mut with_an_empty_file = by_hand();
    with_an_empty_file.env("REFEREE_INFERENCE_PASSWORD_FILE", "/dev/null");
    assert_eq!(
        Run::of(&mut with_an_empty_file).refused(),
        "referee: /dev/null, which REFEREE_INFERENCE_PASSWORD_FILE names, is empty; write the value into it, or unset REFEREE_INFERENCE_PASSWORD_FILE\n"
    );
}

fn only_the_api_is_in_the_apis_environment(api: &Process, compose: &Compose) {
    let environment = fs::read(format!("/proc/{}/environ", api.0.id())).expect("its environment");
    let environment = String::from_utf8(environment).expect("text");
    for secret in ["owner_password", "scorer_password", "inference_password"] {
        assert!(!environment.contains(&compose.secret(secret)), "{secret}");
        assert!(!environment.contains(secret), "{secret}");
        assert!(!compose.secrets_of("api").join(secret).exists(), "{secret}");
    }
    let urls = environment
        .split('\0')
        .filter(|variable| variable.contains("DATABASE_URL"));
    let names: Vec<_> = urls.filter_map(|url| url.split('=').next()).collect();
    assert_eq!(names, ["REFEREE_API_DATABASE_URL"]);
}

/// The answer to `GET path`, its head included.
fn get(port: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).expect("connect");
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    io::Write::write_all(&mut connection, request.as_bytes()).expect("ask");
    io::read_to_string(connection).expect("an answer")
}
