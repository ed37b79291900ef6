//! Test images as an organizer has them: an NPY array of uint8, or a tar of JPEG and PNG files.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use referee_scoring::{ImageFile, ImageList, ImageOrder, PictureFile};

use super::error::{About as _, ImageError};
use crate::mapped;

/// The images of one file, by ordinal. Opening looks at headers only; the file is mapped into memory.
pub struct TestSet {
    path: PathBuf,
    bytes: Bytes,
    content: ImageFile,
}

impl TestSet {
    /// # Errors
    /// The file cannot be read, or is neither of the two forms; the sentence says what to do.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let file = File::open(path).about(path, "opened")?;
        let length = file.metadata().about(path, "read")?.len();
        let content = ImageFile::read_seeking(file, length)
            .map_err(|error| ImageError::no_test_set(path, error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            bytes: mapped::open(path).about(path, "read")?,
            content,
        })
    }

    /// The same images counted in another order of their names.
    #[must_use]
    pub fn in_order(self, order: ImageOrder) -> Self {
        Self {
            content: self.content.in_order(order),
            ..self
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of images, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a test set is never empty")]
    pub fn len(&self) -> usize {
        self.content.len()
    }

    /// The images with their names, where they have any.
    ///
    /// # Errors
    /// Names that a prediction file could not use.
    pub fn list(&self) -> Result<ImageList, ImageError> {
        self.content
            .list()
            .map_err(|error| ImageError::no_test_set(&self.path, error.to_string()))
    }

    /// File sizes in bytes by ordinal, where the images are files.
    pub fn sizes(&self) -> Option<Vec<u64>> {
        self.content.sizes()
    }

    /// The array's shape, `[N, H, W]` or `[N, H, W, C]`; none for a tar.
    pub fn shape(&self) -> Option<&[usize]> {
        match &self.content {
            ImageFile::Array { shape, .. } => Some(shape),
            ImageFile::Archive(_) => None,
        }
    }

    /// The pictures of a tar; none for an array.
    pub fn pictures(&self) -> Option<&[PictureFile]> {
        match &self.content {
            ImageFile::Array { .. } => None,
            ImageFile::Archive(pictures) => Some(pictures),
        }
    }

    /// The bytes of one image: its pixels, or its file.
    ///
    /// # Panics
    /// If `ordinal` is not below [`Self::len`].
    pub fn bytes(&self, ordinal: usize) -> Result<&[u8], ImageError> {
        match &self.content {
            ImageFile::Array { .. } => self.array(ordinal..ordinal + 1),
            ImageFile::Archive(pictures) => {
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
            ImageFile::Array { shape, data_offset } => {
                let image: usize = shape[1..].iter().product();
                self.stretch(data_offset + range.start * image, range.len() * image)
            }
            ImageFile::Archive(_) => Err(ImageError::no_test_set(&self.path, "it is no array")),
        }
    }

    fn stretch(&self, offset: usize, length: usize) -> Result<&[u8], ImageError> {
        offset
            .checked_add(length)
            .and_then(|end| self.bytes.get(offset..end))
            .ok_or_else(|| ImageError::no_test_set(&self.path, "it ends early; make it again"))
    }
}
