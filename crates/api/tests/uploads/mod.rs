//! Uploads under way: limits that hold among many at once, and what one leaves that breaks off.

use std::io;

use axum::body::Body;
use axum::http::StatusCode;
use futures::future::join_all;
use futures::{StreamExt, stream};
use referee_storage::submissions::{Whose, submissions};
use tower::ServiceExt;

use crate::arena::{Arena, FILE, form, upload, upload_of};

#[tokio::test]
async fn of_fifty_uploads_at_once_a_limit_of_five_accepts_exactly_five() {
    let arena = Arena::open(|settings| settings.per_day = Some(5)).await;
    arena.person("ada").await;
    let uploads = (0..50).map(|_| arena.send(upload("ada", &[("method", "m")], FILE.as_bytes())));
    let answers = join_all(uploads).await;
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
