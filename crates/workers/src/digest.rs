//! Whether what the object store gives back is what was stored, by the SHA-256 in the database.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// A reader that knows at its end whether it has read what was stored.
pub(crate) struct Checked<R> {
    inner: R,
    digest: Sha256,
    expected: Option<Vec<u8>>,
}

impl<R: Read> Checked<R> {
    /// `expected`: none where it is not known, so that everything passes.
    pub fn new(inner: R, expected: Option<Vec<u8>>) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            expected,
        }
    }

    /// Reads what is left.
    ///
    /// # Errors
    /// Where the whole is not what was stored, or cannot be read.
    pub fn finish(mut self) -> io::Result<()> {
        let mut piece = vec![0; 256 << 10];
        while self.expected.is_some() && self.read(&mut piece)? > 0 {}
        match self.expected {
            Some(expected) if self.digest.finalize()[..] != expected[..] => Err(altered()),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.digest.update(&buffer[..n]);
        Ok(n)
    }
}

pub(crate) fn altered() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "what the object store gives back is not what was stored: its SHA-256 is another; restore the object from a backup",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1: of "abc".
    const ABC: [u8; 32] = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
        0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
        0x15, 0xad,
    ];

    #[test]
    fn the_end_is_checked_even_where_nobody_read_that_far() {
        let checked = |content: &'static str| Checked::new(content.as_bytes(), Some(ABC.to_vec()));
        checked("abc").finish().expect("what was stored");
        let mut begun = checked("abc");
        begun.read_exact(&mut [0]).expect("one byte");
        begun.finish().expect("what was stored");
        for altered in ["", "ab", "abd", "abcabc"] {
            let error = checked(altered).finish().expect_err(altered);
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        Checked::new(io::empty(), None).finish().expect("unknown");
    }
}
