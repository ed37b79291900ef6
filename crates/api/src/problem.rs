use std::io::ErrorKind;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use referee_client::documents;
use referee_scoring::format_error::{At, FormatError, LineError};
use referee_storage::StorageError;
use referee_storage::objects::ObjectError;

use crate::outage::database_away;

/// An error as it leaves the server: `application/problem+json` (RFC 9457).
///
/// `detail` is a sentence with the fact and, where there is one, the remedy.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<documents::ProblemLine>,
    retry_after: Option<u64>,
}

impl Problem {
    /// At most this many entries of `errors[]` are reported.
    pub const MAX_ERRORS: usize = 10;

    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429; `retry_after` in seconds.
    pub fn too_many(retry_after: u64, detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
        }
    }

    /// 503; `retry_after` in seconds.
    pub fn unavailable(retry_after: u64, detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        }
    }

    /// 500, after what really happened went to the log.
    pub fn internal(cause: &(impl std::fmt::Display + ?Sized)) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server could not do this; its log says why",
        )
    }

    /// The same problem with the places in the file where it was found, the first [`Self::MAX_ERRORS`] of them.
    #[must_use]
    pub fn with_errors(mut self, errors: impl IntoIterator<Item = documents::ProblemLine>) -> Self {
        self.errors = errors.into_iter().take(Self::MAX_ERRORS).collect();
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = documents::Problem {
            r#type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            errors: self.errors,
        };
        let mut response = (self.status, axum::Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        if error.is_unstorable_text() {
            return Self::unprocessable(
                "a text holds a character that cannot be stored, such as NUL; leave it out",
            );
        }
        if error.is_disk_full() {
            tracing::error!(%error, "the database's disk is full");
            return storage_full();
        }
        if error.is_unavailable() {
            tracing::error!(%error, "the database did not answer");
            return database_away();
        }
        Self::internal(&error)
    }
}

impl From<ObjectError> for Problem {
    fn from(error: ObjectError) -> Self {
        match error.io_kind() {
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                tracing::error!(%error, "the object store is full");
                storage_full()
            }
            Some(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) => {
                tracing::error!(%error, "the object store cannot be written to");
                Self::unavailable(
                    60,
                    "the storage of this server cannot be written to; try again later, and tell its people",
                )
            }
            _ => {
                tracing::error!(%error, "the object store did not do what it was asked for");
                Self::unavailable(
                    30,
                    "the storage of this server does not answer as it should; try again in a minute",
                )
            }
        }
    }
}

/// 507: nothing is wrong with what was sent.
fn storage_full() -> Problem {
    Problem {
        retry_after: Some(300),
        ..Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "the storage of this server is full; nothing was kept, so try again later, and tell its people",
        )
    }
}

impl From<FormatError> for Problem {
    fn from(error: FormatError) -> Self {
        if error.is_unreadable() {
            return Self::internal(&error);
        }
        let line = |found: LineError| documents::ProblemLine {
            line: if let At::Line(line) = found.at {
                Some(line)
            } else {
                None
            },
            row: if let At::Row(row) = found.at {
                Some(row)
            } else {
                None
            },
            detail: found.detail,
        };
        Self::unprocessable(error.detail).with_errors(error.errors.into_iter().map(line))
    }
}

#[cfg(test)]
mod tests {
    use referee_storage::accounts::create_token;
    use referee_storage::testing::TestDatabase;
    use uuid::Uuid;

    use super::*;

    /// Whatever let it through.
    #[tokio::test]
    async fn text_that_the_database_does_not_take_is_the_senders_fault() {
        let database = TestDatabase::new().await;
        let stored = create_token(&database.api, Uuid::nil(), &[0; 32], "a\0b", &[0; 32]).await;
        let problem = Problem::from(stored.expect_err("refused"));
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
