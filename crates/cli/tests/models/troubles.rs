//! What is no model's fault: full disks, and workers that are taken away. It is waited out, and costs nobody an attempt.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::arena::{Arena, Rules, eventually};
use super::files::{IN_ORDER, write_perceptron};
use super::sharing::write_slow_network;

/// A small disk of its own, gone at the end of the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this may not mount any, which is said.
    fn mount(path: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(path).expect("a directory");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(path)
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(path.to_owned()));
        }
        eprintln!("no disk is filled: only root may mount one");
        None
    }

    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).expect("a file");
        for size in [1 << 16, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.0.join("ballast")).expect("delete it");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn stage(arena: &Arena, id: &str) -> String {
    let shown = arena.show(id);
    shown["progress"]["stage"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Makes what waits due, as the next try would be minutes later.
async fn due_now(arena: &Arena) {
    let due = "UPDATE graphile_worker._private_jobs SET run_at = now() WHERE locked_at IS NULL";
    arena.database.as_owner(due).await;
}

/// Waits until so many tries have been made in vain.
async fn tried(arena: &Arena, id: &str, times: u32) {
    let query = format!(
        "SELECT FROM submissions
         WHERE id = '{id}' AND attempt >= {times} AND status = 'queued' AND waiting_since IS NOT NULL"
    );
    eventually("another try", async || {
        arena.database.as_owner(&query).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_cache_is_waited_for() {
    let arena = Arena::open(Rules::default()).await;
    let cache = arena.path("cache");
    let Some(disk) = SmallDisk::mount(&cache, 4) else {
        return;
    };
    disk.fill();
    let _worker = arena.worker(&["--image-cache", cache.to_str().expect("UTF-8")]);
    write_perceptron(&arena.path("net.safetensors"), json!({}), IN_ORDER, 1.0);
    // Turned over, so that the images have to be prepared.
    let recipe = r#"{"resize":[56,56],"crop":28,"mean":[0.0],"std":[1.0]}"#;
    let options = ["--architecture", "perceptron", "--preprocess", recipe];
    let id = arena.submit("net.safetensors", &options);
    for times in 1..=8 {
        tried(&arena, &id, times).await;
        let stage = stage(&arena, &id);
        assert!(
            stage.starts_with("waiting for room in the image cache since 2"),
            "{stage}"
        );
        due_now(&arena).await;
    }
    disk.free();
    due_now(&arena).await;
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
}

/// The model is not run again for it: what is done of it stays done.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_could_not_be_written_is_written_later() {
    let mut mounted = None;
    let arena = Arena::open_in(Rules::default(), |directory| {
        mounted = SmallDisk::mount(&directory.join("objects"), 16);
    })
    .await;
    let Some(disk) = mounted else { return };
    let file = write_slow_network(&arena);
    let id = arena.submit(file, &[]);
    let worker = arena.worker(&[]);
    eventually("a range is done", async || !arena.done().await.is_empty()).await;
    disk.fill();
    eventually("it waits for storage", async || {
        stage(&arena, &id).starts_with("waiting for storage since 2")
    })
    .await;
    let done = arena.done().await;
    let said = arena.run("bob", &["submissions", "show", &id]);
    assert!(said.contains("waiting for storage since 2"), "{said}");
    for times in 2..=8 {
        due_now(&arena).await;
        tried(&arena, &id, times).await;
    }
    assert_eq!(arena.done().await, done, "nothing is done twice");
    disk.free();
    due_now(&arena).await;
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
    drop(worker);
}

/// As on machines that are rented by the minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_taken_away_after_each_range_costs_no_attempt() {
    let arena = Arena::open(Rules::default()).await;
    let id = arena.submit(write_slow_network(&arena), &[]);
    for _ in 0..7 {
        let before = arena.done().await.len();
        let worker = arena.worker(&["--model-shard-seconds", "0.05"]);
        eventually("another range is done", async || {
            arena.done().await.len() > before || arena.show(&id)["status"] == "scored"
        })
        .await;
        worker.kill();
    }
    let _last = arena.worker(&[]);
    let scored = arena.finished(&id).await;
    assert_eq!(scored["status"], "scored", "{scored}");
}
