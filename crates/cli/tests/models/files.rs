//! Models from the upload to the board: what they are, what they score, and what is said about them.

use std::path::Path;

use referee_networks::zoo::{self, ZooOptions};
use serde_json::{Value, json};

use super::arena::{Arena, IMAGES, Rules, SIDE, device, eventually};

/// A safetensors file by its specification: the header's length, the header, the tensors' bytes.
pub fn write_safetensors(path: &Path, metadata: Value, tensors: &[(String, Vec<usize>, Vec<f32>)]) {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), metadata);
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.clone(), tensor);
    }
    let header = serde_json::to_vec(&header).expect("JSON");
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length[..], &header, &data].concat()).expect("write");
}

/// A perceptron that sees what the arena's images are: class c's weights are 1 in column `2 · c + 4`. `order[k]` is the class of
/// its column k; `scale` multiplies its weights.
pub fn write_perceptron(path: &Path, metadata: Value, order: [usize; 10], scale: f32) {
    let weights = perceptron_weights(order, scale);
    let tensors = [
        ("fc.weight".to_owned(), vec![10, SIDE * SIDE], weights),
        ("fc.bias".to_owned(), vec![10], vec![0.0; 10]),
    ];
    write_safetensors(path, metadata, &tensors);
}

pub fn perceptron_weights(order: [usize; 10], scale: f32) -> Vec<f32> {
    let mut weights = vec![0.0; 10 * SIDE * SIDE];
    for (column, class) in order.into_iter().enumerate() {
        for row in 0..SIDE {
            weights[column * SIDE * SIDE + row * SIDE + 2 * class + 4] = scale;
        }
    }
    weights
}

/// A network of the zoo for ten classes and images of `[channels, height, width]`, with random weights.
pub fn write_random_network(path: &Path, architecture: &str, input: [usize; 3]) {
    let options = ZooOptions {
        num_classes: 10,
        input,
    };
    let named = architecture.parse().expect("in the zoo");
    let network = zoo::build(&named, &options).expect("a network");
    let mut random = fastrand::Rng::with_seed(110);
    let tensors: Vec<_> = network
        .parameters()
        .iter()
        .map(|parameter| {
            let count = parameter.dims.iter().product();
            // Weights around 0, so that nothing grows over a hundred layers; the rest positive, as variances are.
            let is_weight = parameter.dims.len() > 1;
            let shift = if is_weight { -0.1 } else { 0.01 };
            let values = (0..count).map(|_| 0.2 * random.f32() + shift).collect();
            (parameter.name.clone(), parameter.dims.clone(), values)
        })
        .collect();
    write_safetensors(path, json!({ "architecture": architecture }), &tensors);
}

pub const IN_ORDER: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const REVERSED: [usize; 10] = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_run_profiled_scored_and_drawn() {
    let arena = Arena::open(Rules::default()).await;
    let _worker = arena.worker(&[]);
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let id = arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
    assert_eq!(scored["scores"]["public"]["top1_error"], 0.0);
    assert_eq!(scored["scores"]["public"]["images"], IMAGES);
    // 784 · 10 weights and 10 biases; each weight is used once.
    assert_eq!(scored["model"]["parameters"], 7850);
    assert_eq!(scored["model"]["macs"], 7840);
    assert_eq!(scored["model"]["depth"], 1);
    assert!(
        scored["model"]["images_per_second"]
            .as_f64()
            .expect("a pace")
            > 0.0
    );
    assert!(
        scored["model"]["device"]
            .as_str()
            .expect("a device")
            .starts_with(&device())
    );
    let notices = scored["notices"].as_array().expect("a list");
    let codes: Vec<&Value> = notices.iter().map(|notice| &notice["code"]).collect();
    assert_eq!(codes, ["preprocess"], "{notices:?}");

    let layers = arena.get(&format!("submissions/{id}/layers"));
    let linear = layers["layers"]
        .as_array()
        .expect("layers")
        .last()
        .expect("a layer");
    assert_eq!(
        (&linear["name"], &linear["output_shape"]),
        (&json!("fc"), &json!([10]))
    );
    assert_eq!(layers["filters"], Value::Null);
    let board = arena.get("challenges/arena/leaderboard");
    assert_eq!(board["entries"][0]["kind"], "model");
    assert_eq!(board["entries"][0]["model"]["parameters"], 7850);
}

