//! Which server a command talks to, and as whom.

use anyhow::Context as _;
use referee_client::Client;

use crate::credentials::Credentials;

/// Where a server started without arguments listens.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// Address of the server [default: the one of `referee login`, else http://127.0.0.1:8080]
    #[arg(
        long,
        value_name = "URL",
        env = "REFEREE_SERVER",
        hide_env_values = true
    )]
    server: Option<String>,
}

impl Connection {
    /// The server's address: the flag or REFEREE_SERVER, else the one that was logged in to, else the local default.
    pub fn server(&self) -> anyhow::Result<String> {
        match &self.server {
            Some(server) => Ok(server.clone()),
            None => Ok(Credentials::load()?
                .map_or_else(|| DEFAULT_SERVER.to_owned(), |stored| stored.server)),
        }
    }

    /// REFEREE_TOKEN, else the stored token if it belongs to that server: it is never shown to another.
    pub fn token(&self) -> anyhow::Result<Option<String>> {
        if let Ok(token) = std::env::var("REFEREE_TOKEN")
            && !token.is_empty()
        {
            return Ok(Some(token));
        }
        let server = self.server()?;
        let stored = Credentials::load()?;
        Ok(stored
            .filter(|stored| stored.server.trim_end_matches('/') == server.trim_end_matches('/'))
            .map(|stored| stored.token))
    }

    /// A client without a credential.
    pub fn anonymous(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.server()?, None)?)
    }

    /// A client with the credential that there is, if there is one.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.server()?, self.token()?.as_deref())?)
    }

    /// A client with a credential.
    pub fn signed_in(&self) -> anyhow::Result<Client> {
        let server = self.server()?;
        let token = self.token()?.with_context(|| {
            format!("you are not signed in at {server}; run `referee login HANDLE` or `referee register HANDLE`, or set REFEREE_TOKEN")
        })?;
        Ok(Client::new(&server, Some(&token))?)
    }
}
