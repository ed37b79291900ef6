//! What whoever watches sees while a model runs.

use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use serde_json::Value;

use super::arena::{Arena, IMAGES, Rules, eventually};
use super::sharing::{children, kill, write_slow_network};

/// The images done that each event tells of while the model runs.
fn counts(events: &[Value]) -> Vec<u64> {
    let running = events
        .iter()
        .filter(|event| event["progress"]["stage"] == "running");
    running
        .map(|event| event["progress"]["done"].as_u64().expect("a count"))
        .collect()
}

/// However fast the machine is: the model is held after its first ranges until they have been told of.
#[tokio::test(flavor = "multi_thread")]
async fn the_images_done_rise_before_the_score_comes() {
    let arena = Arena::open(Rules::default()).await;
    let file = write_slow_network(&arena);
    let worker = arena.worker(&[]);
    let id = arena.submit(file, &[]);
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let stream = arena.events(&format!("submissions/{id}/events"));
    let reader = std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || stream.for_each(|event| seen.lock().expect("a list").push(event))
    });
    let told = || {
        let counts = counts(&seen.lock().expect("a list"));
        counts.into_iter().max().unwrap_or(0)
    };
    for _ in 0..2 {
        let (ranges, before) = (arena.done().await.len(), told());
        eventually("another range is done", async || {
            arena.done().await.len() > ranges
        })
        .await;
        let model = children(&worker)[0];
        kill(model, Signal::STOP);
        eventually("it is told", async || told() > before).await;
        kill(model, Signal::CONT);
    }
    // The server ends the stream after a final state.
    reader.join().expect("a stream of events");

    let events = seen.lock().expect("a list");
    let (last, before) = events.split_last().expect("events");
    assert_eq!(last["status"], "scored", "{last}");
    assert_eq!(last["progress"], Value::Null);
    let counts = counts(before);
    assert!(counts.is_sorted(), "{counts:?}");
    let mut rises = counts;
    rises.dedup();
    rises.retain(|done| (1..IMAGES as u64).contains(done));
    assert!(rises.len() >= 2, "{before:?}");
    for event in before {
        let progress = &event["progress"];
        if progress["stage"] == "running" && progress["done"] != 0 {
            assert_eq!(event["status"], "running");
            assert_eq!(progress["total"], IMAGES);
            let pace = progress["images_per_second"].as_f64().expect("a pace");
            let left = progress["eta_seconds"].as_f64().expect("the time left");
            assert!(pace > 0.0 && left >= 0.0, "{progress}");
        }
    }
}
