//! Names of images that count differently by their bytes and by their numbers.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::server::Server;

/// By bytes the order is 1, 10, 2, 3.
const LABELS: &str = "image,label\n1.png,cat\n2.png,dog\n3.png,cat\n10.png,dog\n";

#[tokio::test]
async fn a_draft_whose_order_is_open_is_not_published_until_it_is_said() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let put = async || server.put("/challenges/tiny/labels", &admin, LABELS).await;
    let change = async |change| {
        server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &change)
            .await
    };
    let uploaded = put().await;
    assert_eq!(uploaded.status, StatusCode::CREATED);
    assert_eq!(
        uploaded.json()["notices"][0]["detail"],
        "class 2 (`owl`) never occurs among the labels"
    );
    server.scorer_looks(None).await;
    let names = async || {
        server
            .get("/challenges/tiny/images/names", &admin)
            .await
            .json()["names"]
            .clone()
    };
    assert_eq!(names().await, json!(["1.png", "10.png", "2.png", "3.png"]));

    let open = change(json!({"published": true})).await;
    assert_eq!(open.status, StatusCode::CONFLICT);
    assert!(
        open.detail().contains(
            "the order of the test images (image 1 (from 0) is `10.png` in byte order of the names and `2.png` in natural order: write order"
        ),
        "{}",
        open.detail()
    );

    // Saying it counts the images anew, so that the labels have to come once more.
    let said = change(json!({"test": {"order": "natural"}})).await;
    assert_eq!(said.json()["test"]["order"], "natural");
    assert_eq!(names().await, json!(["1.png", "2.png", "3.png", "10.png"]));
    let stale = change(json!({"published": true})).await;
    assert!(
        stale.detail().contains("the labels once more"),
        "{}",
        stale.detail()
    );
    assert_eq!(put().await.status, StatusCode::CREATED);
    server.scorer_looks(None).await;
    let published = change(json!({"published": true})).await;
    assert_eq!(published.status, StatusCode::OK, "{}", published.json());

    // Predictions were made in that order: it stays.
    let other = change(json!({"test": {"order": "bytes"}})).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(
        change(json!({"test": {"order": "natural"}})).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_date_without_a_zone_gets_its_own_sentence() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    for (date, sentence) in [
        (
            "2126-01-01T00:00:00",
            "`2126-01-01T00:00:00` has no time zone: write 2126-01-01T00:00:00Z for UTC",
        ),
        (
            "2126-01-01",
            "`2126-01-01` is a day without a time: write 2126-01-01T00:00:00Z",
        ),
    ] {
        let change = json!({"schedule": {"closes": date}});
        let refused = server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &change)
            .await;
        assert!(refused.detail().contains(sentence), "{}", refused.detail());
    }
    let cleared = server
        .ask(
            Method::PATCH,
            "/challenges/tiny",
            &admin,
            &json!({"schedule": {"closes": null}}),
        )
        .await;
    assert_eq!(cleared.status, StatusCode::OK);
}
