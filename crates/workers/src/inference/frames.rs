//! What a worker and the process that runs a model say to each other, over that process's standard input and output.
//!
//! A frame is its kind (one byte), its length (four, little-endian) and that many bytes. What comes from the process is a
//! stranger's: it is bounded before it is read, and checked before it is believed.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest frame in either direction.
pub const LONGEST: usize = 256 << 20;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// To the process, once: where the model is and how to read it, as JSON.
    Start = 1,
    /// To the process: the number of a batch's images (four bytes, little-endian), then their pixels, uint8 `[n,h,w,c]`.
    Images = 2,
    /// To the process: the same, with another recipe for the values of pixels: four bytes, little-endian, say how long it is as
    /// JSON, which stands after them; then a frame of [`Self::Images`].
    Trial = 3,
    /// To the process, before any images: which of the model's columns are compared, uint32 little-endian.
    Keep = 4,
    /// From it, once: what the model is, as JSON.
    Ready = 16,
    /// From it, instead of [`Self::Ready`]: why the model is refused, as JSON.
    Refused = 17,
    /// From it, for each batch: the canonical record's rows, int32 little-endian `[n,6]`.
    Rows = 18,
    /// From it, instead of rows: one byte, a [`Trouble`].
    Trouble = 19,
    /// From it, after [`Self::Keep`]: nothing more.
    Kept = 20,
}

impl FrameKind {
    fn of(byte: u8) -> Option<Self> {
        [
            Self::Start,
            Self::Images,
            Self::Trial,
            Self::Keep,
            Self::Ready,
            Self::Refused,
            Self::Rows,
            Self::Trouble,
            Self::Kept,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// Why a batch of images has no rows. A fixed list: while images are hidden nothing else may be said about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Trouble {
    /// A logit is NaN.
    NotFinite = 1,
    /// The network's output changed its shape, or an operator could not be computed.
    Failed = 2,
}

impl Trouble {
    pub fn of(payload: &[u8]) -> Option<Self> {
        match payload {
            [1] => Some(Self::NotFinite),
            [2] => Some(Self::Failed),
            _ => None,
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotFinite => {
                "the network's output is not finite (NaN or infinite) for at least one image; look for overflows in half precision, divisions by zero and logarithms of zero"
            }
            Self::Failed => {
                "the network ran on a trial batch but not on the test images; export it with a dynamic batch dimension and try it on batches of several sizes"
            }
        }
    }
}

/// Why a model is refused.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    pub detail: String,
}

/// Bytes of a frame of images that are no pixels: their number, and a recipe.
const BESIDES_PIXELS: usize = 4096;

/// How many images of so many bytes fit one frame of [`FrameKind::Images`] or [`FrameKind::Trial`]; at least one.
pub fn images_in_a_frame(bytes: usize) -> usize {
    ((LONGEST - BESIDES_PIXELS) / bytes.max(1)).max(1)
}

/// Writes one frame.
pub fn write_frame(out: &mut impl Write, kind: FrameKind, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|_| payload.len() <= LONGEST)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the frame is too long"))?;
    out.write_all(&[kind as u8])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(payload)?;
    out.flush()
}

/// Writes one frame of JSON.
pub fn write_json(out: &mut impl Write, kind: FrameKind, value: &impl Serialize) -> io::Result<()> {
    write_frame(out, kind, &serde_json::to_vec(value)?)
}

/// Reads one frame of at most `longest` bytes; `None` at the end of the stream.
///
/// # Errors
/// `InvalidData` for an unknown kind or a longer frame.
pub fn read_frame(
    from: &mut impl Read,
    longest: usize,
) -> io::Result<Option<(FrameKind, Vec<u8>)>> {
    let mut head = [0; 5];
    match from.read(&mut head[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut head[1..])?,
    }
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length) as usize;
    let kind = FrameKind::of(kind).filter(|_| length <= longest.min(LONGEST));
    let kind = kind.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a frame"))?;
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok(Some((kind, payload)))
}

/// The value in a frame of JSON.
pub fn from_json<T: DeserializeOwned>(payload: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(payload)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_are_sent_together_fit_a_frame() {
        // 1024 × 1024 in colour: 85 are 255 MiB, and some bytes say how many they are.
        assert_eq!(images_in_a_frame(3 << 20), 85);
        assert_eq!(images_in_a_frame(1 << 20), 255);
        assert_eq!(images_in_a_frame(LONGEST), 1);
    }

    #[test]
    fn a_frame_comes_back_and_a_longer_or_unknown_one_does_not() {
        let mut wire = Vec::new();
        write_frame(&mut wire, FrameKind::Rows, b"rows").expect("write");
        let read = read_frame(&mut wire.as_slice(), 4).expect("read");
        assert_eq!(read, Some((FrameKind::Rows, b"rows".to_vec())));
        assert!(read_frame(&mut wire.as_slice(), 3).is_err());
        assert!(read_frame(&mut [99, 0, 0, 0, 0].as_slice(), 4).is_err());
        assert!(read_frame(&mut &wire[..6], 4).is_err());
        assert_eq!(
            read_frame(&mut [0_u8; 0].as_slice(), 4).expect("the end"),
            None
        );
    }
}
