//! What a file of test images holds: an array of pixels, or a tar of pictures.

mod traits;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, Cursor, Read, Seek};

use crate::format_error::FormatError;
use crate::images::ImageList;
use crate::npy::{self, Header, Kind};
pub use traits::{Format, Traits, survey, survey_stream};

/// The images of one file, in the order of their ordinals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFile {
    /// uint8 `[N, H, W]` or `[N, H, W, C]`, no extent 0. The pixels begin at `data_offset` and fill the file.
    Array {
        shape: Vec<usize>,
        data_offset: usize,
    },
    /// JPEG and PNG files, at least one, in byte order of the names.
    Archive(Vec<PictureFile>),
}

/// A picture in a tar. Only its first bytes were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// Its path in the tar, without `./`.
    pub name: String,
    /// Where its bytes begin in the tar.
    pub offset: u64,
    /// How many they are.
    pub size: u64,
    /// When the tar says that it was changed last: seconds since 1970, or whatever stands there.
    pub changed: u64,
    /// Whose it is and who may read it, according to the tar: the same number for the same owner, group and mode.
    pub owner: u64,
}

const NEITHER: &str = "it is neither an NPY array nor a tar; give uint8 [N,H,W] or [N,H,W,C] written by np.save, or an uncompressed tar of \
                       JPEG and PNG files";

/// Bytes that an NPY header may have.
const HEAD: u64 = 16 << 10;

impl ImageFile {
    /// Reads a file of `bytes` bytes from its start to its end; of what it is its content decides.
    ///
    /// # Errors
    /// What was expected, and of a tar which entry is not a picture; or that the file cannot be read.
    pub fn read(mut file: impl Read, bytes: u64) -> Result<Self, FormatError> {
        let head = head(&mut file)?;
        match Form::of(&head)? {
            Form::Array => array(&head, bytes),
            Form::Archive => {
                let mut archive = tar::Archive::new(Cursor::new(head).chain(file));
                pictures(archive.entries())
            }
        }
    }

    /// The same, of a file whose pictures can be skipped.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_seeking(mut file: impl Read + Seek, bytes: u64) -> Result<Self, FormatError> {
        let head = head(&mut file)?;
        match Form::of(&head)? {
            Form::Array => array(&head, bytes),
            Form::Archive => {
                file.rewind()
                    .map_err(|error| FormatError::unreadable(&error))?;
                pictures(tar::Archive::new(BufReader::new(file)).entries_with_seek())
            }
        }
    }

    /// The number of images, at least 1.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a file of images is never empty"
    )]
    pub fn len(&self) -> usize {
        match self {
            Self::Array { shape, .. } => shape[0],
            Self::Archive(pictures) => pictures.len(),
        }
    }

    /// The images with their names, where they have any.
    ///
    /// # Errors
    /// Names that a prediction file could not use.
    pub fn list(&self) -> Result<ImageList, FormatError> {
        match self {
            Self::Array { .. } => Ok(ImageList::ordinals(self.len())),
            Self::Archive(pictures) => {
                let names = pictures.iter().map(|picture| picture.name.clone());
                ImageList::named(names.collect())
                    .map_err(|error| FormatError::whole(error.to_string()))
            }
        }
    }

    /// Encoded bytes of each image by ordinal, where the images are files.
    pub fn sizes(&self) -> Option<Vec<u64>> {
        match self {
            Self::Array { .. } => None,
            Self::Archive(pictures) => Some(pictures.iter().map(|picture| picture.size).collect()),
        }
    }
}

enum Form {
    Array,
    Archive,
}

impl Form {
    fn of(head: &[u8]) -> Result<Self, FormatError> {
        if head.starts_with(npy::MAGIC) {
            return Ok(Self::Array);
        }
        if head.get(257..262) == Some(b"ustar") {
            return Ok(Self::Archive);
        }
        Err(FormatError::whole(match head {
            [0x1f, 0x8b, ..] => {
                "it is compressed with gzip; decompress it first and give the tar or NPY file itself"
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                "it is compressed with zstd; decompress it first and give the tar or NPY file itself"
            }
            [b'P', b'K', 3, 4, ..] => {
                "it is a zip (or .npz) archive; give a tar (`tar cf images.tar DIR`) or a single array (np.save)"
            }
            _ => NEITHER,
        }))
    }
}

fn head(file: &mut impl Read) -> Result<Vec<u8>, FormatError> {
    let mut head = Vec::new();
    file.take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| FormatError::unreadable(&error))?;
    Ok(head)
}

