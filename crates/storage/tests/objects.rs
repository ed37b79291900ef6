//! The object store on a local directory.

use std::{
    collections::HashSet,
    fs::{self, File},
    future::ready,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures::TryStreamExt;
use proptest::prelude::*;
use referee_storage::objects::{ByteStream, ObjectError, ObjectStore};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const MIB: usize = 1 << 20;
const DAY: Duration = Duration::from_hours(24);

fn store() -> (TempDir, ObjectStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = ObjectStore::local(directory.path()).unwrap();
    (directory, store)
}

/// Every file below `directory`, staging files included.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Cleaning up after an upload that was dropped happens in the background.
async fn wait_until_empty(directory: &Path) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let left = files(directory);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind: {left:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn collect(stream: ByteStream) -> Vec<u8> {
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    pieces.concat()
}

/// Bytes whose period, 251, no part's size shares.
fn content(length: usize) -> Bytes {
    (0..251).cycle().take(length).collect::<Vec<u8>>().into()
}

async fn upload_in_chunks(
    store: &ObjectStore,
    content: &Bytes,
    chunk: usize,
) -> referee_storage::objects::Stored {
    let mut upload = store.upload(u64::MAX);
    for start in (0..content.len()).step_by(chunk) {
        let end = content.len().min(start + chunk);
        upload.write(content.slice(start..end)).await.unwrap();
    }
    upload.finish().await.unwrap()
}

#[tokio::test]
async fn what_was_uploaded_is_read_back() {
    let (directory, store) = store();
    // Nothing, less than a part, exactly one, and several parts of 8 MiB.
    for length in [0, 1, 3 * MIB, 8 * MIB, 20 * MIB + 7] {
        let content = content(length);
        let stored = upload_in_chunks(&store, &content, 3 * MIB + 1).await;
        assert_eq!(stored.bytes, length as u64);
        assert_eq!(stored.sha256[..], Sha256::digest(&content)[..]);
        assert!(stored.key.starts_with("incoming/"));
        assert_eq!(store.size(&stored.key).await.unwrap(), length as u64);
        assert!(collect(store.read(&stored.key).await.unwrap()).await == content);
        let mut reader = store.reader(&stored.key).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            bytes
        });
        assert!(read.await.unwrap() == content);
        store.delete(&stored.key).await.unwrap();
        assert_eq!(files(directory.path()), [] as [PathBuf; 0]);
    }
}

/// FIPS 180-2, appendix B.1.
#[tokio::test]
async fn the_digest_is_sha256() {
    let (_directory, store) = store();
    let stored = upload_in_chunks(&store, &Bytes::from_static(b"abc"), 1).await;
    let beginning = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];
    let end = [0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad];
    assert_eq!(stored.sha256[..8], beginning);
    assert_eq!(stored.sha256[24..], end);
}

#[tokio::test]
async fn ranges_are_what_slices_are() {
    let (_directory, store) = store();
    let content = content(MIB + 3);
    let key = upload_in_chunks(&store, &content, MIB).await.key;
    let end = content.len();
    for (start, stop) in [(0, 1), (0, end), (5, 5), (7, 300_000), (end - 1, end)] {
        let range = start as u64..stop as u64;
        let read = collect(store.read_range(&key, range).await.unwrap()).await;
        assert!(read == content[start..stop], "{start}..{stop}");
    }
    let cut = store.read_range(&key, end as u64 - 2..u64::MAX).await;
    assert_eq!(collect(cut.unwrap()).await, content[end - 2..]);
    let beyond = store.read_range(&key, end as u64..end as u64 + 1).await;
    assert!(matches!(beyond.err(), Some(ObjectError::Store { .. })));
}

#[tokio::test]
async fn an_upload_over_the_limit_ends_at_once() {
    let (directory, store) = store();
    let mut upload = store.upload(9 * MIB as u64);
    upload.write(content(9 * MIB)).await.unwrap();
    let error = upload.write(content(1)).await.unwrap_err();
    assert!(matches!(error, ObjectError::TooLarge { limit } if limit == 9 * MIB as u64));
    // It cannot go on as if nothing had happened.
    let error = upload.finish().await.unwrap_err();
    assert!(matches!(error, ObjectError::BrokenOff { .. }));
    wait_until_empty(directory.path()).await;
}

#[tokio::test]
async fn a_file_of_exactly_the_limit_is_accepted() {
    let (_directory, store) = store();
    let mut upload = store.upload(3);
    upload.write(content(3)).await.unwrap();
    assert_eq!(upload.finish().await.unwrap().bytes, 3);
}

