//! The random secrets in `DIR/secrets`: one password per database role, and the server's key.
//!
//! Each is 32 bytes from the system's generator, written as 64 hexadecimal digits in a file that
//! only its owner can read. A file appears complete or not at all.

use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::ClusterError;

/// The passwords of the cluster's four login roles.
#[derive(Clone)]
pub(super) struct Passwords {
    pub(super) owner: String,
    pub(super) api: String,
    pub(super) scorer: String,
    pub(super) inference: String,
}

impl Passwords {
    /// For a new cluster: those of an interrupted first start are used again.
    pub(super) fn create(data_dir: &Path) -> Result<Self, ClusterError> {
        Self::from_each(|role| read_or_create(data_dir, role))
    }

    /// Of an existing cluster, which would not accept others.
    pub(super) fn read(data_dir: &Path) -> Result<Self, ClusterError> {
        Self::from_each(|role| {
            let path = path_of(data_dir, role);
            match fs::read_to_string(&path) {
                Ok(text) => checked(&text, &path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(ClusterError::SecretMissing(path))
                }
                Err(error) => Err(ClusterError::file("read", path)(error)),
            }
        })
    }

    fn from_each(
        secret: impl Fn(&str) -> Result<String, ClusterError>,
    ) -> Result<Self, ClusterError> {
        Ok(Self {
            owner: secret("owner")?,
            api: secret("api")?,
            scorer: secret("scorer")?,
            inference: secret("inference")?,
        })
    }
}

/// The key with which this server signs and digests, made at its first use.
pub fn server_key(data_dir: &Path) -> Result<[u8; 32], ClusterError> {
    let digits = read_or_create(data_dir, "server-key")?;
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
    }
    Ok(key)
}

/// The value of a digit that [`checked`] let through.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'0',
    }
}

fn path_of(data_dir: &Path, name: &str) -> PathBuf {
    data_dir.join("secrets").join(name)
}

fn read_or_create(data_dir: &Path, name: &str) -> Result<String, ClusterError> {
    let path = path_of(data_dir, name);
    match fs::read_to_string(&path) {
        Ok(text) => return checked(&text, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(ClusterError::file("read", path)(error)),
    }
    create(&path).map_err(ClusterError::file("create", &path))?;
    let text = fs::read_to_string(&path).map_err(ClusterError::file("read", &path))?;
    checked(&text, &path)
}

/// Write a new secret under another name and link it into place, so that the loser of a race
/// reads the winner's.
fn create(path: &Path) -> io::Result<()> {
    let directory = path
        .parent()
        .expect("a secret's path ends in `secrets/NAME`");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let unfinished = directory.join(format!("new-{}", Uuid::new_v4()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(random_digits()?.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(directory)?.sync_all(),
    }
}

fn random_digits() -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
            hex
        }))
}

fn checked(text: &str, path: &Path) -> Result<String, ClusterError> {
    let digits = text.trim_end();
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() == 64 && digits.bytes().all(is_digit) {
        Ok(digits.to_owned())
    } else {
        Err(ClusterError::SecretDamaged(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::{Passwords, server_key};

    #[test]
    fn secrets_stay_the_same_and_private() {
        let data = tempfile::tempdir().unwrap();
        let first = Passwords::create(data.path()).unwrap();
        let again = Passwords::read(data.path()).unwrap();
        assert_eq!(first.owner, again.owner);
        assert_ne!(first.owner, first.api);
        assert_eq!(
            server_key(data.path()).unwrap(),
            server_key(data.path()).unwrap()
        );
        let names: Vec<_> = fs::read_dir(data.path().join("secrets"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .collect();
        assert_eq!(names.len(), 5, "nothing unfinished is left: {names:?}");
        for entry in names {
            assert_eq!(
                entry.metadata().unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn the_key_is_what_the_digits_say() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("secrets")).unwrap();
        let digits = "00ff10a5".repeat(8);
        fs::write(data.path().join("secrets/server-key"), digits + "\n").unwrap();
        assert_eq!(
            server_key(data.path()).unwrap()[..4],
            [0x00, 0xff, 0x10, 0xa5]
        );
    }

    #[test]
    fn a_lost_or_damaged_secret_is_named() {
        let data = tempfile::tempdir().unwrap();
        Passwords::create(data.path()).unwrap();
        let scorer = data.path().join("secrets/scorer");
        fs::write(&scorer, "hunter2").unwrap();
        let damaged = Passwords::read(data.path()).err().unwrap().to_string();
        assert!(damaged.contains("secrets/scorer") && damaged.contains("restore"));
        assert!(!damaged.contains("hunter2"));
        fs::remove_file(&scorer).unwrap();
        let missing = Passwords::read(data.path()).err().unwrap().to_string();
        assert!(missing.contains("secrets/scorer is missing"));
    }
}
