use crate::peer::TrustedProxies;

/// What an operator decides about the API.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// The address that browsers use, without a trailing slash (`REFEREE_PUBLIC_URL`); unknown behind `None`, where the
    /// Host header stands in.
    pub public_url: Option<String>,
    /// Whether only this machine can reach the server: then the first account becomes its administrator.
    pub listens_on_loopback: bool,
    pub server_key: ServerKey,
    pub trusted_proxies: TrustedProxies,
    /// Uploads that may be received at the same time; the next one is answered 503.
    pub max_upload_slots: usize,
}

impl ApiConfig {
    /// Whether browsers reach this server over TLS, so that its cookies may be marked `Secure`.
    pub fn is_https(&self) -> bool {
        self.public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }
}

/// The secret under which label files are fingerprinted. It must stay the same for the life of an installation.
#[derive(Clone)]
pub struct ServerKey(pub [u8; 32]);

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ServerKey(***)")
    }
}