#[tokio::test]
async fn nothing_is_seen_before_the_end() {
    let (directory, store) = store();
    let mut upload = store.upload(u64::MAX);
    upload.write(content(10 * MIB)).await.unwrap();
    let staged = files(directory.path());
    assert!(staged.len() == 1 && staged[0].to_str().unwrap().ends_with("#1"));
    let stored = upload.finish().await.unwrap();
    assert_eq!(files(directory.path()), [directory.path().join(stored.key)]);
}

#[tokio::test]
async fn an_upload_given_up_leaves_nothing() {
    let (directory, store) = store();
    let mut upload = store.upload(u64::MAX);
    upload.write(content(10 * MIB)).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(files(directory.path()), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn an_upload_dropped_leaves_nothing() {
    let (directory, store) = store();
    let mut upload = store.upload(u64::MAX);
    upload.write(content(10 * MIB)).await.unwrap();
    drop(upload);
    wait_until_empty(directory.path()).await;
}

/// As when a client goes away while its last part is on its way, at any point of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_end_is_not_awaited_leaves_nothing() {
    let (directory, store) = store();
    for microseconds in [0, 1, 10, 100, 1000, 3000, 10_000] {
        for length in [1, 10 * MIB] {
            let mut upload = store.upload(u64::MAX);
            upload.write(content(length)).await.unwrap();
            let patience = Duration::from_micros(microseconds);
            let Ok(stored) = tokio::time::timeout(patience, upload.finish()).await else {
                wait_until_empty(directory.path()).await;
                // Nothing stays when a write that was still to come has ended too.
                tokio::time::sleep(Duration::from_millis(50)).await;
                wait_until_empty(directory.path()).await;
                continue;
            };
            store.delete(&stored.unwrap().key).await.unwrap();
        }
    }
}

#[tokio::test]
async fn put_replaces() {
    let (directory, store) = store();
    store.put("records/1/1", content(5)).await.unwrap();
    let stored = store.put("records/1/1", content(9)).await.unwrap();
    assert_eq!(stored.key, "records/1/1");
    let read = collect(store.read("records/1/1").await.unwrap()).await;
    assert_eq!(read, content(9));
    assert_eq!(files(directory.path()).len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (_directory, store) = store();
    for error in [
        store.read("incoming/none").await.err().unwrap(),
        store.reader("incoming/none").await.err().unwrap(),
        store.size("incoming/none").await.err().unwrap(),
    ] {
        assert!(matches!(error, ObjectError::NotFound { key } if key == "incoming/none"));
    }
    store.delete("incoming/none").await.unwrap();
}

#[tokio::test]
async fn a_key_cannot_leave_the_directory() {
    let (_directory, store) = store();
    for key in ["../secrets/owner", "incoming/../../lock", "a//b"] {
        let error = store.read(key).await.err().unwrap();
        assert!(matches!(error, ObjectError::Store { .. }), "{error}");
    }
}

fn make_older(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn the_sweep_removes_only_what_is_old_and_unknown() {
    let (directory, store) = store();
    let mut keys = Vec::new();
    for _ in 0..4 {
        keys.push(upload_in_chunks(&store, &content(10), 10).await.key);
    }
    let [known, unknown, young, unfinished] = keys.try_into().unwrap();
    for key in [&known, &unknown] {
        make_older(&directory.path().join(key), DAY + Duration::from_mins(1));
    }
    let path_of = |name: String| directory.path().join(name);
    fs::rename(
        path_of(unfinished.clone()),
        path_of(format!("{unfinished}#1")),
    )
    .unwrap();
    make_older(&path_of(format!("{unfinished}#1")), 2 * DAY);
    fs::write(path_of(format!("{young}#1")), "still arriving").unwrap();

    let rows = HashSet::from([known.clone()]);
    let removed = store
        .sweep(DAY, |asked| {
            assert!(!asked.contains(&young));
            ready(Ok::<_, ObjectError>(rows.clone()))
        })
        .await
        .unwrap();
    assert_eq!(removed, 2);
    let mut left = files(directory.path());
    left.sort();
    let mut expected = [
        path_of(known),
        path_of(young.clone()),
        path_of(format!("{young}#1")),
    ];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn the_sweep_asks_about_every_object_once() {
    let (directory, store) = store();
    fs::create_dir(directory.path().join("incoming")).unwrap();
    for i in 0..2500 {
        let key = format!("incoming/00000000-0000-4000-8000-{i:012}");
        fs::write(directory.path().join(key), "").unwrap();
    }
    let asked = std::sync::Mutex::new(Vec::new());
    let removed = store
        .sweep(Duration::ZERO, |keys| {
            asked.lock().unwrap().extend(keys.iter().cloned());
            // Every other one is known.
            let odd = |key: &String| !key.ends_with(['0', '2', '4', '6', '8']);
            ready(Ok::<_, ObjectError>(keys.into_iter().filter(odd).collect()))
        })
        .await
        .unwrap();
    assert_eq!(removed, 1250);
    let asked = asked.into_inner().unwrap();
    assert_eq!(asked.len(), 2500);
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), 2500);
    assert_eq!(files(directory.path()).len(), 1250);
}

/// Whatever else lies in the directory, next to our files or among them, is not the sweep's.
#[tokio::test]
async fn the_sweep_leaves_strangers_files_alone() {
    let (directory, store) = store();
    let elsewhere = tempfile::tempdir().unwrap();
    let id = uuid::Uuid::new_v4();
    let strangers = [
        "thesis.tex".to_owned(),
        "photo#1".to_owned(),
        "referee-installation".to_owned(),
        format!("{id}"),
        format!("backup/incoming/{id}"),
        "incoming/README".to_owned(),
        "incoming/draft#2".to_owned(),
        format!("incoming/{id}/part"),
        "records/summary.csv".to_owned(),
        format!("records/{id}/summary.csv"),
        format!("linked/{id}"),
    ];
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join("linked")).unwrap();
    fs::create_dir(directory.path().join("incoming")).unwrap();
    let link = directory.path().join("incoming/linked");
    std::os::unix::fs::symlink(elsewhere.path(), link).unwrap();
    let mut ours = vec![format!("records/{id}/1"), format!("records/{id}/2#1")];
    ours.push(format!("incoming/{}", uuid::Uuid::new_v4()));
    for name in strangers.iter().chain(&ours) {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "years of work").unwrap();
        make_older(&path, 400 * DAY);
    }
    let none = |_| ready(Ok::<_, ObjectError>(HashSet::new()));
    assert_eq!(store.sweep(DAY, none).await.unwrap(), ours.len());
    assert_eq!(store.sweep_unfinished(Duration::ZERO).await.unwrap(), 0);
    for name in strangers {
        let path = directory.path().join(&name);
        assert_eq!(fs::read(path).unwrap(), b"years of work", "{name}");
    }
}

