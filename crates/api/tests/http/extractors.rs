//! What is wrong with a request before any handler looks at it.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use referee_api::openapi_document;
use serde_json::{Value, json};

use crate::server::{Answer, Server, request};

/// Every operation of the API: its method, its path with `value` in each placeholder, and whether it reads JSON.
fn operations(value: &str) -> Vec<(Method, String, bool)> {
    let document = serde_json::to_value(openapi_document()).expect("serialises");
    let paths = document["paths"].as_object().expect("paths");
    let mut found = Vec::new();
    for (path, operations) in paths {
        let Some(path) = path.strip_prefix("/api/v1") else {
            continue;
        };
        let parts = path
            .split('/')
            .map(|part| if part.starts_with('{') { value } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        for (method, operation) in operations.as_object().expect("operations") {
            let method = method.to_uppercase().parse().expect("a method");
            let json = &operation["requestBody"]["content"]["application/json"];
            found.push((method, path.clone(), !json.is_null()));
        }
    }
    assert!(found.len() > 30, "{found:?}");
    found
}

#[tokio::test]
async fn a_nul_anywhere_is_the_senders_fault() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    let faulty = |answer: &Answer, what: &str| {
        assert!(answer.status.is_client_error(), "{what}: {}", answer.status);
    };
    for (method, path, reads_json) in operations("%00") {
        let what = format!("{method} {path}");
        if path.contains("%00") {
            let answer = server.ask(method.clone(), &path, &admin, &json!({})).await;
            faulty(&answer, &what);
        }
        let path = path.replace("%00", "00");
        if reads_json {
            let text = json!({"a\0": "b"});
            faulty(
                &server.ask(method.clone(), &path, &admin, &text).await,
                &what,
            );
        }
    }
    let answer = server.get("/challenges/%00", "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = server.get("/challenges?after=%00", "").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (path, body) in [
        (
            "/users",
            json!({"handle": "bob", "password": "correct horse", "email": "b\0@c"}),
        ),
        (
            "/session",
            json!({"handle": "a\0b", "password": "correct horse"}),
        ),
        ("/me/tokens", json!({"name": "a\0b"})),
        (
            "/challenges",
            json!({"slug": "nul", "title": "a\0b", "classes": [{"name": "cat"}, {"name": "dog"}]}),
        ),
    ] {
        let answer = server.ask(Method::POST, path, &admin, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(answer.detail().contains("NUL"), "{}", answer.detail());
    }
}

#[tokio::test]
async fn what_is_no_id_is_not_found_and_an_empty_parameter_is_absent() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    server.draft(&admin).await;
    let answer = server.get("/submissions/abc", "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.detail().contains("no `abc`"), "{}", answer.detail());
    for path in [
        "/challenges/tiny/submissions?status=&after=&limit=",
        "/challenges?after=",
        "/challenges/tiny/leaderboard?split=&format=",
    ] {
        assert_eq!(
            server.get(path, &admin).await.status,
            StatusCode::OK,
            "{path}"
        );
    }
    let answer = server.get("/challenges?after=abc", "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer
            .detail()
            .starts_with("the query is not understood: after"),
        "{}",
        answer.detail()
    );
}

#[tokio::test]
async fn json_is_refused_in_the_servers_own_words() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    let send = async |path: &str, kind: &str, body: String| {
        let request = request(Method::POST, path, &admin).header(header::CONTENT_TYPE, kind);
        server
            .send(request.body(Body::from(body)).expect("a request"))
            .await
    };
    let json = "application/json";
    for (kind, body, status, words) in [
        (
            json,
            "{".to_owned(),
            StatusCode::BAD_REQUEST,
            "this is no JSON: ",
        ),
        (
            json,
            "{}".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "the JSON is not what is expected here: ",
        ),
        (
            "text/plain",
            "{}".to_owned(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send JSON, with ",
        ),
        (
            json,
            " ".repeat(3 << 20),
            StatusCode::PAYLOAD_TOO_LARGE,
            "this JSON is longer than ",
        ),
    ] {
        let answer = send("/me/tokens", kind, body).await;
        assert_eq!(answer.status, status, "{words}");
        assert!(answer.detail().starts_with(words), "{}", answer.detail());
    }
    // The classes of ImageNet-21k, with names of a hundred characters.
    let classes: Vec<Value> = (0..21_843)
        .map(|class| json!({"name": format!("{class:0>100}")}))
        .collect();
    let settings = json!({"slug": "large", "title": "Large", "classes": classes});
    let answer = send("/challenges", json, settings.to_string()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

/// The commonest mistakes with curl: `--data-binary @file`, `-d`, JSON.
#[tokio::test]
async fn a_submission_that_is_no_form_is_told_how_to_send_one() {
    let server = Server::new().await;
    let admin = server.person("ada").await;
    for kind in [
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data",
    ] {
        let request = request(Method::POST, "/challenges/tiny/submissions", &admin)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from("1\n2\n"));
        let answer = server.send(request.expect("a request")).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert!(
            answer.detail().contains("curl -F file=@"),
            "{}",
            answer.detail()
        );
    }
}
