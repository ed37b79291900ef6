//! Labels that nothing else looks like; then everything that anybody can ask for, and everything that the server writes down. None
//! of them occurs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::challenge::{Directory, IMAGES};
use crate::person::{Person, REFEREE, Run};
use crate::server::{data_dir, eventually, signal};

const SLUG: &str = "canary";
/// More than anybody's counts here, and the labels are spread over the upper of them.
const CLASSES: usize = 30_000;

/// The class of a test image: a number of five digits that nothing else has.
fn class_of(image: usize) -> usize {
    20_011 + 97 * (image * 37 % IMAGES)
}

/// Five letters each, without a digit, so that a number is an index and a name is a name.
fn name_of(class: usize) -> String {
    let letters = (0..4).scan(class, |left, _| {
        let letter = char::from(b'a' + u8::try_from(*left % 26).expect("a letter"));
        *left /= 26;
        Some(letter)
    });
    letters.fold("Q".to_owned(), |mut name, letter| {
        name.push(letter);
        name
    })
}

/// The words of a text that are a label, by number or by name.
fn canaries(text: &str) -> BTreeSet<&str> {
    let numbers: BTreeSet<String> = (0..IMAGES)
        .map(|image| class_of(image).to_string())
        .collect();
    let names: BTreeSet<String> = (0..IMAGES).map(|image| name_of(class_of(image))).collect();
    // A fraction's digits are no class.
    text.split(|c: char| !c.is_alphanumeric() && c != '.')
        .map(|word| word.trim_matches('.'))
        .filter(|word| numbers.contains(*word) || names.contains(*word))
        .collect()
}

#[track_caller]
fn nothing_in(text: &str, what: &str) {
    let found = canaries(text);
    assert!(found.is_empty(), "{what} tells {found:?}");
}

/// A server whose whole log is kept.
struct Watched {
    process: std::process::Child,
    address: String,
    log: PathBuf,
}

impl Watched {
    fn start(data: &Path) -> Self {
        let log = data.join("server.log");
        let process = Command::new(REFEREE)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.join("referee"))
            .env("REFEREE_LOG", "trace")
            .env_remove("REFEREE_TOKEN")
            .stderr(File::create(&log).expect("make the log"))
            .spawn()
            .expect("start the server");
        let address = eventually("the server is ready", || {
            let said = fs::read_to_string(&log).ok()?;
            let (_, rest) = said.split_once("Referee is ready at ")?;
            let address = rest.split_whitespace().next()?;
            rest.contains('\n').then(|| address.to_owned())
        });
        Self {
            process,
            address,
            log,
        }
    }

    fn get(&self, path: &str, token: Option<&str>) -> String {
        self.ask("GET", path, token, "")
    }

    /// What it answers, head and body; of a stream, what comes within a second.
    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> String {
        let host = self.address.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).expect("connect");
        let patience = if path.ends_with("/events") { 1 } else { 30 };
        connection
            .set_read_timeout(Some(Duration::from_secs(patience)))
            .expect("set a timeout");
        let token = token.map_or(String::new(), |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        write!(
            connection,
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{token}\r\n{body}",
            body.len()
        )
        .expect("ask");
        let mut answer = Vec::new();
        match connection.read_to_end(&mut answer) {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("{path}: {error}")
            }
            _ => {}
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with("HTTP/1."), "{path}: {answer}");
        answer
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        signal(&self.process, Signal::TERM);
        let _ = self.process.wait();
    }
}

/// The class list is public and holds every name; a label is told where one stands elsewhere.
fn without_class_list(answer: &str) -> String {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return answer.to_owned();
    };
    let Ok(mut document) = serde_json::from_str::<Value>(body) else {
        return answer.to_owned();
    };
    if let Some(classes) = document.get_mut("classes") {
        *classes = Value::Null;
    }
    format!("{head}\n{document}")
}

/// Every address that can be asked for, with every value that this challenge has for its parts.
fn addresses(server: &Watched, submissions: &[String]) -> Vec<String> {
    let openapi = server.get("/api/v1/openapi.json", None);
    let (_, body) = openapi.split_once("\r\n\r\n").expect("a body");
    let document: Value = serde_json::from_str(body).expect("JSON");
    let mut addresses = vec![
        format!("/api/v1/challenges/{SLUG}/leaderboard?split=private"),
        format!("/api/v1/challenges/{SLUG}/leaderboard?format=csv"),
        format!("/challenges/{SLUG}"),
        "/api/v1/openapi.json".to_owned(),
    ];
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if methods.get("get").is_none() {
            continue;
        }
        let path = path
            .replace("{slug}", SLUG)
            .replace("{key}", "words")
            .replace("{handle}", "organizer");
        if path.contains("{id}") {
            addresses.extend(submissions.iter().map(|id| path.replace("{id}", id)));
        } else {
            assert!(
                !path.contains('{'),
                "{path}: this test knows no value for it"
            );
            addresses.push(path);
        }
    }
    addresses
}

