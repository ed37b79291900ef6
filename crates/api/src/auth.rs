use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use referee_storage::accounts::{self, Role, User};
use referee_storage::audit;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::passwords;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::secrets::secret_hash;
use crate::shares::Shares;

/// The name of the session cookie.
pub const COOKIE: &str = "referee_session";

/// Who sends the request, by bearer token or session cookie; 401 where nobody is signed in, 403 for a disabled account.
#[derive(Clone, Debug)]
pub struct SignedIn(pub User);

impl SignedIn {
    pub fn is_administrator(&self) -> bool {
        self.0.role == Role::Administrator
    }

    /// # Errors
    /// 403 unless an administrator asks.
    pub fn require_administrator(&self) -> Result<(), Problem> {
        if self.is_administrator() {
            return Ok(());
        }
        Err(Problem::forbidden("only an administrator may do this"))
    }

    /// # Errors
    /// 403 unless an organizer or an administrator asks.
    pub fn require_organizer(&self) -> Result<(), Problem> {
        if self.0.role == Role::Competitor {
            return Err(Problem::forbidden(
                "only organizers may do this; ask an administrator for the role",
            ));
        }
        Ok(())
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        MaybeSignedIn::from_request_parts(parts, app)
            .await?
            .required()
    }
}

/// Who sends the request, if it says so. A credential that is not valid is refused, never ignored.
#[derive(Clone, Debug)]
pub struct MaybeSignedIn(pub Option<User>);

impl MaybeSignedIn {
    /// # Errors
    /// 401 where nobody is signed in.
    pub fn required(self) -> Result<SignedIn, Problem> {
        self.0.map(SignedIn).ok_or_else(not_signed_in)
    }
}

impl FromRequestParts<App> for MaybeSignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Credential::of(&parts.headers).user(app).await.map(Self)
    }
}

/// What a request says of who sends it, to be looked up now and again later.
#[derive(Clone, Copy)]
pub enum Credential {
    /// The SHA-256 of a token.
    Token([u8; 32]),
    /// The SHA-256 of a session cookie's secret.
    Session([u8; 32]),
    None,
}

impl Credential {
    pub fn of(headers: &HeaderMap) -> Self {
        if let Some(token) = bearer_token(headers) {
            Self::Token(secret_hash(token))
        } else if let Some(secret) = session_secret(headers) {
            Self::Session(secret_hash(secret))
        } else {
            Self::None
        }
    }

    /// Who that is now; nobody for a session that has ended.
    ///
    /// # Errors
    /// 401 for a token that is not valid, 403 for a disabled account.
    pub async fn user(&self, app: &App) -> Result<Option<User>, Problem> {
        let user = match self {
            Self::Token(hash) => {
                let user = accounts::user_of_token(&app.db, hash).await?;
                Some(user.ok_or_else(|| {
                    Problem::unauthorized(
                        "this token is not known here; get another with `referee login HANDLE`",
                    )
                })?)
            }
            Self::Session(hash) => accounts::user_of_session(&app.db, hash).await?,
            Self::None => None,
        };
        if user.as_ref().is_some_and(|user| user.disabled) {
            return Err(disabled());
        }
        if let Some(user) = &user {
            audit::identify(user.id);
        }
        Ok(user)
    }
}

/// Somebody who goes on listening after the request, for as long as they are who they were.
pub struct Listener {
    credential: Credential,
    user: Option<User>,
}

impl FromRequestParts<App> for Listener {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let credential = Credential::of(&parts.headers);
        let user = credential.user(app).await?;
        Ok(Self { credential, user })
    }
}

impl Listener {
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// # Errors
    /// 401 or 403 where the listener has signed out, was disabled, or has lost rights since; 5xx where nobody knows.
    pub async fn is_still_there(&self, app: &App) -> Result<(), Problem> {
        let Some(before) = &self.user else {
            return Ok(());
        };
        let now = self.credential.user(app).await?;
        let now = now.ok_or_else(not_signed_in)?;
        if now.role < before.role {
            return Err(Problem::forbidden("this account has another role by now"));
        }
        Ok(())
    }
}

/// The answer to whoever has to be signed in.
pub fn not_signed_in() -> Problem {
    Problem::unauthorized("sign in, or send a token: `Authorization: Bearer …`")
}

/// The answer to whoever proved to be the holder of a disabled account.
pub fn disabled() -> Problem {
    Problem::forbidden("this account is disabled; ask an administrator of this server")
}

