//! Models at the door: what their forms and first bytes show, their side files, and what is shown of their layers.

use axum::body::Body;
use axum::http::StatusCode;
use referee_scoring::ImageList;
use referee_storage::challenges::files::put_test_images;
use referee_storage::inference::{self, Findings, Taken};
use referee_storage::objects::Stored;
use serde_json::json;

use crate::arena::{Answer, Arena, BOUNDARY, FILE, IMAGES, upload, upload_of};

/// A safetensors file without tensors: the header's length, then `{}`, by the format's specification.
const SAFETENSORS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";
/// The first bytes of an ONNX file: `ir_version` = 8.
const ONNX: &[u8] = b"\x08\x08";

async fn with_images() -> Arena {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let stored = Stored {
        key: "incoming/images".into(),
        bytes: 1,
        sha256: [0; 32],
    };
    let list = ImageList::ordinals(IMAGES);
    put_test_images(
        &arena.database.api,
        "arena",
        "images.npy",
        &stored,
        &list,
        None,
        None,
    )
    .await
    .expect("images");
    arena
}

/// A model with files: (part, file name, content).
async fn submit(arena: &Arena, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, text) in [("method", "m"), ("kind", "model")].iter().chain(fields) {
        body.extend(
            format!(
                "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
            )
            .bytes(),
        );
    }
    for (part, name, content) in files {
        body.extend(format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    arena.send(upload_of("ada", Body::from(body), None)).await
}

/// It is refused, in words that hold this one.
#[track_caller]
fn assert_refused(answer: &Answer, word: &str) {
    let text = answer.text();
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
    assert!(answer.detail().contains(word), "{text}");
}

#[tokio::test]
async fn what_cannot_be_a_model_is_refused_with_what_to_do() {
    let arena = with_images().await;
    // As torch.save, pickle.dump, h5py and the TensorFlow Lite converter begin their files.
    let torch =
        b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl\x80\x02";
    for (name, content, word) in [
        ("net.pth", torch.as_slice(), "referee convert"),
        ("net.pkl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0", "pickle"),
        ("net.h5", b"\x89HDF\r\n\x1a\n", "Keras"),
        ("net.tflite", b"\x1c\0\0\0TFL3", "tf2onnx"),
        ("net.safetensors", b"", "empty"),
    ] {
        let answer = submit(&arena, &[], &[("file", name, content)]).await;
        assert_refused(&answer, word);
    }
    for (field, text, word) in [
        ("architecture", "resnet51", "`architecture`"),
        ("preprocess", "{\"crop\": \"big\"}", "`preprocess`"),
        ("class_order", "alphabetical", "`class_order`"),
        (
            "class_order",
            "cat\ndog\nowl",
            "this challenge has 2 classes",
        ),
        ("class_order", "cat\nowl", "no class is called `owl`"),
        ("class_offset", "-1", "`class_offset`"),
        ("boxes", "true", "`boxes`"),
    ] {
        let file = [("file", "n.safetensors", SAFETENSORS)];
        let answer = submit(&arena, &[(field, text)], &file).await;
        assert_refused(&answer, word);
    }
    assert_eq!(arena.stored_files(), 0);
}

#[tokio::test]
async fn a_challenge_without_images_takes_no_models() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let answer = submit(&arena, &[], &[("file", "n.safetensors", SAFETENSORS)]).await;
    assert_refused(&answer, "no test images");
}

