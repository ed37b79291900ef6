use std::fmt::Write as _;
use std::fs::File;

use crate::challenge::{labels, labels_csv, open, predictions};
use crate::person::{Person, Run};
use crate::server::shared;

const CLASSES: &str = "cat\ndog\nhorse\n";

fn without_server() -> Person {
    let person = Person::new("http://127.0.0.1:9", "anyone");
    person.write("classes.txt", CLASSES);
    person.write("labels.csv", "image,label\n0,cat\n1,dog\n2,dog|horse\n3,\n");
    person
}

#[test]
fn a_file_is_checked_against_a_list_of_classes() {
    let anyone = without_server();
    let check = |file, more: &[&'static str]| {
        let arguments = ["check", file, "--classes", "classes.txt", "--images", "4"];
        anyone.run(arguments.into_iter().chain(more.iter().copied()))
    };
    anyone.write("good.txt", "1\n2 3\n3 1 2\n1\n");
    insta::assert_snapshot!(check("good.txt", &[]).done(), @"good.txt is fine: predictions for 4 images.");
    let document = check("good.txt", &["--json"]).json();
    assert_eq!(
        (&document["valid"], &document["images"]),
        (&true.into(), &4.into())
    );

    anyone.write("wrong.csv", "image,label1\n0,cat\n1,cow\n1,dog\n2,4\n");
    insta::assert_snapshot!(check("wrong.csv", &[]).refused(), @r"
    referee: line 3: no class is called `cow`; expected a class index from 0 to 2, a name or an id
      line 5: class 4, but class indices run from 0 to 2
    ");
    let run = check("wrong.csv", &["--json"]);
    assert_eq!(run.code, 1);
    let document: serde_json::Value =
        serde_json::from_str(&run.stdout).expect("only JSON on stdout");
    assert_eq!(document["valid"], false);
    assert_eq!(document["errors"][0]["line"], 3);
}

#[test]
fn a_file_is_checked_against_a_challenge() {
    open("check-online", "");
    let ada = Person::new(&shared().address, "ada");
    ada.write("predictions.txt", predictions(7));
    let check = |file| ada.run(["check", file, "--challenge", "check-online"]);
    insta::assert_snapshot!(check("predictions.txt").done(), @"predictions.txt is fine: predictions for 100 images.");
    ada.write("short.txt", "1\n2\n");
    insta::assert_snapshot!(check("short.txt").refused(), @"referee: line 3: missing; the file has 2 lines, expected 100, one for each test image");
}

/// By hand: of the three labelled images the first guess is right on image 2 alone, the first five on images 1 and 2.
#[test]
fn predictions_are_scored_without_a_server() {
    let anyone = without_server();
    anyone.write("predictions.txt", "2\n3 2\n3\n1\n");
    let score = |more: &[&'static str]| {
        let arguments = [
            "score",
            "--labels",
            "labels.csv",
            "--classes",
            "classes.txt",
            "predictions.txt",
        ];
        anyone.run(arguments.into_iter().chain(more.iter().copied()))
    };
    insta::assert_snapshot!(score(&[]).done(), @r"
    best     error  95 % interval   wrong
    top-1  66.67 %  20.77–93.85 %  2 of 3
    top-5  33.33 %   6.15–79.23 %  1 of 3
    ");
    let document = score(&["--json"]).json();
    assert_eq!(document["images"], 3);
    assert!((document["top1_error"].as_f64().expect("a number") - 2.0 / 3.0).abs() < 1e-12);
    assert!((document["top5_error"].as_f64().expect("a number") - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn a_dash_is_stdin_and_a_directory_is_no_file() {
    let anyone = without_server();
    anyone.write("good.txt", "2\n3 2\n3\n1\n");
    let piped = |arguments: &[&str]| {
        let file = File::open(anyone.home().join("good.txt")).expect("open it");
        Run::of(anyone.command().args(arguments).stdin(file))
    };
    let check = ["check", "-", "--classes", "classes.txt", "--images", "4"];
    insta::assert_snapshot!(piped(&check).done(), @"stdin is fine: predictions for 4 images.");
    let score = |file| {
        [
            "score",
            "--labels",
            "labels.csv",
            "--classes",
            "classes.txt",
            file,
        ]
    };
    assert_eq!(
        piped(&score("-")).done(),
        anyone.run(score("good.txt")).done()
    );

    std::fs::create_dir(anyone.home().join("dir")).expect("make it");
    let check = ["check", "dir", "--classes", "classes.txt", "--images", "4"];
    insta::assert_snapshot!(anyone.run(check).refused(), @"referee: dir is a directory; give one file");
    anyone.write("dir/challenge.toml", "");
    insta::assert_snapshot!(anyone.run(check).refused(), @"referee: dir is a directory; give one file; `referee challenge check dir` checks a challenge");
}

#[test]
fn where_names_need_a_class_list_the_flag_is_named() {
    let anyone = without_server();
    anyone.write("good.txt", "1\n2\n2\n1\n");
    let score = ["score", "--labels", "labels.csv", "good.txt"];
    insta::assert_snapshot!(anyone.run(score).refused(), @r"
    referee: labels.csv: line 2: no class is called `cat`; expected a class index from 0 to 32766, a name or an id; where classes have names, --classes FILE lists them
      line 3: no class is called `dog`; expected a class index from 0 to 32766, a name or an id
      line 4: no class is called `dog`; expected a class index from 0 to 32766, a name or an id
    ");
}

/// The devkit cuts extras, and lets repeats and ids out of range miss, where a submission would be rejected.
#[test]
fn the_devkit_accepts_more_than_the_server() {
    let anyone = without_server();
    anyone.write("lax.txt", "1 1 2 3 1 2\n9 2\n1 3\n1\n");
    let score = [
        "score",
        "--labels",
        "labels.csv",
        "--classes",
        "classes.txt",
        "lax.txt",
    ];
    let strict = anyone.run(score).refused();
    assert!(strict.contains("line 1"), "{strict}");
    insta::assert_snapshot!(anyone.run(score.into_iter().chain(["--devkit"])).done(), @r"
    best     error  95 % interval   wrong
    top-1  66.67 %  20.77–93.85 %  2 of 3
    top-2   0.00 %   0.00–56.15 %  0 of 3
    top-3   0.00 %   0.00–56.15 %  0 of 3
    top-4   0.00 %   0.00–56.15 %  0 of 3
    top-5   0.00 %   0.00–56.15 %  0 of 3
    ");
}

/// `eval_flat.m` gives 0.8, 0.6, 0.6, 0.6 and 0.2 for 1 to 5 guesses: what is repeated or no class wastes its place.
#[test]
fn the_devkits_errors_are_printed_for_every_number_of_guesses() {
    let anyone = without_server();
    anyone.write("ten.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    anyone.write("truth.csv", "image,label\n0,4\n1,6\n2,7\n3,2\n4,9\n");
    anyone.write(
        "demo.txt",
        "1 2 3 4 5\n7\n9 9 9 9 8\n5000 3\n4 3 2 1 6 10\n",
    );
    let document = anyone
        .run([
            "score",
            "--labels",
            "truth.csv",
            "--classes",
            "ten.txt",
            "--devkit",
            "--json",
            "demo.txt",
        ])
        .json();
    let lines = document["errors"].as_array().expect("a list");
    let misses: Vec<_> = lines.iter().map(|line| line["misses"].as_u64()).collect();
    assert_eq!(misses, [4, 3, 3, 3, 1].map(Some));
}

/// Two classes with the same score: both have rank 2, neither is the first guess.
#[test]
fn a_tie_is_no_first_guess_for_the_devkit_either() {
    let anyone = without_server();
    anyone.write("truth.csv", "image,label\n0,0\n");
    let mut scores = referee_scoring::npy::header("<f4", &[1, 2]);
    scores.extend([1.0_f32; 2].map(f32::to_le_bytes).as_flattened());
    anyone.write("scores.npy", scores);
    let score = ["score", "--labels", "truth.csv", "scores.npy", "--devkit"];
    let printed = anyone.run(score).done();
    assert!(printed.contains("top-1  100.00 %"), "{printed}");
    assert!(printed.contains("top-2    0.00 %"), "{printed}");
}

/// The same hundred images on the server and here.
#[test]
fn offline_and_on_the_server_the_score_is_the_same() {
    open("score-both", "");
    let ada = Person::register(&shared().address, "ada-offline");
    let mut csv = String::from("image,label1,label2\n");
    for (image, label) in labels().iter().enumerate() {
        let (first, second) = if image % 4 == 0 {
            ((label + 3) % 10, *label)
        } else {
            (*label, (label + 3) % 10)
        };
        writeln!(csv, "{image},{first},{second}").expect("write to a string");
    }
    ada.write("two-guesses.csv", csv);
    ada.write("labels.csv", labels_csv(&labels()));
    let offline = ada
        .run([
            "score",
            "--labels",
            "labels.csv",
            "two-guesses.csv",
            "--json",
        ])
        .json();
    let submitted = ada.submit("two-guesses.csv", "score-both");
    for figure in [
        "images",
        "top1_error",
        "top5_error",
        "top1_interval",
        "top5_interval",
    ] {
        assert_eq!(
            offline[figure], submitted["scores"]["public"][figure],
            "{figure}"
        );
    }
    assert_eq!(
        (&offline["top1_error"], &offline["top5_error"]),
        (&0.25.into(), &0.0.into())
    );
}
