use crate::peer::TrustedProxies;

/// What an operator decides about the API.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// The address that browsers use, without a trailing slash (`REFEREE_PUBLIC_URL`); unknown behind `None`, where the
    /// Host header stands in.
    pub public_url: Option<String>,
    /// Whether only this machine can reach the server: then the first account becomes its administrator, unless people come through
    /// a proxy.
    pub listens_on_loopback: bool,
    pub server_key: ServerKey,
    pub trusted_proxies: TrustedProxies,
    /// Uploads that may be received at the same time; the next one is answered 503.
    pub max_upload_slots: usize,
    pub registration: Registration,
    /// Accounts that may be opened in an hour from one address (of IPv6: one /64), invitations not counted.
    pub sign_ups_per_hour: u32,
}

/// Who may open an account (`REFEREE_REGISTRATION`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    #[default]
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Nobody: `referee admin add` opens accounts.
    Closed,
}

impl std::str::FromStr for Registration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "open" => Ok(Self::Open),
            "invitation" => Ok(Self::Invitation),
            "closed" => Ok(Self::Closed),
            _ => Err(format!(
                "`{text}` says not who may open an account: open, invitation or closed"
            )),
        }
    }
}

impl ApiConfig {
    /// A class sits behind one address.
    pub const SIGN_UPS_PER_HOUR: u32 = 30;

    /// Of a server that only its own machine reaches.
    pub fn local(server_key: ServerKey) -> Self {
        Self {
            public_url: None,
            listens_on_loopback: true,
            server_key,
            trusted_proxies: TrustedProxies::default(),
            max_upload_slots: 64,
            registration: Registration::default(),
            sign_ups_per_hour: Self::SIGN_UPS_PER_HOUR,
        }
    }

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
