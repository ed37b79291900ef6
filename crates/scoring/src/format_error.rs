//! What is wrong with a file, in the shape the API and the command line report it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// At most this many places are reported; reading stops at the last of them.
pub const MAX_ERRORS: usize = 10;

/// Where in a file: a line (1-based, of the decompressed text) or a row of an array (0-based).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    Line(u64),
    Row(u64),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Line(line) => write!(f, "line {line}"),
            At::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// One wrong line or row: `{"line": 7, "detail": "…"}` or `{"row": 6, "detail": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineError {
    #[serde(flatten)]
    pub at: At,
    pub detail: String,
}

/// A file that is rejected: one sentence that says where and what to do, and up to [`MAX_ERRORS`] places.
///
/// It depends on nothing but the file's bytes and public facts, so it may be shown to whoever sent the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct FormatError {
    pub detail: String,
    pub errors: Vec<LineError>,
    #[serde(skip)]
    unreadable: bool,
}

impl FormatError {
    /// The file as a whole is wrong: no line or row can be named.
    pub fn whole(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            errors: Vec::new(),
            unreadable: false,
        }
    }

    /// The input failed while it was being read: nothing is known about the file.
    pub(crate) fn unreadable(error: &std::io::Error) -> Self {
        Self {
            detail: format!("the file could not be read: {error}; try again"),
            errors: Vec::new(),
            unreadable: true,
        }
    }

    /// Whether the input could not be read (a disk, a network), which says nothing about the file: try again, do not reject it.
    pub fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// One place is wrong.
    pub fn at(at: At, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            detail: format!("{at}: {detail}"),
            errors: vec![LineError { at, detail }],
            unreadable: false,
        }
    }
}

/// Collects wrong places until there are [`MAX_ERRORS`] of them.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<LineError>);

impl Findings {
    /// Notes a wrong place.
    ///
    /// # Errors
    /// All that was found, once there is enough of it.
    pub(crate) fn push(&mut self, at: At, detail: impl Into<String>) -> Result<(), FormatError> {
        self.0.push(LineError {
            at,
            detail: detail.into(),
        });
        if self.0.len() == MAX_ERRORS {
            std::mem::take(self).finish()
        } else {
            Ok(())
        }
    }

    /// The error that reports what was found, if anything was.
    pub(crate) fn finish(self) -> Result<(), FormatError> {
        match self.0.first() {
            None => Ok(()),
            Some(first) => Err(FormatError {
                detail: format!("{}: {}", first.at, first.detail),
                errors: self.0,
                unreadable: false,
            }),
        }
    }
}
