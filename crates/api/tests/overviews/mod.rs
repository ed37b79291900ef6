//! What the pages for competitors and organizers are made of: quotas, queues, lists, versions.

use axum::http::StatusCode;
use chrono::{DateTime, Datelike, Days, NaiveTime, Utc};
use referee_storage::presence::Presence;
use referee_storage::testing::not_around_midnight;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::arena::{Arena, FILE, upload};

/// The start of a UTC day that many days from today, as JSON writes it.
fn midnight_in(days: u64) -> DateTime<Utc> {
    (Utc::now().date_naive() + Days::new(days))
        .and_time(NaiveTime::MIN)
        .and_utc()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("RFC 3339")
}

#[tokio::test]
async fn a_quota_counts_what_intake_counts_and_says_when_it_renews() {
    not_around_midnight().await;
    let arena = Arena::open(|settings| {
        settings.per_day = Some(2);
        settings.per_week = Some(9);
        settings.final_selections = 3;
    })
    .await;
    arena.person("ada").await;
    let quota = async || {
        arena
            .get(Some("ada"), "/challenges/arena/quota")
            .await
            .json()
    };
    let before = quota().await;
    assert_eq!(before["team"], json!(null), "no submission, no team");
    assert_eq!(before["day"]["used"], 0);
    assert_eq!(before["total"], json!(null), "no limit");
    assert_eq!(before["refusal"], json!(null));

    let first = arena.scored("ada", "one", (0, 0), (0, 0)).await;
    arena.submit("ada", "two").await;
    let path = format!("/submissions/{first}");
    arena.patch("ada", &path, &json!({"selected": true})).await;
    let after = quota().await;
    assert_eq!(after["team"], "ada");
    assert_eq!(
        (&after["day"]["used"], &after["day"]["limit"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(time(&after["day"]["renews_at"]), midnight_in(1));
    let to_monday = 7 - Utc::now().weekday().num_days_from_monday();
    assert_eq!(
        time(&after["week"]["renews_at"]),
        midnight_in(to_monday.into())
    );
    assert_eq!(time(&after["next_allowed_at"]), midnight_in(1));
    let refusal = after["refusal"].as_str().expect("the day is spent");
    assert!(refusal.starts_with("all 2 submissions"), "{refusal}");
    assert_eq!(
        (&after["selected"], &after["final_selections"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(
        after["selections"],
        json!([{"submission": first, "method": "one"}])
    );
    assert_eq!(
        arena.get(None, "/challenges/arena/quota").await.status,
        StatusCode::UNAUTHORIZED
    );
}

/// Failed and rejected ones do not count, withdrawn ones do; a week begins on Monday, 00:00 UTC.
#[tokio::test]
async fn a_week_and_the_whole_challenge_have_limits_of_their_own() {
    not_around_midnight().await;
    let arena = Arena::open(|settings| {
        settings.per_week = Some(2);
        settings.total = Some(4);
    })
    .await;
    arena.person("ada").await;
    let set = async |id: Uuid, what: &str| {
        let statement = format!("UPDATE submissions SET {what} WHERE id = '{id}'");
        assert_eq!(arena.database.as_owner(&statement).await, 1);
    };
    let refused = async || {
        let upload = upload("ada", &[("method", "m")], FILE.as_bytes());
        let answer = arena.send(upload).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        answer
    };
    let to_monday = 7 - Utc::now().weekday().num_days_from_monday();
    let monday = midnight_in(to_monday.into()).format("%FT%TZ");
    let week = format!(
        "all 2 submissions that a team has per week (Monday to Sunday, UTC) are used; the next is allowed from {monday}"
    );

    let first = arena.submit("ada", "first").await;
    let second = arena.submit("ada", "second").await;
    let spent = refused().await;
    assert_eq!(spent.detail(), week);
    assert!(spent.headers.contains_key("retry-after"));
    let begun = "date_trunc('week', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'";
    set(first, &format!("received_at = {begun}")).await;
    refused().await;
    set(
        first,
        "received_at = received_at - interval '1 microsecond'",
    )
    .await;
    let third = arena.submit("ada", "third").await;
    arena.withdraw("ada", third).await;
    assert_eq!(refused().await.detail(), week);
    set(second, "status = 'failed'").await;
    let fourth = arena.submit("ada", "fourth").await;
    assert_eq!(refused().await.detail(), week);

    for id in [third, fourth] {
        set(id, "received_at = received_at - interval '1 month'").await;
    }
    arena.submit("ada", "fifth").await;
    let spent = refused().await;
    assert_eq!(
        spent.detail(),
        "all 4 submissions that a team has in this challenge are used"
    );
    assert!(!spent.headers.contains_key("retry-after"), "never again");
    let quota = arena.get(Some("ada"), "/challenges/arena/quota").await;
    let quota = quota.json();
    assert_eq!(
        quota["total"],
        json!({"limit": 4, "used": 4, "renews_at": null})
    );
    assert_eq!(quota["week"]["used"], 1);
    assert_eq!(quota["next_allowed_at"], json!(null));
    set(fourth, "status = 'rejected'").await;
    arena.submit("ada", "sixth").await;
}

#[tokio::test]
async fn a_list_can_be_narrowed_to_states_and_my_own_spans_challenges() {
    let arena = Arena::open(|_| {}).await;
    for handle in ["ada", "bob"] {
        arena.person(handle).await;
    }
    arena.scored("ada", "scored", (1, 0), (1, 0)).await;
    let withdrawn = arena.submit("ada", "withdrawn").await;
    arena.withdraw("ada", withdrawn).await;
    arena.submit("bob", "queued").await;
    let methods = async |who: &'static str, path: &'static str| {
        let list = arena.get(Some(who), path).await.json();
        let items = list["items"].as_array().expect("a list").clone();
        items
            .iter()
            .map(|item| item["method"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let list = "/challenges/arena/submissions?status=queued,withdrawn";
    assert_eq!(methods("organizer", list).await, ["queued", "withdrawn"]);
    assert_eq!(methods("ada", list).await, ["withdrawn"]);
    assert_eq!(
        methods("ada", "/me/submissions").await,
        ["withdrawn", "scored"]
    );
    assert_eq!(methods("organizer", "/me/submissions").await.len(), 0);
    let wrong = arena
        .get(Some("ada"), "/challenges/arena/submissions?status=lost")
        .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.detail().contains("`lost`"), "{}", wrong.detail());
}

#[tokio::test]
async fn organizers_see_the_queue_and_the_file_of_a_submission_and_others_do_not() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let id = arena.submit("ada", "waits").await;
    let queue = arena
        .get(Some("organizer"), "/challenges/arena/queue")
        .await
        .json();
    assert_eq!(
        (&queue["waiting"], &queue["running"], &queue["workers"]),
        (&json!(1), &json!(0), &json!([]))
    );
    assert!(queue["oldest_waiting_seconds"].as_f64().is_some());
    assert_eq!(queue["submissions"][0]["id"], json!(id));
    assert_eq!(queue["submissions"][0]["queue"]["position"], 1);
    let refused = arena.get(Some("ada"), "/challenges/arena/queue").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    // `printf '1\n%.0s' {1..10} | sha256sum`
    let digest = "9538e71364e030fa5cb12310065b555dc371cca0eccc44a9530624b5be45929a";
    arena.score(id, (0, 0), (0, 0)).await;
    arena.board("public", &["1 waits"]).await;
    let path = format!("/submissions/{id}");
    let own = arena.get(Some("ada"), &path).await.json();
    assert_eq!(
        own["file"],
        json!({"filename": "p.txt", "bytes": 20, "sha256": digest})
    );
    assert!(arena.get(None, &path).await.json().get("file").is_none());
    let queue = arena
        .get(Some("organizer"), "/challenges/arena/queue")
        .await;
    assert_eq!(queue.json()["submissions"], json!([]));
}

/// The pace is what the last ones cost: 4 s for the first, 6 s for the second, which was there before that was done.
#[tokio::test]
async fn who_waits_is_told_the_place_the_time_and_how_many_workers_live() {
    let arena = Arena::open(|_| {}).await;
    for (handle, scored_at) in [("ada", "00:00:04Z"), ("bob", "00:00:10Z")] {
        arena.person(handle).await;
        let id = arena.scored(handle, "done", (0, 0), (0, 0)).await;
        let clock = format!(
            "UPDATE submissions SET created_at = '2026-01-01Z', scored_at = '2026-01-01 {scored_at}' WHERE id = '{id}'"
        );
        assert_eq!(arena.database.as_owner(&clock).await, 1);
    }
    let first = arena.submit("ada", "first").await;
    let second = arena.submit("bob", "second").await;
    let queue = async |who, id: Uuid| {
        let shown = arena.get(Some(who), &format!("/submissions/{id}")).await;
        shown.json()["queue"].clone()
    };
    assert_eq!(
        queue("ada", first).await,
        json!({"position": 1, "eta_seconds": null, "workers_alive": 0}),
        "without a worker nobody knows"
    );

    let scorers = [(); 2].map(|()| Presence::of_scorer(&arena.database.scorer));
    for presence in &scorers {
        presence.renew().await.expect("say that it lives");
    }
    // It runs models, which these are not.
    let inference = Presence::of_inference(&arena.database.inference, "cpu");
    inference.renew().await.expect("say that it lives");
    assert_eq!(
        queue("ada", first).await,
        json!({"position": 1, "eta_seconds": 5.0, "workers_alive": 2})
    );
    assert_eq!(
        queue("bob", second).await,
        json!({"position": 2, "eta_seconds": 10.0, "workers_alive": 2})
    );

    let silence = "UPDATE workers SET seen_at = seen_at - interval '10 seconds'";
    assert_eq!(arena.database.as_owner(silence).await, 3);
    scorers[1].renew().await.expect("say that it lives");
    assert_eq!(queue("bob", second).await["workers_alive"], 1);
    arena.score(first, (0, 0), (0, 0)).await;
    assert_eq!(queue("ada", first).await, json!(null), "it waits no more");
    assert_eq!(queue("bob", second).await["position"], 1);
}

#[tokio::test]
async fn label_versions_say_who_and_when_and_never_what() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let versions = async || {
        arena
            .get(Some("organizer"), "/challenges/arena/labels")
            .await
            .json()
    };
    let before = versions().await;
    let first = &before["items"][0];
    assert_eq!(
        (&first["version"], &first["state"], &first["created_by"]),
        (&json!(1), &json!("current"), &json!("organizer"))
    );
    assert!(time(&first["current_at"]) >= time(&first["created_at"]));
    let rescore = crate::arena::request("POST", Some("organizer"), "/challenges/arena/rescore");
    let rescore = rescore.body(axum::body::Body::empty()).expect("a request");
    assert_eq!(arena.send(rescore).await.status, StatusCode::ACCEPTED);
    let after = versions().await;
    assert_eq!(after["items"].as_array().expect("a list").len(), 2);
    assert_eq!(after["items"][0]["copy_of"], 1);
    assert_eq!(
        arena
            .get(Some("ada"), "/challenges/arena/labels")
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_list_of_challenges_shows_who_leads_and_the_reference_line() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let summary = async |who| arena.get(who, "/challenges").await.json()["items"][0].clone();
    assert_eq!(summary(None).await["best"], json!(null));
    assert_eq!(summary(None).await["is_organizer"], false);
    assert_eq!(summary(Some("organizer")).await["is_organizer"], true);

    let id = arena.scored("ada", "leads", (1, 0), (2, 1)).await;
    arena.board("public", &["1 leads"]).await;
    assert_eq!(
        summary(None).await["best"],
        json!({"split": "public", "team": "ada", "method": "leads", "submission": id, "top1_error": 0.2, "top5_error": 0.0})
    );

    let change = async |reference: Value| {
        let patch = json!({"leaderboard": {"reference": reference}});
        arena.patch("organizer", "/challenges/arena", &patch).await
    };
    // Russakovsky et al. 2015, section 6.4: the better annotator's top-5 error.
    let human = json!({"label": "human", "error": 0.051});
    assert_eq!(
        change(human.clone()).await.json()["leaderboard"]["reference"],
        human
    );
    assert_eq!(summary(None).await["leaderboard"]["reference"], human);
    let wrong = change(json!({"label": " ", "error": 5.1})).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = wrong.detail();
    assert!(
        detail.contains("reference.label") && detail.contains("reference.error 5.1"),
        "{detail}"
    );
    assert_eq!(
        change(json!(null)).await.json()["leaderboard"]["reference"],
        json!(null)
    );
}
