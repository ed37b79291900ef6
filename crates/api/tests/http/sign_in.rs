use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, StatusCode, header};
use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use referee_api::{ApiConfig, ServerKey};
use referee_storage::accounts;
use serde_json::json;

use crate::server::{Server, request};

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
        let once = async || {
            let answer = server.ask(Method::POST, "/session", "", &credentials).await;
            answer.status
        };
        let mut status = once().await;
        // On a busy machine the last of thirty wait for their turn in vain, and are told to come back.
        for _ in 0..6 {
            if status != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            status = once().await;
        }
        status
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
        listens_on_loopback: false,
        trusted_proxies: "172.18.0.0/16".parse().expect("a network"),
        max_upload_slots: 2,
        ..ApiConfig::local(ServerKey([7; 32]))
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

/// To verify a password takes a moment, in which the account may get another.
#[tokio::test]
async fn the_password_before_opens_no_session_when_it_was_verified_in_time() {
    let server = Server::new().await;
    server.person("ada").await;
    let db = &server.db.api;
    let (ada, verified) = accounts::user_with_password_hash(db, "ada")
        .await
        .expect("an answer")
        .expect("an account");
    let hash = referee_api::hash_password("another horse").expect("hashed");
    let changed = accounts::set_password(db, "ada", &hash).await;
    assert!(changed.expect("set"));
    let open = async |hash: &str, secret: &[u8; 32]| {
        let expires_at = Utc::now() + TimeDelta::days(1);
        accounts::open_session(db, ada.id, hash, secret, expires_at)
            .await
            .expect("an answer")
    };
    assert!(!open(&verified, &[1; 32]).await);
    let nobody = accounts::user_of_session(db, &[1; 32]).await;
    assert!(nobody.expect("an answer").is_none());
    assert!(open(&hash, &[2; 32]).await);
}

/// Nor does what is under way when an account gets another password leave a token behind.
#[tokio::test]
async fn a_session_that_has_ended_makes_no_token() {
    let server = Server::new().await;
    server.person("ada").await;
    let db = &server.db.api;
    let (ada, before) = accounts::user_with_password_hash(db, "ada")
        .await
        .expect("an answer")
        .expect("an account");
    let (session, expires_at) = ([1; 32], Utc::now() + TimeDelta::days(1));
    let opened = accounts::open_session(db, ada.id, &before, &session, expires_at).await;
    assert!(opened.expect("an answer"));
    let make = async |secret: &[u8; 32]| {
        accounts::create_token(db, ada.id, &session, "script", secret)
            .await
            .expect("an answer")
            .is_some()
    };
    assert!(make(&[2; 32]).await);
    let hash = referee_api::hash_password("another horse").expect("hashed");
    let changed = accounts::set_password(db, "ada", &hash).await;
    assert!(changed.expect("set"));
    assert!(!make(&[3; 32]).await);
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
