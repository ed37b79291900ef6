use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::challenges::LABELS;
use crate::server::Server;

/// What changed, before, after and the sentence, newest first.
async fn told(server: &Server) -> Vec<(Value, Value, Value, Value)> {
    let answer = server.get("/challenges/tiny/changes", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let document = answer.json();
    let items = document["items"].as_array().expect("a list");
    assert!(
        items.iter().all(|change| change["at"].is_string()),
        "{items:?}"
    );
    let field = |change: &Value, name: &str| change[name].clone();
    items
        .iter()
        .map(|change| {
            (
                field(change, "what"),
                field(change, "before"),
                field(change, "after"),
                field(change, "detail"),
            )
        })
        .collect()
}

#[tokio::test]
async fn what_changes_after_publishing_is_told() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let change = async |settings: Value| {
        let answer = server
            .ask(Method::PATCH, "/challenges/tiny", &admin, &settings)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{settings}");
    };
    change(json!({"limits": {"per_day": 3}})).await;
    server.put("/challenges/tiny/labels", &admin, LABELS).await;
    server.scorer_looks(None).await;
    assert_eq!(
        server.get("/challenges/tiny/changes", "").await.status,
        StatusCode::NOT_FOUND,
        "a draft is its organizers'"
    );
    change(json!({"published": true})).await;
    change(json!({"title": "Tiny"})).await;
    change(json!({"limits": {"per_day": 5}, "schedule": {"closes": "2126-01-01T00:00:00Z"}})).await;
    change(json!({"leaderboard": {"ranking": "latest"}, "description": "More words."})).await;
    change(json!({"limits": {"per_day": null}})).await;
    server
        .put("/challenges/tiny/files/notes", &admin, "one")
        .await;
    server
        .put("/challenges/tiny/files/notes", &admin, "one")
        .await;
    server
        .put("/challenges/tiny/files/notes", &admin, "two")
        .await;

    let told = told(&server).await;
    let whats: Vec<&str> = told
        .iter()
        .map(|(what, ..)| what.as_str().expect("text"))
        .collect();
    assert_eq!(
        whats,
        [
            "files.notes",
            "files.notes",
            "limits.per_day",
            "description",
            "leaderboard.ranking",
            "limits.per_day",
            "schedule.closes",
            "published",
        ]
    );
    assert_eq!(
        told[5],
        (
            json!("limits.per_day"),
            json!(3),
            json!(5),
            json!("the limit of submissions a day changed from 3 to 5")
        )
    );
    assert_eq!(told[6].3, "the close was set to 2126-01-01 00:00 UTC");
    assert_eq!(
        told[2].3,
        "the limit of submissions a day was taken away (it was 5)"
    );
    assert_eq!(
        told[4].3,
        "which of a team's submissions stands on the board changed from `best` to `latest`"
    );
    assert_eq!(told[3].3, "the description changed");
    assert_eq!(told[0].3, "the file `notes` was replaced (`notes`)");
    assert_eq!(told[7].3, "the challenge was published");
}
