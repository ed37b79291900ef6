use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use futures::future::join_all;
use referee_api::{ApiConfig, ServerKey, TrustedProxies};
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
        server_key: ServerKey([7; 32]),
        trusted_proxies: TrustedProxies::default(),
        max_upload_slots: 2,
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
        server_key: ServerKey([7; 32]),
        trusted_proxies: TrustedProxies::default(),
        max_upload_slots: 2,
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
    assert_eq!(visitor.json(), json!({"me": null}));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_handle_get_the_same_answer_and_are_slowed_down() {
    let server = Server::new().await;
    server.person("ada").await;
    let sign_in = async |handle: &str, password: &str| {
        server
            .ask(
                Method::POST,
                "/session",
                "",
                &json!({"handle": handle, "password": password}),
            )
            .await
    };
    let (wrong, unknown) = (
        sign_in("ada", "wrong horse").await,
        sign_in("eve", "wrong horse").await,
    );
    assert_eq!(
        (wrong.status, unknown.status),
        (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
    );
    assert_eq!(wrong.body, unknown.body);
    for _ in 0..9 {
        sign_in("ada", "wrong horse").await;
    }
    let slowed = sign_in("Ada", "correct horse").await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        slowed
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|seconds| seconds > 800)
    );
}

#[tokio::test]
async fn many_sign_ins_at_once_are_counted_one_by_one() {
    let server = Server::new().await;
    server.person("ada").await;
    let sign_in = async |password: &str| {
        let credentials = json!({"handle": "ada", "password": password});
        let answer = server.ask(Method::POST, "/session", "", &credentials).await;
        answer.status
    };
    let count =
        |answers: &[StatusCode], status| answers.iter().filter(|answer| **answer == status).count();
    let right = join_all((0..30).map(|_| sign_in("correct horse"))).await;
    assert_eq!(count(&right, StatusCode::OK), 30);
    let wrong = join_all((0..30).map(|_| sign_in("wrong horse"))).await;
    assert_eq!(count(&wrong, StatusCode::UNAUTHORIZED), 10);
    assert_eq!(count(&wrong, StatusCode::TOO_MANY_REQUESTS), 20);
}

/// One line of IPv6 has more addresses than anybody could count.
#[tokio::test]
async fn failed_sign_ins_are_counted_by_network() {
    let server = Server::new().await;
    server.person("ada").await;
    let sign_in = async |address: &str, password: &str| {
        let credentials = json!({"handle": "ada", "password": password});
        let mut request = request(Method::POST, "/session", "")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(credentials.to_string()))
            .expect("a request");
        let address: IpAddr = address.parse().expect("an address");
        let peer = SocketAddr::new(address, 50_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        server.send(request).await.status
    };
    for host in 1..=10 {
        let guess = sign_in(&format!("2001:db8::{host}"), "wrong horse").await;
        assert_eq!(guess, StatusCode::UNAUTHORIZED);
    }
    let neighbour = sign_in("2001:db8::ffff", "correct horse").await;
    assert_eq!(neighbour, StatusCode::TOO_MANY_REQUESTS);
    for elsewhere in ["2001:db8:0:1::1", "192.0.2.1"] {
        let answer = sign_in(elsewhere, "correct horse").await;
        assert_eq!(answer, StatusCode::OK);
    }
}

/// Guesses that come through the same proxy lock out nobody but whoever makes them, and nobody can pretend to be another.
#[tokio::test]
async fn failed_sign_ins_are_counted_by_whom_a_trusted_proxy_names() {
    let server = Server::with(ApiConfig {
        public_url: None,
        listens_on_loopback: false,
        server_key: ServerKey([7; 32]),
        trusted_proxies: "172.18.0.0/16".parse().expect("a network"),
        max_upload_slots: 2,
    })
    .await;
    server.person("ada").await;
    let sign_in = async |peer: [u8; 4], forwarded: &str, password: &str| {
        let credentials = json!({"handle": "ada", "password": password});
        let mut request = request(Method::POST, "/session", "")
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-forwarded-for", forwarded)
            .body(Body::from(credentials.to_string()))
            .expect("a request");
        let peer = SocketAddr::from((peer, 50_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        server.send(request).await.status
    };
    let (proxy, stranger) = ([172, 18, 0, 1], [192, 0, 2, 1]);
    for guess in 0..10 {
        let invented = format!("203.0.113.{guess}, 198.51.100.1");
        let through_proxy = sign_in(proxy, &invented, "wrong horse").await;
        let direct = sign_in(stranger, &format!("203.0.113.{guess}"), "wrong horse").await;
        assert_eq!(
            (through_proxy, direct),
            (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
        );
    }
    for (peer, forwarded, status) in [
        (proxy, "198.51.100.1", StatusCode::TOO_MANY_REQUESTS),
        (stranger, "198.51.100.2", StatusCode::TOO_MANY_REQUESTS),
        (proxy, "198.51.100.2", StatusCode::OK),
    ] {
        let answer = sign_in(peer, forwarded, "correct horse").await;
        assert_eq!(answer, status, "{peer:?} for {forwarded}");
    }
}

/// `referee admin password` takes any, so that a server's owner is never locked out.
#[tokio::test]
async fn a_short_password_from_the_servers_machine_signs_in() {
    let server = Server::new().await;
    server.person("ada").await;
    let hash = referee_api::hash_password("short").expect("hashed");
    let changed = referee_storage::accounts::set_password(&server.db.api, "ada", &hash).await;
    assert!(changed.expect("set"));
    let credentials = json!({"handle": "ada", "password": "short"});
    let answer = server.ask(Method::POST, "/session", "", &credentials).await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Whoever knew the old password may hold them.
#[tokio::test]
async fn another_password_from_the_servers_machine_ends_sessions_and_tokens() {
    let server = Server::new().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let cookie = server.sign_in("ada").await;
    let hash = referee_api::hash_password("another horse").expect("hashed");
    let changed = referee_storage::accounts::set_password(&server.db.api, "ADA", &hash).await;
    assert!(changed.expect("set"));
    let by_cookie = request(Method::GET, "/me", "")
        .header(header::COOKIE, cookie)
        .body(Body::empty());
    let by_cookie = server.send(by_cookie.expect("a request")).await;
    assert_eq!(by_cookie.status, StatusCode::UNAUTHORIZED);
    let by_token = server.get("/me", &ada).await;
    assert_eq!(by_token.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.get("/me", &bob).await.status, StatusCode::OK);
}

/// What nobody can have is not worth remembering: else long handles would fill the memory.
#[tokio::test]
async fn impossible_credentials_are_refused_without_a_trace() {
    let server = Server::new().await;
    server.person("ada").await;
    let long = "a".repeat(100_000);
    for (handle, password) in [(long.as_str(), "wrong horse"), ("ada", long.as_str())] {
        for _ in 0..11 {
            let credentials = json!({"handle": handle, "password": password});
            let answer = server.ask(Method::POST, "/session", "", &credentials).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }
    server.sign_in("ada").await;
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
        "http://referee.example.evil.example",
        "http://referee.example:81",
    ] {
        assert_eq!(
            server.send(write(other)).await.status,
            StatusCode::FORBIDDEN,
            "{other}"
        );
    }
    assert_eq!(
        server.send(write("http://referee.example")).await.status,
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
