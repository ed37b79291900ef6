use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// In bytes; a longer one is not even looked at.
pub const LONGEST_PASSWORD: usize = 1024;

/// What the password of a handle that nobody has is checked against, so that the answer takes as long as for a handle
/// that somebody has: a random salt and a random output of no known password, with the parameters of every other hash.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$n1FnFaFeSwyyD2ndCsu0sQ$G77IhoQdc4MSR0Zzk/rc+9S7GpjHd7yaNxQoe00bH6s";

/// Hashes this many passwords at a time: each takes a core for some 40 ms and 19 MiB.
const AT_A_TIME: usize = 2;

/// argon2id (OWASP's parameters, the crate's default) off the async threads, a few at a time.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
}

impl Passwords {
    pub fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.off_thread(move || hash_password(&password))
            .await?
            .map_err(|error| Problem::internal(&error))
    }

    /// Whether `password` is the one that `stored` (a PHC string) was made from. Without a stored hash the answer is
    /// no, after the same time.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Problem> {
        self.off_thread(move || {
            let known = stored.is_some();
            let hash = stored.unwrap_or_else(|| NOBODYS_HASH.to_owned());
            let matches = PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            });
            known && matches
        })
        .await
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let waited = tokio::time::timeout(
            Duration::from_secs(10),
            Arc::clone(&self.permits).acquire_owned(),
        )
        .await;
        let Ok(Ok(permit)) = waited else {
            return Err(busy());
        };
        tokio::task::spawn_blocking(move || {
            let _held_until_done = permit;
            work()
        })
        .await
        .map_err(|error| Problem::internal(&error))
    }
}

/// The answer to whom the server has no time for now.
pub fn busy() -> Problem {
    Problem::unavailable(
        10,
        "too many people are signing in right now; try again in a few seconds",
    )
}

/// The argon2id PHC string of a password, with a random salt. Takes some 40 ms of a core and 19 MiB.
pub fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default()
        .hash_password(password.as_bytes())?
        .to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OWASP's password storage cheat sheet: argon2id with 19 MiB, 2 iterations, 1 lane.
    #[test]
    fn every_hash_costs_what_owasp_asks_for() {
        let stored = hash_password("correct horse").expect("hashing works");
        for hash in [stored.as_str(), NOBODYS_HASH] {
            assert!(
                hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
                "{hash}"
            );
            let parsed = PasswordHash::new(hash).expect("a PHC string");
            assert_eq!(parsed.hash.expect("has an output").len(), 32);
        }
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new();
        let stored = passwords
            .hash("correct horse".to_owned())
            .await
            .expect("hashing works");
        assert!(
            passwords
                .verify("correct horse".to_owned(), Some(stored.clone()))
                .await
                .expect("answers")
        );
        assert!(
            !passwords
                .verify("Correct horse".to_owned(), Some(stored))
                .await
                .expect("answers")
        );
        assert!(
            !passwords
                .verify("correct horse".to_owned(), None)
                .await
                .expect("answers")
        );
    }
}
