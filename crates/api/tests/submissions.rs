//! Submissions over HTTP, from the upload to the boards, against a real database.

mod arena;
mod models;
mod overviews;
mod streams;
mod uploads;

use std::io;

use arena::{Arena, FILE, form, request, upload, upload_of, yesterday};
use axum::body::Body;
use axum::http::StatusCode;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use referee_storage::challenges::settings::{AfterClose, OutsideData, Ranking};
use serde_json::{Value, json};
use tokio::sync::oneshot;

#[tokio::test]
async fn the_same_idempotency_key_is_one_submission_even_in_a_race() {
    let arena = Arena::open(|_| {}).await;
    arena.person("ada").await;
    let body = || {
        let (start, end) = form(&[("method", "m")]);
        Body::from(start + FILE + &end)
    };
    let race = (0..8).map(|_| arena.send(upload_of("ada", body(), Some("once"))));
    let mut answers = join_all(race).await;
    answers.push(arena.send(upload_of("ada", body(), Some("once"))).await);
    let location = answers[0].headers["location"].clone();
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        assert_eq!(answer.headers["location"], location);
    }
    assert_eq!(arena.stored_files(), 1);
}

#[tokio::test]
async fn what_the_form_or_the_first_bytes_show_is_refused_at_once() {
    let arena = Arena::open(|settings| settings.outside_data = OutsideData::Forbidden).await;
    arena.person("ada").await;
    let pickle = b"\x80\x04\x95\x00\x10\x00\x00\x00\x00\x00\x00.";
    let too_large = vec![b'1'; (1 << 20) + 1];
    let method = ("method", "m");
    for (fields, file, status, word) in [
        (
            vec![method],
            pickle.as_slice(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "pickle",
        ),
        (vec![method], b"", StatusCode::UNPROCESSABLE_ENTITY, "empty"),
        (
            vec![method],
            &too_large,
            StatusCode::PAYLOAD_TOO_LARGE,
            "1 MiB",
        ),
        (
            vec![method, ("colour", "red")],
            FILE.as_bytes(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "`colour`",
        ),
        (
            vec![method, ("outside_data", "true")],
            FILE.as_bytes(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "elsewhere",
        ),
        (
            vec![],
            FILE.as_bytes(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "`method`",
        ),
    ] {
        let answer = arena.send(upload("ada", &fields, file)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.detail().contains(word), "{}", answer.detail());
    }
    assert_eq!(arena.stored_files(), 0);
    assert_eq!(
        arena
            .send(upload("nobody", &[method], FILE.as_bytes()))
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn the_close_refuses_or_marks_late() {
    let arena = Arena::open(|settings| settings.closes = Some(yesterday())).await;
    arena.person("ada").await;
    let answer = arena
        .send(upload("ada", &[("method", "m")], FILE.as_bytes()))
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(
        answer.detail().starts_with("this challenge closed at"),
        "{}",
        answer.detail()
    );
    arena
        .set(|settings| settings.after_close = AfterClose::Score)
        .await;
    let late = arena.scored("ada", "late", (0, 0), (0, 0)).await;
    let answer = arena
        .get(Some("ada"), &format!("/submissions/{late}"))
        .await;
    assert_eq!(answer.json()["late"], true);
    arena.board("public", &["- late"]).await;
}

/// Whoever holds an upload open across the close has seen the private scores before its last byte.
#[tokio::test]
async fn an_upload_that_ends_after_the_private_scores_are_out_does_not_count() {
    for after_close in [AfterClose::Reject, AfterClose::Score] {
        let arena = Arena::open(|settings| settings.after_close = after_close).await;
        arena.person("ada").await;
        arena.scored("ada", "seen", (1, 1), (1, 1)).await;
        let (start, end) = form(&[("method", "held")]);
        let (begun, beginning) = oneshot::channel();
        let (go_on, going_on) = oneshot::channel();
        let rest = async move {
            // Asked for the rest, it has admitted the upload.
            begun.send(()).expect("the test waits");
            going_on.await.expect("the test goes on");
            Ok(FILE.to_owned() + &end)
        };
        let body = stream::iter([io::Result::Ok(start)]).chain(stream::once(rest));
        let (answer, ()) = tokio::join!(
            arena.send(upload_of("ada", Body::from_stream(body), None)),
            async {
                beginning.await.expect("it begins");
                arena.close().await;
                go_on.send(()).expect("it waits");
            }
        );
        if after_close == AfterClose::Reject {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
            assert!(
                answer.detail().contains("private scores are out"),
                "{}",
                answer.detail()
            );
            arena.board("private", &["1 seen"]).await;
            continue;
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        arena.score(answer.id(), (0, 0), (0, 0)).await;
        arena.board("private", &["- held", "1 seen"]).await;
    }
}

#[tokio::test]
async fn who_may_see_a_submission_depends_on_the_board() {
    let arena = Arena::open(|_| {}).await;
    for handle in ["ada", "bob"] {
        arena.person(handle).await;
    }
    let id = arena.submit("ada", "m").await;
    let path = format!("/submissions/{id}");
    let status = async |who: Option<&'static str>| arena.get(who, &path).await.status;
    assert_eq!(status(Some("ada")).await, StatusCode::OK);
    assert_eq!(status(Some("organizer")).await, StatusCode::OK);
    assert_eq!(status(Some("bob")).await, StatusCode::NOT_FOUND);
    assert_eq!(status(None).await, StatusCode::NOT_FOUND);
    assert_eq!(
        arena.get(Some("ada"), &path).await.json()["queue"]["position"],
        1
    );

    arena.score(id, (1, 0), (1, 0)).await;
    arena.board("public", &["1 m"]).await;
    let public = arena.get(None, &path).await.json();
    assert_eq!(public["scores"]["public"]["top1_error"], 0.2);
    assert_eq!(public["scores"]["private"], json!(null));
    assert!(public.get("description").is_none());
    assert!(
        arena
            .get(Some("ada"), &path)
            .await
            .json()
            .get("description")
            .is_some()
    );
    let file = format!("{path}/file");
    assert_eq!(
        arena.get(Some("bob"), &file).await.status,
        StatusCode::FORBIDDEN
    );
    let own = arena.get(Some("ada"), &file).await;
    assert_eq!(own.body, FILE.as_bytes());
    assert_eq!(own.headers["cache-control"], "private, no-cache");
    let record = arena.get(Some("ada"), &format!("{path}/predictions")).await;
    assert!(record.body.starts_with(b"\x93NUMPY"), "{}", record.text());

    let hide = arena
        .patch("ada", &path, &json!({"hidden": {"reason": "copied"}}))
        .await;
    assert_eq!(hide.status, StatusCode::FORBIDDEN);
    let hide = arena
        .patch("organizer", &path, &json!({"hidden": {"reason": "copied"}}))
        .await;
    assert_eq!(hide.json()["hidden"]["reason"], "copied");
    arena.board("public", &[]).await;
    assert_eq!(status(None).await, StatusCode::NOT_FOUND);
    arena
        .patch("organizer", &path, &json!({"hidden": null}))
        .await;
    arena.board("public", &["1 m"]).await;
    assert_eq!(arena.withdraw("bob", id).await, StatusCode::FORBIDDEN);
    assert_eq!(arena.withdraw("ada", id).await, StatusCode::NO_CONTENT);
    arena.board("public", &[]).await;
    assert_eq!(
        arena.get(Some("ada"), &path).await.json()["status"],
        "withdrawn"
    );
}

#[tokio::test]
async fn lists_are_the_teams_own_in_parts_newest_first() {
    let arena = Arena::open(|_| {}).await;
    for handle in ["ada", "bob"] {
        arena.person(handle).await;
    }
    for method in ["a", "b", "c"] {
        arena.submit("ada", method).await;
    }
    arena.submit("bob", "d").await;
    let methods = |page: &serde_json::Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items
            .iter()
            .map(|item| item["method"].as_str().expect("a method").to_owned())
            .collect()
    };
    let first = arena
        .get(Some("ada"), "/challenges/arena/submissions?limit=2")
        .await
        .json();
    assert_eq!(methods(&first), ["c", "b"]);
    let next = first["next"].as_str().expect("there is more");
    let last = arena
        .get(
            Some("ada"),
            &format!("/challenges/arena/submissions?limit=2&after={next}"),
        )
        .await
        .json();
    assert_eq!(
        (methods(&last), &last["next"]),
        (vec!["a".to_owned()], &json!(null))
    );
    let all = arena
        .get(Some("organizer"), "/challenges/arena/submissions")
        .await
        .json();
    assert_eq!(methods(&all), ["d", "c", "b", "a"]);
}

#[tokio::test]
async fn the_board_ranks_by_the_primary_error_then_the_other_then_time() {
    let arena = Arena::open(|_| {}).await;
    for handle in ["ada", "bob", "cyd", "dan"] {
        arena.person(handle).await;
    }
    arena.scored("ada", "worse", (4, 0), (0, 0)).await;
    arena.scored("ada", "best", (2, 1), (0, 0)).await;
    arena.scored("bob", "same later", (2, 1), (0, 0)).await;
    arena.scored("cyd", "better top5", (2, 0), (0, 0)).await;
    arena.scored("organizer", "baseline", (0, 0), (0, 0)).await;
    arena.submit("dan", "waiting").await;
    arena
        .board(
            "public",
            &["- baseline", "1 better top5", "2 best", "3 same later"],
        )
        .await;
    arena
        .set(|settings| settings.ranking = Ranking::Latest)
        .await;
    arena.scored("cyd", "latest", (3, 3), (0, 0)).await;
    arena
        .board(
            "public",
            &["- baseline", "1 best", "2 same later", "3 latest"],
        )
        .await;

    let path = "/challenges/arena/leaderboard";
    let board = arena.get(None, path).await;
    let etag = board.headers["etag"].clone();
    let again = request("GET", None, path)
        .header("if-none-match", &etag)
        .body(Body::empty())
        .expect("a request");
    assert_eq!(arena.send(again).await.status, StatusCode::NOT_MODIFIED);
    let zipped = request("GET", None, path)
        .header("accept-encoding", "gzip")
        .body(Body::empty())
        .expect("a request");
    let zipped = arena.send(zipped).await;
    assert_eq!(zipped.headers["content-encoding"], "gzip");
    let mut plain = Vec::new();
    io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(&zipped.body[..]),
        &mut plain,
    )
    .expect("gzip");
    assert_eq!(plain, board.body);
}

#[tokio::test]
async fn the_private_board_shows_what_was_selected_never_the_best() {
    let arena = Arena::open(|_| {}).await;
    for handle in ["ada", "bob", "cyd"] {
        arena.person(handle).await;
    }
    // On private images the second of each team is its best.
    let public_best = arena.scored("ada", "ada public best", (0, 0), (4, 0)).await;
    let private_best = arena
        .scored("ada", "ada private best", (3, 0), (0, 0))
        .await;
    let selected = arena.scored("bob", "bob selected", (4, 0), (3, 0)).await;
    arena
        .scored("bob", "bob private best", (1, 0), (0, 0))
        .await;
    let given_up = arena.scored("cyd", "cyd selected", (4, 0), (4, 0)).await;
    arena
        .scored("cyd", "cyd private best", (1, 0), (0, 0))
        .await;
    let select = async |who, id, on| {
        arena
            .patch(who, &format!("/submissions/{id}"), &json!({"selected": on}))
            .await
    };
    assert_eq!(select("bob", selected, true).await.json()["selected"], true);
    assert_eq!(select("cyd", given_up, true).await.status, StatusCode::OK);
    assert_eq!(
        select("ada", private_best, true).await.status,
        StatusCode::OK
    );
    let full = select("ada", public_best, true).await;
    assert_eq!(full.status, StatusCode::CONFLICT);
    assert!(
        full.detail().contains(&private_best.to_string()),
        "{}",
        full.detail()
    );
    let fewer = json!({"leaderboard": {"final_selections": 1}});
    let more = json!({"leaderboard": {"final_selections": 2}});
    let set = async |rules| arena.patch("organizer", "/challenges/arena", rules).await;
    assert_eq!(set(&more).await.status, StatusCode::OK);
    assert_eq!(
        select("ada", public_best, true).await.status,
        StatusCode::OK
    );
    let taken_away = set(&fewer).await;
    assert_eq!(
        taken_away.status,
        StatusCode::CONFLICT,
        "ada has selected two"
    );
    assert_eq!(
        select("ada", public_best, false).await.status,
        StatusCode::OK
    );
    assert_eq!(set(&fewer).await.status, StatusCode::OK);
    assert_eq!(
        select("ada", private_best, false).await.status,
        StatusCode::OK
    );

    let early = arena
        .get(None, "/challenges/arena/leaderboard?split=private")
        .await;
    assert_eq!(early.status, StatusCode::FORBIDDEN);
    let leader = async || {
        let list = arena.get(None, "/challenges").await.json();
        let shown = arena.get(None, "/challenges/arena").await.json();
        let best = &list["items"][0]["best"];
        let facts = [&best["split"], &best["team"], &shown["private_released"]];
        facts.map(Value::clone)
    };
    let before = [json!("public"), json!("ada"), json!(false)];
    assert_eq!(leader().await, before);
    arena.close().await;
    arena
        .board(
            "private",
            &["1 bob selected", "2 ada public best", "3 cyd selected"],
        )
        .await;
    let after = [json!("private"), json!("bob"), json!(true)];
    assert_eq!(leader().await, after);
    assert_eq!(
        select("ada", private_best, true).await.status,
        StatusCode::CONFLICT
    );
    // Withdrawing after the close does not let another submission move up.
    arena.withdraw("cyd", given_up).await;
    arena
        .board("private", &["1 bob selected", "2 ada public best"])
        .await;
}

#[tokio::test]
async fn a_spreadsheet_finds_no_formula_in_the_csv() {
    let arena = Arena::open(|_| {}).await;
    for (handle, method) in [
        ("ada", "=HYPERLINK(\"x\")"),
        ("bob", "a, \"b\""),
        ("cyd", "@SUM(1)"),
    ] {
        arena.person(handle).await;
        arena.scored(handle, method, (1, 0), (1, 0)).await;
    }
    arena
        .board(
            "public",
            &["1 =HYPERLINK(\"x\")", "2 a, \"b\"", "3 @SUM(1)"],
        )
        .await;
    let csv = arena
        .get(None, "/challenges/arena/leaderboard?format=csv")
        .await
        .text();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("rank,rank_low,rank_high,team,submission,method,"));
    assert!(
        lines[1].contains(",\"'=HYPERLINK(\"\"x\"\")\","),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains(",\"a, \"\"b\"\"\","), "{}", lines[2]);
    assert!(lines[3].contains(",'@SUM(1),"), "{}", lines[3]);
}
