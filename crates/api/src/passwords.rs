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

/// In characters. Length is what makes a password strong (NIST SP 800-63B: no rules of composition).
const SHORTEST_PASSWORD: usize = 10;

/// Checks this many passwords at a time: each takes a core for some 40 ms and 19 MiB.
const CHECKED_AT_A_TIME: usize = 2;
/// New passwords have a queue of their own, so that those who open accounts hold up nobody who signs in.
const HASHED_AT_A_TIME: usize = 1;

/// argon2id (OWASP's parameters, the crate's default) off the async threads, a few at a time.
#[derive(Clone)]
pub struct Passwords {
    checking: Arc<Semaphore>,
    hashing: Arc<Semaphore>,
}

impl Passwords {
    pub fn new() -> Self {
        Self {
            checking: Arc::new(Semaphore::new(CHECKED_AT_A_TIME)),
            hashing: Arc::new(Semaphore::new(HASHED_AT_A_TIME)),
        }
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        off_thread(&self.hashing, move || hash_password(&password))
            .await?
            .map_err(|error| Problem::internal(&error))
    }

    /// Whether `password` is the one that `stored` (a PHC string) was made from. Without a stored hash the answer is
    /// no, after the same time.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Problem> {
        off_thread(&self.checking, move || {
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
}

async fn off_thread<T: Send + 'static>(
    queue: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let turn = Arc::clone(queue).acquire_owned();
    let Ok(Ok(permit)) = tokio::time::timeout(Duration::from_secs(10), turn).await else {
        return Err(busy());
    };
    tokio::task::spawn_blocking(move || {
        let _held_until_done = permit;
        work()
    })
    .await
    .map_err(|error| Problem::internal(&error))
}

/// Why nobody may choose this password, if there is a reason: it is short, or among those that are guessed first. `known` are
/// words that a guesser of this account would try: its handle, its mail address.
pub fn weakness(password: &str, known: &[&str]) -> Option<String> {
    if password.chars().count() < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD {
        return Some(format!(
            "a password has at least {SHORTEST_PASSWORD} characters and at most {LONGEST_PASSWORD} bytes"
        ));
    }
    // Beyond, the estimate takes long, and only grows.
    let start: String = password.chars().take(100).collect();
    let guesses = zxcvbn::zxcvbn(&start, known);
    (guesses.score() < zxcvbn::Score::Two).then(|| {
        let remark = guesses
            .feedback()
            .and_then(zxcvbn::feedback::Feedback::warning)
            .map(|warning| format!(" ({})", warning.to_string().trim_end_matches('.')))
            .unwrap_or_default();
        format!("this password is among the first that are guessed{remark}; choose another, for example three words that do not belong together")
    })
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

    #[test]
    fn what_is_guessed_first_is_refused() {
        for (password, fault) in [
            ("12345678", "at least 10"),
            ("password123", "guessed"),
            ("1234567890", "guessed"),
            ("qwertyuiop", "guessed"),
            ("ada-lovelace", "guessed"),
        ] {
            let weakness = weakness(password, &["ada-lovelace"]).expect(password);
            assert!(weakness.contains(fault), "{password}: {weakness}");
        }
        for password in ["correct horse", "Tr0ub4dour&3x", "only for this test"] {
            assert_eq!(weakness(password, &["ada"]), None, "{password}");
        }
        let begun = std::time::Instant::now();
        weakness(&"aB3$".repeat(256), &[]);
        assert!(begun.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn who_opens_accounts_holds_up_nobody_who_signs_in() {
        let passwords = Passwords::new();
        let _opening = Arc::clone(&passwords.hashing).acquire_owned().await;
        let signed_in = passwords.verify("correct horse".to_owned(), None).await;
        assert!(!signed_in.expect("answered"));
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
