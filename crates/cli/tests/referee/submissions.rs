use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use crate::challenge::{IMAGES, open, predictions};
use crate::person::{Person, REFEREE, Run};
use crate::server::{eventually, shared};

fn competitor(handle: &str) -> Person {
    let person = Person::register(&shared().address, handle);
    for wrong in [0, 20, 40] {
        person.write(&format!("{wrong}-wrong.txt"), predictions(wrong));
    }
    person
}

/// With what differs from run to run left out.
fn stable(text: &str) -> String {
    let mut words = text
        .split_inclusive(char::is_whitespace)
        .collect::<Vec<_>>();
    let is_id = |word: &str| word.trim().len() == 36 && word.matches('-').count() == 4;
    let is_date = |word: &str| word.trim().len() == 10 && word.matches('-').count() == 2;
    let is_time = |word: &str| word.trim().len() == 5 && word.matches(':').count() == 1;
    for word in &mut words {
        let stands_for = match *word {
            word if is_id(word) => "ID",
            word if is_date(word) => "DATE",
            word if is_time(word) => "TIME",
            _ => continue,
        };
        *word = if word.ends_with('\n') {
            [stands_for, "\n"].concat().leak()
        } else {
            [stands_for, " "].concat().leak()
        };
    }
    words.concat()
}

