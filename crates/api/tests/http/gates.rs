//! Who gets in, and who stays: registration, names of the server, open streams.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, StatusCode, header};
use futures::StreamExt;
use referee_api::{ApiConfig, Registration, ServerKey, new_secret, secret_hash};
use referee_storage::accounts::{self, Role};
use referee_storage::registration::{NewInvitation, invite};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::server::{Answer, Server, request};

async fn with(adjust: impl FnOnce(&mut ApiConfig)) -> Server {
    let mut config = ApiConfig::local(ServerKey([7; 32]));
    adjust(&mut config);
    Server::with(config).await
}

async fn sign_up(server: &Server, new: Value) -> Answer {
    server.ask(Method::POST, "/users", "", &new).await
}

fn person(handle: &str) -> Value {
    json!({"handle": handle, "password": "correct horse"})
}

async fn invitation(server: &Server, role: Role, uses: i32) -> String {
    let secret = new_secret("").expect("random bytes");
    let new = NewInvitation {
        secret_hash: secret_hash(&secret),
        role,
        uses,
        expires_at: None,
    };
    invite(&server.db.api, &new).await.expect("made");
    secret
}

fn invited(handle: &str, secret: &str) -> Value {
    let mut new = person(handle);
    new["invitation"] = json!(secret);
    new
}

#[tokio::test]
async fn an_invitation_opens_as_many_accounts_as_it_says() {
    let server = with(|config| config.registration = Registration::Invitation).await;
    let refused = sign_up(&server, person("ada")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.detail().contains("needs an invitation"));
    let secret = invitation(&server, Role::Organizer, 2).await;
    for handle in ["ada", "bob"] {
        let opened = sign_up(&server, invited(handle, &secret)).await;
        assert_eq!(opened.status, StatusCode::CREATED);
        assert_eq!(opened.json()["role"], "organizer");
    }
    let used_up = sign_up(&server, invited("eve", &secret)).await;
    assert_eq!(used_up.status, StatusCode::FORBIDDEN);
    // A handle that is taken uses nothing.
    let secret = invitation(&server, Role::Competitor, 1).await;
    let taken = sign_up(&server, invited("ada", &secret)).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    let opened = sign_up(&server, invited("eve", &secret)).await;
    assert_eq!(opened.status, StatusCode::CREATED);
}

