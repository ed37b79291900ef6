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
        if matches!(kind, b"IHDR" | b"PLTE" | b"tRNS" | b"IDAT" | b"IEND") {
            stripped.extend_from_slice(chunk);
        }
        if kind == b"IEND" {
            return Some(stripped);
        }
        rest = &rest[chunk.len()..];
    }
}

/// Every segment but comments and application data; of those only JFIF (APP0) and Adobe's (APP14), which says how colours
/// are coded. What follows the first scan header is kept up to the end of the image (ITU T.81, annex B).
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
        let is_metadata = matches!(marker, 0xe1..=0xed | 0xef | 0xfe);
        if !is_metadata {
            stripped.extend_from_slice(segment);
        }
        rest = &rest[segment.len()..];
        if marker == 0xda {
            let data = entropy_coded(rest);
            stripped.extend_from_slice(&rest[..data]);
            rest = &rest[data..];
        }
    }
}

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
        let start = [vec![0xff, 0xd8], segment(0xe0, b"JFIF\0")].concat();
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
        assert_eq!(stripped.bytes, [start, scan, kept_scan].concat());
        assert_eq!(stripped.extension, "jpg");
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
