//! How a model ends that cannot be run: with the reason and the limit, and with a worker that lives on.

use serde_json::json;

use super::arena::{Arena, Rules, eventually};
use super::files::{IN_ORDER, write_perceptron, write_safetensors};
use super::sharing::write_slow_network;

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_a_limit_or_does_not_fit_is_rejected_and_the_worker_lives_on() {
    let arena = Arena::open(Rules::default()).await;
    let worker = arena.worker(&["--model-memory-mb", "256"]);
    let fixture = |name| format!("{}/tests/models/{name}", env!("CARGO_MANIFEST_DIR"));
    let of_another_size = json!({ "architecture": "perceptron" });
    let weights = ("fc.weight".to_owned(), vec![10, 9], vec![0.5; 90]);
    let bias = ("fc.bias".to_owned(), vec![10], vec![0.0; 10]);
    write_safetensors(
        &arena.path("small.safetensors"),
        of_another_size,
        &[weights, bias],
    );
    std::fs::write(arena.path("noise.onnx"), [0x08; 300]).expect("write");
    for (file, word) in [
        (fixture("greedy.onnx"), "more memory than the 256 MiB"),
        (
            fixture("seven.onnx"),
            "7 columns; this challenge has 10 classes",
        ),
        ("small.safetensors".to_owned(), "fc.weight"),
        ("noise.onnx".to_owned(), "ONNX"),
    ] {
        let id = arena.submit(&file, &[]);
        let rejected = arena.finished(&id).await;
        assert_eq!(rejected["status"], "rejected", "{file}: {rejected}");
        let detail = rejected["problem"]["detail"].as_str().expect("a reason");
        assert!(detail.contains(word), "{file}: {detail}");
    }
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let id = arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    assert_eq!(arena.finished(&id).await["status"], "scored");
    worker.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_needs_to_write_nowhere_but_below_records() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tried: only root can mount");
        return;
    }
    let arena = Arena::open(Rules::default()).await;
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let id = arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    let _worker = arena.worker_behind_mounts();
    assert_eq!(arena.finished(&id).await["status"], "scored");
}

/// The worker runs what was uploaded, on the images that were uploaded, or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_in_the_store_is_not_run() {
    let arena = Arena::open(Rules::default()).await;
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    let submit = || arena.submit("net.safetensors", &["--architecture", "perceptron"]);
    let alter = async |query: &str| {
        let file = arena.path("objects").join(arena.text(query).await);
        let stored = std::fs::read(&file).expect("read it");
        let mut altered = stored.clone();
        *altered.last_mut().expect("a byte") ^= 1;
        std::fs::write(&file, altered).expect("alter it");
        (file, stored)
    };
    let is_not_run = async |id: &str| {
        let attempt = format!("SELECT attempt::text FROM submissions WHERE id = '{id}'");
        eventually("a second start", async || {
            arena.text(&attempt).await.parse::<i32>().expect("a number") > 1
        })
        .await;
        let shown = arena.show(id);
        assert!(
            shown["status"] == "queued" || shown["status"] == "running",
            "{shown}"
        );
    };

    let id = submit();
    let model = format!("SELECT object_key FROM submissions WHERE id = '{id}'");
    let (file, stored) = alter(&model).await;
    let _worker = arena.worker(&[]);
    is_not_run(&id).await;
    std::fs::write(file, stored).expect("restore it");
    assert_eq!(arena.finished(&id).await["status"], "scored");

    // Though the worker has read the images before.
    let images = "SELECT object_key FROM challenge_files WHERE purpose = 'test-images'";
    let (file, stored) = alter(images).await;
    let id = submit();
    is_not_run(&id).await;
    std::fs::write(file, stored).expect("restore it");
    assert_eq!(arena.finished(&id).await["status"], "scored");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_rejected_with_the_limit() {
    let arena = Arena::open(Rules::default()).await;
    let _worker = arena.worker(&["--model-seconds", "1"]);
    let file = write_slow_network(&arena);
    let id = arena.submit(file, &[]);
    let rejected = arena.finished(&id).await;
    assert_eq!(rejected["status"], "rejected", "{rejected}");
    let detail = rejected["problem"]["detail"].as_str().expect("a reason");
    assert!(detail.contains("not done after 1 s"), "{detail}");
}
