//! The server and the token that `referee login` keeps in the user's configuration directory.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// What `$XDG_CONFIG_HOME/referee/config.toml` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub server: String,
    pub token: String,
}

impl Credentials {
    /// What was stored, if anything was.
    pub fn load() -> anyhow::Result<Option<Self>> {
        Self::load_from(&path()?)
    }

    fn load_from(path: &Path) -> anyhow::Result<Option<Self>> {
        match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
            Ok(text) => match toml::from_str(&text) {
                Ok(credentials) => Ok(Some(credentials)),
                Err(_) => anyhow::bail!(
                    "{} is damaged; delete it and run `referee login` again",
                    path.display()
                ),
            },
        }
    }

    /// Stores, readable by this user only. Returns where.
    pub fn store(&self) -> anyhow::Result<PathBuf> {
        let path = path()?;
        self.store_at(&path)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    fn store_at(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let complete = path.with_extension("new");
        let _ = fs::remove_file(&complete);
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&complete)?;
        file.write_all(toml::to_string(self)?.as_bytes())?;
        fs::rename(&complete, path)?;
        Ok(())
    }
}

fn path() -> anyhow::Result<PathBuf> {
    let directory = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let configuration =
        directory("XDG_CONFIG_HOME").or_else(|| directory("HOME").map(|home| home.join(".config")));
    let configuration = configuration
        .context("neither XDG_CONFIG_HOME nor HOME is set, so there is no place for the token")?;
    Ok(configuration.join("referee/config.toml"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_is_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("referee/config.toml");
        assert_eq!(Credentials::load_from(&path).unwrap(), None);
        for token in ["first", "second"] {
            let credentials = Credentials {
                server: "http://127.0.0.1:8080".into(),
                token: token.into(),
            };
            credentials.store_at(&path).unwrap();
            assert_eq!(Credentials::load_from(&path).unwrap(), Some(credentials));
        }
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
