//! Several workers on one submission, and `kill -9` at any of them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::arena::{Arena, IMAGES, Rules, Worker, eventually};
use super::files::write_random_network;

/// A network that takes seconds: CIFAR's ResNet-110 (He et al. 2016).
pub fn write_slow_network(arena: &Arena) -> &'static str {
    write_random_network(&arena.path("slow.safetensors"), "resnet110", [1, 28, 28]);
    "slow.safetensors"
}

/// The processes that run models for this worker.
pub fn children(worker: &Worker) -> Vec<i32> {
    let parent = format!("PPid:\t{}", worker.id());
    let processes = fs::read_dir("/proc").expect("list processes");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id: &i32| {
            fs::read_to_string(format!("/proc/{id}/status"))
                .is_ok_and(|status| status.lines().any(|line| line == parent))
        })
        .collect()
}

pub fn kill(id: i32, signal: Signal) {
    kill_process(Pid::from_raw(id).expect("a process"), signal).expect("kill");
}

/// What the model predicts when nothing disturbs it.
async fn undisturbed(arena: &Arena, file: &str) -> Vec<u8> {
    let id = arena.submit(file, &[]);
    assert_eq!(arena.finished(&id).await["status"], "scored");
    arena.record(&id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_one_submission() {
    let arena = Arena::open(Rules::default()).await;
    let file = write_slow_network(&arena);
    let workers = [arena.worker(&[]), arena.worker(&[])];
    eventually("both are there", async || arena.workers().await == 2).await;
    let id = arena.submit(file, &[]);
    // However fast the machine is: who begins is held until the other has come, and a worker holds one range at a time.
    let mut first = None;
    eventually("a range is under way", async || {
        first = workers.iter().flat_map(children).min();
        first.is_some() && !arena.under_way().await.is_empty()
    })
    .await;
    let first = first.expect("a process");
    kill(first, Signal::STOP);
    eventually("two ranges under way at once", async || {
        arena.under_way().await.len() == 2
    })
    .await;
    assert!(workers.iter().all(|worker| !children(worker).is_empty()));
    let running = arena.show(&id);
    assert_eq!(running["status"], "running");
    assert_eq!(running["progress"]["total"], IMAGES);
    kill(first, Signal::CONT);
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
    assert_eq!(arena.record(&id).await, undisturbed(&arena, file).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_has_done_is_not_done_again() {
    let arena = Arena::open(Rules::default()).await;
    let file = write_slow_network(&arena);
    let first = arena.worker(&[]);
    let id = arena.submit(file, &[]);
    eventually("two ranges are done", async || {
        arena.done().await.len() >= 2
    })
    .await;
    let model = children(&first);
    first.kill();
    let done = arena.done().await;
    eventually("its model's process is gone, too", async || {
        model
            .iter()
            .all(|id| !fs::exists(format!("/proc/{id}")).expect("look"))
    })
    .await;

    let _second = arena.worker(&[]);
    let mut last = done.clone();
    let scored = loop {
        let now = arena.done().await;
        if !now.is_empty() {
            last = now;
        }
        let shown = arena.show(&id);
        if !matches!(shown["status"].as_str(), Some("queued" | "running")) {
            break shown;
        }
    };
    assert_eq!(scored["status"], "scored", "{scored}");
    assert!(last.len() > done.len(), "{last:?} after {done:?}");
    assert!(
        done.iter().all(|range| last.contains(range)),
        "{last:?} after {done:?}"
    );
    assert_eq!(arena.record(&id).await, undisturbed(&arena, file).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_replaced_and_a_crashed_one_ends_the_submission() {
    let arena = Arena::open(Rules::default()).await;
    let file = write_slow_network(&arena);
    let worker = arena.worker(&[]);
    let id = arena.submit(file, &[]);
    eventually("a range is done", async || !arena.done().await.is_empty()).await;
    let done = arena.done().await;
    let killed = children(&worker)[0];
    kill(killed, Signal::KILL);
    let mut next = None;
    eventually("another process runs it", async || {
        next = children(&worker).into_iter().find(|id| *id != killed);
        next.is_some()
    })
    .await;
    let so_far = arena.done().await.len();
    eventually("another range is done", async || {
        arena.done().await.len() > so_far
    })
    .await;
    let now = arena.done().await;
    assert!(
        done.iter().all(|range| now.contains(range)),
        "{now:?} after {done:?}"
    );
    kill(next.expect("a process"), Signal::ABORT);
    let rejected = arena.finished(&id).await;
    assert_eq!(rejected["status"], "rejected", "{rejected}");
    let detail = rejected["problem"]["detail"].as_str().expect("a reason");
    assert!(detail.contains("by an abort"), "{detail}");
    // The worker lives on.
    undisturbed(&arena, file).await;
}
