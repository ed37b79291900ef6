//! Where the unix socket lies: in the data directory, or, where that path would be too long for a
//! socket's address, in a directory of its own whose path is recorded in `socket-path`.

use std::{
    fs::{self, Metadata},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    ClusterError,
    account::{Account, private_directory},
};

/// `sun_path` of Linux holds 108 bytes, the last of them zero (unix(7)).
const LONGEST_ADDRESS: usize = 107;

/// Make the socket's directory ready for PostgreSQL.
pub(super) fn prepare(data_dir: &Path, account: &Account) -> Result<PathBuf, ClusterError> {
    let usual = data_dir.join("socket");
    if fits(&usual) {
        let directory = private_directory(usual, account)?;
        clear(&directory)?;
        return Ok(directory);
    }
    if let Ok(directory) = recorded(data_dir)
        && fs::symlink_metadata(&directory).is_ok_and(|found| is_private(&found, account))
    {
        clear(&directory)?;
        return Ok(directory);
    }
    // Not the environment's TMPDIR, which may be long too, or closed to PostgreSQL's account.
    let directory = Path::new("/tmp").join(format!("referee-{}", Uuid::new_v4().simple()));
    record(data_dir, &directory)?;
    private_directory(directory, account)
}

/// The socket's directory in `data_dir`, as last prepared.
pub(super) fn recorded(data_dir: &Path) -> Result<PathBuf, ClusterError> {
    let usual = data_dir.join("socket");
    if fits(&usual) {
        return Ok(usual);
    }
    let path = data_dir.join("socket-path");
    fs::read_to_string(&path)
        .map(|text| PathBuf::from(text.trim_end()))
        .map_err(ClusterError::file("read", path))
}

fn record(data_dir: &Path, directory: &Path) -> Result<(), ClusterError> {
    let path = data_dir.join("socket-path");
    fs::write(&path, format!("{}\n", directory.display()))
        .map_err(ClusterError::file("write", path))
}

/// Whether PostgreSQL can listen in `directory`.
fn fits(directory: &Path) -> bool {
    directory.join(".s.PGSQL.5432").as_os_str().as_bytes().len() <= LONGEST_ADDRESS
}

/// A recorded directory may since have been removed, and the name taken by somebody else.
fn is_private(found: &Metadata, account: &Account) -> bool {
    found.is_dir() && found.uid() == account.uid() && found.mode() & 0o777 == 0o700
}

/// Remove the socket of a server that was killed, and the pid file beside it, which PostgreSQL
/// would believe if its number were in use again.
fn clear(directory: &Path) -> Result<(), ClusterError> {
    let entries = fs::read_dir(directory).map_err(ClusterError::file("read", directory))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        fs::remove_file(&path).map_err(ClusterError::file("remove", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::fits;

    #[test]
    fn a_socket_address_has_at_most_107_bytes() {
        // 107 = 93 + "/.s.PGSQL.5432", 14 bytes.
        assert!(fits(&PathBuf::from(format!("/{}", "d".repeat(92)))));
        assert!(!fits(&PathBuf::from(format!("/{}", "d".repeat(93)))));
    }
}