/// What `referee predict` writes offline is what the worker hands to the scorer, to the last byte.
#[tokio::test(flavor = "multi_thread")]
async fn predict_writes_what_the_worker_hands_over() {
    let arena = Arena::open(Rules::default()).await;
    let _worker = arena.worker(&[]);
    write_random_network(&arena.path("net.safetensors"), "resnet20", [3, SIDE, SIDE]);
    for order in ["challenge", "wnid"] {
        let id = arena.submit("net.safetensors", &["--class-order", order]);
        let predict = [
            "predict",
            "net.safetensors",
            "challenge/images.npy",
            "--out",
            "predicted.npy",
            "--classes",
            "challenge/classes.txt",
            "--class-order",
            order,
        ];
        arena.run("bob", &predict);
        assert_eq!(arena.finished(&id).await["status"], "scored");
        let predicted = std::fs::read(arena.path("predicted.npy")).expect("written");
        assert!(predicted == arena.record(&id).await, "{order}");

        // A column for each class, the largest where the record has its first guess.
        arena.run("bob", &[&predict[..], &["--logits"]].concat());
        let logits = std::fs::read(arena.path("predicted.npy")).expect("written");
        let (rows, columns) = (last(&predicted, 6), last(&logits, 10));
        for (row, columns) in rows.chunks(6).zip(columns.chunks(10)) {
            let logits: Vec<f32> = columns.iter().copied().map(f32::from_le_bytes).collect();
            if let Ok(first) = usize::try_from(i32::from_le_bytes(row[0])) {
                assert!(logits.iter().all(|logit| *logit <= logits[first]));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn predict_does_not_overwrite_what_it_reads() {
    let arena = Arena::open(Rules::default()).await;
    write_random_network(&arena.path("net.safetensors"), "resnet20", [3, SIDE, SIDE]);
    for out in ["net.safetensors", "challenge/../challenge/images.npy"] {
        let before = std::fs::read(arena.path(out)).expect("there");
        let predict = [
            "predict",
            "net.safetensors",
            "challenge/images.npy",
            "--out",
            out,
        ];
        let refused = arena.attempt("bob", &predict);
        let sentence = String::from_utf8_lossy(&refused.stderr);
        assert!(sentence.contains("give --out another name"), "{sentence}");
        let after = std::fs::read(arena.path(out)).expect("there still");
        assert!(before == after, "{out}");
    }
}

/// The numbers of an NPY file with so many columns for each image, four bytes each.
fn last(file: &[u8], columns: usize) -> Vec<[u8; 4]> {
    let numbers = &file[file.len() - 4 * columns * IMAGES..];
    numbers.as_chunks().0.to_vec()
}

/// A network that takes three channels gets the gray images' one three times, and its team is told.
#[tokio::test(flavor = "multi_thread")]
async fn gray_images_for_a_network_of_colours_are_noticed() {
    let arena = Arena::open(Rules::default()).await;
    let _worker = arena.worker(&[]);
    write_random_network(
        &arena.path("colour.safetensors"),
        "resnet20",
        [3, SIDE, SIDE],
    );
    let id = arena.submit("colour.safetensors", &[]);
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
    let notices = scored["notices"].as_array().expect("a list");
    let codes: Vec<&Value> = notices.iter().map(|notice| &notice["code"]).collect();
    assert_eq!(codes, ["channels", "preprocess"], "{notices:?}");
    let detail = notices[0]["detail"].as_str().expect("a notice");
    assert!(detail.contains("three equal ones"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_class_order_is_noticed_on_the_validation_images() {
    let arena = Arena::open(Rules {
        validation: true,
        ..Rules::default()
    })
    .await;
    let _worker = arena.worker(&[]);
    // The order of the ids is the reverse of the challenge's. Said in the file, it counts; unsaid, all is wrong.
    let said = json!({ "architecture": "perceptron", "class_order": "wnid", "preprocess": "{\"mean\":0,\"std\":1}" });
    write_perceptron(&arena.path("said.safetensors"), said, REVERSED, 1.0);
    write_perceptron(&arena.path("unsaid.safetensors"), json!({}), REVERSED, 1.0);
    let said = arena.submit("said.safetensors", &[]);
    let unsaid = arena.submit("unsaid.safetensors", &["--architecture", "perceptron"]);
    let said = arena.finished(&said).await;
    assert_eq!(said["scores"]["public"]["top1_error"], 0.0, "{said}");
    assert_eq!(said["notices"], json!([]));
    let unsaid = arena.finished(&unsaid).await;
    assert_eq!(unsaid["scores"]["public"]["top1_error"], 1.0, "{unsaid}");
    let notices = unsaid["notices"].as_array().expect("a list");
    let notice = notices
        .iter()
        .find(|notice| notice["code"] == "class_order")
        .and_then(|notice| notice["detail"].as_str())
        .expect("a notice");
    assert!(
        notice.contains("100.0 %") && notice.contains("class_order=wnid"),
        "{notice}"
    );
}

/// A network that was trained on pixels from 0 to 255 takes everything for the class whose bias outweighs pixels from 0 to 1. Its
/// score stays so, but it is told; one whose recipe was given is not examined.
#[tokio::test(flavor = "multi_thread")]
async fn a_better_recipe_is_named_on_the_validation_images() {
    let arena = Arena::open(Rules {
        validation: true,
        ..Rules::default()
    })
    .await;
    let _worker = arena.worker(&[]);
    let file = arena.path("bytes.safetensors");
    let weights = perceptron_weights(IN_ORDER, 1.0);
    let bias: Vec<f32> = (0..10)
        .map(|class| if class == 9 { 100.0 } else { 0.0 })
        .collect();
    let tensors = [
        ("fc.weight".to_owned(), vec![10, SIDE * SIDE], weights),
        ("fc.bias".to_owned(), vec![10], bias),
    ];
    write_safetensors(&file, json!({ "architecture": "perceptron" }), &tensors);
    let examined = arena.submit("bytes.safetensors", &[]);
    let given = arena.submit(
        "bytes.safetensors",
        &["--preprocess", r#"{"mean":0,"std":1}"#],
    );
    let examined = arena.finished(&examined).await;
    assert_eq!(
        examined["scores"]["public"]["top1_error"], 0.9,
        "{examined}"
    );
    let notices = examined["notices"].as_array().expect("a list");
    let codes: Vec<&Value> = notices.iter().map(|notice| &notice["code"]).collect();
    assert_eq!(codes, ["preprocess", "doctor"], "{notices:?}");
    let detail = notices[1]["detail"].as_str().expect("a notice");
    let found = "with pixels from 0 to 255 (scale 1, mean 0 and std 1) the error on the validation images is 0.0 % instead of 90.0 %";
    assert!(detail.starts_with(found), "{detail}");
    let given = arena.finished(&given).await;
    assert_eq!(given["notices"], json!([]));

    let doctor = [
        "predict",
        "bytes.safetensors",
        "challenge/images.npy",
        "--labels",
        "challenge/labels.csv",
        "--doctor",
    ];
    assert_eq!(arena.run("bob", &doctor), format!("{detail}\n"));
    // What it says can be said.
    let recipe = detail.split_once("preprocess=").expect("a recipe").1;
    let again = arena.submit("bytes.safetensors", &["--preprocess", recipe]);
    let again = arena.finished(&again).await;
    assert_eq!(again["scores"]["public"]["top1_error"], 0.0, "{again}");
}

/// Private images leave no trace but a score: no record for its team, and a rejection that names no image and counts.
#[tokio::test(flavor = "multi_thread")]
async fn private_images_stay_private() {
    let arena = Arena::open(Rules {
        public_images: false,
        ..Rules::default()
    })
    .await;
    let _worker = arena.worker(&[]);
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let id = arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    assert_eq!(arena.finished(&id).await["status"], "scored");
    assert_eq!(arena.status(&format!("submissions/{id}/predictions")), 403);

    // Infinite where a pixel is lit, which the trial batch may not show.
    write_perceptron(
        &arena.path("nan.safetensors"),
        json!({}),
        IN_ORDER,
        f32::NAN,
    );
    let id = arena.submit("nan.safetensors", &["--architecture", "perceptron"]);
    let rejected = arena.finished(&id).await;
    assert_eq!(rejected["status"], "rejected", "{rejected}");
    let detail = rejected["problem"]["detail"].as_str().expect("a reason");
    assert!(detail.contains("finite"), "{detail}");
    assert!(!detail.contains("image 0"), "{detail}");
    eventually("no range is left", async || {
        arena.done().await.is_empty() && arena.under_way().await.is_empty()
    })
    .await;
}
