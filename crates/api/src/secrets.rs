//! Random secrets and what is stored of them.

use sha2::{Digest, Sha256};

/// A new secret of 256 random bits, in hexadecimal after `prefix`.
///
/// # Errors
/// The system has no random bytes.
pub fn new_secret(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(prefix.to_owned() + &hexadecimal(&bytes))
}

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What is stored of a secret. Without salt or stretching: it is as random as the hash itself.
pub fn secret_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
