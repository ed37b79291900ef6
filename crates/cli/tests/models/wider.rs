//! A challenge of ten classes whose models and files are over a list of twelve ([`WIDER`](super::arena::WIDER)).

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arena::{Arena, IMAGES, Rules, SIDE};
use super::files::{IN_ORDER, perceptron_weights, write_perceptron, write_safetensors};

async fn arena() -> Arena {
    Arena::open(Rules {
        validation: true,
        wider: true,
        ..Rules::default()
    })
    .await
}

/// A perceptron with a column for each of the twelve, of which the two that are no classes of the challenge always win.
fn write_wide(arena: &Arena) {
    let own = perceptron_weights(IN_ORDER, 1.0);
    let rows: Vec<&[f32]> = own.chunks_exact(SIDE * SIDE).collect();
    let none = vec![0.0; SIDE * SIDE];
    let mut weights = none.clone();
    for class in 1..=10 {
        weights.extend_from_slice(rows[10 - class]);
    }
    weights.extend(none);
    let mut bias = vec![0.0; 12];
    (bias[0], bias[11]) = (1e6, 1e6);
    let tensors = [
        ("fc.weight".to_owned(), vec![12, SIDE * SIDE], weights),
        ("fc.bias".to_owned(), vec![12], bias),
    ];
    let metadata = json!({
        "architecture": "perceptron",
        "preprocess": "{\"mean\":0,\"std\":1}",
    });
    write_safetensors(&arena.path("wide.safetensors"), metadata, &tensors);
}

/// What is right for each image, in the longer list's indices.
fn right() -> Vec<i32> {
    (0..IMAGES)
        .map(|image| 10 - i32::try_from(image % 10).expect("small"))
        .collect()
}

/// The first column of a record.
fn top1(record: &[u8]) -> Vec<i32> {
    let rows = &record[record.len() - 24 * IMAGES..];
    rows.chunks_exact(24)
        .map(|row| i32::from_le_bytes([row[0], row[1], row[2], row[3]]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_over_the_longer_list_is_scored_on_the_challenges_classes() {
    let arena = arena().await;
    let _worker = arena.worker(&[]);
    write_wide(&arena);
    let id = arena.submit("wide.safetensors", &[]);
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
    assert_eq!(scored["scores"]["public"]["top1_error"], 0.0, "{scored}");
    assert_eq!(scored["notices"], json!([]));
    let record = arena.record(&id).await;
    assert_eq!(top1(&record), right());

    // As offline.
    let predict = [
        "predict",
        "wide.safetensors",
        "challenge/images.npy",
        "--out",
        "predicted.npy",
        "--classes",
        "challenge/classes.txt",
        "--wider-classes",
        "challenge/wider.txt",
    ];
    arena.run("bob", &predict);
    let predicted = std::fs::read(arena.path("predicted.npy")).expect("written");
    assert!(predicted == record, "the record is the same");
    // And what was predicted may be sent, and scored here.
    let sent = arena.submit("predicted.npy", &["--method", "sent"]);
    let sent = arena.finished(&sent).await;
    assert_eq!(sent["scores"]["public"]["top1_error"], 0.0, "{sent}");
    let score = [
        "score",
        "--json",
        "--labels",
        "challenge/labels.csv",
        "--classes",
        "challenge/classes.txt",
        "--wider-classes",
        "challenge/wider.txt",
        "predicted.npy",
    ];
    let score: Value = serde_json::from_str(&arena.run("bob", &score)).expect("JSON");
    assert_eq!(score["top1_error"], 0.0, "{score}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_over_the_challenges_own_classes_is_told_apart() {
    let arena = arena().await;
    let _worker = arena.worker(&[]);
    let metadata = json!({
        "architecture": "perceptron",
        "preprocess": "{\"mean\":0,\"std\":1}",
    });
    write_perceptron(&arena.path("own.safetensors"), metadata, IN_ORDER, 1.0);
    let seen = arena.submit("own.safetensors", &[]);
    let said = arena.submit("own.safetensors", &["--classes", "challenge"]);
    let (seen, said) = (arena.finished(&seen).await, arena.finished(&said).await);
    for scored in [&seen, &said] {
        assert_eq!(scored["scores"]["public"]["top1_error"], 0.0, "{scored}");
        let id = scored["id"].as_str().expect("an id");
        assert_eq!(top1(&arena.record(id).await), right());
    }
    assert_eq!(seen["notices"][0]["code"], "classes", "{seen}");
    assert_eq!(said["notices"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranked_lists_are_over_the_longer_list_and_its_other_classes_miss() {
    let arena = arena().await;
    let (mut names, mut text, mut own) = (
        "image,label1,label2\n".to_owned(),
        String::new(),
        "image,label1\n".to_owned(),
    );
    for (image, right) in right().into_iter().enumerate() {
        writeln!(names, "{image},other 0,w{}", right - 1).expect("a string");
        // From 1.
        writeln!(text, "{}", right + 1).expect("a string");
        writeln!(own, "{image},{}", image % 10).expect("a string");
    }
    for (file, content) in [
        ("names.csv", &names),
        ("text.txt", &text),
        ("own.csv", &own),
    ] {
        std::fs::write(arena.path(file), content).expect("written");
    }
    for (file, more, errors) in [
        ("names.csv", None, [1.0, 0.0]),
        ("text.txt", None, [0.0, 0.0]),
        ("own.csv", Some(["--classes", "challenge"]), [0.0, 0.0]),
        // Read as the longer list's indices, it is right where 10 − c = c.
        ("own.csv", None, [0.9, 0.9]),
    ] {
        let id = arena.submit(file, more.as_ref().map_or(&[], |more| &more[..]));
        let scored = arena.finished(&id).await;
        let public = &scored["scores"]["public"];
        assert_eq!(
            [&public["top1_error"], &public["top5_error"]],
            [&json!(errors[0]), &json!(errors[1])],
            "{file}: {scored}"
        );
        let predictions = arena.get(&format!("submissions/{id}"));
        assert_eq!(predictions["status"], "scored");
    }
    // New labels are the challenge's own, too; what was sent is scored under them as it was read.
    let mut labels = "image,label\n".to_owned();
    for image in 0..IMAGES {
        writeln!(labels, "{image},class {}", image % 10).expect("a string");
    }
    let put = arena.ask("ann", "PUT", "challenges/arena/labels", labels.as_bytes());
    assert!(put.0 < 300, "{put:?}");

    let challenge = arena.get("challenges/arena");
    let wider = challenge["test"]["wider_classes"].as_array();
    assert_eq!(wider.map(Vec::len), Some(12), "{challenge}");
    let change = json!({ "test": { "wider_classes": null } }).to_string();
    let (status, problem) = arena.ask("ann", "PATCH", "challenges/arena", change.as_bytes());
    assert_eq!(status, 409, "{problem}");
    assert!(
        problem.contains("wider classes of a published challenge"),
        "{problem}"
    );
}
