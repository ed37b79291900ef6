//! What a picture file says about itself besides its pixels: its size in pixels, how it is coded, and its metadata.
//!
//! Nothing is decoded, and nothing of a stranger's file is trusted: lengths are checked against what is there, and a file that does not
//! hold what it should has the traits found so far.

use std::io::{self, Read, Seek, SeekFrom};

use super::PictureFile;

/// A field is looked at up to this many bytes, and so many fields and words of a picture.
const LARGEST_FIELD: usize = 64 << 10;
const FIELDS: usize = 64;
const WORDS: usize = 64;
/// PNG files may say things after their pixels; so far in they are looked for.
const LARGEST_PNG: u64 = 256 << 10;
/// What is appended to a picture is looked at from its end.
const TAIL: u64 = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Jpeg,
    Png,
}

/// What one picture says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    /// How the pixels are coded: bit depth, colours, sampling, tables.
    pub coding: Vec<u8>,
    /// Metadata: what a field is called, and what it says.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The words of its texts.
    pub words: Vec<String>,
}

/// The traits of the pictures with these ordinals, with which they are returned; each picture is read up to its pixels.
///
/// # Errors
/// The file cannot be read.
pub fn survey(
    file: impl Read + Seek,
    pictures: &[PictureFile],
    ordinals: impl Iterator<Item = usize>,
) -> io::Result<Vec<(usize, Traits)>> {
    let skip = |file: &mut io::BufReader<_>, bytes: i64| io::BufReader::seek_relative(file, bytes);
    let mut file = io::BufReader::with_capacity(4 << 10, file);
    file.seek(SeekFrom::Start(0))?;
    survey_forward(file, skip, pictures, ordinals)
}

/// The same of a file that can only be read from its start to its end.
///
/// # Errors
/// The file cannot be read.
pub fn survey_stream(
    file: impl Read,
    pictures: &[PictureFile],
    ordinals: impl Iterator<Item = usize>,
) -> io::Result<Vec<(usize, Traits)>> {
    let skip = |file: &mut io::BufReader<_>, bytes: i64| {
        io::copy(&mut file.take(bytes.unsigned_abs()), &mut io::sink()).map(drop)
    };
    survey_forward(
        io::BufReader::with_capacity(64 << 10, file),
        skip,
        pictures,
        ordinals,
    )
}

fn survey_forward<R: Read>(
    file: R,
    skip: fn(&mut R, i64) -> io::Result<()>,
    pictures: &[PictureFile],
    ordinals: impl Iterator<Item = usize>,
) -> io::Result<Vec<(usize, Traits)>> {
    let mut ordinals: Vec<usize> = ordinals.collect();
    ordinals.sort_unstable_by_key(|&ordinal| pictures[ordinal].offset);
    let mut forward = Forward {
        file,
        skip,
        at: 0,
        end: u64::MAX,
    };
    let mut found = Vec::with_capacity(ordinals.len());
    for ordinal in ordinals {
        let picture = &pictures[ordinal];
        forward.go_to(picture.offset)?;
        forward.end = picture.offset + picture.size;
        found.push((ordinal, traits(&mut forward)?));
    }
    found.sort_unstable_by_key(|&(ordinal, _)| ordinal);
    Ok(found)
}

/// A file that is read once, within one picture at a time.
struct Forward<R> {
    file: R,
    skip: fn(&mut R, i64) -> io::Result<()>,
    at: u64,
    /// Of the picture.
    end: u64,
}

impl<R: Read> Forward<R> {
    fn go_to(&mut self, offset: u64) -> io::Result<()> {
        let ahead = offset.saturating_sub(self.at);
        (self.skip)(&mut self.file, i64::try_from(ahead).unwrap_or(i64::MAX))?;
        self.at += ahead;
        Ok(())
    }

    /// So many bytes, or as many as the picture still has.
    fn take(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let there = self.end.saturating_sub(self.at).min(bytes as u64);
        let mut taken = Vec::new();
        (&mut self.file).take(there).read_to_end(&mut taken)?;
        self.at += taken.len() as u64;
        Ok(taken)
    }

