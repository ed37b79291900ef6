//! Finding the system's PostgreSQL.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::ClusterError;

/// Where Debian and Ubuntu keep each major version: `/usr/lib/postgresql/15/bin`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// One installed PostgreSQL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    version: u32,
    directory: PathBuf,
}

impl Binaries {
    /// The newest PostgreSQL, for a new cluster.
    pub(super) fn newest() -> Result<Self, ClusterError> {
        newest_of(installed()?)
    }

    /// The PostgreSQL that made `cluster`: only the same major version can run it.
    pub(super) fn of_cluster(cluster: &Path) -> Result<Self, ClusterError> {
        let path = cluster.join("PG_VERSION");
        let text = fs::read_to_string(&path).map_err(ClusterError::file("read", &path))?;
        let version = text.trim().parse().map_err(|_| {
            let unreadable = std::io::Error::other("it does not hold a version number");
            ClusterError::file("use", &path)(unreadable)
        })?;
        installed()?
            .into_iter()
            .find(|found| found.version == version)
            .ok_or_else(|| ClusterError::VersionMissing {
                cluster: cluster.to_owned(),
                version,
            })
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }

    /// The PostgreSQL in `directory`, if its server can be run and `initdb` lies beside it.
    fn in_directory(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let version = output_of(directory.join("postgres"), "--version")?;
        Some(Self {
            version: major_version(&version)?,
            directory: directory.to_owned(),
        })
    }
}

/// Every PostgreSQL of this machine; where `REFEREE_POSTGRES_BIN` is set, that one only.
fn installed() -> Result<Vec<Binaries>, ClusterError> {
    let configured = std::env::var_os("REFEREE_POSTGRES_BIN");
    if let Some(configured) = configured.filter(|configured| !configured.is_empty()) {
        return installed_in(Path::new(&configured));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(search(Path::new(DEBIAN), &path))
}

/// Debian's versions below `debian`, else the first that `pg_config` names or a directory of `path` holds.
fn search(debian: &Path, path: &OsStr) -> Vec<Binaries> {
    let versions = debian_versions(debian);
    if !versions.is_empty() {
        return versions;
    }
    let from_pg_config = std::env::split_paths(path)
        .find_map(|directory| output_of(directory.join("pg_config"), "--bindir"));
    from_pg_config
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(path))
        .find_map(|directory| Binaries::in_directory(&directory))
        .into_iter()
        .collect()
}

fn newest_of(installed: Vec<Binaries>) -> Result<Binaries, ClusterError> {
    installed
        .into_iter()
        .max_by_key(|found| found.version)
        .ok_or(ClusterError::NotInstalled)
}

fn installed_in(configured: &Path) -> Result<Vec<Binaries>, ClusterError> {
    let found = Binaries::in_directory(configured)
        .ok_or_else(|| ClusterError::NotInConfigured(configured.to_owned()))?;
    Ok(vec![found])
}

fn debian_versions(root: &Path) -> Vec<Binaries> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let directory = entry.path().join("bin");
            let complete =
                directory.join("postgres").is_file() && directory.join("initdb").is_file();
            complete.then_some(Binaries { version, directory })
        })
        .collect()
}

/// What `program argument` prints, without the final newline.
fn output_of(program: impl AsRef<OsStr>, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim_end().to_owned())
}

/// 15 from `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, 19 from `… 19devel`.
fn major_version(version: &str) -> Option<u32> {
    let number = version.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{debian_versions, installed_in, major_version, newest_of, search};

    #[test]
    fn reads_the_major_version() {
        // What Debian's, a plain build's and a development build's `postgres --version` print.
        let debian = "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)";
        assert_eq!(major_version(debian), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18.0"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major_version("mysqld 8.0"), None);
    }

    #[test]
    fn counts_complete_debian_versions_only() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17"] {
            let bin = root.path().join(version).join("bin");
            fs::create_dir_all(&bin).unwrap();
            fs::write(bin.join("postgres"), "").unwrap();
            // Package postgresql-client-17 alone leaves no initdb behind.
            if version != "17" {
                fs::write(bin.join("initdb"), "").unwrap();
            }
        }
        fs::create_dir(root.path().join("common")).unwrap();
        let mut versions: Vec<u32> = debian_versions(root.path())
            .iter()
            .map(|found| found.version)
            .collect();
        versions.sort_unstable();
        assert_eq!(versions, [9, 15]);
    }

    #[test]
    fn where_there_is_none_the_sentence_names_the_package() {
        let empty = tempfile::tempdir().unwrap();
        let error = newest_of(search(empty.path(), empty.path().as_os_str())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no PostgreSQL found: install Debian's package `postgresql`, or set REFEREE_POSTGRES_BIN to the \
             directory that holds `postgres` and `initdb`"
        );
    }

    #[test]
    fn a_configured_directory_without_postgres_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let error = installed_in(empty.path()).unwrap_err().to_string();
        assert!(
            error.contains("REFEREE_POSTGRES_BIN")
                && error.contains(empty.path().to_str().unwrap())
        );
    }
}