#[tokio::test]
async fn side_files_come_under_the_names_that_the_model_knows() {
    let arena = with_images().await;
    let half = vec![7; 600 << 10];
    let answer = submit(
        &arena,
        &[("output", "logits")],
        &[("data", "net.onnx.data", &half), ("file", "net.onnx", ONNX)],
    )
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let id = answer.id();
    assert_eq!(arena.stored_files(), 2);
    let data = inference::data(&arena.database.inference, id)
        .await
        .expect("read");
    let data: Vec<_> = data
        .iter()
        .map(|file| (file.name.as_str(), file.bytes))
        .collect();
    assert_eq!(data, [("net.onnx.data", 600 << 10)]);
    let Taken::Claimed(part) = inference::take_part(&arena.database.inference, id)
        .await
        .expect("claim")
    else {
        panic!("it waits for an inference worker");
    };
    assert_eq!(part.form, json!({ "output": "logits" }));

    // upload_mb is 1, of all files together.
    let too_much = submit(
        &arena,
        &[],
        &[
            ("data", "a", &half),
            ("data", "b", &half),
            ("file", "n.onnx", ONNX),
        ],
    )
    .await;
    assert_eq!(
        too_much.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "{}",
        too_much.text()
    );
    for name in ["../weights", "a/b", ""] {
        let files: [(_, _, &[u8]); 2] = [("data", name, b"x"), ("file", "n.onnx", ONNX)];
        let answer = submit(&arena, &[], &files).await;
        assert_refused(&answer, "bare file name");
    }
    let twice = submit(
        &arena,
        &[],
        &[
            ("data", "a", b"x"),
            ("data", "a", b"y"),
            ("file", "n.onnx", ONNX),
        ],
    )
    .await;
    assert!(
        twice.detail().contains("send each once"),
        "{}",
        twice.detail()
    );
    assert_eq!(
        arena.stored_files(),
        2,
        "nothing is left of what was refused"
    );
}

#[tokio::test]
async fn a_field_of_the_other_kind_is_a_misunderstanding() {
    let arena = with_images().await;
    let fields = [("method", "m"), ("architecture", "resnet50")];
    let answer = arena.send(upload("ada", &fields, FILE.as_bytes())).await;
    assert_refused(&answer, "kind=model");
    assert_eq!(arena.stored_files(), 0);
}

#[tokio::test]
async fn layers_are_shown_to_those_who_may_see_the_submission() {
    let arena = with_images().await;
    arena.person("bob").await;
    let id = submit(&arena, &[], &[("file", "n.safetensors", SAFETENSORS)])
        .await
        .id();
    let path = format!("/submissions/{id}/layers");
    assert_eq!(
        arena.get(Some("ada"), &path).await.status,
        StatusCode::NOT_FOUND
    );
    let db = &arena.database.inference;
    let Taken::Claimed(part) = inference::take_part(db, id).await.expect("claim") else {
        panic!("it waits for an inference worker");
    };
    let layers = json!({
        "layers": [{ "name": "fc", "op": "Linear", "output_shape": [2], "parameters": 6, "macs": 4 }],
        "filters": { "shape": [1, 1, 1, 1], "data": "AA==" },
    });
    let findings = Findings {
        model: json!({ "architecture": "perceptron", "parameters": 6, "macs": 4, "depth": 1, "precision": "float32", "folded": false }),
        notices: json!([{ "code": "prefix", "detail": "stripped" }]),
        preprocess: json!({ "crop": 1 }),
        layers: layers.clone(),
    };
    assert!(
        inference::plan(db, &part, &findings, IMAGES, 5)
            .await
            .expect("plan")
    );
    assert_eq!(arena.get(Some("ada"), &path).await.json(), layers);
    assert_eq!(arena.get(Some("organizer"), &path).await.json(), layers);
    assert_eq!(
        arena.get(Some("bob"), &path).await.status,
        StatusCode::NOT_FOUND
    );
    let shown = arena
        .get(Some("ada"), &format!("/submissions/{id}"))
        .await
        .json();
    assert_eq!(shown["status"], "running");
    assert_eq!(shown["preprocess"], json!({ "crop": 1 }));
    assert_eq!(shown["model"]["parameters"], 6);
    assert_eq!(shown["notices"][0]["code"], "prefix");
    assert_eq!(
        (&shown["progress"]["done"], &shown["progress"]["total"]),
        (&json!(0), &json!(IMAGES))
    );
}