fn token(person: &Person) -> String {
    person.run(["token"]).done().trim().to_owned()
}

#[test]
fn no_label_is_told_by_anything() {
    let data = data_dir();
    let server = Watched::start(data.path());
    let organizer = Person::register(&server.address, "organizer");
    let directory = challenge();
    let labels = fs::read_to_string(directory.file("test-labels.csv")).expect("labels");
    assert_eq!(canaries(&labels).len(), IMAGES, "this test can fail");
    let created = organizer.run(["challenge", "create", directory.argument()]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    assert!(created.stderr.contains("never occur"), "and nothing else");
    let people = ["ada", "bob"].map(|handle| Person::register(&server.address, handle));
    let submissions = submit(&organizer, &people);

    // Labels that are refused, and labels that are scored anew.
    let one = (1..IMAGES).fold(format!("image,label\n0,{}\n", class_of(0)), |csv, image| {
        csv + &format!("{image},\n")
    });
    directory.write("one.csv", one);
    for arguments in [
        ["labels", SLUG, &directory.file("one.csv")].as_slice(),
        &["rescore", SLUG],
    ] {
        let arguments = ["challenge"].iter().chain(arguments).copied();
        let run = organizer.run(arguments);
        nothing_in(&(run.stdout + &run.stderr), "an organizer's command");
    }
    let mut everyone = vec![("nobody", None), ("organizer", Some(token(&organizer)))];
    everyone.extend(
        people
            .iter()
            .map(|person| (person.handle.as_str(), Some(token(person)))),
    );
    ask_everything(&server, &everyone, &submissions);
    run_everything(&organizer, &people, &submissions, data.path());

    // The close lets the private scores out, and no label either.
    let close = format!(
        r#"{{"schedule":{{"closes":"{}"}}}}"#,
        chrono::Utc::now().to_rfc3339()
    );
    let path = format!("/api/v1/challenges/{SLUG}");
    server.ask("PATCH", &path, Some(&token(&organizer)), &close);
    eventually("the private scores are out", || {
        let shown = server.get(&path, None);
        shown.contains(r#""private_released":true"#).then_some(())
    });
    ask_everything(&server, &everyone, &submissions);
    run_everything(&organizer, &people, &submissions, data.path());

    nothing_in_the_database(data.path());
    nothing_in(
        &fs::read_to_string(&server.log).expect("the log"),
        "the log",
    );
    for file in files_below(&data.path().join("referee")) {
        let is_database = file.components().any(|part| part.as_os_str() == "postgres");
        if !is_database || file.extension().is_some_and(|end| end == "log") {
            let content = fs::read(&file).expect("read it");
            nothing_in(
                &String::from_utf8_lossy(&content),
                &file.display().to_string(),
            );
        }
    }
}

/// Images that are private, half of which count before the close.
fn challenge() -> Directory {
    let directory = Directory::new(
        SLUG,
        "[leaderboard]\npublic_fraction = 0.5\n[schedule]\ncloses = \"2099-01-01T00:00:00Z\"\nafter_close = \"score\"\n",
    );
    let toml = fs::read_to_string(directory.file("challenge.toml")).expect("its settings");
    directory.write(
        "challenge.toml",
        toml.replace("[files]", "public_images = false\n[files]"),
    );
    let classes = (0..CLASSES).fold(String::new(), |list, class| list + &name_of(class) + "\n");
    directory.write("classes.txt", classes);
    let labels = (0..IMAGES).fold(String::from("image,label\n"), |mut csv, image| {
        // By number and by name, as files have it.
        let class = class_of(image);
        let label = if image % 2 == 0 {
            class.to_string()
        } else {
            name_of(class)
        };
        writeln!(csv, "{image},{label}").expect("write to a string");
        csv
    });
    directory.write("test-labels.csv", labels);
    directory
}

/// CSV with one guess an image.
fn guesses(guess: impl Fn(usize) -> usize) -> String {
    (0..IMAGES).fold(String::from("image,label1\n"), |mut csv, image| {
        writeln!(csv, "{image},{}", guess(image)).expect("write to a string");
        csv
    })
}

/// Good and bad files; the ids of what was made of them.
fn submit(organizer: &Person, people: &[Person]) -> Vec<String> {
    let mut submissions = Vec::new();
    for (person, file, content) in [
        (organizer, "baseline.csv", guesses(|_| 0)),
        (&people[0], "constant.csv", guesses(|_| 1)),
        (&people[0], "cycle.csv", guesses(|image| image)),
        (&people[1], "short.txt", "1\n2\n".to_owned()),
        (&people[1], "unknown.csv", guesses(|_| 999_999)),
    ] {
        person.write(file, content);
        let run = person.run(["submit", file, "--challenge", SLUG, "--json"]);
        if let Ok(document) = serde_json::from_str::<Value>(&run.stdout) {
            submissions.push(document["id"].as_str().expect("an id").to_owned());
        }
        nothing_in(&(run.stdout + &run.stderr), file);
    }
    assert!(submissions.len() >= 3, "{submissions:?}");
    submissions
}

fn ask_everything(server: &Watched, everyone: &[(&str, Option<String>)], submissions: &[String]) {
    for address in addresses(server, submissions) {
        for (who, token) in everyone {
            let answer = server.get(&address, token.as_deref());
            nothing_in(&without_class_list(&answer), &format!("{address} as {who}"));
        }
    }
}

fn run_everything(organizer: &Person, people: &[Person], submissions: &[String], data: &Path) {
    let data = data.join("referee").display().to_string();
    let mut commands: Vec<Vec<&str>> = [
        "challenge list",
        "challenge list --json",
        "challenge show canary",
        "challenge download canary --out data",
        "leaderboard canary",
        "leaderboard canary --json",
        "leaderboard canary --csv",
        "leaderboard canary --split private --json",
        "submissions",
        "submissions canary --json",
        "check guesses.csv --challenge canary",
        "check guesses.csv --challenge canary --json",
        "verify canary --labels wrong.csv",
        "verify canary --labels wrong.csv --json",
    ]
    .map(|command| command.split(' ').collect())
    .to_vec();
    for submission in submissions {
        commands.push(vec!["submissions", "show", submission]);
        commands.push(vec!["submissions", "show", submission, "--json"]);
    }
    let operators: Vec<Vec<&str>> = [
        "audit verify --data",
        "audit export --data",
        "audit export --names --data",
        "admin enable bob --data",
    ]
    .map(|command| command.split(' ').chain([data.as_str()]).collect())
    .to_vec();
    for person in people.iter().chain([organizer]) {
        person.write("guesses.csv", guesses(|_| 2));
        person.write("wrong.csv", guesses(|_| 3).replace("label1", "label"));
        let theirs = commands.iter().chain(if person.handle == "organizer" {
            operators.as_slice()
        } else {
            &[]
        });
        for command in theirs {
            let run = person.run(command.iter().copied());
            assert_ne!(run.code, 2, "{command:?}: {}", run.stderr);
            let what = format!("{command:?} of {}", person.handle);
            nothing_in(&(run.stdout + &run.stderr), &what);
        }
    }
}

/// Every row outside of the sealed schema, as its owner sees it; the sealed one holds all of them.
fn nothing_in_the_database(data: &Path) {
    let mut database_url = Command::new(REFEREE);
    database_url
        .args(["database-url", "owner", "--data"])
        .arg(data.join("referee"));
    let url = Run::of(&mut database_url).done();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let tables = runtime.block_on(async {
        let mut owner = PgConnection::connect(url.trim()).await.expect("connect");
        let names: Vec<(String, String)> = sqlx::query_as(
            "SELECT schemaname::text, tablename::text FROM pg_tables WHERE schemaname IN ('public', 'graphile_worker', 'sealed')",
        )
        .fetch_all(&mut owner)
        .await
        .expect("list the tables");
        let mut tables = Vec::new();
        for (schema, table) in names {
            // The class list is public.
            let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
                "SELECT (to_jsonb(t) - 'classes')::text FROM {schema}.{table} AS t"
            )))
            .fetch_all(&mut owner)
            .await
            .expect("read the table");
            tables.push((schema, table, rows.join("\n")));
        }
        tables
    });
    assert!(tables.len() > 20, "{} tables", tables.len());
    for (schema, table, rows) in tables {
        if schema != "sealed" {
            nothing_in(&rows, &table);
        } else if table == "labels" {
            assert_eq!(canaries(&rows).len(), IMAGES, "they are there");
        }
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("list a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.is_file())
        .collect()
}
