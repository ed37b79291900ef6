//! A typed client: a method per endpoint, streaming uploads and downloads, and submissions that survive a lost connection.

mod accounts;
mod challenges;
mod download;
mod error;
mod events;
mod retry;
mod submissions;
mod upload;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::documents::Page;

pub use challenges::Asset;
pub use download::sha256_of;
pub use error::ClientError;
pub use submissions::NewSubmission;
pub use upload::{Upload, Watch};

/// How long an answer to a request without a file may take.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection to one server with one person's credential. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    credential: Credential,
}

#[derive(Clone)]
enum Credential {
    None,
    Token(HeaderValue),
    Session(HeaderValue),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token(***)",
            Self::Session(_) => "Session(***)",
        })
    }
}

impl Client {
    /// `server` is an address such as `http://127.0.0.1:8080`; `token` is what `referee token` shows.
    ///
    /// # Errors
    /// [`ClientError::Address`] and [`ClientError::Token`] if either cannot be used at all. Nothing is sent yet.
    pub fn new(server: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let address = || ClientError::Address(server.to_owned());
        let url = Url::parse(server.trim_end_matches('/')).map_err(|_| address())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(address());
        }
        let host = url.host_str().ok_or_else(address)?;
        let is_loopback = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.is_loopback());

        // A second installation of the provider in this process is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("referee/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .tcp_keepalive(Duration::from_secs(30))
            .redirect(Policy::none());
        if is_loopback {
            builder = builder.no_proxy();
        }
        if url.scheme() == "http" {
            // Certificates are read from the system where they are needed only: a bare container has none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder
            .build()
            .map_err(|source| ClientError::Setup(source.into()))?;
        let client = Self {
            http,
            server: url,
            credential: Credential::None,
        };
        match token {
            Some(token) => client.with_token(token),
            None => Ok(client),
        }
    }

    /// The same server with another credential.
    pub fn with_token(&self, token: &str) -> Result<Self, ClientError> {
        let mut header =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
        header.set_sensitive(true);
        Ok(Self {
            credential: Credential::Token(header),
            ..self.clone()
        })
    }

    /// The address as it was given, without a trailing slash.
    pub fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Whether the server can take requests (`/readyz`).
    pub async fn is_ready(&self) -> bool {
        let request = self
            .http
            .get(format!("{}/readyz", self.server()))
            .timeout(Duration::from_secs(5));
        request
            .send()
            .await
            .is_ok_and(|response| response.status().is_success())
    }

    /// A request to `path` below `/api/v1`, whose parts are escaped by [`Client::url`].
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.credential {
            Credential::None => request,
            Credential::Token(token) => request.header(AUTHORIZATION, token),
            Credential::Session(cookie) => request.header(COOKIE, cookie),
        }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    /// Sends, and turns every answer but a success (or 304) into its problem.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|source| self.lost(&source))?;
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        Err(ClientError::from_refusal(self.server(), response).await)
    }

    fn lost(&self, source: &reqwest::Error) -> ClientError {
        ClientError::lost(self.server(), source)
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let bytes = response
            .bytes()
            .await
            .map_err(|source| self.lost(&source))?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Answer {
            server: self.server().to_owned(),
            source,
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ClientError> {
        let response = self
            .send(self.request(Method::GET, path).timeout(ANSWER_TIMEOUT))
            .await?;
        self.read(response).await
    }

    async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        let response = self
            .send(
                self.request(method, path)
                    .json(body)
                    .timeout(ANSWER_TIMEOUT),
            )
            .await?;
        self.read(response).await
    }

    /// For requests whose answer has no body that matters.
    async fn act(&self, method: Method, path: &[&str]) -> Result<(), ClientError> {
        self.send(self.request(method, path).timeout(ANSWER_TIMEOUT))
            .await
            .map(drop)
    }

    /// Every item of a list, in as many requests as that takes.
    async fn get_all<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Vec<T>, ClientError> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let request = self
                .request(Method::GET, path)
                .query(&[("limit", "200")])
                .timeout(ANSWER_TIMEOUT);
            let request = match &after {
                Some(after) => request.query(&[("after", after)]),
                None => request,
            };
            let response = self.send(request).await?;
            let page: Page<T> = self.read(response).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(items),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_and_kept_below_the_servers_own() {
        let client = Client::new("https://example.org/benchmarks/", None).unwrap();
        assert_eq!(client.server(), "https://example.org/benchmarks");
        let url = client.url(&["challenges", "a b/../c", "images"]);
        assert_eq!(
            url.as_str(),
            "https://example.org/benchmarks/api/v1/challenges/a%20b%2F..%2Fc/images"
        );
    }

    #[test]
    fn an_address_without_a_scheme_is_refused_with_an_example() {
        let error = Client::new("example.org:8080", None).unwrap_err();
        assert!(
            error.to_string().contains("http://127.0.0.1:8080"),
            "{error}"
        );
    }

    #[test]
    fn credentials_are_not_printed() {
        let client = Client::new("http://127.0.0.1:1", Some("secret")).unwrap();
        assert!(!format!("{client:?}").contains("secret"));
    }
}
