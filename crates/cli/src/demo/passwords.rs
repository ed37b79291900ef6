//! The passwords of the demo's accounts, generated once and kept beside its data, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use referee_client::Client;
use referee_client::documents::{NewSession, NewUser};
use uuid::Uuid;

/// A file for each account, named after its handle, with its password in it.
pub struct Passwords {
    directory: PathBuf,
}

impl Passwords {
    pub fn in_directory(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(Self { directory })
    }

    /// Where the password of `handle` is.
    pub fn file(&self, handle: &str) -> PathBuf {
        self.directory.join(handle)
    }

    /// A client signed in as `handle`, whose account is opened when there is none yet.
    pub async fn enter(&self, server: &Client, handle: &str) -> Result<Client> {
        let path = self.file(handle);
        let session = NewSession {
            handle: handle.to_owned(),
            password: kept_or_generated(&path).with_context(|| {
                format!("cannot keep the password of {handle} in {}", path.display())
            })?,
        };
        match server.sign_in(&session).await {
            Err(error) if error.status() == Some(401) => {}
            answer => return Ok(answer?),
        }
        let user = NewUser {
            handle: session.handle.clone(),
            password: session.password.clone(),
            email: None,
            invitation: None,
        };
        server.register(&user).await.with_context(|| {
            format!(
                "cannot open the account {handle}; if it exists, its password is not the one in {}",
                path.display()
            )
        })?;
        Ok(server.sign_in(&session).await?)
    }
}

/// The password in `path`, which is written first when it does not exist.
fn kept_or_generated(path: &Path) -> std::io::Result<String> {
    if path.exists() {
        return Ok(fs::read_to_string(path)?.trim_end().to_owned());
    }
    let password = Uuid::new_v4().simple().to_string();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{password}")?;
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_password_is_generated_once_and_readable_by_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mlp");
        let password = kept_or_generated(&path).unwrap();
        assert_eq!(password.len(), 32);
        assert_eq!(kept_or_generated(&path).unwrap(), password);
        assert_ne!(
            kept_or_generated(&directory.path().join("other")).unwrap(),
            password
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