#[tokio::test]
async fn nobody_signs_up_where_registration_is_closed() {
    let server = with(|config| config.registration = Registration::Closed).await;
    let refused = sign_up(&server, person("ada")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let session = server.get("/session", "").await.json();
    assert_eq!(session["registration"], "closed");
}

#[tokio::test]
async fn behind_a_proxy_the_first_account_is_anybodys() {
    for header in ["x-forwarded-for", "via", "forwarded"] {
        let server = with(|_| {}).await;
        let seen = request(Method::GET, "/challenges", "")
            .header(header, "192.0.2.1")
            .body(Body::empty());
        server.send(seen.expect("a request")).await;
        let opened = sign_up(&server, person("mallory")).await;
        assert_eq!(opened.json()["role"], "competitor", "{header}");
    }
    let public = with(|config| config.public_url = Some("http://localhost:8080".to_owned())).await;
    let opened = sign_up(&public, person("mallory")).await;
    assert_eq!(opened.json()["role"], "competitor");
    let setup = invitation(&public, Role::Administrator, 1).await;
    let opened = sign_up(&public, invited("ada", &setup)).await;
    assert_eq!(opened.json()["role"], "administrator");
    let again = invitation(&public, Role::Administrator, 1).await;
    let opened = sign_up(&public, invited("bob", &again)).await;
    assert_eq!(opened.json()["role"], "administrator", "who may invite may");
}

#[tokio::test]
async fn an_address_opens_few_accounts_and_a_mailbox_one() {
    let server = with(|config| config.sign_ups_per_hour = 3).await;
    let from = async |address: [u8; 4], new: Value| {
        let mut request = request(Method::POST, "/users", "")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(new.to_string()))
            .expect("a request");
        let peer = ConnectInfo(SocketAddr::from((address, 1)));
        request.extensions_mut().insert(peer);
        server.send(request).await
    };
    let class = [192, 0, 2, 1];
    for handle in ["aa", "bb", "cc"] {
        assert_eq!(
            from(class, person(handle)).await.status,
            StatusCode::CREATED
        );
        if handle == "cc" {
            continue;
        }
        // What is refused does not count.
        assert_eq!(
            from(class, person(handle)).await.status,
            StatusCode::CONFLICT
        );
        if handle == "bb" {
            assert_eq!(
                from(class, json!({"handle": "dd", "password": "password123"}))
                    .await
                    .status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
    }
    let refused = from(class, person("dd")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    let secret = invitation(&server, Role::Competitor, 1).await;
    assert_eq!(
        from(class, invited("dd", &secret)).await.status,
        StatusCode::CREATED
    );
    let elsewhere = [127, 0, 0, 1];
    for (handle, email, status) in [
        ("ee", "Ada@example.org", StatusCode::CREATED),
        ("ff", "ada+2@Example.org", StatusCode::CONFLICT),
        ("ff", "bob@example.org", StatusCode::CREATED),
    ] {
        let new = json!({"handle": handle, "password": "correct horse", "email": email});
        assert_eq!(from(elsewhere, new).await.status, status, "{email}");
    }
}

/// DNS rebinding: a page of evil.example whose name now means 127.0.0.1.
#[tokio::test]
async fn a_server_on_loopback_is_known_by_its_own_names_only() {
    let local = with(|_| {}).await;
    let public =
        with(|config| config.public_url = Some("https://referee.example".to_owned())).await;
    let open = with(|config| config.listens_on_loopback = false).await;
    for (server, host, status) in [
        (&local, "evil.example:8080", StatusCode::MISDIRECTED_REQUEST),
        (&local, "referee.example", StatusCode::MISDIRECTED_REQUEST),
        (&local, "[::1]:8080", StatusCode::OK),
        (&public, "referee.example", StatusCode::OK),
        (&public, "evil.example", StatusCode::MISDIRECTED_REQUEST),
        (&open, "evil.example", StatusCode::OK),
    ] {
        let asked = axum::http::Request::get("/api/v1/challenges")
            .header(header::HOST, host)
            .body(Body::empty());
        let answer = server.send(asked.expect("a request")).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test]
async fn an_open_stream_ends_with_the_rights_of_its_listener() {
    let server = with(|_| {}).await;
    let admin = server.person("admin").await;
    server.draft(&admin).await;
    for what in ["sign out", "disable", "demote"] {
        let handle = what.replace(' ', "-");
        server.person(&handle).await;
        let changed =
            accounts::change_user(&server.db.api, &handle, Some(Role::Administrator), None);
        changed.await.expect("changed");
        let cookie = server.sign_in(&handle).await;
        let open = request(Method::GET, "/challenges/tiny/events", "")
            .header(header::COOKIE, &cookie)
            .body(Body::empty())
            .expect("a request");
        let response = server.router.clone().oneshot(open).await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        let mut events = response.into_body().into_data_stream();
        events.next().await.expect("the state").expect("readable");
        match what {
            "sign out" => {
                let out = request(Method::DELETE, "/session", "")
                    .header(header::COOKIE, &cookie)
                    .body(Body::empty());
                server.send(out.expect("a request")).await;
            }
            "disable" => {
                let changed = accounts::change_user(&server.db.api, &handle, None, Some(true));
                changed.await.expect("changed");
            }
            _ => {
                let role = Some(Role::Competitor);
                let changed = accounts::change_user(&server.db.api, &handle, role, None);
                changed.await.expect("changed");
            }
        }
        let rest = async { while events.next().await.is_some() {} };
        tokio::time::timeout(std::time::Duration::from_mins(1), rest)
            .await
            .unwrap_or_else(|_| panic!("the stream goes on after: {what}"));
    }
}
