//! Where the databases are, as the environment says it.

use std::env::VarError;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use referee_storage::RolePasswords;

/// The login roles' connection URLs. Only those of the roles that a process plays are there.
#[derive(Clone, Default)]
pub struct Databases {
    pub api: Option<String>,
    pub scorer: Option<String>,
    pub inference: Option<String>,
}

impl Databases {
    /// From `REFEREE_API_DATABASE_URL` and `REFEREE_API_PASSWORD`, and so on for the scorer and inference.
    pub fn from_environment() -> anyhow::Result<Self> {
        Ok(Self {
            api: url("REFEREE_API_DATABASE_URL", "REFEREE_API_PASSWORD")?,
            scorer: url("REFEREE_SCORER_DATABASE_URL", "REFEREE_SCORER_PASSWORD")?,
            inference: url(
                "REFEREE_INFERENCE_DATABASE_URL",
                "REFEREE_INFERENCE_PASSWORD",
            )?,
        })
    }

    /// Whether no role's URL is set, so that a private cluster is wanted.
    pub fn are_unset(&self) -> bool {
        self.api.is_none() && self.scorer.is_none() && self.inference.is_none()
    }
}

/// The passwords that `referee migrate` gives the roles: of `REFEREE_API_PASSWORD` and so on, else those that the roles' URLs
/// hold.
pub fn role_passwords() -> anyhow::Result<RolePasswords> {
    let urls = Databases::from_environment()?;
    let password = |name: &str, url: Option<String>| -> anyhow::Result<Option<String>> {
        Ok(secret(name)?.or_else(|| url.as_deref().and_then(password_in)))
    };
    Ok(RolePasswords {
        api: password("REFEREE_API_PASSWORD", urls.api)?,
        scorer: password("REFEREE_SCORER_PASSWORD", urls.scorer)?,
        inference: password("REFEREE_INFERENCE_PASSWORD", urls.inference)?,
    })
}

/// The URL of a database, with the password that is set apart from it, if one is.
pub fn url(url_name: &str, password_name: &str) -> anyhow::Result<Option<String>> {
    let Some(url) = secret(url_name)? else {
        return Ok(None);
    };
    let Some(password) = secret(password_name)? else {
        return Ok(Some(url));
    };
    match insert_password(&url, &password) {
        Some(url) => Ok(Some(url)),
        None => bail!(
            "{url_name} must read postgres://USER@HOST/DATABASE where {password_name} holds the password"
        ),
    }
}

/// A variable that may hold a secret, or the content of the file that `{name}_FILE` names.
pub fn secret(name: &str) -> anyhow::Result<Option<String>> {
    let direct = variable(name)?;
    let Some(path) = variable(&format!("{name}_FILE"))? else {
        return Ok(direct);
    };
    if direct.is_some() {
        bail!("{name} and {name}_FILE are both set; set one of them");
    }
    let content = std::fs::read_to_string(&path)
        .with_context(|| format!("{path}, which {name}_FILE names, cannot be read"))?;
    let content = content.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(
        !content.is_empty(),
        "{path}, which {name}_FILE names, is empty; write the value into it, or unset {name}_FILE"
    );
    Ok(Some(content.to_owned()))
}

/// The value of a variable; an empty one is as good as none.
pub fn variable(name: &str) -> anyhow::Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => bail!("{name} is not UTF-8; set it anew"),
    }
}

/// `postgres://user@host/db` with the password in its place; none if the URL has no user or has a password already.
fn insert_password(url: &str, password: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, host) = rest.split_once('@')?;
    let plain = !user.is_empty() && !user.contains([':', '/']);
    plain.then(|| format!("{scheme}://{user}:{}@{host}", percent_encoded(password)))
}

/// The password in `postgres://user:password@host/db`.
fn password_in(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (user, _) = rest.split('/').next()?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then(|| percent_decoded(password))
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            bytes.extend_from_slice(&part.as_bytes()[2..]);
        } else {
            bytes.push(b'%');
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_into_its_place_and_comes_out_as_it_was() {
        let url = insert_password("postgres://referee_api@db:5432/referee", "p@ss/w:rd%").unwrap();
        assert_eq!(
            url,
            "postgres://referee_api:p%40ss%2Fw%3Ard%25@db:5432/referee"
        );
        assert_eq!(password_in(&url).as_deref(), Some("p@ss/w:rd%"));
    }

    #[test]
    fn a_url_without_a_user_or_with_a_password_takes_none() {
        assert_eq!(insert_password("postgres://db/referee", "secret"), None);
        assert_eq!(
            insert_password("postgres://referee_api:old@db/referee", "secret"),
            None
        );
        assert_eq!(password_in("postgres://referee_api@db/referee"), None);
        assert_eq!(password_in("postgres://referee_api:@db/referee"), None);
    }
}