    /// Exactly so many, unless the picture ends.
    fn array<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        Ok(self.take(N)?.try_into().ok())
    }

    fn skip_ahead(&mut self, bytes: u64) -> io::Result<()> {
        self.go_to(self.at.saturating_add(bytes).min(self.end))
    }
}

fn traits<R: Read>(picture: &mut Forward<R>) -> io::Result<Traits> {
    let start = picture.at;
    let mut traits = Traits::default();
    let Some(signature) = picture.array::<2>()? else {
        return Ok(traits);
    };
    let ending: &[u8] = if signature == [0xff, 0xd8] {
        jpeg(picture, &mut traits)?;
        &[0xff, 0xd9]
    } else {
        traits.format = Format::Png;
        picture.skip_ahead(6)?;
        png(picture, start, &mut traits)?;
        b"IEND\xaeB`\x82"
    };
    let tail = picture.end.saturating_sub(TAIL).max(picture.at);
    picture.go_to(tail)?;
    let tail = picture.take(64)?;
    if !tail.is_empty() && !tail.ends_with(ending) {
        let appended = tail
            .windows(ending.len())
            .rposition(|window| window == ending);
        traits.add_text(
            "what follows the picture",
            &tail[appended.map_or(0, |at| at + ending.len())..],
        );
    }
    Ok(traits)
}

impl Traits {
    fn add(&mut self, field: impl Into<String>, value: &[u8]) {
        if self.fields.len() < FIELDS {
            self.fields.push((field.into(), value.to_vec()));
        }
    }

    fn add_text(&mut self, field: impl Into<String>, value: &[u8]) {
        self.add(field, value);
        let text = String::from_utf8_lossy(value);
        let words = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 1);
        let room = WORDS.saturating_sub(self.words.len());
        self.words.extend(words.take(room).map(str::to_owned));
    }
}

/// Up to the first scan (ITU T.81, annex B).
fn jpeg<R: Read>(picture: &mut Forward<R>, traits: &mut Traits) -> io::Result<()> {
    loop {
        let Some([0xff, mut marker]) = picture.array()? else {
            return Ok(());
        };
        while marker == 0xff {
            let Some([next]) = picture.array()? else {
                return Ok(());
            };
            marker = next;
        }
        if matches!(marker, 0xd9 | 0xda) {
            return Ok(());
        }
        let Some(length) = picture.array()?.map(u16::from_be_bytes) else {
            return Ok(());
        };
        let segment = picture.take(usize::from(length).saturating_sub(2))?;
        match marker {
            0xe0 if segment.starts_with(b"JFIF\0") => traits.add("the JFIF header", &segment),
            0xe1 if segment.starts_with(b"Exif\0\0") => exif(&segment[6..], traits),
            0xee if segment.starts_with(b"Adobe") => traits.add("the Adobe header", &segment),
            0xe0..=0xef => traits.add_text(format!("JPEG segment APP{}", marker - 0xe0), &segment),
            0xfe => traits.add_text("the JPEG comment", &segment),
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                if let [precision, h1, h0, w1, w0, rest @ ..] = &segment[..] {
                    traits.height = u32::from(u16::from_be_bytes([*h1, *h0]));
                    traits.width = u32::from(u16::from_be_bytes([*w1, *w0]));
                    traits.coding.extend([marker, *precision]);
                    traits.coding.extend(rest.iter().take(16));
                }
            }
            0xdb | 0xdd => traits.coding.extend(segment.iter().take(512)),
            _ => {}
        }
    }
}

