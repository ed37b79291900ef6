//! The bytes of an upload, decompressed, in blocks of bounded size.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::GzDecoder;

use crate::format_error::{At, FormatError};
use crate::npy;

/// A longer line is no prediction and no label: it is reported instead of being buffered.
pub(crate) const MAX_LINE: usize = 16 * 1024;

/// Large enough to amortise a read, small enough to stay in the second-level cache.
const BUFFER: usize = 256 * 1024;

/// As many bytes tell the formats apart.
const HEAD: usize = 1024;

/// zstd frames may ask for a window of up to 2^23 bytes, 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// # Errors
/// Where `line`, without its end, is several lines that end in CR alone.
pub(crate) fn refuse_lone_cr(at: At, line: &[u8]) -> Result<(), FormatError> {
    match memchr::memchr(b'\r', line) {
        None => Ok(()),
        Some(_) => Err(FormatError::at(
            at,
            "a CR with no LF after it; end the lines with LF: tr '\\r' '\\n' <OLD >NEW",
        )),
    }
}

/// A reader that hands out blocks of whole lines or whole rows, after undoing one layer of gzip or zstd.
pub(crate) struct Stream<'a> {
    reader: Box<dyn Read + 'a>,
    /// Set when the input itself, not what it contains, could not be read.
    unreadable: Rc<Cell<bool>>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<'a> Stream<'a> {
    /// Looks at the first bytes of `input` and, if they say so, decompresses it. Two layers of compression are refused.
    pub(crate) fn open(input: impl Read + 'a) -> Result<Self, FormatError> {
        let unreadable = Rc::new(Cell::new(false));
        let input = Watched {
            input,
            failed: Rc::clone(&unreadable),
        };
        let mut stream = Self::new(Box::new(input), unreadable);
        stream.peek(HEAD)?;
        let Some(compression) = Compression::recognise(stream.head()) else {
            return Ok(stream);
        };
        let unreadable = Rc::clone(&stream.unreadable);
        let compressed = io::Cursor::new(stream.head().to_vec()).chain(stream.reader);
        let mut stream = Self::new(compression.decoder(compressed)?, unreadable);
        stream.peek(HEAD)?;
        match Compression::recognise(stream.head()) {
            None => Ok(stream),
            Some(_) => Err(FormatError::whole(
                "the file is compressed twice; decompress it once (one layer of gzip or zstd is accepted)",
            )),
        }
    }

    fn new(reader: Box<dyn Read + 'a>, unreadable: Rc<Cell<bool>>) -> Self {
        Self {
            reader,
            unreadable,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            ended: false,
        }
    }

    /// The first bytes not yet handed out; after [`Stream::open`], at least a kilobyte unless the file is shorter.
    pub(crate) fn head(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The next block of whole lines, each but the file's last ending in a newline; none at the end of the file.
    ///
    /// A line longer than [`MAX_LINE`] may be cut: whoever splits the block must refuse it.
    pub(crate) fn lines(&mut self) -> Result<Option<&[u8]>, FormatError> {
        let mut searched = self.start;
        loop {
            if let Some(newline) = memchr::memrchr(b'\n', &self.buffer[searched..self.end]) {
                return Ok(Some(self.hand_out(searched + newline + 1 - self.start)));
            }
            if self.ended || self.end - self.start > MAX_LINE {
                let rest = self.end - self.start;
                return Ok((rest > 0).then(|| self.hand_out(rest)));
            }
            let waiting = self.end - self.start;
            self.more()?;
            searched = self.start + waiting;
        }
    }

    /// The next block of whole rows of `row_bytes` each; none when less than a row is left (which [`Stream::head`] then shows).
    pub(crate) fn rows(&mut self, row_bytes: usize) -> Result<Option<&[u8]>, FormatError> {
        if self.buffer.len() < row_bytes {
            self.buffer.resize(row_bytes, 0);
        }
        while self.end - self.start < row_bytes && !self.ended {
            self.more()?;
        }
        let whole = (self.end - self.start) / row_bytes * row_bytes;
        Ok((whole > 0).then(|| self.hand_out(whole)))
    }

    fn hand_out(&mut self, count: usize) -> &[u8] {
        let block = &self.buffer[self.start..self.start + count];
        self.start += count;
        block
    }

    /// Takes the header of an `.npy` file.
    pub(crate) fn npy_header(&mut self) -> Result<npy::Header, FormatError> {
        self.peek(npy::MAX_HEADER)?;
        let header = npy::Header::parse(self.head())
            .map_err(|error| FormatError::whole(error.to_string()))?;
        self.start += header.data_offset;
        Ok(header)
    }

    fn peek(&mut self, count: usize) -> Result<(), FormatError> {
        while self.end - self.start < count && !self.ended {
            self.more()?;
        }
        Ok(())
    }

    /// Moves what is left to the front of the buffer and fills the rest of it with one successful read.
    fn more(&mut self) -> Result<(), FormatError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.unreadable.get() => return Err(FormatError::unreadable(&error)),
                Err(error) => return Err(broken_compression(&error)),
            }
            return Ok(());
        }
    }
}

/// Notes whether a failure came from the input or from the decompressor above it.
struct Watched<R> {
    input: R,
    failed: Rc<Cell<bool>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed.set(true);
            }
        })
    }
}

#[derive(Clone, Copy)]
enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn recognise(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    fn decoder<'a>(self, compressed: impl Read + 'a) -> Result<Box<dyn Read + 'a>, FormatError> {
        match self {
            Self::Gzip => Ok(Box::new(Members {
                decoder: Some(GzDecoder::new(BufReader::new(compressed))),
            })),
            Self::Zstd => {
                let mut decoder =
                    zstd::Decoder::new(compressed).map_err(|error| broken_compression(&error))?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG)
                    .map_err(|error| broken_compression(&error))?;
                Ok(Box::new(decoder))
            }
        }
    }
}

/// All members of a gzip file, one after the other, and nothing else.
struct Members<R> {
    /// None at the end of the last.
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut decoder) = self.decoder.take() {
            let read = decoder.read(buffer);
            if !matches!(read, Ok(0)) {
                self.decoder = Some(decoder);
                return read;
            }
            let mut rest = decoder.into_inner();
            match rest.fill_buf()? {
                [] => {}
                [0x1f, ..] => self.decoder = Some(GzDecoder::new(rest)),
                _ => return Err(io::Error::other(BytesAfterGzip)),
            }
        }
        Ok(0)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "there are other bytes after the end of the gzip data; send what gzip wrote and nothing else"
)]
struct BytesAfterGzip;

fn broken_compression(error: &io::Error) -> FormatError {
    if let Some(sentence) = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<BytesAfterGzip>())
    {
        return FormatError::whole(sentence.to_string());
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return FormatError::whole(
            "the compressed data ends early: the file is incomplete; compress it again and send all of it",
        );
    }
    if error.to_string().contains("too much memory") {
        return FormatError::whole(
            "the zstd window is larger than 8 MiB: compress without --long and --ultra",
        );
    }
    FormatError::whole(format!(
        "the compressed data is damaged ({error}); compress the file again, or send it uncompressed"
    ))
}
