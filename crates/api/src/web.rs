//! The built web UI, embedded in the binary (a development build reads it from `web/build` instead).

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

use crate::problem::Problem;
use crate::secrets::hexadecimal;

#[derive(RustEmbed)]
#[folder = "../../web/build"]
#[allow_missing = true]
struct WebBuild;

/// The page that starts the UI at every address.
const PAGE: &str = "200.html";

const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Referee</title>
<h1>Referee</h1>
<p>This server was built without its web pages. Build them with</p>
<pre>cd web &amp;&amp; npm ci &amp;&amp; npm run build</pre>
<p>and then the server again. The API works without them: <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p>
";

/// The answer to a GET outside the API: a file of the web build, or the page for every other address that a browser
/// may be sent to.
pub fn answer(path: &str, headers: &HeaderMap) -> Response {
    let name = path.trim_start_matches('/');
    if name != PAGE
        && let Some(file) = WebBuild::get(name)
    {
        return file_response(name, &file, headers);
    }
    if !wants_html(headers) || name.starts_with("_app/") {
        return Problem::not_found(format!("there is no {path} here")).into_response();
    }
    match WebBuild::get(PAGE) {
        Some(page) => file_response(PAGE, &page, headers),
        None => Html(NOT_BUILT).into_response(),
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|accepted| accepted.to_str().ok());
    accepted.is_none_or(|accepted| accepted.contains("text/html") || accepted.contains("*/*"))
}

fn file_response(name: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hexadecimal(&file.metadata.sha256_hash()[..16]));
    // Kit names these after their content.
    let caching = if name.starts_with("_app/immutable/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == etag.as_str());
    let common = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, caching.to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.metadata.mimetype().to_owned())];
    (common, kind, file.data.clone().into_owned()).into_response()
}

/// What a browser may do with anything that this server answers.
pub async fn add_security_headers(request: Request, next: Next) -> Response {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let page = WebBuild::get(PAGE).map(|page| String::from_utf8_lossy(&page.data).into_owned());
        HeaderValue::try_from(content_security_policy(
            page.as_deref().unwrap_or(NOT_BUILT),
        ))
        .expect("hashes in base64 and fixed words are valid in a header")
    });
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ] {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// The policy under which `page` works: its own files, its own inline scripts by hash, and nothing from elsewhere.
/// Inline styles are allowed, for charts set widths and colours that way.
fn content_security_policy(page: &str) -> String {
    let mut policy = "default-src 'self'; script-src 'self'".to_owned();
    for script in inline_scripts(page) {
        write!(policy, " 'sha256-{}'", base64(&Sha256::digest(script)))
            .expect("writing to a String never fails");
    }
    policy
        + "; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; \
              form-action 'self'; frame-ancestors 'none'"
}

/// The text of every `<script>` without `src`.
fn inline_scripts(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (text, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(text)
    })
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|place| u32::from(group.get(place).copied().unwrap_or(0)));
        let bits = a << 16 | b << 8 | c;
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() {
                digit.into()
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_the_standard_one() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    /// The hash is the example of MDN's page on `script-src`: `var inline = 1;`.
    #[test]
    fn the_policy_allows_the_inline_scripts_of_the_page_and_no_others() {
        let policy = content_security_policy(
            "<script src=\"/a.js\"></script><body><script>var inline = 1;</script></body>",
        );
        assert!(
            policy.contains(
                "script-src 'self' 'sha256-B2yPHKaXnvFWtRChIbabYmUBFZdVfKKXHbWtWidDVF8=';"
            ),
            "{policy}"
        );
        assert!(!content_security_policy(NOT_BUILT).contains("sha256"));
    }
}
