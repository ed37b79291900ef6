use std::io;
use std::path::{Path, PathBuf};

/// Why test images cannot be used. These sentences are for whoever has the images: some name one.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("{} cannot be {action}: {source}", path.display())]
    File {
        path: PathBuf,
        action: &'static str,
        source: io::Error,
    },
    /// The file is no test set.
    #[error("{} cannot be used: {detail}", path.display())]
    NoTestSet { path: PathBuf, detail: String },
    /// One picture of a tar.
    #[error("image {ordinal} (`{name}`) {detail}")]
    Picture {
        ordinal: usize,
        name: String,
        detail: String,
    },
    /// Images and recipe do not fit each other.
    #[error("{0}")]
    Recipe(String),
    /// The prepared images are larger than all that may be kept.
    #[error(
        "the prepared images take {} MB, more than the {} MB that the image cache may hold: raise its limit",
        megabytes(*needed),
        megabytes(*limit)
    )]
    LargerThanCache { needed: u64, limit: u64 },
    /// Everything in the cache is being read or built; trying again later helps.
    #[error(
        "the image cache is full: {} MB are in use, {} MB more are needed, and its limit is {} MB",
        megabytes(*in_use),
        megabytes(*needed),
        megabytes(*limit)
    )]
    CacheInUse {
        in_use: u64,
        needed: u64,
        limit: u64,
    },
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

impl ImageError {
    /// Whether it was this directory's disk that failed.
    pub fn is_of_file_below(&self, directory: &Path) -> bool {
        matches!(self, Self::File { path, .. } if path.starts_with(directory))
    }

    pub(super) fn no_test_set(path: &Path, detail: impl Into<String>) -> Self {
        Self::NoTestSet {
            path: path.to_owned(),
            detail: detail.into(),
        }
    }
}

/// Says of an input/output error which file it is about.
pub(super) trait About<T> {
    fn about(self, path: &Path, action: &'static str) -> Result<T, ImageError>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, path: &Path, action: &'static str) -> Result<T, ImageError> {
        self.map_err(|source| ImageError::File {
            path: path.to_owned(),
            action,
            source,
        })
    }
}
