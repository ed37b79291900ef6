use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use referee_scoring::npy;
use serde_json::json;

use crate::server::{Server, request};

/// The beginning of a picture; nothing looks further.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and pixels";

const LABELS: &str = "image,label\n0,cat\n1,1\n2,n01621127\n3,cat|dog\n";

#[tokio::test]
async fn only_organizers_make_challenges_and_only_they_see_their_drafts() {
    let server = Server::new().await;
    let (admin, bob, eve) = (
        server.person("ada").await,
        server.person("bob").await,
        server.person("eve").await,
    );
    let settings =
        json!({"slug": "tiny", "title": "Tiny", "classes": [{"name": "cat"}, {"name": "dog"}]});
    assert_eq!(
        server
            .ask(Method::POST, "/challenges", "", &settings)
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server
            .ask(Method::POST, "/challenges", &bob, &settings)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    server
        .ask(
            Method::PATCH,
            "/users/bob",
            &admin,
            &json!({"role": "organizer"}),
        )
        .await;
    assert_eq!(
        server
            .ask(Method::POST, "/challenges", &bob, &settings)
            .await
            .status,
        StatusCode::CREATED
    );
    assert_eq!(
        server
            .ask(Method::POST, "/challenges", &bob, &settings)
            .await
            .status,
        StatusCode::CONFLICT
    );

    assert_eq!(
        server.get("/challenges/tiny", &bob).await.json()["state"],
        "draft"
    );
    assert_eq!(
        server.get("/challenges/tiny", &admin).await.status,
        StatusCode::OK
    );
    assert_eq!(
        server.get("/challenges/tiny", &eve).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        server.get("/challenges/tiny", "").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        server.get("/challenges", "").await.json()["items"],
        json!([])
    );
    assert_eq!(
        server.get("/challenges", &bob).await.json()["items"][0]["slug"],
        "tiny"
    );
    assert_eq!(
        server
            .put("/challenges/tiny/labels", &eve, LABELS)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_challenge_keeps_at_least_one_organizer() {
    let server = Server::new().await;
    let (bob, eve) = (server.person("bob").await, server.person("eve").await);
    server.draft(&bob).await;
    let add = server
        .ask(
            Method::PUT,
            "/challenges/tiny/organizers/eve",
            &bob,
            &json!(null),
        )
        .await;
    assert_eq!(add.status, StatusCode::NO_CONTENT);
    assert_eq!(
        server.get("/challenges/tiny", &eve).await.json()["organizers"],
        json!(["bob", "eve"])
    );
    for (handle, status) in [
        ("bob", StatusCode::NO_CONTENT),
        ("bob", StatusCode::NOT_FOUND),
        ("eve", StatusCode::CONFLICT),
    ] {
        let path = format!("/challenges/tiny/organizers/{handle}");
        assert_eq!(
            server
                .ask(Method::DELETE, &path, &eve, &json!(null))
                .await
                .status,
            status
        );
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_all_named() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    let settings = json!({
        "slug": "Tiny!", "title": " ", "classes": [{"name": "7"}, {"name": "dog"}],
        "leaderboard": {"public_fraction": 0.0},
    });
    let refused = server
        .ask(Method::POST, "/challenges", &admin, &settings)
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for fault in ["slug", "title", "public_fraction", "class 0 is called `7`"] {
        assert!(refused.detail().contains(fault), "{}", refused.detail());
    }
}

#[tokio::test]
async fn the_same_labels_again_make_no_new_version_and_nothing_of_them_comes_back() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let path = "/challenges/tiny/labels";
    let first = server.put(path, &admin, LABELS).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.json());
    assert_eq!(
        (
            first.json()["version"].clone(),
            first.json()["images"].clone()
        ),
        (json!(1), json!(4))
    );
    let again = server.put(path, &admin, LABELS).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, first.json()));
    let corrected = server
        .put(path, &admin, LABELS.replace("0,cat", "0,dog"))
        .await;
    assert_eq!(
        (corrected.status, corrected.json()["version"].clone()),
        (StatusCode::CREATED, json!(2))
    );

    let wrong = server
        .put(path, &admin, "image,label\n0,cat\n1,cow\n2,dog\n9,dog\n")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.json()["errors"][0]["line"], 3);
    assert!(
        wrong.detail().contains("no class is called `cow`"),
        "{}",
        wrong.detail()
    );
}

#[tokio::test]
async fn a_rescore_is_a_new_version_of_the_labels_on_the_board() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let rescore = async || {
        server
            .ask(
                Method::POST,
                "/challenges/tiny/rescore",
                &admin,
                &json!(null),
            )
            .await
    };
    assert_eq!(rescore().await.status, StatusCode::CONFLICT);
    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    server.scorer_looks(None).await;
    let accepted = rescore().await;
    assert_eq!(
        (accepted.status, accepted.json()["version"].clone()),
        (StatusCode::ACCEPTED, json!(2))
    );
}

#[tokio::test]
async fn a_draft_is_published_once_it_is_complete_and_gives_nothing_away() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let publish = json!({"published": true});
    let incomplete = server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &publish)
        .await;
    assert_eq!(incomplete.status, StatusCode::CONFLICT);
    assert!(
        incomplete.detail().contains("labels"),
        "{}",
        incomplete.detail()
    );

    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    server
        .scorer_looks(Some(
            "the order gives the labels away: run `referee challenge shuffle DIR` first",
        ))
        .await;
    let leaky = server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &publish)
        .await;
    assert_eq!(leaky.status, StatusCode::CONFLICT);
    assert!(
        leaky.detail().contains("referee challenge shuffle DIR"),
        "{}",
        leaky.detail()
    );

    let known = json!({"published": true, "known_labels": true});
    let published = server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &known)
        .await;
    assert_eq!(
        (published.status, published.json()["state"].clone()),
        (StatusCode::OK, json!("open"))
    );
    assert_eq!(
        server.get("/challenges/tiny", "").await.json()["publishing"],
        json!(null)
    );

    for (frozen, status) in [
        (
            json!({"leaderboard": {"public_fraction": 0.5}}),
            StatusCode::CONFLICT,
        ),
        (
            json!({"classes": [{"name": "cat"}, {"name": "dog"}]}),
            StatusCode::CONFLICT,
        ),
        (json!({"published": false}), StatusCode::CONFLICT),
        (
            json!({"schedule": {"opens": "2026-01-02T00:00:00Z", "closes": "2026-01-01T00:00:00Z"}}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"title": "Tiny, still", "schedule": {"closes": "2126-01-01T00:00:00Z"}}),
            StatusCode::OK,
        ),
        (json!({"schedule": {"closes": null}}), StatusCode::OK),
    ] {
        let answer = server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &frozen)
            .await;
        assert_eq!(answer.status, status, "{frozen}");
    }
    assert_eq!(
        server.get("/challenges/tiny", "").await.json()["title"],
        "Tiny, still"
    );
    let other_images = server
        .put("/challenges/tiny/images", &admin, pixels(5))
        .await;
    assert_eq!(other_images.status, StatusCode::CONFLICT);
}

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
fn pixels(count: usize) -> Vec<u8> {
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
