//! Scorers that end while there is work, each followed by another, and a database that goes away under all of them.

use std::time::{Duration, Instant};

use super::compose::Compose;
use super::postgres::Postgres;
use super::{Process, get};
use crate::person::Person;
use crate::server::eventually;

/// The predictions that `ada` has in her directory, left to wait; the submission's id.
fn submit(ada: &Person) -> String {
    let submitted = ada
        .run([
            "submit",
            "predictions.txt",
            "--challenge",
            "clothes",
            "--no-wait",
            "--json",
        ])
        .json();
    submitted["id"].as_str().expect("an id").to_owned()
}

fn until(status: &str, ada: &Person, submission: &str) {
    eventually(&format!("{submission} is {status}"), || {
        let shown = ada
            .run(["submissions", "show", submission, "--json"])
            .json();
        (shown["status"] == status).then_some(())
    });
}

pub fn what_a_stopped_scorer_leaves_is_scored_by_the_next(
    scorer: Process,
    compose: &Compose,
    ada: &Person,
) -> Process {
    scorer.stop();
    let waiting = submit(ada);
    let next = Process::worker(compose.command("scorer"));
    until("scored", ada, &waiting);
    next
}

pub fn what_a_killed_scorer_had_begun_is_scored_by_the_next(
    scorer: Process,
    compose: &Compose,
    postgres: &Postgres,
    ada: &Person,
) -> Process {
    // It can read, but not write what it found: its job runs until it is killed.
    let nothing_is_written = postgres.hold("LOCK TABLE sealed.outcomes IN EXCLUSIVE MODE");
    let begun = submit(ada);
    until("running", ada, &begun);
    scorer.kill();
    let killed = Instant::now();
    drop(nothing_is_written);
    let next = Process::worker(compose.command("scorer"));
    until("scored", ada, &begun);
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(
        postgres.ask(&format!(
            "SELECT attempt FROM submissions WHERE id = '{begun}'"
        )),
        "2",
        "the first start was the killed scorer's"
    );
    next
}

pub fn what_has_lost_its_job_is_queued_again_and_counted(
    scorer: Process,
    compose: &Compose,
    postgres: &Postgres,
    ada: &Person,
    port: &str,
) -> Process {
    let actions = || {
        let metrics = get(port, "/metrics");
        let count = |action| {
            let name = format!("referee_watchdog_actions{{action=\"{action}\"}} ");
            let figure = metrics.lines().find_map(|line| line.strip_prefix(&name));
            figure
                .unwrap_or_else(|| panic!("{name}: {metrics}"))
                .parse::<u32>()
                .expect("a count")
        };
        [count("requeued"), count("failed")]
    };
    let [requeued, failed] = actions();
    scorer.stop();
    let waiting = submit(ada);
    // Longer ago than any deadline, as far as the row says.
    postgres.ask(&format!(
        "DELETE FROM graphile_worker._private_jobs WHERE key = 'submission:{waiting}';
         UPDATE submissions SET created_at = created_at - interval '1 hour' WHERE id = '{waiting}'"
    ));
    let next = Process::worker(compose.command("scorer"));
    until("scored", ada, &waiting);
    assert_eq!(actions(), [requeued + 1, failed]);
    next
}

pub fn who_lost_the_database_works_on_when_it_is_back(ada: &Person) {
    let submitted = submit(ada);
    until("scored", ada, &submitted);
}

/// Boards and pages as they were, marked with their age; the rest is refused within a second, and everything is back by itself.
pub fn who_reads_goes_on_while_the_database_is_away(postgres: &mut Postgres, port: &str) {
    let board = "/api/v1/challenges/clothes/leaderboard";
    let page = "/api/v1/challenges/clothes";
    let body = |answer: &str| answer.split_once("\r\n\r\n").expect("a head").1.to_owned();
    let before = [board, page].map(|path| get(port, path));
    for answer in &before {
        assert!(
            answer.starts_with("HTTP/1.1 200") && !answer.contains("\r\nage: "),
            "{answer}"
        );
    }
    postgres.stop();
    for (path, before) in [board, page].into_iter().zip(&before) {
        let begun = Instant::now();
        let mut answer = get(port, path);
        while !answer.contains("\r\nage: ") {
            assert!(begun.elapsed() < Duration::from_secs(10), "{answer}");
            answer = get(port, path);
        }
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("\r\nwarning: 110 "), "{answer}");
        assert_eq!(body(&answer), body(before));
    }
    for path in ["/readyz", "/api/v1/challenges/another"] {
        let begun = Instant::now();
        let answer = get(port, path);
        let took = begun.elapsed();
        assert!(answer.starts_with("HTTP/1.1 503"), "{path}: {answer}");
        assert!(answer.contains("\r\nretry-after: "), "{path}: {answer}");
        assert!(took < Duration::from_secs(1), "{path}: {took:?}");
    }
    postgres.start_again();
    eventually("the server is ready again", || {
        get(port, "/readyz")
            .starts_with("HTTP/1.1 200")
            .then_some(())
    });
    let after = get(port, page);
    assert!(
        after.starts_with("HTTP/1.1 200") && !after.contains("\r\nage: "),
        "{after}"
    );
}
