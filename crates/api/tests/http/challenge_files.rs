//! The files of a challenge: downloads, test images, the validation set.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use futures::{StreamExt, stream};
use referee_scoring::npy;
use referee_storage::inference;
use referee_storage::presence::Presence;
use serde_json::json;

use crate::challenges::LABELS;
use crate::server::{Server, request};

/// The beginning of a picture; the api looks no further.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and pixels";

#[tokio::test]
async fn files_come_back_whole_or_in_part() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let upload = request(Method::PUT, "/challenges/tiny/files/train-images", &admin)
        .header(
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"train.npy\"",
        )
        .body(Body::from("0123456789"));
    let stored = server.send(upload.expect("a request")).await;
    assert_eq!(stored.status, StatusCode::CREATED);
    // sha256sum of the ten digits.
    assert_eq!(
        stored.json()["sha256"],
        "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
    );
    let path = "/challenges/tiny/files/train-images";
    let whole = server.get(path, &admin).await;
    assert_eq!(&whole.body[..], b"0123456789");
    assert_eq!(
        whole.header("content-disposition"),
        "attachment; filename=\"train.npy\""
    );
    let with = async |name: &str, value: &str| {
        server
            .send(
                request(Method::GET, path, &admin)
                    .header(name, value)
                    .body(Body::empty())
                    .expect("a request"),
            )
            .await
    };
    let part = with("range", "bytes=7-").await;
    assert_eq!(
        (part.status, &part.body[..]),
        (StatusCode::PARTIAL_CONTENT, &b"789"[..])
    );
    assert_eq!(part.header("content-range"), "bytes 7-9/10");
    assert_eq!(
        with("range", "bytes=10-").await.status,
        StatusCode::RANGE_NOT_SATISFIABLE
    );
    assert_eq!(
        with("if-none-match", whole.header("etag")).await.status,
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(
        server.get(path, "").await.status,
        StatusCode::NOT_FOUND,
        "a draft's files are the organizers'"
    );
    assert_eq!(
        server
            .put("/challenges/tiny/files/.hidden", &admin, "x")
            .await
            .status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        server.put(path, &admin, "other").await.status,
        StatusCode::OK
    );
}

/// Contract, section 4: past the server's upload slots (two here), 503 with `Retry-After`; for who sends slowest.
#[tokio::test]
async fn past_the_upload_slots_the_slowest_is_told_to_come_back() {
    let server = Arc::new(Server::new().await);
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let (begun, mut beginnings) = tokio::sync::mpsc::channel(2);
    let mut uploads = Vec::new();
    for key in ["first", "second"] {
        let (server, admin, begun) = (Arc::clone(&server), admin.clone(), begun.clone());
        uploads.push(tokio::spawn(async move {
            let chunks = stream::once(async { Ok::<_, io::Error>("0123456789") });
            let unfinished = chunks.chain(stream::once(async move {
                begun.send(()).await.expect("awaited");
                std::future::pending().await
            }));
            let path = format!("/challenges/tiny/files/{key}");
            server
                .put(&path, &admin, Body::from_stream(unfinished))
                .await
        }));
    }
    for _ in 0..2 {
        beginnings.recv().await.expect("an upload begins");
    }
    let third = server
        .put("/challenges/tiny/files/third", &admin, "x")
        .await;
    assert_eq!(third.status, StatusCode::CREATED);
    let (ended, _, others) = futures::future::select_all(uploads).await;
    let refused = ended.expect("answered");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    assert!(refused.detail().contains("among the slowest"));
    for upload in others {
        upload.abort();
        assert!(upload.await.is_err_and(|error| error.is_cancelled()));
    }
}

#[tokio::test]
async fn a_draft_may_get_another_number_of_images() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let (labels, images) = ("/challenges/tiny/labels", "/challenges/tiny/images");
    let put = async |path, content: Vec<u8>| server.put(path, &admin, content).await.status;
    let challenge = async || server.get("/challenges/tiny", &admin).await.json();
    assert_eq!(
        put(labels, b"image,label\n0,cat\n1,dog\n".to_vec()).await,
        StatusCode::CREATED
    );
    server.scorer_looks(None).await;
    assert_eq!(challenge().await["images"], 2);
    assert_eq!(put(labels, LABELS.into()).await, StatusCode::CREATED);
    server.scorer_looks(None).await;
    assert_eq!(challenge().await["images"], 4);

    assert_eq!(put(images, pixels(5)).await, StatusCode::CREATED);
    assert_eq!(challenge().await["images"], 5);
    let published = json!({"published": true});
    let unfit = server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &published)
        .await;
    assert_eq!(unfit.status, StatusCode::CONFLICT);
    assert!(
        unfit.detail().contains("the labels once more"),
        "{}",
        unfit.detail()
    );
    // Now there are image files, and labels must be for those.
    assert_eq!(
        put(labels, LABELS.into()).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(put(images, pixels(4)).await, StatusCode::OK);
    assert_eq!(put(labels, LABELS.into()).await, StatusCode::CREATED);
    server.scorer_looks(None).await;
    let fits = server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &published)
        .await;
    assert_eq!(fits.status, StatusCode::OK, "{}", fits.detail());
    assert_eq!(put(images, pixels(5)).await, StatusCode::CONFLICT);
}