fn array(head: &[u8], bytes: u64) -> Result<ImageFile, FormatError> {
    let header = Header::parse(head).map_err(|error| FormatError::whole(error.to_string()))?;
    let (shape, dtype) = (header.shape_text(), header.dtype);
    if dtype.kind != Kind::Unsigned || dtype.bytes != 1 {
        return Err(FormatError::whole(format!(
            "the array is {dtype} {shape}; images are uint8: save np.asarray(images, dtype=np.uint8)"
        )));
    }
    let channels = header.shape.get(3).copied().unwrap_or(1);
    if !matches!(header.shape.len(), 3 | 4) || header.shape.contains(&0) || channels > 4 {
        return Err(FormatError::whole(format!(
            "the array has shape {shape}; images are [N,H,W], or [N,H,W,C] with 1 to 4 channels last"
        )));
    }
    let extents: Option<Vec<usize>> = header
        .shape
        .iter()
        .map(|&extent| usize::try_from(extent).ok())
        .collect();
    let expected = header
        .shape
        .iter()
        .try_fold(1_u64, |product, &extent| product.checked_mul(extent))
        .and_then(|pixels| pixels.checked_add(header.data_offset as u64));
    match extents {
        Some(shape) if expected == Some(bytes) => Ok(ImageFile::Array {
            shape,
            data_offset: header.data_offset,
        }),
        _ => Err(FormatError::whole(format!(
            "an array of shape {shape} and its header do not fill {bytes} bytes; the file is cut off or damaged: save it again"
        ))),
    }
}

fn pictures<R: Read>(entries: io::Result<tar::Entries<'_, R>>) -> Result<ImageFile, FormatError> {
    let damaged = |error: io::Error| {
        FormatError::whole(format!(
            "the tar cannot be read to its end: {error}; make it again with `tar cf images.tar DIR`"
        ))
    };
    let mut pictures = Vec::new();
    for entry in entries.map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&name).into_owned();
        if !kind.is_file() {
            return Err(FormatError::whole(format!(
                "`{shown}` in the tar is not a file; put only JPEG and PNG files in it"
            )));
        }
        let name = String::from_utf8(name).map_err(|_| {
            FormatError::whole(format!(
                "the name `{shown}` in the tar is not UTF-8; rename that file"
            ))
        })?;
        let header = entry.header();
        let (changed, owner) = (header.mtime().unwrap_or(0), owner(header));
        let mut start = Vec::new();
        (&mut entry)
            .take(8)
            .read_to_end(&mut start)
            .map_err(damaged)?;
        if !start.starts_with(b"\xff\xd8\xff") && start != b"\x89PNG\r\n\x1a\n" {
            return Err(FormatError::whole(format!(
                "`{shown}` in the tar is neither JPEG nor PNG; put only pictures in it"
            )));
        }
        pictures.push(PictureFile {
            name: name.strip_prefix("./").unwrap_or(&name).to_owned(),
            offset: entry.raw_file_position(),
            size: entry.size(),
            changed,
            owner,
        });
    }
    if pictures.is_empty() {
        return Err(FormatError::whole(
            "the tar holds no images; put JPEG and PNG files in it",
        ));
    }
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ImageFile::Archive(pictures))
}

fn owner(header: &tar::Header) -> u64 {
    let mut hasher = DefaultHasher::new();
    let numbers = (header.uid().ok(), header.gid().ok(), header.mode().ok());
    (numbers, header.username_bytes(), header.groupname_bytes()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_beyond_all_numbers_is_refused() {
        let shape = "(1, 4294967296, 4294967296)";
        let mut text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        text = format!("{text:<117}\n");
        let file = [npy::MAGIC, b"\x01\0\x76\0", text.as_bytes()].concat();
        let bytes = file.len() as u64;
        let error = ImageFile::read(file.as_slice(), bytes).expect_err("refused");
        assert!(error.detail.contains("do not fill"), "{error}");
    }

    #[test]
    fn a_tar_is_the_same_read_through_or_skipped_through() {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, size) in [("./b.png", 40_000), ("a/1.png", 8), ("././c.png", 700)] {
            let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
            picture.resize(size, 7);
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(size as u64);
            header.set_cksum();
            tar.append(&header, picture.as_slice()).expect("append");
        }
        let tar = tar.into_inner().expect("a tar");
        let read = ImageFile::read(tar.as_slice(), tar.len() as u64).expect("images");
        let sought = ImageFile::read_seeking(Cursor::new(&tar), tar.len() as u64).expect("images");
        assert_eq!(read, sought);
        let ImageFile::Archive(pictures) = &read else {
            panic!("{read:?}")
        };
        let names: Vec<_> = pictures
            .iter()
            .map(|picture| picture.name.as_str())
            .collect();
        assert_eq!(names, ["./c.png", "a/1.png", "b.png"]);
        assert_eq!(read.sizes(), Some(vec![700, 8, 40_000]));
        for picture in pictures {
            let offset = usize::try_from(picture.offset).expect("small");
            assert!(tar[offset..].starts_with(b"\x89PNG\r\n\x1a\n"));
        }
    }
}
