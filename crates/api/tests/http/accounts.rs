use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use referee_api::{ApiConfig, ServerKey};
use serde_json::json;

use crate::server::{Server, request};

#[tokio::test]
async fn the_first_account_is_administrator_on_loopback_only() {
    let server = Server::new().await;
    let (first, second) = (server.person("ada").await, server.person("bob").await);
    assert_eq!(
        server.get("/me", &first).await.json()["role"],
        "administrator"
    );
    assert_eq!(
        server.get("/me", &second).await.json()["role"],
        "competitor"
    );

    let open = Server::with(ApiConfig {
        public_url: Some("https://referee.example".to_owned()),
        listens_on_loopback: false,
        max_upload_slots: 2,
        ..ApiConfig::local(ServerKey([7; 32]))
    })
    .await;
    let first = open.person("ada").await;
    assert_eq!(open.get("/me", &first).await.json()["role"], "competitor");
}

#[tokio::test]
async fn accounts_are_refused_with_a_sentence() {
    let server = Server::new().await;
    server.person("ada").await;
    for (body, status) in [
        (
            json!({"handle": "ADA", "password": "correct horse"}),
            StatusCode::CONFLICT,
        ),
        (
            json!({"handle": "-ada", "password": "correct horse"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"handle": "x", "password": "correct horse"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"handle": "eve", "password": "1234567"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"handle": "eve", "password": "correct horse", "email": "eve"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"handle": "eve", "password": "correct horse", "role": "administrator"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let answer = server.ask(Method::POST, "/users", "", &body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(!answer.detail().is_empty());
    }
}

#[tokio::test]
async fn a_browser_is_signed_in_by_a_cookie_until_it_signs_out() {
    let server = Server::with(ApiConfig {
        public_url: Some("https://referee.example".to_owned()),
        listens_on_loopback: false,
        max_upload_slots: 2,
        ..ApiConfig::local(ServerKey([7; 32]))
    })
    .await;
    server.person("ada").await;
    let credentials = json!({"handle": "ada", "password": "correct horse"});
    let answer = server.ask(Method::POST, "/session", "", &credentials).await;
    let attributes = answer.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    let cookie = server.sign_in("ada").await;
    let with_cookie = |method: Method, path: &str| {
        request(method, path, "")
            .header(header::COOKIE, &cookie)
            .body(Body::empty())
            .expect("a request")
    };
    assert_eq!(
        server.send(with_cookie(Method::GET, "/me")).await.status,
        StatusCode::OK
    );
    assert_eq!(
        server
            .send(with_cookie(Method::DELETE, "/session"))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        server.send(with_cookie(Method::GET, "/me")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn who_is_signed_in_can_be_asked_without_an_error() {
    let server = Server::new().await;
    server.person("ada").await;
    let cookie = server.sign_in("ada").await;
    let ask = |cookie: &str| {
        request(Method::GET, "/session", "")
            .header(header::COOKIE, cookie)
            .body(Body::empty())
            .expect("a request")
    };
    let signed_in = server.send(ask(&cookie)).await;
    assert_eq!(signed_in.status, StatusCode::OK);
    assert_eq!(signed_in.json()["me"]["handle"], "ada");
    let visitor = server.send(ask("")).await;
    assert_eq!(visitor.status, StatusCode::OK);
    assert_eq!(visitor.json(), json!({"me": null, "registration": "open"}));
}

/// Contract, section 4: cookie-authenticated writes are refused when Origin is present and not this server's.
#[tokio::test]
async fn another_site_cannot_make_a_browser_write() {
    let server = Server::new().await;
    let token = server.person("ada").await;
    let cookie = server.sign_in("ada").await;
    let write = |origin: &str| {
        request(Method::POST, "/me/tokens", "")
            .header(header::COOKIE, &cookie)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(r#"{"name":"x"}"#))
            .expect("a request")
    };
    for other in [
        "https://evil.example",
        "null",
        "http://localhost:8080.evil.example",
        "http://localhost:81",
    ] {
        assert_eq!(
            server.send(write(other)).await.status,
            StatusCode::FORBIDDEN,
            "{other}"
        );
    }
    assert_eq!(
        server.send(write("http://localhost:8080")).await.status,
        StatusCode::CREATED
    );
    let read = request(Method::GET, "/me", "")
        .header(header::COOKIE, &cookie)
        .header(header::ORIGIN, "https://evil.example");
    assert_eq!(
        server
            .send(read.body(Body::empty()).expect("a request"))
            .await
            .status,
        StatusCode::OK
    );
    let by_token = request(Method::POST, "/me/tokens", &token)
        .header(header::ORIGIN, "https://elsewhere.example")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"name":"y"}"#));
    assert_eq!(
        server.send(by_token.expect("a request")).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn only_administrators_change_accounts_and_a_disabled_one_opens_nothing() {
    let server = Server::new().await;
    let (admin, bob) = (server.person("ada").await, server.person("bob").await);
    let disable = json!({"disabled": true});
    assert_eq!(
        server
            .ask(Method::PATCH, "/users/ada", &bob, &disable)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        server
            .ask(Method::PATCH, "/users/ada", "", &disable)
            .await
            .status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        server
            .ask(Method::PATCH, "/users/ada", &admin, &disable)
            .await
            .status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        server
            .ask(Method::PATCH, "/users/nobody", &admin, &disable)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    let changed = server
        .ask(Method::PATCH, "/users/BOB", &admin, &disable)
        .await;
    assert_eq!(
        (changed.status, changed.json()["disabled"].clone()),
        (StatusCode::OK, json!(true))
    );
    assert_eq!(server.get("/me", &bob).await.status, StatusCode::FORBIDDEN);
    let credentials = json!({"handle": "bob", "password": "correct horse"});
    assert_eq!(
        server
            .ask(Method::POST, "/session", "", &credentials)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked() {
    let server = Server::new().await;
    let token = server.person("ada").await;
    let me = server.get("/me", &token).await.json();
    let id = me["tokens"][0]["id"].as_str().expect("an id").to_owned();
    assert!(!me.to_string().contains(&token), "the secret is shown once");
    let other = server.person("bob").await;
    let path = format!("/me/tokens/{id}");
    assert_eq!(
        server
            .ask(Method::DELETE, &path, &other, &json!(null))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        server
            .ask(Method::DELETE, &path, &token, &json!(null))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        server.get("/me", &token).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn whatever_goes_wrong_is_a_problem_document() {
    let server = Server::new().await;
    let token = server.person("ada").await;
    let raw = |method: Method, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .expect("a request")
    };
    for (answer, status) in [
        (
            server.send(raw(Method::GET, "/api/v1/nothing")).await,
            StatusCode::NOT_FOUND,
        ),
        (
            server.send(raw(Method::GET, "/api")).await,
            StatusCode::NOT_FOUND,
        ),
        (
            server.send(raw(Method::PUT, "/api/v1/me")).await,
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            server.send(raw(Method::POST, "/somewhere")).await,
            StatusCode::NOT_FOUND,
        ),
        (
            server.ask(Method::POST, "/users", "", &json!("text")).await,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            server
                .ask(Method::DELETE, "/me/tokens/seven", &token, &json!(null))
                .await,
            StatusCode::NOT_FOUND,
        ),
        (
            server.get("/challenges?limit=many", "").await,
            StatusCode::BAD_REQUEST,
        ),
        (
            server.get("/me", "not-a-token").await,
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        assert_eq!(answer.status, status);
        assert!(!answer.detail().is_empty());
        assert_eq!(answer.json()["status"], status.as_u16());
    }
}

#[tokio::test]
async fn it_is_not_ready_without_its_store_or_with_another_schema() {
    let server = Server::new().await;
    let ready = async || {
        let request = Request::builder().uri("/readyz");
        server
            .send(request.body(Body::empty()).expect("a request"))
            .await
    };
    assert_eq!(ready().await.status, StatusCode::OK);
    let mark = server.objects.path().join("referee-installation");
    let ours = std::fs::read(&mark).expect("the store's mark");
    let others = uuid::Uuid::new_v4().to_string();
    for mark_of_another in [Some(&others), None] {
        match mark_of_another {
            Some(others) => std::fs::write(&mark, others).expect("another's store"),
            None => std::fs::remove_file(&mark).expect("an empty disk"),
        }
        let answer = ready().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let detail = answer.detail();
        assert!(detail.contains("the object store is away"), "{detail}");
        assert!(
            !detail.contains('/'),
            "paths are not for everybody: {detail}"
        );
    }
    std::fs::write(&mark, ours).expect("it is mounted");
    assert_eq!(ready().await.status, StatusCode::OK);

    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'of the future', true, '', 0)";
    server.db.as_owner(newer).await;
    let answer = ready().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.detail().contains("newer"), "{}", answer.detail());
    let older = "DELETE FROM _sqlx_migrations WHERE version >= (SELECT max(version) FROM _sqlx_migrations WHERE version < 9999)";
    server.db.as_owner(older).await;
    let answer = ready().await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.detail().contains("`referee migrate`"),
        "{}",
        answer.detail()
    );
}

#[tokio::test]
async fn the_server_says_how_it_is() {
    let server = Server::new().await;
    let raw = |path: &str| {
        Request::builder()
            .uri(path)
            .body(Body::empty())
            .expect("a request")
    };
    assert_eq!(server.send(raw("/healthz")).await.status, StatusCode::OK);
    assert_eq!(server.send(raw("/readyz")).await.status, StatusCode::OK);
    let metrics = server.send(raw("/metrics")).await;
    let text = String::from_utf8_lossy(&metrics.body);
    for name in [
        "referee_submissions{status=\"queued\"} 0",
        "referee_workers_alive{kind=\"predictions\"} 0",
        "referee_http_requests_total",
    ] {
        assert!(text.contains(name), "{text}");
    }
    let page = server.send(raw("/challenges/tiny")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}
