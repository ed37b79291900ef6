//! A file's bytes in memory, read from disk as they are touched.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::error::{About as _, ImageError};

/// Maps a whole file for reading.
pub(super) fn map(file: &File, path: &Path) -> Result<Mmap, ImageError> {
    #[expect(
        unsafe_code,
        reason = "a mapped file is bytes that others could change"
    )]
    // SAFETY: test sets and prepared images are written once, under another name, and never changed: uploads are new objects, and the
    // cache renames finished files into place. An organizer who overwrites a file during `referee predict` gets wrong pixels, or
    // a bus error if the file is cut short.
    let mapped = unsafe { Mmap::map(file) };
    mapped.about(path, "mapped into memory")
}
