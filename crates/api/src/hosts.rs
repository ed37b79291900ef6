//! The names that a server on loopback answers to. A page from elsewhere whose name suddenly resolves to 127.0.0.1 (DNS rebinding) would
//! otherwise be this server's own page to the browser.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::problem::Problem;

/// What proxies add to a request.
const OF_PROXIES: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Refuses requests to a name that is not this server's, where it listens on loopback only.
pub async fn refuse_other_hosts(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if OF_PROXIES
        .iter()
        .any(|name| request.headers().contains_key(*name))
    {
        app.note_proxy();
    }
    if app.config.listens_on_loopback && !is_own(&app, request.headers()) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server listens on its own machine only and is not known under that name; open it at http://localhost, or, where a proxy passes requests on, set REFEREE_PUBLIC_URL to the address that browsers use",
        ));
    }
    Ok(next.run(request).await)
}

fn is_own(app: &App, headers: &HeaderMap) -> bool {
    // HTTP/1.0, and tests without a socket, name none; browsers do.
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let public = app.config.public_url.as_deref();
    let public = public.and_then(|url| url.split_once("://")?.1.split('/').next());
    is_loopback(host) || public.is_some_and(|public| name(public).eq_ignore_ascii_case(name(host)))
}

fn is_loopback(host: &str) -> bool {
    let name = name(host);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_every_spelling() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.8.9.1",
            "[::1]:8080",
            "[::1]",
            "demo.localhost:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "example.org",
            "127.0.0.1.example.org:80",
            "localhost.example.org",
            "10.0.0.1:8080",
            "",
            "[2001:db8::1]:80",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
