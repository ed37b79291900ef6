use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
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
        let body = response.bytes().await.unwrap_or_default();
        let problem = serde_json::from_slice(&body).unwrap_or_else(|_| unexplained(server, status));
        Self::Refused {
            problem: Box::new(problem),
            retry_after,
        }
    }
}

/// Something between here and the server answered in its place.
fn unexplained(server: &str, status: StatusCode) -> Problem {
    Problem {
        r#type: "about:blank".into(),
        title: status.canonical_reason().unwrap_or_default().into(),
        status: status.as_u16(),
        detail: format!("{server} answered {status} without saying why; is that a Referee server?"),
        errors: Vec::new(),
    }
}
