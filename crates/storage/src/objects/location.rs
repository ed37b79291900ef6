//! Opening a store by path or URL.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::local::LocalFileSystem;

use super::{ObjectError, ObjectStore};

impl ObjectStore {
    /// The directory `path`. What is stored is synced to disk.
    ///
    /// # Errors
    /// [`ObjectError::Missing`] where there is none: a disk that is not mounted must not be hidden by a new directory.
    pub fn local(path: &Path) -> Result<Self, ObjectError> {
        let directory = path.canonicalize().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ObjectError::Missing {
                path: path.to_owned(),
            },
            _ => ObjectError::File {
                action: "open",
                path: path.to_owned(),
                source,
            },
        })?;
        let store = LocalFileSystem::new_with_prefix(&directory)
            .map_err(|error| unusable(&path.display().to_string(), error))?
            // Its default loses files that it reported as stored when the power fails.
            .with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            directory: Some(directory),
            guard: None,
        })
    }

    /// The store at `location`: a path, `file:///path`, or, where this build has the cargo
    /// feature, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, with the
    /// credentials in the provider's usual environment variables.
    pub fn from_url(location: &str) -> Result<Self, ObjectError> {
        if let Some(directory) = directory(location)? {
            return Self::local(&directory);
        }
        let scheme = location.split("://").next().unwrap_or_default();
        let missing_feature = match scheme {
            "s3" if !cfg!(feature = "s3") => Some("s3"),
            "gs" if !cfg!(feature = "gcs") => Some("gcs"),
            "az" if !cfg!(feature = "azure") => Some("azure"),
            _ => None,
        };
        if let Some(feature) = missing_feature {
            let reason = format!(
                "this build cannot speak to {scheme}://; build it with `cargo build --release --package referee-cli --features {feature}`"
            );
            return Err(unusable(location, reason));
        }
        match scheme {
            #[cfg(feature = "s3")]
            "s3" => cloud(location, "aws_"),
            #[cfg(feature = "gcs")]
            "gs" => cloud(location, "google_"),
            #[cfg(feature = "azure")]
            "az" => cloud(location, "azure_"),
            _ => Err(unusable(
                location,
                "expected a directory, file:///path, s3://bucket, gs://bucket or az://container",
            )),
        }
    }

    /// As [`Self::from_url`], but a directory that is not there is made.
    pub fn create(location: &str) -> Result<Self, ObjectError> {
        if let Some(path) = directory(location)? {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| ObjectError::File {
                action: "create",
                path,
                source,
            })?;
        }
        Self::from_url(location)
    }
}

/// The directory that `location` names; none if it is a store elsewhere.
fn directory(location: &str) -> Result<Option<PathBuf>, ObjectError> {
    match location.split_once("://") {
        None => Ok(Some(location.into())),
        Some(("file", path)) if path.starts_with('/') => {
            let decoded = object_store::path::Path::from_url_path(path)
                .map_err(|error| unusable(location, error))?;
            Ok(Some(Path::new("/").join(decoded.as_ref())))
        }
        Some(("file", _)) => Err(unusable(location, "write it as file:///absolute/path")),
        Some(_) => Ok(None),
    }
}

fn unusable(url: &str, reason: impl std::fmt::Display) -> ObjectError {
    ObjectError::Location {
        url: url.to_owned(),
        reason: format!("{reason}"),
    }
}

/// A store of a cloud provider, configured by the environment variables that begin with
/// `variables`.
#[cfg(feature = "cloud")]
fn cloud(location: &str, variables: &str) -> Result<ObjectStore, ObjectError> {
    // The build has one TLS implementation; whoever comes first makes it the default.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = reqwest::Url::parse(location).map_err(|error| unusable(location, error))?;
    let configuration = std::env::vars()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| name.starts_with(variables));
    let (store, prefix) = object_store::parse_url_opts(&url, configuration)
        .map_err(|error| unusable(location, error))?;
    Ok(ObjectStore {
        store: Arc::new(object_store::prefix::PrefixStore::new(store, prefix)),
        directory: None,
        guard: None,
    })
}
