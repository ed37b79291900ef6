use axum::http::{Method, StatusCode};
use chrono::{SubsecRound, TimeDelta, Utc};
use referee_scoring::Labels;
use referee_storage::accounts::user_by_handle;
use referee_storage::challenges::labels::{Added, ReadWith, add};
use referee_storage::challenges::{challenge, public_facts};
use serde_json::{Value, json};

use crate::challenge_files::pixels;
use crate::server::Server;

/// Of four images, in the classes of the server's draft.
pub const LABELS: &str = "image,label\n0,cat\n1,1\n2,n01621127\n3,cat|dog\n";

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
    for title in ["a".repeat(201), "two\nlines".to_owned()] {
        let settings =
            json!({"slug": "tiny", "title": title, "classes": [{"name": "cat"}, {"name": "dog"}]});
        let refused = server
            .ask(Method::POST, "/challenges", &admin, &settings)
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.detail().contains("title must be one line"));
    }
    let token = json!({"name": "two\nlines"});
    let refused = server.ask(Method::POST, "/me/tokens", &admin, &token).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// A longer list must hold each class; in a draft it may come, change and go.
#[tokio::test]
async fn wider_classes_hold_those_of_the_challenge() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    let settings = |wider: Value| json!({"slug": "wide", "title": "Wide", "classes": [{"name": "cat", "id": "n1"}, {"name": "dog"}], "test": {"wider_classes": wider}});
    let refused = json!([{"name": "n1"}, {"name": "eel"}, {"name": "fox"}]);
    let refused = server
        .ask(Method::POST, "/challenges", &admin, &settings(refused))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let missing =
        "test.wider_classes: the wider list has no class with the name or id of class 1 (`dog`)";
    assert!(refused.detail().contains(missing), "{}", refused.detail());
    let wider = json!([{"name": "n1"}, {"name": "eel"}, {"name": "dog"}]);
    let made = server
        .ask(
            Method::POST,
            "/challenges",
            &admin,
            &settings(wider.clone()),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(made.json()["test"]["wider_classes"], wider);
    let without = json!({"test": {"wider_classes": null}});
    let changed = server
        .ask(Method::PATCH, "/challenges/wide", &admin, &without)
        .await;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(changed.json()["test"].get("wider_classes").is_none());
}

#[tokio::test]
async fn the_same_labels_again_make_no_new_version_and_nothing_of_them_comes_back() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let path = "/challenges/tiny/labels";
    let skipped = "image,label\n0,\n1,\n2,\n3,\n";
    let refused = server.put(path, &admin, skipped).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.detail(),
        "every image is skipped; at least one needs a label"
    );
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
    // Those before must not take the board from labels that are on their way to it.
    let corrected = LABELS.replace("0,cat", "0,dog");
    let corrected = server
        .put("/challenges/tiny/labels", &admin, corrected)
        .await;
    assert_eq!(corrected.json()["version"], 3);
    assert_eq!(rescore().await.json()["copy_of"], 3);
}

/// Labels are kept as numbers of classes, and a long file takes a while to read.
#[tokio::test]
async fn labels_that_were_read_with_other_classes_are_not_taken() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let db = &server.db.api;
    let draft = challenge(db, "tiny").await.expect("an answer");
    let (classes, _) = public_facts(db, draft.expect("a draft").id)
        .await
        .expect("an answer");
    let (labels, images) =
        Labels::parse_csv(LABELS.as_bytes(), &classes, None).expect("labels of these classes");
    let other =
        json!({"classes": [{"name": "dog"}, {"name": "cat"}, {"name": "owl", "id": "n01621127"}]});
    let changed = server
        .ask(Method::PATCH, "/challenges/tiny", &admin, &other)
        .await;
    assert_eq!(changed.status, StatusCode::OK);
    let ada = user_by_handle(db, "ada").await.expect("an answer");
    let uploader = ada.expect("an account").id;
    let read_with = ReadWith {
        classes: &classes,
        images: &images,
        order: None,
    };
    let added = add(db, "tiny", uploader, &[1; 32], &labels, read_with).await;
    assert!(matches!(added.expect("an answer"), Added::FactsChanged));
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
            json!({"schedule": {"opens": "2126-01-02T00:00:00Z", "closes": "2126-01-01T00:00:00Z"}}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"schedule": {"closes": "2026-01-01T00:00:00Z"}}),
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

/// Labels are kept as numbers of classes, so in another order they mean others.
#[tokio::test]
async fn other_classes_ask_for_the_labels_once_more() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    server.scorer_looks(None).await;
    let change = async |change: Value| {
        server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &change)
            .await
    };
    let other =
        json!({"classes": [{"name": "dog"}, {"name": "cat"}, {"name": "owl", "id": "n01621127"}]});
    assert_eq!(change(other.clone()).await.status, StatusCode::OK);
    let stale = change(json!({"published": true})).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(
        stale.detail().contains("the labels once more"),
        "{}",
        stale.detail()
    );
    // To score everything anew is not to read them anew.
    let rescored = server
        .ask(
            Method::POST,
            "/challenges/tiny/rescore",
            &admin,
            &json!(null),
        )
        .await;
    assert_eq!(rescored.status, StatusCode::CONFLICT);
    let still_stale = change(json!({"published": true})).await;
    assert_eq!(still_stale.status, StatusCode::CONFLICT);
    assert!(
        still_stale.detail().contains("the labels once more"),
        "{}",
        still_stale.detail()
    );

    let again = server.put("/challenges/tiny/labels", &admin, LABELS).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.detail());
    server.scorer_looks(None).await;
    assert_eq!(change(other).await.status, StatusCode::OK, "the same ones");
    let published = change(json!({"published": true})).await;
    assert_eq!(published.status, StatusCode::OK, "{}", published.detail());
}

/// A wrong year would end a challenge for good, and release its private scores.
#[tokio::test]
async fn a_close_that_is_over_is_refused_except_to_close_at_once() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    let over = json!({
        "slug": "over",
        "title": "Over",
        "classes": [{"name": "cat"}, {"name": "dog"}],
        "schedule": {"closes": "2026-01-01T00:00:00Z"},
    });
    let refused = server.ask(Method::POST, "/challenges", &admin, &over).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.detail(),
        "schedule.closes (2026-01-01 00:00:00 UTC) is over; give a time to come, or the present to close the challenge at once"
    );

    server.draft(&admin).await;
    let change = async |settings: Value| {
        server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &settings)
            .await
    };
    let close = async |closes: Value| change(json!({"schedule": {"closes": closes}})).await.status;
    let now = Utc::now();
    assert_eq!(close(json!(now)).await, StatusCode::OK, "at once");
    let long_ago = (now - TimeDelta::hours(1)).trunc_subsecs(0);
    assert_eq!(
        close(json!(long_ago)).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "extended, but not far enough"
    );

    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    server.scorer_looks(None).await;
    let closed = change(json!({"published": true})).await;
    assert_eq!(closed.status, StatusCode::CONFLICT);
    assert!(closed.detail().contains("is over"), "{}", closed.detail());
    let opened = change(json!({"schedule": {"closes": null}, "published": true})).await;
    assert_eq!(opened.json()["state"], "open");
    // What is as it was is no question of time.
    let as_it_was = format!("UPDATE challenges SET closes = '{long_ago}' WHERE slug = 'tiny'");
    server.db.as_owner(&as_it_was).await;
    let renamed = json!({"title": "Late", "schedule": {"closes": long_ago}});
    assert_eq!(change(renamed).await.status, StatusCode::OK);
}
