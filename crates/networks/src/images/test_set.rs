//! Test images as an organizer has them: an NPY array of uint8, or a tar of JPEG and PNG files.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use referee_scoring::ImageList;
use referee_scoring::npy::{self, Kind};

use super::error::{About as _, ImageError};
use crate::mapped;

/// The images of one file, by ordinal. Opening looks at headers only; the file is mapped into memory.
pub struct TestSet {
    path: PathBuf,
    bytes: Bytes,
    content: Content,
}

enum Content {
    /// uint8 `[N, H, W]` or `[N, H, W, C]`.
    Array {
        shape: Vec<usize>,
        data_offset: usize,
    },
    /// In byte order of the names.
    Archive(Vec<PictureFile>),
}

/// A picture in a tar.
pub struct PictureFile {
    pub name: String,
    offset: u64,
    size: u64,
}

impl TestSet {
    /// # Errors
    /// The file cannot be read, or is neither of the two forms; the sentence says what to do.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let mut file = File::open(path).about(path, "opened")?;
        let mut head = Vec::new();
        file.by_ref()
            .take(1 << 14)
            .read_to_end(&mut head)
            .about(path, "read")?;
        let length = file.metadata().about(path, "read")?.len();
        let content = if head.starts_with(npy::MAGIC) {
            array(&head, length)
        } else if head.get(257..262) == Some(b"ustar") {
            archive(&file)
        } else {
            Err("it is neither an .npy array of uint8 nor a .tar of JPEG and PNG files".to_owned())
        };
        let content = content.map_err(|detail| ImageError::no_test_set(path, detail))?;
        Ok(Self {
            path: path.to_owned(),
            bytes: mapped::open(path).about(path, "read")?,
            content,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of images, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a test set is never empty")]
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Array { shape, .. } => shape[0],
            Content::Archive(pictures) => pictures.len(),
        }
    }

    /// The images with their names, where they have any.
    ///
    /// # Errors
    /// Names that a prediction file could not use.
    pub fn list(&self) -> Result<ImageList, ImageError> {
        match &self.content {
            Content::Array { .. } => Ok(ImageList::ordinals(self.len())),
            Content::Archive(pictures) => {
                let names = pictures.iter().map(|picture| picture.name.clone());
                ImageList::named(names.collect())
                    .map_err(|error| ImageError::no_test_set(&self.path, error.to_string()))
            }
        }
    }

    /// File sizes in bytes by ordinal, where the images are files.
    pub fn sizes(&self) -> Option<Vec<u64>> {
        self.pictures()
            .map(|pictures| pictures.iter().map(|picture| picture.size).collect())
    }

    /// The array's shape, `[N, H, W]` or `[N, H, W, C]`; none for a tar.
    pub fn shape(&self) -> Option<&[usize]> {
        match &self.content {
            Content::Array { shape, .. } => Some(shape),
            Content::Archive(_) => None,
        }
    }

    /// The pictures of a tar; none for an array.
    pub fn pictures(&self) -> Option<&[PictureFile]> {
        match &self.content {
            Content::Array { .. } => None,
            Content::Archive(pictures) => Some(pictures),
        }
    }

    /// The bytes of one image: its pixels, or its file.
    ///
    /// # Panics
    /// If `ordinal` is not below [`Self::len`].
    pub fn bytes(&self, ordinal: usize) -> Result<&[u8], ImageError> {
        match &self.content {
            Content::Array { .. } => self.array(ordinal..ordinal + 1),
            Content::Archive(pictures) => {
                // What does not fit usize is not in the file either.
                let at = |value| usize::try_from(value).unwrap_or(usize::MAX);
                self.stretch(at(pictures[ordinal].offset), at(pictures[ordinal].size))
            }
        }
    }

    /// The pixels of a range of an array's images, one after the other.
    ///
    /// # Errors
    /// It is a tar, or the range is not within the images.
    pub(super) fn array(&self, range: Range<usize>) -> Result<&[u8], ImageError> {
        match &self.content {
            Content::Array { shape, data_offset } => {
                let image: usize = shape[1..].iter().product();
                self.stretch(data_offset + range.start * image, range.len() * image)
            }
            Content::Archive(_) => Err(ImageError::no_test_set(&self.path, "it is no array")),
        }
    }

    fn stretch(&self, offset: usize, length: usize) -> Result<&[u8], ImageError> {
        offset
            .checked_add(length)
            .and_then(|end| self.bytes.get(offset..end))
            .ok_or_else(|| ImageError::no_test_set(&self.path, "it ends early; make it again"))
    }
}

fn array(head: &[u8], file_bytes: u64) -> Result<Content, String> {
    let header = npy::Header::parse(head).map_err(|error| error.to_string())?;
    if header.dtype.kind != Kind::Unsigned || header.dtype.bytes != 1 {
        return Err(format!(
            "the images are {}; save them as uint8",
            header.dtype
        ));
    }
    let shape_text = header.shape_text();
    if !matches!(header.shape.len(), 3 | 4) || header.shape.contains(&0) {
        return Err(format!(
            "the shape is {shape_text}; expected [N, H, W] or [N, H, W, C]"
        ));
    }
    if header.shape.get(3).is_some_and(|channels| *channels > 4) {
        return Err(format!(
            "the shape is {shape_text}; expected [N, H, W, C] with 1 to 4 channels last"
        ));
    }
    let shape = header
        .shape
        .iter()
        .map(|&extent| usize::try_from(extent).ok())
        .collect::<Option<Vec<_>>>();
    let expected = header
        .shape
        .iter()
        .try_fold(1_u64, |product, &extent| product.checked_mul(extent))
        .and_then(|pixels| pixels.checked_add(header.data_offset as u64));
    match (shape, expected) {
        (Some(shape), Some(expected)) if expected == file_bytes => Ok(Content::Array {
            shape,
            data_offset: header.data_offset,
        }),
        _ => Err(format!(
            "its {file_bytes} bytes are not what shape {shape_text} takes; save the array again"
        )),
    }
}

fn archive(file: &File) -> Result<Content, String> {
    let damaged =
        |error: std::io::Error| format!("the tar is damaged or cut off ({error}); make it again");
    let mut pictures = Vec::new();
    std::io::Seek::rewind(&mut { file }).map_err(damaged)?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| "a name is not UTF-8; rename the file".to_owned())?;
        let name = name.trim_start_matches("./").to_owned();
        if !entry.header().entry_type().is_file() {
            return Err(format!(
                "{name} is a link or a device; a tar of images holds plain files"
            ));
        }
        let mut magic = [0; 8];
        let read = entry.read(&mut magic).map_err(damaged)?;
        if !magic[..read].starts_with(&[0xff, 0xd8, 0xff]) && magic[..read] != *b"\x89PNG\r\n\x1a\n"
        {
            return Err(format!(
                "{name} is neither JPEG nor PNG; take it out or convert it"
            ));
        }
        pictures.push(PictureFile {
            name,
            offset: entry.raw_file_position(),
            size: entry.size(),
        });
    }
    if pictures.is_empty() {
        return Err("the tar holds no images".to_owned());
    }
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Content::Archive(pictures))
}