/// All chunks but those of pixels (PNG, section 5).
fn png<R: Read>(picture: &mut Forward<R>, start: u64, traits: &mut Traits) -> io::Result<()> {
    while picture.at - start < LARGEST_PNG {
        let (Some(length), Some(kind)) = (
            picture.array()?.map(u32::from_be_bytes),
            picture.array::<4>()?,
        ) else {
            return Ok(());
        };
        let name = String::from_utf8_lossy(&kind).into_owned();
        let kept = match &kind {
            b"IDAT" | b"PLTE" | b"tRNS" => 0,
            _ => (length as usize).min(LARGEST_FIELD),
        };
        let content = picture.take(kept)?;
        match &kind {
            b"IHDR" => {
                if let [w3, w2, w1, w0, h3, h2, h1, h0, coding @ ..] = &content[..] {
                    traits.width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
                    traits.height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
                    traits.coding.extend(coding.iter().take(16));
                }
            }
            b"IDAT" | b"PLTE" | b"tRNS" => {}
            b"IEND" => return picture.skip_ahead(4),
            b"eXIf" => exif(&content, traits),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let end = content
                    .iter()
                    .position(|&byte| byte == 0)
                    .unwrap_or(content.len());
                let keyword = String::from_utf8_lossy(&content[..end.min(79)]).into_owned();
                traits.add_text(
                    format!("PNG text `{keyword}`"),
                    content.get(end + 1..).unwrap_or_default(),
                );
            }
            _ => traits.add(format!("PNG chunk {name}"), &content),
        }
        picture.skip_ahead(u64::from(length) - content.len() as u64 + 4)?;
    }
    Ok(())
}

/// The fields of a TIFF structure (Exif 2.3, section 4.6): of the picture, of how it was taken, and of where.
fn exif(tiff: &[u8], traits: &mut Traits) {
    let big = match tiff.get(..4) {
        Some(b"MM\0*") => true,
        Some(b"II*\0") => false,
        _ => return traits.add("unreadable EXIF", tiff),
    };
    let read = Tiff { bytes: tiff, big };
    let mut directories = vec![("EXIF", read.u32(4))];
    let mut at = 0;
    // Three directories at most, so that no two that name each other go on for ever.
    while let Some(&(name, directory)) = directories.get(at).filter(|_| at < 3) {
        at += 1;
        let Some(start) = directory.and_then(|start| usize::try_from(start).ok()) else {
            continue;
        };
        let entries = usize::from(read.u16(start).unwrap_or(0)).min(256);
        for entry in (0..entries).map(|entry| start + 2 + 12 * entry) {
            let (Some(tag), Some(kind), Some(count)) =
                (read.u16(entry), read.u16(entry + 2), read.u32(entry + 4))
            else {
                break;
            };
            if tag == 0x8769 || tag == 0x8825 {
                directories.push((
                    if tag == 0x8825 { "GPS" } else { "EXIF" },
                    read.u32(entry + 8),
                ));
                continue;
            }
            let size = match kind {
                3 | 8 => 2,
                4 | 9 | 11 => 4,
                5 | 10 | 12 => 8,
                _ => 1,
            };
            let bytes = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .saturating_mul(size);
            let value = if bytes <= 4 {
                tiff.get(entry + 8..entry + 8 + bytes)
            } else {
                let offset = read
                    .u32(entry + 8)
                    .and_then(|offset| usize::try_from(offset).ok());
                offset.and_then(|offset| tiff.get(offset..offset.checked_add(bytes)?))
            };
            let field = format!("{name} field {}", tag_name(tag));
            match (kind, value) {
                (1 | 2 | 7, Some(value)) => traits.add_text(field, value),
                (_, Some(value)) => traits.add(field, value),
                (_, None) => {}
            }
        }
    }
}

struct Tiff<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Tiff<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }
}

fn tag_name(tag: u16) -> String {
    match tag {
        0x010e => "ImageDescription".to_owned(),
        0x010f => "Make".to_owned(),
        0x0110 => "Model".to_owned(),
        0x0131 => "Software".to_owned(),
        0x0132 => "DateTime".to_owned(),
        0x013b => "Artist".to_owned(),
        0x8298 => "Copyright".to_owned(),
        0x9286 => "UserComment".to_owned(),
        tag => tag.to_string(),
    }
}