#[tokio::test]
async fn the_sweep_removes_nothing_when_the_database_does_not_answer() {
    let (directory, store) = store();
    upload_in_chunks(&store, &content(10), 10).await;
    let unreachable = |_| {
        ready(Err::<HashSet<String>, _>(ObjectError::NotFound {
            key: "the database".to_owned(),
        }))
    };
    assert!(store.sweep(Duration::ZERO, unreachable).await.is_err());
    assert_eq!(files(directory.path()).len(), 1);
}

/// In the API the sweep runs in a task of its own.
#[tokio::test]
async fn the_sweep_can_be_spawned() {
    let (_directory, store) = store();
    let sweeping = tokio::spawn(async move {
        let none = |_| ready(Ok::<_, ObjectError>(HashSet::new()));
        store.sweep(DAY, none).await
    });
    assert_eq!(sweeping.await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_location_is_a_path_or_a_file_url() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("with blank");
    let url = format!("file://{}/with%20blank", directory.path().display());
    for location in [plain.to_str().unwrap(), &url] {
        let missing = ObjectStore::from_url(location).unwrap_err();
        assert!(matches!(missing, ObjectError::Missing { .. }), "{missing}");
        assert!(!plain.exists());
    }
    let by_path = ObjectStore::create(plain.to_str().unwrap()).unwrap();
    by_path.put("key", content(3)).await.unwrap();
    let by_url = ObjectStore::from_url(&url).unwrap();
    assert_eq!(by_url.size("key").await.unwrap(), 3);
}

#[test]
fn other_locations_are_answered_with_what_to_do() {
    let reason = |location| ObjectStore::from_url(location).unwrap_err().to_string();
    assert!(reason("ftp://host/path").contains("expected a directory"));
    assert!(reason("file://relative").contains("file:///absolute"));
    #[cfg(not(feature = "s3"))]
    assert!(reason("s3://bucket/prefix").contains("--features s3"));
    #[cfg(not(feature = "gcs"))]
    assert!(reason("gs://bucket").contains("--features gcs"));
    #[cfg(not(feature = "azure"))]
    assert!(reason("az://container").contains("--features azure"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn chunks_do_not_matter(chunks in prop::collection::vec(0..5 * MIB, 0..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_directory, store) = store();
            let whole = content(chunks.iter().sum());
            let mut rest = whole.clone();
            let mut upload = store.upload(u64::MAX);
            for chunk in chunks {
                upload.write(rest.split_to(chunk)).await.unwrap();
            }
            let stored = upload.finish().await.unwrap();
            assert_eq!(stored.sha256[..], Sha256::digest(&whole)[..]);
            assert!(collect(store.read(&stored.key).await.unwrap()).await == whole);
        });
    }
}