/// The secret in the session cookie.
pub fn session_secret(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// What is stored of the secret that a request is made with.
pub fn credential_hash(headers: &HeaderMap) -> Option<[u8; 32]> {
    bearer_token(headers)
        .or_else(|| session_secret(headers))
        .map(secret_hash)
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Refuses what another site makes a browser send: a change whose `Origin` is not this server's. A bearer token is
/// never sent by a browser on its own, so it needs no such check.
pub async fn refuse_other_origins(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if !reads && bearer_token(request.headers()).is_none() && !same_origin(&app, request.headers())
    {
        return Err(Problem::forbidden(
            "this request comes from another site; where that is this server's own address, set REFEREE_PUBLIC_URL to it",
        ));
    }
    Ok(next.run(request).await)
}

fn same_origin(app: &App, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if let Some(public_url) = &app.config.public_url {
        return origin.eq_ignore_ascii_case(public_url);
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == host
}

/// The handle that is guessed at, in lower case, and the network that guesses.
type Guesser = (String, Option<IpAddr>);

/// What is kept of somebody's failures.
struct Failures {
    count: u32,
    since: Instant,
    /// Of the stored hash of the password that was guessed at: guesses at another one count anew.
    password: Option<[u8; 32]>,
}

/// Failed sign-ins by handle and network, in this process's memory: guessing is slowed down, and nobody can lock
/// somebody else out from elsewhere.
pub struct FailedSignIns {
    failures: Mutex<HashMap<Guesser, Failures>>,
    /// A guesser's attempts are made one after the other: each has to know how the one before it ended.
    turns: Shares<Guesser>,
}

impl FailedSignIns {
    const ALLOWED: u32 = 10;
    const WINDOW: Duration = Duration::from_mins(15);
    /// How long an attempt waits for those before it.
    const TURN: Duration = Duration::from_secs(10);

    pub fn new() -> Self {
        Self {
            failures: Mutex::default(),
            turns: Shares::of(1),
        }
    }

    /// What `verify` finds, which nobody learns who has failed too often. To find nothing is a failure. Failures at the password
    /// before `password_hash` do not count, so that a new one lifts the lock.
    ///
    /// # Errors
    /// 429 after too many failures, until the window that began with the first of them is over; 503 where too many attempts
    /// are under way.
    pub async fn limit<T>(
        &self,
        handle: &str,
        password_hash: Option<&str>,
        peer: Peer,
        verify: impl Future<Output = Result<Option<T>, Problem>>,
    ) -> Result<Option<T>, Problem> {
        let guesser = (handle.to_ascii_lowercase(), peer.network());
        let turn = self.turns.of_holder(guesser.clone()).acquire_owned();
        let Ok(Ok(_turn)) = timeout(Self::TURN, turn).await else {
            return Err(passwords::busy());
        };
        let password = password_hash.map(secret_hash);
        self.check(&guesser, password)?;
        // Until it is known to be none, for those who do not wait for the answer.
        self.count_failure(&guesser, password);
        let found = verify.await;
        match found {
            Ok(Some(_)) => self.forget(&guesser),
            Ok(None) => {}
            Err(_) => self.take_back(&guesser),
        }
        found
    }

    fn check(&self, guesser: &Guesser, password: Option<[u8; 32]>) -> Result<(), Problem> {
        let mut failures = self.failures();
        let Some(failed) = failures.get(guesser) else {
            return Ok(());
        };
        if failed.password != password {
            failures.remove(guesser);
            return Ok(());
        }
        let left = Self::WINDOW.saturating_sub(failed.since.elapsed());
        if failed.count < Self::ALLOWED || left.is_zero() {
            return Ok(());
        }
        let seconds = left.as_secs() + 1;
        Err(Problem::too_many(
            seconds,
            format!("too many failed attempts to sign in; try again in {seconds} s"),
        ))
    }

    fn count_failure(&self, guesser: &Guesser, password: Option<[u8; 32]>) {
        let mut failures = self.failures();
        // Each has taken a password's hash or is waiting for it, so there are never many.
        failures.retain(|_, failed| failed.since.elapsed() < Self::WINDOW);
        let failed = failures.entry(guesser.clone()).or_insert(Failures {
            count: 0,
            since: Instant::now(),
            password,
        });
        failed.count += 1;
    }

    fn take_back(&self, guesser: &Guesser) {
        if let Some(failed) = self.failures().get_mut(guesser) {
            failed.count = failed.count.saturating_sub(1);
        }
    }

    fn forget(&self, guesser: &Guesser) {
        self.failures().remove(guesser);
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Guesser, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use axum::http::StatusCode;

    use super::*;

    const NOWHERE: Peer = Peer(None);

    async fn fail(failed: &FailedSignIns, handle: &str) -> Result<Option<()>, Problem> {
        failed.limit(handle, None, NOWHERE, ready(Ok(None))).await
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_forgotten_when_their_time_is_up() {
        let failed = FailedSignIns::new();
        for handle in ["ada", "bob", "cyd"] {
            fail(&failed, handle).await.expect("allowed");
        }
        tokio::time::advance(FailedSignIns::WINDOW).await;
        fail(&failed, "dan").await.expect("allowed");
        assert_eq!(failed.failures().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_before_the_answer_has_failed() {
        let failed = FailedSignIns::new();
        for _ in 0..FailedSignIns::ALLOWED {
            let verify = pending::<Result<Option<()>, Problem>>();
            let attempt = failed.limit("ada", None, NOWHERE, verify);
            assert!(timeout(Duration::from_secs(1), attempt).await.is_err());
        }
        let refused = fail(&failed, "ada").await.expect_err("too many");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_password_lifts_the_lock() {
        let failed = FailedSignIns::new();
        let attempt = async |hash| {
            let verify = ready(Ok(None::<()>));
            failed.limit("ada", Some(hash), NOWHERE, verify).await
        };
        for _ in 0..FailedSignIns::ALLOWED {
            attempt("old").await.expect("allowed");
        }
        attempt("old").await.expect_err("too many");
        attempt("new").await.expect("allowed");
    }

    #[tokio::test]
    async fn what_the_server_could_not_verify_is_no_failure() {
        let failed = FailedSignIns::new();
        for _ in 0..2 * FailedSignIns::ALLOWED {
            let verify = ready(Err::<Option<()>, _>(passwords::busy()));
            let answer = failed.limit("ada", None, NOWHERE, verify).await;
            assert_eq!(
                answer.expect_err("busy").status(),
                StatusCode::SERVICE_UNAVAILABLE
            );
        }
    }
}
