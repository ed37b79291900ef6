//! Files as memory.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;

/// The bytes of the file at `path`, mapped: read when they are first looked at, shared by all slices of them.
///
/// # Errors
/// If it cannot be opened, or is not a plain file.
pub fn open(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let kind = file.metadata()?;
    if !kind.is_file() {
        return Err(io::Error::other("not a plain file"));
    }
    if kind.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the mapping is private and read-only. The object store never changes a file in place; a competitor's tool that
    // rewrote a model while it is read would garble this run alone.
    #[expect(unsafe_code)]
    let mapping = unsafe { memmap2::MmapOptions::new().map_copy_read_only(&file) }?;
    Ok(Bytes::from_owner(mapping))
}
