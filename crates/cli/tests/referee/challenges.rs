use serde_json::Value;

use crate::challenge::{Directory, IMAGES, labels, labels_csv, open, predictions};
use crate::person::{Person, Run};
use crate::server::{eventually, shared};

#[test]
fn a_directory_becomes_a_challenge_and_again_uploads_only_what_changed() {
    let directory = Directory::new("clothes-again", "");
    let create = ["challenge", "create", directory.argument()];
    let organizer = &shared().organizer;
    let made = organizer.run(create).done();
    insta::assert_snapshot!(made.replace(&shared().address, "SERVER"), @"A hundred clothes is open: SERVER/challenges/clothes-again");
    let first = organizer
        .run(["challenge", "show", "clothes-again", "--json"])
        .json();
    assert_eq!(first["state"], "open");
    assert_eq!(first["images"], IMAGES);
    assert_eq!(first["label_version"], 1);

    directory.write(
        "description.md",
        "Which piece of clothing is it? Look twice.\n",
    );
    let again = organizer.run(create.into_iter().chain(["--json"])).json();
    assert_eq!(
        again["description"],
        "Which piece of clothing is it? Look twice.\n"
    );
    assert_eq!(
        again["test"]["file"], first["test"]["file"],
        "the images were not sent again"
    );
    assert_ne!(again["files"]["words"], first["files"]["words"]);
    assert_eq!(
        again["label_version"], 1,
        "the same labels are no new version"
    );

    let shown = organizer.run(["challenge", "show", "clothes-again"]).done();
    // The times, to the minute, differ from run to run.
    let timeless = |line: &str| match line.strip_prefix("changed") {
        Some(change) => format!(
            "changed       TIME{}\n",
            &change.trim_start()["2026-01-01 00:00 UTC".len()..]
        ),
        None => format!("{line}\n"),
    };
    let shown: String = shown.lines().map(timeless).collect();
    insta::assert_snapshot!(shown, @r"
    A hundred clothes (open)

    test set      100 images, 10 classes
    ranked by     top1 error, the best of a team, exact feedback
    outside data  declared
    organizers    organizer
    so far        0 submissions by 0 teams
    download      words (description.md, 43 B)
    changed       TIME: the file `words` was replaced (`description.md`)
    changed       TIME: the description changed
    changed       TIME: the challenge was published

    Which piece of clothing is it? Look twice.
    ");
    let listed = organizer.run(["challenge", "list", "--json"]).json();
    let slugs = listed
        .as_array()
        .expect("a list")
        .iter()
        .map(|challenge| &challenge["slug"]);
    assert!(slugs.into_iter().any(|slug| slug == "clothes-again"));
    assert!(
        organizer
            .run(["challenge", "list"])
            .done()
            .contains("A hundred clothes")
    );
}

#[test]
fn only_organizers_create_challenges() {
    let directory = Directory::new("clothes-not-mine", "");
    let ada = Person::register(&shared().address, "ada-organizes");
    insta::assert_snapshot!(ada.run(["challenge", "create", directory.argument()]).refused(), @"referee: only organizers may do this; ask an administrator for the role");
}

#[test]
fn a_directory_is_checked_without_a_server() {
    let directory = Directory::new("clothes-checked", "");
    let anyone = Person::new("http://127.0.0.1:9", "anyone");
    let check = |directory: &Directory| anyone.run(["challenge", "check", directory.argument()]);
    let said = |text: String| text.replace(directory.argument(), "DIR");
    insta::assert_snapshot!(said(check(&directory).done()), @"DIR/challenge.toml is fine: 100 images, 100 with labels, in 10 classes, ranked by top1 error.");

    directory.write("test-labels.csv", labels_csv(&labels()[1..]));
    insta::assert_snapshot!(said(check(&directory).refused()), @"referee: DIR/test-labels.csv: line 101: the file ends and image 99 is missing; each of the 100 test images needs a line");
    let mut sorted = labels();
    sorted.sort_unstable();
    directory.write("test-labels.csv", labels_csv(&sorted));
    insta::assert_snapshot!(said(check(&directory).refused()), @"referee: the order of the images gives the labels away: 90 of 99 images have the class of the one before, 10 would by chance: run `referee challenge shuffle DIR` first, or pass --known-labels if these labels are public anyway");
    directory.write("test-labels.csv", "image,label\n0,Ankle boot\n1,Hat\n");
    insta::assert_snapshot!(said(check(&directory).refused()), @"referee: DIR/test-labels.csv: line 3: no class is called `Hat`; expected a class index from 0 to 9, a name or an id");
    directory.write(
        "challenge.toml",
        "slug = \"clothes\"\ntitle = \"Clothes\"\nclases = \"classes.txt\"\n",
    );
    insta::assert_snapshot!(said(check(&directory).refused()), @"referee: challenge.toml, line 3: unknown field `clases`, expected one of `slug`, `title`, `series`, `description`, `classes`, `test`, `validation`, `files`, `schedule`, `limits`, `leaderboard`, `rules`, `access`");
}

#[test]
fn terms_are_read_and_a_notice_says_that_nobody_is_asked_yet() {
    let access = "[access]\nvisibility = \"public\"\nterms = \"terms.md\"\n";
    let directory = Directory::new("clothes-terms", access);
    let anyone = Person::new("http://127.0.0.1:9", "anyone");
    let checked = anyone.run(["challenge", "check", directory.argument()]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    insta::assert_snapshot!(checked.stderr, @"notice: challenge.toml: [access] terms is for later; nobody is asked to accept terms.md yet");
}

#[test]
fn everybody_can_download_what_is_public() {
    let directory = open("clothes-to-download", "");
    let ada = Person::new(&shared().address, "ada");
    let download = [
        "challenge",
        "download",
        "clothes-to-download",
        "--out",
        "data",
    ];
    insta::assert_snapshot!(ada.run(download).done(), @r"
    data/test-images.npy
    data/description.md
    ");
    let images = std::fs::read(directory.path().join("test-images.npy")).expect("the original");
    assert!(ada.read("data/test-images.npy") == images);
    assert!(!ada.home().join("data/test-labels.csv").exists());

    ada.write("data/test-images.npy", "half of it");
    insta::assert_snapshot!(ada.run(download).done(), @r"
    data/test-images.npy
    data/description.md is there already.
    ");
    assert!(ada.read("data/test-images.npy") == images);
    let unknown = ada.run(download.into_iter().chain(["--key", "labels"]));
    insta::assert_snapshot!(unknown.refused(), @"referee: clothes-to-download has no file `labels`; `referee challenge show clothes-to-download` lists them");
}

#[test]
fn files_of_the_same_name_are_kept_apart() {
    let directory = Directory::new("clothes-namesakes", "again = \"more/description.md\"\n");
    std::fs::create_dir(directory.path().join("more")).expect("a directory");
    directory.write("more/description.md", "And which colour has it?\n");
    let create = ["challenge", "create", directory.argument()];
    shared().organizer.run(create).done();
    let ada = Person::new(&shared().address, "ada");
    let download = ["challenge", "download", "clothes-namesakes"];
    insta::assert_snapshot!(ada.run(download).done(), @r"
    clothes-namesakes/test-images.npy
    clothes-namesakes/again-description.md
    clothes-namesakes/words-description.md
    ");
    let again = ada.read("clothes-namesakes/again-description.md");
    assert_eq!(again, b"And which colour has it?\n");
}

#[test]
fn a_file_keeps_a_name_beyond_ascii() {
    let directory = Directory::new("clothes-abroad", "sizes = \"Größen.md\"\n");
    directory.write("Größen.md", "S, M, L\n");
    let create = ["challenge", "create", directory.argument(), "--json"];
    let made = shared().organizer.run(create).json();
    assert_eq!(made["files"]["sizes"]["filename"], "Größen.md");
}

#[test]
fn corrected_labels_and_a_rescore_change_the_board() {
    let directory = open("clothes-corrected", "");
    let organizer = &shared().organizer;
    let ada = Person::register(&shared().address, "ada-corrected");
    ada.write("predictions.txt", predictions(0));
    ada.submit("predictions.txt", "clothes-corrected");

    let file = directory.file("test-labels.csv");
    let upload = ["challenge", "labels", "clothes-corrected", file.as_str()];
    insta::assert_snapshot!(organizer.run(upload).done(), @"Version 1 of the labels: these labels are in use already.");
    // Ten labels of a hundred become others: the one submission, right before, is wrong there.
    let corrected: Vec<u8> = labels()
        .into_iter()
        .enumerate()
        .map(|(image, label)| if image < 10 { (label + 1) % 10 } else { label })
        .collect();
    directory.write("test-labels.csv", labels_csv(&corrected));
    insta::assert_snapshot!(organizer.run(upload).done(), @"Version 2 of the labels: everything is being scored again; the board changes when all is done.");
    let board = |version: u64| {
        eventually("the board shows the next version", || {
            let board = ada
                .run(["leaderboard", "clothes-corrected", "--json"])
                .json();
            (board["label_version"] == version).then_some(board)
        })
    };
    assert_eq!(board(2)["entries"][0]["top1_error"], 0.1);
    insta::assert_snapshot!(organizer.run(["challenge", "rescore", "clothes-corrected"]).done(), @"Everything is being scored again; the board changes when all is done.");
    assert_eq!(board(3)["entries"][0]["top1_error"], 0.1);
    insta::assert_snapshot!(ada.run(["challenge", "rescore", "clothes-corrected"]).refused(), @"referee: only this challenge's organizers may do this");
}

#[test]
fn a_draft_is_for_its_organizers_alone() {
    let directory = Directory::new("clothes-draft", "");
    let organizer = &shared().organizer;
    let create = ["challenge", "create", directory.argument(), "--draft"];
    let made = organizer.run(create).done();
    insta::assert_snapshot!(made.replace(&shared().address, "SERVER"), @"A hundred clothes is a draft: SERVER/challenges/clothes-draft");
    let anyone = Person::new(&shared().address, "anyone");
    let shown = anyone.run(["challenge", "show", "clothes-draft"]);
    insta::assert_snapshot!(shown.refused(), @"referee: there is no challenge `clothes-draft`");
    let listed: Value = anyone.run(["challenge", "list", "--json"]).json();
    assert!(!listed.to_string().contains("clothes-draft"));

    // An organizer tries it out, once the scorer has sealed the labels.
    organizer.write("predictions-of-a-draft.txt", predictions(30));
    let submit = [
        "submit",
        "predictions-of-a-draft.txt",
        "--challenge",
        "clothes-draft",
    ];
    let tried = eventually("the labels are in use", || {
        let run = organizer.run(submit);
        (run.code == 0).then_some(run)
    });
    insta::assert_snapshot!(tried.done(), @r"
    images  number  top-1 error  95 % interval  top-5 error  95 % interval
    public     100      30.00 %  21.89–39.58 %      30.00 %  21.89–39.58 %
    As you organize this challenge, this is a baseline: listed on the board, without a rank.
    ");
    let published =
        Run::of(
            organizer
                .command()
                .args(["challenge", "create", directory.argument()]),
        );
    assert!(published.done().contains("A hundred clothes is open"));
}

#[test]
fn the_test_set_of_a_draft_may_still_change_its_size() {
    let directory = Directory::new("clothes-recounted", "");
    directory.write(
        "challenge.toml",
        "slug = \"clothes-recounted\"\ntitle = \"Clothes, recounted\"\nclasses = \"classes.txt\"\n\
         [test]\nlabels = \"test-labels.csv\"\n",
    );
    directory.write("test-labels.csv", labels_csv(&labels()[..60]));
    let organizer = &shared().organizer;
    let create = ["challenge", "create", directory.argument()];
    organizer.run(create.into_iter().chain(["--draft"])).done();
    organizer.write("sixty.txt", "1\n".repeat(60));
    let submit = |file| {
        eventually("the labels are in use", || {
            let run = organizer.run(["submit", file, "--challenge", "clothes-recounted", "--json"]);
            (run.code == 0).then(|| run.json())
        })
    };
    let before = submit("sixty.txt");

    directory.write("test-labels.csv", labels_csv(&labels()));
    let published = organizer.run(create.into_iter().chain(["--json"])).json();
    assert_eq!(
        (&published["images"], &published["state"]),
        (&IMAGES.into(), &"open".into())
    );
    organizer.write("hundred.txt", predictions(10));
    assert_eq!(submit("hundred.txt")["scores"]["public"]["images"], IMAGES);
    let id = before["id"].as_str().expect("an id");
    let left_out = organizer.run(["submissions", "show", id]).done();
    assert!(
        left_out.contains("notice: The labels changed and this file"),
        "{left_out}"
    );
}
