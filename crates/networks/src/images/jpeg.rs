//! JPEG as libjpeg-turbo decodes it, and so Pillow, to the last bit: ITU-T T.81 with Huffman coding, sequential and progressive.
//!
//! Decoders differ where the standard leaves them free: the inverse transform's rounding, how chroma is brought to full size, the
//! arithmetic of colour. A difference of one in chroma is two in blue, so that these parts follow libjpeg's (`jidctint.c`,
//! `jdsample.c`, `jdcolor.c`); other decoders in Rust were two grey levels off in one pixel of a hundred.

mod entropy;
mod header;
mod samples;
mod scan;
mod transform;

use super::decode::{MAX_PIXELS, Picture};
use header::{Frame, Segment, Segments};
use scan::Decoder;

/// Scans of one picture; a progressive one has about ten. More would be a way to waste hours on a few kilobytes.
const MOST_SCANS: usize = 200;

/// Decodes a picture to gray or RGB; CMYK becomes RGB as Pillow converts it.
///
/// # Errors
/// The end of a sentence that begins with the picture's name.
pub(super) fn decode(file: &[u8]) -> Result<Picture, String> {
    let mut decoder = None;
    let mut segments = Segments::new(file);
    let mut scans = 0;
    while let Some(segment) = segments.next()? {
        match (segment, &mut decoder) {
            (Segment::Frame(frame), None) => {
                check_size(&frame)?;
                decoder = Some(Decoder::new(frame));
            }
            (Segment::Frame(_), Some(_)) => return Err("is a JPEG with two frames".to_owned()),
            (Segment::Scan(scan), Some(decoder)) => {
                scans += 1;
                if scans > MOST_SCANS {
                    return Err(format!("is a JPEG with more than {MOST_SCANS} scans"));
                }
                let length = decoder.scan(&scan, &segments.tables, segments.rest())?;
                segments.skip(length);
            }
            (Segment::Scan(_), None) => return Err("is a JPEG without a frame".to_owned()),
        }
    }
    let decoder = decoder.ok_or("is a JPEG without a frame")?;
    if scans == 0 {
        return Err("is a JPEG without pixels".to_owned());
    }
    let color = segments.color(decoder.frame());
    samples::picture(decoder, &segments.tables, color)
}

fn check_size(frame: &Frame) -> Result<(), String> {
    let pixels = frame.height as u64 * frame.width as u64;
    if pixels > MAX_PIXELS || pixels == 0 {
        return Err(format!(
            "has {}×{} pixels; expected 1 to {MAX_PIXELS}",
            frame.width, frame.height
        ));
    }
    Ok(())
}
