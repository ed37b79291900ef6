use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER, SERVER};
use reqwest::{Response, StatusCode};

use crate::documents::Problem;

/// Why a request brought no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{0}` is not the address of a server; write it like http://127.0.0.1:8080")]
    Address(String),
    #[error("the token holds characters that no token has; get a new one with `referee login`")]
    Token,
    #[error("no encrypted connection can be set up: {0}; install the system's CA certificates")]
    Setup(Box<dyn Error + Send + Sync>),
    #[error(
        "cannot reach {server}: {cause}; check that the server runs and that REFEREE_SERVER names it"
    )]
    Unreachable { server: String, cause: String },
    #[error("the connection to {server} broke: {cause}; try again")]
    Broken { server: String, cause: String },
    #[error("{server} sends its visitors to {location}; use that address as REFEREE_SERVER")]
    Redirected { server: String, location: String },
    /// The server's own sentence.
    #[error("{}", .problem.detail)]
    Refused {
        problem: Box<Problem>,
        /// When the server asks to be tried again.
        retry_after: Option<Duration>,
    },
    #[error(
        "{server} sent an answer that this version does not understand: {source}; use the server's version of referee"
    )]
    Answer {
        server: String,
        source: serde_json::Error,
    },
    #[error(
        "{server} did not send what it should have: {missing}; use the server's version of referee"
    )]
    Incomplete {
        server: String,
        missing: &'static str,
    },
    #[error("{}: {source}", .path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} arrived damaged: its SHA-256 is not the one the server states; download it again", .path.display())]
    Damaged { path: PathBuf },
}

impl ClientError {
    /// The HTTP status, if the server answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { problem, .. } => Some(problem.status),
            _ => None,
        }
    }

    /// The server's problem document, if it sent one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    pub(super) fn lost(server: &str, source: &reqwest::Error) -> Self {
        let server = server.to_owned();
        let is_connect = source.is_connect();
        // The outer errors only say that a request failed; the innermost says why.
        let mut innermost: &dyn Error = source;
        while let Some(inner) = innermost.source() {
            innermost = inner;
        }
        let cause = if source.is_timeout() {
            "it did not answer in time".to_owned()
        } else {
            innermost.to_string()
        };
        if is_connect {
            Self::Unreachable { server, cause }
        } else {
            Self::Broken { server, cause }
        }
    }

    pub(super) async fn from_refusal(server: &str, response: Response) -> Self {
        let status = response.status();
        if status.is_redirection() {
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            return Self::Redirected {
                server: server.to_owned(),
                location: location.unwrap_or("another address").to_owned(),
            };
        }
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let software = response.headers().get(SERVER);
        let software = software
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let software = software.to_owned();
        let body = response.bytes().await.unwrap_or_default();
        let problem = serde_json::from_slice(&body)
            .unwrap_or_else(|_| unexplained(server, status, &software));
        Self::Refused {
            problem: Box::new(problem),
            retry_after,
        }
    }
}

/// Something between here and the server answered in its place. `software` is what it calls itself, if it does.
fn unexplained(server: &str, status: StatusCode, software: &str) -> Problem {
    let proxy = match software.split('/').next() {
        Some("nginx") => "nginx, the proxy in front of",
        Some("Caddy") => "Caddy, the proxy in front of",
        _ => "a proxy in front of",
    };
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!(
            "{proxy} {server} refused the file as too large, not Referee; who runs it sets `client_max_body_size 0;` in nginx's server block, or leaves `request_body {{ max_size … }}` out in Caddy"
        ),
        StatusCode::BAD_GATEWAY => format!(
            "{proxy} {server} cannot reach Referee behind it; who runs it looks whether `referee serve` runs where `proxy_pass http://127.0.0.1:8080;` (nginx) or `reverse_proxy 127.0.0.1:8080` (Caddy) says"
        ),
        StatusCode::GATEWAY_TIMEOUT => format!(
            "{proxy} {server} did not wait for Referee's answer; who runs it sets `proxy_read_timeout 1h;` and `proxy_send_timeout 1h;` in nginx, or leaves `response_header_timeout` out of Caddy's `transport http`"
        ),
        _ => format!("{server} answered {status} without saying why; is that a Referee server?"),
    };
    Problem {
        r#type: "about:blank".into(),
        title: status.canonical_reason().unwrap_or_default().into(),
        status: status.as_u16(),
        detail,
        errors: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_answers_is_named_as_the_proxys() {
        for (status, software, begins, holds) in [
            (
                413,
                "nginx/1.22.1",
                "nginx, the proxy in front of S refused the file as too large, not Referee",
                "`client_max_body_size 0;`",
            ),
            (
                502,
                "Caddy",
                "Caddy, the proxy in front of S cannot reach Referee",
                "`reverse_proxy 127.0.0.1:8080`",
            ),
            (
                504,
                "",
                "a proxy in front of S did not wait",
                "`proxy_read_timeout 1h;`",
            ),
            (
                404,
                "nginx",
                "S answered 404 Not Found without saying why",
                "is that a Referee server?",
            ),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let detail = unexplained("S", status, software).detail;
            assert!(
                detail.starts_with(begins) && detail.contains(holds),
                "{detail}"
            );
        }
    }
}
