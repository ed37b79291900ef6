//! JPEG and PNG files without what does not change their pixels: EXIF, comments, times, the software that wrote them.

use anyhow::{Context as _, bail};

/// A picture file and the extension of its format.
pub struct Stripped {
    pub bytes: Vec<u8>,
    pub extension: &'static str,
}

/// The same pixels without metadata, in the format that the file has.
pub fn metadata(file: &[u8]) -> anyhow::Result<Stripped> {
    if file.starts_with(PNG) {
        let bytes = png(file).context("the PNG file is damaged")?;
        return Ok(Stripped {
            bytes,
            extension: "png",
        });
    }
    if file.starts_with(&[0xff, 0xd8]) {
        let bytes = jpeg(file).context("the JPEG file is damaged")?;
        return Ok(Stripped {
            bytes,
            extension: "jpg",
        });
    }
    bail!("it is neither JPEG nor PNG")
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The chunks that decide about pixels: header, palette, transparency, data (PNG, section 11).
fn png(file: &[u8]) -> Option<Vec<u8>> {
    let mut stripped = PNG.to_vec();
    let mut rest = &file[PNG.len()..];
    loop {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let chunk = rest.get(..length.checked_add(12)?)?;
        let kind = &chunk[4..8];
        // A palette beside true colours (types 2 and 6) is a suggestion and changes no pixel.
        let is_palette = kind == b"PLTE" && file.get(25) == Some(&3);
        if is_palette || matches!(kind, b"IHDR" | b"tRNS" | b"IDAT" | b"IEND") {
            stripped.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return Some(stripped);
        }
        rest = &rest[chunk.len()..];
    }
}

/// Every segment but comments and application data; of those only JFIF's (APP0) and Adobe's (APP14), which say how colours
/// are coded, without the resolution, version and preview that they may hold. What follows the first scan header is kept up to the end of
/// the image (ITU T.81, annex B).
fn jpeg(file: &[u8]) -> Option<Vec<u8>> {
    let mut stripped = file.get(..2)?.to_vec();
    let mut rest = &file[2..];
    loop {
        let [0xff, marker, ..] = *rest else {
            return None;
        };
        if marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        if marker == 0xd9 {
            stripped.extend_from_slice(&[0xff, 0xd9]);
            return Some(stripped);
        }
        let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let segment = rest.get(..length.checked_add(2)?)?;
        match (marker, &segment[4..]) {
            (0xe0, content) if content.starts_with(b"JFIF\0") => stripped.extend_from_slice(JFIF),
            (0xee, content) if content.starts_with(b"Adobe") && content.len() >= 12 => {
                stripped.extend_from_slice(ADOBE);
                stripped.push(content[11]);
            }
            (0xe0..=0xef | 0xfe, _) => {}
            _ => stripped.extend_from_slice(segment),
        }
        rest = &rest[segment.len()..];
        if marker == 0xda {
            let data = entropy_coded(rest);
            stripped.extend_from_slice(&rest[..data]);
            rest = &rest[data..];
        }
    }
}

/// Version 1.01, pixels without a length, no preview (ITU T.871, section 10.1).
const JFIF: &[u8] = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
/// Version 100 without flags; the colour transform follows.
const ADOBE: &[u8] = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0";

/// Bytes up to the next marker that is not part of the data (stuffed zeros and restart markers are).
fn entropy_coded(rest: &[u8]) -> usize {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
    rest.windows(2).position(is_marker).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], content].concat()
    }

    #[test]
    fn a_jpeg_keeps_its_image_and_loses_its_exif() {
        let jfif = |density: u8| {
            segment(
                0xe0,
                &[
                    b"JFIF\0\x01\x01\x01\0".as_slice(),
                    &[density, 0, density, 0, 0],
                ]
                .concat(),
            )
        };
        let start = [vec![0xff, 0xd8], jfif(72)].concat();
        let plain = segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        let metadata = [
            segment(0xe1, b"Exif\0\0taken by me"),
            segment(0xfe, b"a comment"),
            segment(0xed, b"Photoshop"),
        ]
        .concat();
        let scan = [
            segment(0xdb, &[1; 65]),
            segment(0xda, &[3; 10]),
            vec![1, 2, 0xff, 0, 3, 0xff, 0xd0, 4],
        ]
        .concat();
        let second_scan = [
            segment(0xfe, b"between scans"),
            segment(0xda, &[4; 10]),
            vec![9, 0xff, 0xd9],
        ]
        .concat();
        let kept_scan = [segment(0xda, &[4; 10]), vec![9, 0xff, 0xd9]].concat();
        let stripped =
            super::metadata(&[&start[..], &metadata, &scan, &second_scan, b"appended"].concat())
                .unwrap();
        assert_eq!(
            stripped.bytes,
            [vec![0xff, 0xd8], plain, scan, kept_scan].concat()
        );
        assert_eq!(stripped.extension, "jpg");
    }

    /// Adobe TN 5116: version, two flags, and the colour transform, which is all that decodes differently.
    #[test]
    fn an_adobe_header_keeps_its_colour_transform_alone() {
        let adobe = |version: u8, transform: u8| {
            segment(
                0xee,
                &[b"Adobe\0".as_slice(), &[version, 0x40, 0, 0, 0, transform]].concat(),
            )
        };
        let rest = [segment(0xda, &[3; 10]), vec![1, 0xff, 0xd9]].concat();
        let file = |header: &[u8]| [&[0xff, 0xd8], header, &rest].concat();
        let strip = |header: &[u8]| super::metadata(&file(header)).unwrap().bytes;
        assert_eq!(strip(&adobe(101, 1)), strip(&adobe(100, 1)));
        assert_ne!(strip(&adobe(100, 0)), strip(&adobe(100, 1)));
        assert_eq!(strip(&adobe(100, 1))[17], 1);
        assert_eq!(strip(&segment(0xee, b"a note")), file(b""));
    }

    #[test]
    fn a_png_keeps_its_image_and_loses_its_text() {
        let chunk = |kind: &[u8; 4], content: &[u8]| {
            let length = u32::try_from(content.len()).unwrap().to_be_bytes();
            [&length[..], kind, content, &[0; 4]].concat()
        };
        let (header, data, end) = (
            chunk(b"IHDR", &[0; 13]),
            chunk(b"IDAT", &[7; 20]),
            chunk(b"IEND", b""),
        );
        let file = [
            PNG,
            &header,
            &chunk(b"tEXt", b"Author\0me"),
            &chunk(b"tIME", &[0; 7]),
            &data,
            &end,
            b"appended",
        ]
        .concat();
        assert_eq!(
            super::metadata(&file).unwrap().bytes,
            [PNG, &header, &data, &end].concat()
        );
    }

    #[test]
    fn damaged_files_are_refused() {
        assert!(super::metadata(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR").is_err());
        assert!(super::metadata(&[0xff, 0xd8, 0xff, 0xe1, 0, 9, 0]).is_err());
        assert!(super::metadata(b"GIF89a").is_err());
    }
}