#[tokio::test]
async fn test_images_are_arrays_or_pictures_in_the_number_of_the_labels() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let path = "/challenges/tiny/images";
    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    assert_eq!(
        server.put(path, &admin, pixels(4)).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        &server.get(path, &admin).await.body[..],
        pixels(4).as_slice()
    );

    let truncated = &pixels(4)[..140];
    for (wrong, says) in [
        (b"not images".to_vec(), "neither an NPY array nor a tar"),
        (truncated.to_vec(), "do not fill 140 bytes"),
        (
            [npy::header("<f4", &[4, 2, 2]), vec![0; 64]].concat(),
            "float32",
        ),
        (
            tar(&[("notes.txt", b"hello")]),
            "`notes.txt` in the tar is neither JPEG nor PNG",
        ),
        (b"\x1f\x8b\x08 compressed".to_vec(), "decompress it first"),
    ] {
        let refused = server.put(path, &admin, wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.detail().contains(says), "{}", refused.detail());
    }

    let pictures = tar(&[
        ("b.png", PNG),
        ("a/2.png", PNG),
        ("a/10.png", PNG),
        ("c.png", PNG),
    ]);
    assert_eq!(
        server.put(path, &admin, pictures).await.status,
        StatusCode::OK
    );
    let names = server
        .get("/challenges/tiny/images/names", &admin)
        .await
        .json();
    assert_eq!(
        names["names"],
        json!(["a/10.png", "a/2.png", "b.png", "c.png"])
    );

    let private = json!({"test": {"public_images": false}});
    server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &private)
        .await;
    assert_eq!(server.get(path, &admin).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_draft_with_pictures_that_cannot_be_decoded_is_not_published() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let images = "/challenges/tiny/images";
    let picture = ["a.png", "b.png", "c.png", "d.png"].map(|name| (name, PNG));
    server.put(images, &admin, tar(&picture)).await;
    let labels = "image,label\na,cat\nb,dog\nc,owl\nd,cat\n";
    let stored = server.put("/challenges/tiny/labels", &admin, labels).await;
    assert_eq!(stored.status, StatusCode::CREATED, "{}", stored.detail());
    server.scorer_looks(None).await;
    let published = json!({"published": true});
    let publish = async || {
        server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &published)
            .await
    };
    let unseen = publish().await;
    assert_eq!(unseen.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        unseen.detail().contains("referee serve --roles inference"),
        "{}",
        unseen.detail()
    );
    assert_eq!(
        server.get("/challenges/tiny", &admin).await.json()["publishing"]["checking"],
        true
    );

    // As an inference worker does.
    let worker = &server.db.inference;
    let unchecked = inference::take_unchecked(worker).await.expect("an answer");
    let found = "4 of 4 pictures cannot be decoded: image 0 (`a.png`) is no PNG";
    inference::finish_check(worker, &unchecked.expect("uploaded"), Some(found))
        .await
        .expect("an answer");
    let queue = server.get("/challenges/tiny/queue", &admin).await.json();
    assert_eq!(
        queue["image_problems"],
        json!([format!("test images: {found}")])
    );
    let refused = publish().await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.detail().contains(found), "{}", refused.detail());

    server.put(images, &admin, tar(&picture)).await;
    server.scorer_looks(None).await;
    // It looks while the organizer publishes.
    let (accepted, ()) = tokio::join!(publish(), async {
        Presence::of_inference(worker, "cpu")
            .renew()
            .await
            .expect("an answer");
        let unchecked = inference::take_unchecked(worker).await.expect("an answer");
        inference::finish_check(worker, &unchecked.expect("uploaded"), None)
            .await
            .expect("an answer");
    });
    assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.detail());
}

/// Everybody can read the names, and they may say what is on the images.
#[tokio::test]
async fn a_published_challenge_without_names_of_images_gets_none() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    server.scorer_looks(None).await;
    let published = json!({"published": true});
    server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &published)
        .await;
    let images = "/challenges/tiny/images";
    let telling = ["0-cat.png", "1-dog.png", "2-owl.png", "3-cat.png"].map(|name| (name, PNG));
    let refused = server.put(images, &admin, tar(&telling)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(
        refused.detail().contains("as an NPY array"),
        "{}",
        refused.detail()
    );
    let names = server.get("/challenges/tiny/images/names", "").await;
    assert_eq!(names.json(), json!({"names": null}));
    assert_eq!(
        server.put(images, &admin, pixels(4)).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn validation_images_and_labels_must_agree() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let labels = "/challenges/tiny/validation/labels";
    assert_eq!(
        server.put(labels, &admin, LABELS).await.status,
        StatusCode::CREATED
    );
    let images = "/challenges/tiny/validation/images";
    assert_eq!(
        server.put(images, &admin, pixels(3)).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        server.put(images, &admin, pixels(4)).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        &server.get(labels, &admin).await.body[..],
        LABELS.as_bytes()
    );
    assert_eq!(
        server.get("/challenges/tiny", &admin).await.json()["images"],
        json!(null),
        "validation is not the test set"
    );
}

/// `count` images of 2 by 2 grey pixels.
pub fn pixels(count: usize) -> Vec<u8> {
    let mut file = npy::header("|u1", &[count, 2, 2]);
    file.resize(file.len() + 4 * count, 200);
    file
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, *content)
            .expect("writing to a Vec works");
    }
    archive.into_inner().expect("writing to a Vec works")
}
