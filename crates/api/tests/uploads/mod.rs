//! Uploads under way: limits that hold among many at once, and what one leaves that breaks off.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures::future::join_all;
use futures::{Stream, StreamExt, stream};
use referee_storage::submissions::{Whose, submissions};
use referee_storage::testing::not_around_midnight;
use tower::ServiceExt;

use crate::arena::{Arena, FILE, form, upload, upload_of};

#[tokio::test]
async fn of_fifty_uploads_at_once_a_limit_of_five_accepts_exactly_five() {
    not_around_midnight().await;
    let arena = Arena::open(|settings| settings.per_day = Some(5)).await;
    arena.person("ada").await;
    let send = async || {
        let once = async || {
            arena
                .send(upload("ada", &[("method", "m")], FILE.as_bytes()))
                .await
        };
        let mut answer = once().await;
        // On a busy machine the last of fifty wait for their turn in vain, and are told to come back.
        for _ in 0..12 {
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            answer = once().await;
        }
        answer
    };
    let answers = join_all((0..50).map(|_| send())).await;
    let accepted = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::ACCEPTED)
        .count();
    assert_eq!(accepted, 5);
    for refused in answers
        .iter()
        .filter(|answer| answer.status != StatusCode::ACCEPTED)
    {
        assert_eq!(
            refused.status,
            StatusCode::TOO_MANY_REQUESTS,
            "{}",
            refused.text()
        );
        assert!(
            refused.detail().contains("the next is allowed from 20"),
            "{}",
            refused.detail()
        );
        assert!(refused.headers.contains_key("retry-after"));
    }
    assert_eq!(arena.stored_files(), 5, "a refused upload leaves no file");
}

/// Whoever opens more uploads than a person may have waits a few seconds and is told to come back; nobody else waits.
#[tokio::test]
async fn one_person_cannot_take_every_upload_slot() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    arena.person("bob").await;
    let (begun, mut beginnings) = tokio::sync::mpsc::channel(8);
    let (start, _) = form(&[("method", "m")]);
    for _ in 0..8 {
        let (router, start, begun) = (arena.router.clone(), start.clone(), begun.clone());
        let unfinished = stream::once(async move { Ok::<_, io::Error>(start) }).chain(
            stream::once(async move {
                begun.send(()).await.expect("awaited");
                std::future::pending().await
            }),
        );
        let upload = upload_of("ada", Body::from_stream(unfinished), None);
        tokio::spawn(router.oneshot(upload));
    }
    for _ in 0..8 {
        beginnings.recv().await.expect("an upload begins");
    }
    let ninth = arena
        .send(upload("ada", &[("method", "m")], FILE.as_bytes()))
        .await;
    assert_eq!(ninth.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ninth.headers.contains_key("retry-after"));
    assert!(ninth.detail().contains("8 uploads"), "{}", ninth.detail());
    arena.submit("bob", "another's").await;
}

#[tokio::test]
async fn stored_submissions_are_counted_in_the_metrics() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    arena.submit("ada", "m").await;
    let request = axum::http::Request::get("/metrics").body(Body::empty());
    let metrics = arena.send(request.expect("a request")).await.text();
    let figure = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |figure| figure.trim().parse().expect("a figure"))
    };
    assert!(figure("referee_uploads_total ") >= 1.0, "{metrics}");
    let bytes = figure("referee_upload_bytes_total ");
    assert!(bytes >= 20.0, "the file's {} bytes: {metrics}", FILE.len());
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_neither_row_nor_file() {
    let arena = Arena::open(|settings| settings.upload_mb = 64).await;
    arena.person("ada").await;
    let (start, _) = form(&[("method", "m")]);
    let lines = bytes::Bytes::from("1\n".repeat(1 << 20));
    let mut chunks = vec![Ok(bytes::Bytes::from(start))];
    chunks.extend((0..10).map(|_| Ok(lines.clone())));
    chunks.push(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    let answer = arena
        .send(upload_of(
            "ada",
            Body::from_stream(stream::iter(chunks)),
            None,
        ))
        .await;
    assert!(answer.status.is_client_error(), "{}", answer.text());
    let rows = submissions(
        &arena.database.api,
        arena.challenge,
        Whose::All,
        None,
        None,
        10,
    )
    .await
    .expect("list");
    assert!(rows.is_empty());
    assert_eq!(arena.stored_files(), 0);
}

/// Chunks of 64 KiB, and how many of them have been read.
fn filling(count: usize) -> (impl Stream<Item = io::Result<Bytes>>, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let (chunk, counted) = (Bytes::from(vec![b'-'; 64 << 10]), Arc::clone(&read));
    let chunks = stream::iter(0..count).map(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(chunk.clone())
    });
    (chunks, read)
}

/// The parser of forms holds all of that in memory.
#[tokio::test]
async fn little_may_come_before_a_part_and_in_its_headers() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let (start, end) = form(&[("method", "m")]);
    let (headers, contents) = start.split_once("\r\n\r\n").expect("a part");
    for (before, after) in [
        (String::new(), format!("\r\n{start}{FILE}{end}")),
        (
            format!("{headers}\r\nx-filling: "),
            format!("\r\n\r\n{contents}{FILE}{end}"),
        ),
    ] {
        let whole = stream::iter([Ok(Bytes::from(before))])
            .chain(filling(16).0)
            .chain(stream::iter([Ok(Bytes::from(after))]));
        let sent = upload_of("ada", Body::from_stream(whole), None);
        let answer = arena.send(sent).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        assert!(answer.detail().contains("64 KiB"), "{}", answer.detail());
    }
    assert_eq!(arena.stored_files(), 0);
}

#[tokio::test]
async fn a_form_in_many_pieces_may_be_longer_than_what_comes_before_a_part() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let description = "d".repeat(9_000);
    let (start, end) = form(&[("method", "m"), ("description", &description)]);
    let whole = start + &"1\n".repeat(100_000) + &end;
    let pieces: Vec<_> = whole
        .as_bytes()
        .chunks(7_001)
        .map(Bytes::copy_from_slice)
        .collect();
    let pieces = stream::iter(pieces.into_iter().map(Ok::<_, io::Error>));
    let answer = arena
        .send(upload_of("ada", Body::from_stream(pieces), None))
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
}

/// Of 80 MiB at most 64 are read, form or not.
#[tokio::test]
async fn a_refused_form_is_read_for_a_while_only() {
    let arena = Arena::open(|_| {}).await;
    let (chunks, read) = filling(1280);
    let answer = arena
        .send(upload_of("nobody", Body::from_stream(chunks), None))
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let read = read.load(Ordering::Relaxed);
    assert!((1000..=1025).contains(&read), "{read} chunks");
}
