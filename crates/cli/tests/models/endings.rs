//! How a model ends that cannot be run: with the reason and the limit, and with a worker that lives on.

use serde_json::json;

use super::arena::{Arena, Rules};
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
