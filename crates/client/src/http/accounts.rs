use reqwest::Method;
use reqwest::header::{HeaderValue, SET_COOKIE};
use uuid::Uuid;

use super::{ANSWER_TIMEOUT, Client, ClientError, Credential};
use crate::documents::{CreatedToken, Me, NewSession, NewToken, NewUser, User, UserPatch};

impl Client {
    /// Opens an account.
    pub async fn register(&self, user: &NewUser) -> Result<User, ClientError> {
        self.send_json(Method::POST, &["users"], user).await
    }

    /// Changes an account; for administrators.
    pub async fn update_user(&self, handle: &str, patch: &UserPatch) -> Result<User, ClientError> {
        self.send_json(Method::PATCH, &["users", handle], patch)
            .await
    }

    /// Signs in with a password and returns a client with that session.
    pub async fn sign_in(&self, session: &NewSession) -> Result<Self, ClientError> {
        let request = self
            .request(Method::POST, &["session"])
            .json(session)
            .timeout(ANSWER_TIMEOUT);
        let response = self.send(request).await?;
        let cookie = response
            .headers()
            .get(SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie
            .and_then(|cookie| cookie.split(';').next())
            .unwrap_or_default();
        let mut cookie = HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""));
        if cookie.is_empty() {
            return Err(ClientError::Incomplete {
                server: self.server().to_owned(),
                missing: "a session cookie",
            });
        }
        cookie.set_sensitive(true);
        Ok(Self {
            credential: Credential::Session(cookie),
            ..self.clone()
        })
    }

    /// Ends the session.
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        self.act(Method::DELETE, &["session"]).await
    }

    /// Signs in, creates a token and signs out: a client with that token, and the token.
    pub async fn sign_in_with_token(
        &self,
        session: &NewSession,
        token_name: &str,
    ) -> Result<(Self, CreatedToken), ClientError> {
        let signed_in = self.sign_in(session).await?;
        let created = signed_in.create_token(token_name).await?;
        signed_in.sign_out().await?;
        Ok((self.with_token(&created.token)?, created))
    }

    /// The account behind the credential.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.get(&["me"]).await
    }

    pub async fn create_token(&self, name: &str) -> Result<CreatedToken, ClientError> {
        self.send_json(
            Method::POST,
            &["me", "tokens"],
            &NewToken {
                name: name.to_owned(),
            },
        )
        .await
    }

    pub async fn delete_token(&self, id: Uuid) -> Result<(), ClientError> {
        self.act(Method::DELETE, &["me", "tokens", &id.to_string()])
            .await
    }
}
