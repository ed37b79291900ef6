//! What somebody who does not trust the server can check: that the labels are those it committed to, and that its trail is whole.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::challenge::{Directory, IMAGES, labels, labels_csv, predictions};
use crate::person::{Person, Run};
use crate::server::{Server, data_dir, eventually};

/// What one operator does on the server's machine.
fn audit(operator: &Person, data: &Path, arguments: &[&str]) -> Run {
    let mut command = operator.command();
    command.arg("audit").args(arguments).arg("--data").arg(data);
    Run::of(&mut command)
}

fn whole(said: &str) -> String {
    let head = said
        .strip_prefix("The audit trail is whole up to ")
        .unwrap_or_else(|| panic!("{said}"));
    let (head, _) = head.split_once('.').expect("a sentence");
    head.to_owned()
}

#[test]
fn labels_and_trail_are_checked_by_those_who_kept_a_number() {
    let data = data_dir();
    let server = Server::start(data.path());
    let organizer = Person::register(&server.address, "organizer");
    let directory = Directory::new(
        "clothes-committed",
        "[leaderboard]\npublic_fraction = 0.5\n[schedule]\ncloses = \"2099-01-01T00:00:00Z\"\n",
    );
    organizer
        .run(["challenge", "create", directory.argument()])
        .done();
    let ada = Person::register(&server.address, "ada");
    let show = || {
        ada.run(["challenge", "show", "clothes-committed", "--json"])
            .json()
    };
    let committed = eventually("the scorer commits to the labels", || {
        show()["commitment"]["sha256"].as_str().map(str::to_owned)
    });
    assert_eq!(committed.len(), 64, "{committed}");
    ada.write("predictions.txt", predictions(10));
    ada.submit("predictions.txt", "clothes-committed");

    // Nobody opens it before the private scores are out.
    let file = directory.file("test-labels.csv");
    let verify =
        |person: &Person, file: &str| person.run(["verify", "clothes-committed", "--labels", file]);
    let early = verify(&organizer, &file).refused();
    insta::assert_snapshot!(early.replace(&committed, "COMMITMENT"), @"referee: the commitment COMMITMENT cannot be checked: it is opened when the private scores are released, or, where all images are public, after the close");

    let first_head = whole(&audit(&organizer, data.path(), &["verify"]).done());
    directory.write(
        "challenge.toml",
        fs::read_to_string(directory.file("challenge.toml"))
            .expect("settings")
            .replace(
                "2099-01-01T00:00:00Z",
                &chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            ),
    );
    organizer
        .run(["challenge", "create", directory.argument()])
        .done();
    eventually("the private scores are out", || {
        (show()["private_released"] == true).then_some(())
    });
    assert_eq!(show()["commitment"]["sha256"], committed.as_str());

    let agreed = verify(&organizer, &file).done();
    insta::assert_snapshot!(agreed.replace(&committed, "COMMITMENT").replace(directory.argument(), "DIR"), @r"
    DIR/test-labels.csv holds the labels that clothes-committed committed to, version 1: COMMITMENT
    The rules then: primary top1, public_fraction 0.5, feedback exact, ranking best, final_selections 1.
    ");
    let mut other = labels();
    other[IMAGES - 1] = (other[IMAGES - 1] + 1) % 10;
    directory.write("other.csv", labels_csv(&other));
    let denied = verify(&organizer, &directory.file("other.csv")).refused();
    assert!(
        denied.contains("is not what clothes-committed committed to"),
        "{denied}"
    );

    // For everyone from when the organizers publish the file on.
    let closed = verify(&ada, &file).refused();
    assert!(closed.contains("until they publish the labels"), "{closed}");
    directory.write(
        "challenge.toml",
        fs::read_to_string(directory.file("challenge.toml"))
            .expect("settings")
            .replace("[files]", "[files]\ntest-labels = \"test-labels.csv\""),
    );
    organizer
        .run(["challenge", "create", directory.argument()])
        .done();
    verify(&ada, &file).done();
    let kept = [
        "verify",
        "clothes-committed",
        "--labels",
        &file,
        "--commitment",
    ];
    ada.run(kept.into_iter().chain([committed.as_str()])).done();
    let another = "0".repeat(64);
    ada.run(kept.into_iter().chain([another.as_str()]))
        .refused();

    the_trail_is_whole(&organizer, data.path(), &first_head);
}

fn the_trail_is_whole(operator: &Person, data: &Path, first_head: &str) {
    let head = eventually("everything is chained", || {
        let said = audit(operator, data, &["verify", "--head", first_head]).done();
        (!said.contains("wait")).then(|| whole(&said))
    });
    let exported = audit(operator, data, &["export"]).done();
    let actions: Vec<String> = exported
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["action"].as_str().expect("an action").to_owned()
        })
        .collect();
    for action in [
        "account opened",
        "challenge created",
        "organizer added",
        "file stored",
        "labels uploaded",
        "labels sealed",
        "labels current",
        "published",
        "submitted",
        "score released",
        "rules changed",
        "private scores released",
    ] {
        assert!(
            actions.iter().any(|done| done == action),
            "{action}: {actions:?}"
        );
    }
    for personal in ["\"ada\"", "127.0.0.1"] {
        assert!(!exported.contains(personal), "{personal}");
    }
    let names = audit(operator, data, &["export", "--names"]).done();
    for name in ["\"ada\"", "\"organizer\"", "\"127.0.0.1\""] {
        assert!(names.contains(name), "{name}: {names}");
    }

    // Elsewhere, without a server; and after somebody has been at it.
    operator.write("trail.jsonl", &exported);
    let offline = ["audit", "verify", "--file", "trail.jsonl", "--head"];
    let said = operator
        .run(offline.into_iter().chain([head.as_str()]))
        .done();
    assert_eq!(said, format!("trail.jsonl is whole up to {head}.\n"));
    operator.write(
        "trail.jsonl",
        exported.replacen("\"submitted\"", "\"withdrawn\"", 1),
    );
    let found = operator
        .run(offline.into_iter().chain([head.as_str()]))
        .refused();
    assert!(
        found.contains("the audit trail is broken at line"),
        "{found}"
    );
    let shorter: Vec<&str> = exported.lines().take(3).collect();
    operator.write("trail.jsonl", shorter.join("\n"));
    let found = operator
        .run(offline.into_iter().chain([head.as_str()]))
        .refused();
    assert!(found.contains("its last lines were taken away"), "{found}");
}
