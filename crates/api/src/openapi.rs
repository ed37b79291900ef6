use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::auth;

/// The frame of the document; the routes add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Referee",
        description = "A scoring referee for the common task framework: hosts challenges with hidden test labels, scores \
                       predictions and models against them, and publishes leaderboards.\n\n\
                       Times are RFC 3339 in UTC, ids are UUIDv7, errors are `application/problem+json` (RFC 9457). \
                       Error rates are fractions between 0 and 1.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "challenges", description = "One test set, one protocol, one board"),
        (name = "submissions", description = "Predictions and models, from the upload to the score"),
        (name = "leaderboard", description = "The board of a challenge, as a document and as a stream"),
        (name = "accounts", description = "People, sessions and API tokens"),
        (name = "server", description = "Health, metrics and this description")
    ),
    modifiers(&Credentials)
)]
pub struct Frame;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API token, as `POST /me/tokens` returns it"))
            .build();
        let session =
            ApiKeyValue::with_description(auth::COOKIE, "The cookie that `POST /session` sets");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

/// The description of every route, as `GET /api/v1/openapi.json` serves it.
pub fn document() -> Document {
    crate::router::described_routes().into_openapi()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// The web client is generated from the committed copy.
    #[test]
    fn the_committed_openapi_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/openapi.json");
        let current = super::document().to_pretty_json().expect("serialises") + "\n";
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &current).expect("web/openapi.json is writable");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == current,
            "web/openapi.json is stale; renew it with `UPDATE_OPENAPI=1 cargo test -p referee-api openapi` and commit it"
        );
    }
}