/// 95 % Wilson interval of 20 in 100: 13.34 % to 28.88 % (R: `prop.test(20, 100, correct = FALSE)`).
#[test]
fn submit_waits_and_prints_the_score_and_the_place() {
    open("submit-table", "");
    let (ada, grace) = (competitor("ada-submits"), competitor("grace-submits"));
    let submit = |file| ["submit", file, "--challenge", "submit-table"];
    insta::assert_snapshot!(ada.run(submit("20-wrong.txt")).done(), @r"
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100      20.00 %  13.34–28.88 %      20.00 %  13.34–28.88 %
    ada-submits stands at rank 1 of 1 with this submission.
    ");
    let better = submit("0-wrong.txt")
        .into_iter()
        .chain(["--method", "all right"]);
    insta::assert_snapshot!(grace.run(better).done(), @r"
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100       0.00 %    0.00–3.70 %       0.00 %    0.00–3.70 %
    grace-submits stands at rank 1 of 2 with this submission.
    ");
    insta::assert_snapshot!(ada.run(submit("40-wrong.txt")).done(), @r"
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100      40.00 %  30.94–49.80 %      40.00 %  30.94–49.80 %
    ada-submits stands at rank 2 of 2 with an earlier submission.
    ");
}

#[test]
fn submit_prints_only_json_when_asked_to() {
    open("submit-json", "");
    let ada = competitor("ada-json");
    let scored = ada.submit("20-wrong.txt", "submit-json");
    assert_eq!(scored["status"], "scored");
    assert_eq!(scored["entry"], "competitor");
    assert_eq!(scored["method"], "20-wrong");
    assert_eq!(scored["scores"]["public"]["images"], IMAGES);
    assert_eq!(scored["scores"]["public"]["top1_error"], 0.2);

    ada.write("short.txt", "1\n2\n");
    let rejected = ada.run([
        "submit",
        "short.txt",
        "--challenge",
        "submit-json",
        "--json",
    ]);
    assert_eq!(rejected.code, 1);
    let document: serde_json::Value =
        serde_json::from_str(&rejected.stdout).expect("only JSON on stdout");
    assert_eq!(document["status"], "rejected");
    assert!(
        rejected.stderr.starts_with("referee: "),
        "{}",
        rejected.stderr
    );

    let received = ada
        .run([
            "submit",
            "0-wrong.txt",
            "--challenge",
            "submit-json",
            "--no-wait",
            "--json",
        ])
        .json();
    let id = received["id"].as_str().expect("an id");
    eventually("it is scored", || {
        let shown = ada.run(["submissions", "show", id, "--json"]).json();
        (shown["status"] == "scored").then_some(())
    });
}

#[test]
fn what_is_wrong_with_a_file_is_said_on_stderr() {
    open("submit-wrong", "");
    let ada = competitor("ada-errs");
    let submit = |file| ada.run(["submit", file, "--challenge", "submit-wrong"]);
    ada.write("from-0.txt", "0\n".repeat(IMAGES));
    ada.write("model.pth", "\u{80}\u{2}}q");
    ada.write("strange.txt", predictions(0).replacen("10\n", "11\n", 2));
    insta::assert_snapshot!(submit("from-0.txt").refused(), @r"
    referee: line 1: class 0; text files count from 1. This one looks numbered from 0: add 1, or send CSV or NPY
      line 2: class 0; text files count from 1
      line 3: class 0; text files count from 1
      line 4: class 0; text files count from 1
      line 5: class 0; text files count from 1
      line 6: class 0; text files count from 1
      line 7: class 0; text files count from 1
      line 8: class 0; text files count from 1
      line 9: class 0; text files count from 1
      line 10: class 0; text files count from 1
    ");
    insta::assert_snapshot!(submit("strange.txt").refused(), @r"
    referee: line 1: class 11, but this challenge has 10 (ids run from 1 to 10)
      line 24: class 11, but this challenge has 10 (ids run from 1 to 10)
    ");
    insta::assert_snapshot!(submit("model.pth").refused(), @"referee: this is a PyTorch file, which may hold code and is never loaded: convert it with `referee convert model.pth model.safetensors`");
    insta::assert_snapshot!(submit("nowhere.txt").refused(), @"referee: nowhere.txt cannot be read: No such file or directory (os error 2)");
    let elsewhere = ada.run(["submit", "0-wrong.txt", "--challenge", "no-such-challenge"]);
    insta::assert_snapshot!(elsewhere.refused(), @"referee: there is no challenge `no-such-challenge`");
}

#[test]
fn predictions_come_from_stdin_under_a_name_that_is_given() {
    open("submit-stdin", "");
    let ada = competitor("ada-pipes");
    let piped = |more: &[&str]| {
        let file = File::open(ada.home().join("20-wrong.txt")).expect("open it");
        let submit = ["submit", "-", "--challenge", "submit-stdin", "--json"];
        Run::of(ada.command().args(submit).args(more).stdin(file))
    };
    insta::assert_snapshot!(piped(&[]).refused(), @"referee: the file has no name that the board could show; give one with --method NAME");
    let scored = piped(&["--method", "piped"]).json();
    assert_eq!(scored["method"], "piped");
    assert_eq!(scored["scores"]["public"]["top1_error"], 0.2);

    // A shell gives `<(…)` as the path of a pipe.
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer
        .write_all(predictions(40).as_bytes())
        .expect("write to the pipe");
    drop(writer);
    let submit = ["submit", "/dev/stdin", "--challenge", "submit-stdin"];
    let more = ["--method", "substituted", "--json"];
    let scored = Run::of(ada.command().args(submit).args(more).stdin(reader)).json();
    assert_eq!(scored["scores"]["public"]["top1_error"], 0.4);
}

/// A server that takes a submission and then knows nothing of it any more: nobody should send it again.
#[test]
fn a_submission_that_cannot_be_followed_is_received_all_the_same() {
    const QUEUED: &str = r#"{"id":"0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d","challenge":"clothes","team":"ada","submitter":"ada",
        "kind":"predictions","method":"m","entry":"competitor","status":"queued","notices":[],"outside_data":false,"selected":false,
        "late":false,"verified":false,"created_at":"2026-01-01T00:00:00Z","revision":1}"#;
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("its address");
    let answering = std::thread::spawn(move || {
        for (status, body) in [("202 Accepted", QUEUED), ("404 Not Found", "{}")] {
            let (mut connection, _) = listener.accept().expect("a connection");
            let mut request = Vec::new();
            let is_whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request);
                text.starts_with("GET") && text.ends_with("\r\n\r\n") || text.ends_with("--\r\n")
            };
            while !is_whole(&request) {
                let mut part = [0; 4096];
                let length = connection.read(&mut part).expect("a request");
                assert_ne!(length, 0, "half a request");
                request.extend_from_slice(&part[..length]);
            }
            let length = body.len();
            write!(
                connection,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .expect("answer");
        }
    });
    let ada = Person::new(&format!("http://{address}"), "ada");
    ada.write("predictions.txt", predictions(0));
    let submit = ["submit", "predictions.txt", "--challenge", "clothes"];
    let refused = Run::of(ada.command().env("REFEREE_TOKEN", "hers").args(submit)).refused();
    insta::assert_snapshot!(refused.replace(&address.to_string(), "SERVER"), @"referee: the submission is received, `referee submissions show 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d` shows it; waiting for its score broke off: http://SERVER answered 404 Not Found without saying why; is that a Referee server?");
    answering.join().expect("both were asked");
}

#[test]
fn a_spent_quota_is_said() {
    open("submit-quota", "[limits]\ntotal = 1\n");
    let ada = competitor("ada-quota");
    ada.submit("20-wrong.txt", "submit-quota");
    let second = ada.run(["submit", "0-wrong.txt", "--challenge", "submit-quota"]);
    insta::assert_snapshot!(second.refused(), @"referee: all 1 submissions that a team has in this challenge are used");
}

#[test]
fn an_organizer_hears_that_theirs_is_a_baseline() {
    open("submit-baseline", "");
    let organizer = &shared().organizer;
    organizer.write("baseline.txt", predictions(50));
    let submit = ["submit", "baseline.txt", "--challenge", "submit-baseline"];
    insta::assert_snapshot!(organizer.run(submit).done(), @r"
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100      50.00 %  40.38–59.62 %      50.00 %  40.38–59.62 %
    As you organize this challenge, this is a baseline: listed on the board, without a rank.
    ");
    let board = organizer.run(["leaderboard", "submit-baseline"]).done();
    insta::assert_snapshot!(stable(&board), @r"
        rank  team       method    kind         top-1 error  top-5 error   95 % of top1  submitted (UTC)
    baseline  organizer  baseline  predictions      50.00 %      50.00 %  40.38–59.62 %  DATE TIME
    ");
}

/// util-linux's `script` gives a command a terminal.
#[test]
fn on_a_terminal_submit_shows_its_progress() {
    open("submit-terminal", "");
    let ada = competitor("ada-terminal");
    let mut command = Command::new("script");
    let submit = format!("{REFEREE} submit 20-wrong.txt --challenge submit-terminal");
    command.args(["--quiet", "--return", "--command", &submit, "/dev/null"]);
    let inherited = ada.command();
    command
        .current_dir(ada.home())
        .env_clear()
        .env("TERM", "xterm");
    command.envs(
        inherited
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let run = Run::of(&mut command);
    assert_eq!(run.code, 0, "{}", run.stdout);
    let shown = run
        .stdout
        .find("20-wrong.txt")
        .expect("a bar for the upload");
    let score = run.stdout.find("20.00 %").expect("the score");
    assert!(shown < score, "{}", run.stdout);
}

#[test]
fn submissions_are_listed_shown_and_withdrawn() {
    open("submit-manage", "");
    let ada = competitor("ada-manages");
    insta::assert_snapshot!(ada.run(["submissions", "submit-manage"]).done(), @"There are no submissions yet; `referee submit FILE --challenge SLUG` makes one.");
    let worse = ada.submit("40-wrong.txt", "submit-manage");
    let better = ada.submit("20-wrong.txt", "submit-manage");
    insta::assert_snapshot!(stable(&ada.run(["submissions"]).done()), @r"
    id                                    challenge      team         method    status  top-1 error  top-5 error  submitted (UTC)
    ID  submit-manage  ada-manages  20-wrong  scored      20.00 %      20.00 %  DATE TIME
    ID  submit-manage  ada-manages  40-wrong  scored      40.00 %      40.00 %  DATE TIME
    ");
    let listed = ada.run(["submissions", "submit-manage", "--json"]).json();
    assert_eq!(listed[0]["id"], better["id"]);
    assert_eq!(listed[1]["id"], worse["id"]);

    let id = better["id"].as_str().expect("an id");
    insta::assert_snapshot!(ada.run(["submissions", "show", id]).done(), @r"
    20-wrong by ada-manages in submit-manage
    scored, competitor
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100      20.00 %  13.34–28.88 %      20.00 %  13.34–28.88 %
    ");
    insta::assert_snapshot!(ada.run(["submissions", "withdraw", id]).done(), @"The submission is withdrawn.");
    let shown = ada.run(["submissions", "show", id]).done();
    insta::assert_snapshot!(shown, @r"
    20-wrong by ada-manages in submit-manage
    withdrawn, competitor
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100      20.00 %  13.34–28.88 %      20.00 %  13.34–28.88 %
    ");
    let board = ada.run(["leaderboard", "submit-manage", "--json"]).json();
    assert_eq!(board["entries"][0]["submission"], worse["id"]);
    assert_eq!(board["entries"].as_array().expect("a list").len(), 1);

    let eve = competitor("eve-manages");
    insta::assert_snapshot!(eve.run(["submissions", "withdraw", worse["id"].as_str().expect("an id")]).refused(), @"referee: only the team that made this submission may withdraw it; organizers hide one instead");
    insta::assert_snapshot!(eve.run(["submissions", "show", "0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d"]).refused(), @"referee: there is no submission 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d, or it is another team's and not on the board");
}

#[test]
fn a_team_selects_for_the_private_board() {
    open(
        "submit-select",
        "[leaderboard]\npublic_fraction = 0.5\nfinal_selections = 1\n[schedule]\ncloses = 2100-01-01T00:00:00Z\n",
    );
    let ada = competitor("ada-selects");
    let [first, second] = ["20-wrong.txt", "40-wrong.txt"].map(|file| {
        let submitted = ada.submit(file, "submit-select");
        assert_eq!(submitted["scores"]["public"]["images"], IMAGES / 2);
        assert_eq!(submitted["scores"]["private"], serde_json::Value::Null);
        submitted["id"].as_str().expect("an id").to_owned()
    });
    insta::assert_snapshot!(ada.run(["submissions", "select", &first]).done(), @"The submission is selected for the private board.");
    let third = ada.run(["submissions", "select", &second]).refused();
    insta::assert_snapshot!(third.replace(&first, "ID"), @"referee: a team can select 1 for the private board and this one has selected ID (20-wrong): deselect one first");
    insta::assert_snapshot!(ada.run(["submissions", "select", &first, "--not"]).done(), @"The submission is not selected.");
    ada.run(["submissions", "select", &second]).done();
    let shown = ada.run(["submissions", "show", &second, "--json"]).json();
    assert_eq!(shown["selected"], true);
    let private = ada.run(["leaderboard", "submit-select", "--split", "private"]);
    insta::assert_snapshot!(private.refused(), @"referee: the private board is shown after the close, 2100-01-01T00:00:00Z");
}

#[test]
fn the_board_is_a_table_json_or_csv() {
    open("submit-board", "");
    let (ada, grace) = (competitor("ada-boards"), competitor("grace-boards"));
    insta::assert_snapshot!(ada.run(["leaderboard", "submit-board"]).done(), @"Nobody is on the public board of submit-board yet.");
    ada.run([
        "submit",
        "40-wrong.txt",
        "--challenge",
        "submit-board",
        "--method",
        "=1+1, \"quoted\"",
    ])
    .done();
    grace.submit("0-wrong.txt", "submit-board");
    // The ranges of ranks follow within about a second.
    let board = eventually("the ranks are compared", || {
        let board = ada.run(["leaderboard", "submit-board", "--json"]).json();
        let entries = board["entries"].as_array().expect("a list");
        let are_compared = entries.iter().all(|entry| entry["rank_low"].is_u64());
        (entries.len() == 2 && are_compared).then_some(board)
    });
    let entry = |place: usize| &board["entries"][place];
    // 40 wrong of 100 and 0 wrong: told apart by any test.
    assert_eq!(
        (
            &entry(0)["rank"],
            &entry(0)["rank_low"],
            &entry(0)["rank_high"]
        ),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(
        (
            &entry(1)["rank"],
            &entry(1)["rank_low"],
            &entry(1)["rank_high"]
        ),
        (&2.into(), &2.into(), &2.into())
    );
    assert_eq!(entry(1)["top1_error"], 0.4);
    insta::assert_snapshot!(stable(&ada.run(["leaderboard", "submit-board"]).done()), @r#"
    rank  team          method          kind         top-1 error  top-5 error   95 % of top1  submitted (UTC)
       1  grace-boards  0-wrong         predictions       0.00 %       0.00 %    0.00–3.70 %  DATE TIME
       2  ada-boards    =1+1, "quoted"  predictions      40.00 %      40.00 %  30.94–49.80 %  DATE TIME
    "#);

    let csv = ada.run(["leaderboard", "submit-board", "--csv"]).done();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(
        lines[0].starts_with("rank,rank_low,rank_high,team,submission,method,"),
        "{csv}"
    );
    assert!(lines[1].starts_with("1,1,1,grace-boards,"), "{csv}");
    assert!(
        lines[2].contains(",\"'=1+1, \"\"quoted\"\"\","),
        "no spreadsheet runs it: {csv}"
    );
    assert_eq!(lines.len(), 4, "{csv}");
    let both = ada.run(["leaderboard", "no-such-challenge", "--csv"]);
    insta::assert_snapshot!(both.refused(), @"referee: there is no challenge `no-such-challenge`");
}
