use bytes::Bytes;

use crate::checkpoint::error::{CheckpointError, Result};
use crate::checkpoint::object::Object;

/// The bytes of a pickle, read from the front. What is taken shares the file's memory.
#[derive(Debug, Clone)]
pub(in crate::checkpoint) struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    pub(in crate::checkpoint) fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    /// An error at this place.
    pub(in crate::checkpoint) fn wrong(&self, detail: impl Into<String>) -> CheckpointError {
        CheckpointError::Pickle {
            at: self.at,
            detail: detail.into(),
        }
    }

    pub(in crate::checkpoint) fn take(&mut self, length: usize) -> Result<Bytes> {
        let end = self.at.checked_add(length);
        let Some(end) = end.filter(|end| *end <= self.bytes.len()) else {
            return Err(self.wrong(format!(
                "{length} bytes expected, {} are left: the file was cut off",
                self.bytes.len() - self.at
            )));
        };
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    pub(super) fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let taken = self.take(LENGTH)?;
        Ok(taken.as_ref().try_into().expect("as long as asked for"))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(in crate::checkpoint) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn length32(&mut self) -> Result<usize> {
        let length = self.u32()?;
        usize::try_from(length).map_err(|_| self.wrong(format!("{length} bytes of text")))
    }

    pub(super) fn length64(&mut self) -> Result<usize> {
        let length = self.u64()?;
        usize::try_from(length).map_err(|_| self.wrong(format!("{length} bytes of text")))
    }

    pub(super) fn text(&mut self, length: usize) -> Result<Object> {
        let text = self.take(length)?;
        Ok(Object::Text(String::from_utf8_lossy(&text).into_owned()))
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Object> {
        self.take(length)?;
        Ok(Object::opaque("bytes"))
    }

    /// Up to the next line feed, which is taken too.
    pub(super) fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.wrong("a line without an end: the file was cut off"));
        };
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Ok(line)
    }

    pub(super) fn decimal_line(&mut self) -> Result<u32> {
        let line = self.line()?;
        line.parse()
            .map_err(|_| self.wrong("a decimal number expected"))
    }
}
