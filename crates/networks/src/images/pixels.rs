//! Images that have the network's size: read from an array, or made as they are asked for.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rayon::prelude::*;
use referee_scoring::model_form::Size;
use referee_scoring::npy::{Dtype, Header, Kind};

use super::decode::{Picture, decode};
use super::error::{About as _, ImageError};
use super::geometry::Geometry;
use super::test_set::TestSet;
use crate::mapped;

/// uint8 images of one size, by ordinal.
pub trait Pixels: Sync {
    /// `[images, height, width, channels]`; one channel may stand for three equal ones.
    fn shape(&self) -> [usize; 4];

    /// The images of a range, `[range, height, width, channels]`.
    ///
    /// # Errors
    /// A picture that cannot be decoded or has not the size of the others.
    ///
    /// # Panics
    /// If the range is not within the images.
    fn read(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>, ImageError>;
}

/// An NPY file of uint8 `[N,H,W]` or `[N,H,W,C]`, mapped into memory.
pub struct PixelArray {
    path: PathBuf,
    bytes: Bytes,
    shape: [usize; 4],
    data_offset: usize,
}

impl PixelArray {
    /// # Errors
    /// The file cannot be read or holds something else.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let file = File::open(path).about(path, "opened")?;
        let mut head = Vec::new();
        (&file)
            .take(1 << 14)
            .read_to_end(&mut head)
            .about(path, "read")?;
        let header = Header::parse(&head)
            .map_err(|error| ImageError::no_test_set(path, error.to_string()))?;
        let bytes = mapped::open(path).about(path, "read")?;
        let is_bytes = matches!(
            header.dtype,
            Dtype {
                kind: Kind::Unsigned,
                bytes: 1,
                ..
            }
        );
        let extents: Option<Vec<usize>> = header
            .shape
            .iter()
            .map(|&extent| usize::try_from(extent).ok())
            .collect();
        let shape = match extents.as_deref() {
            Some(&[images, height, width]) if is_bytes => [images, height, width, 1],
            Some(&[images, height, width, channels]) if is_bytes => {
                [images, height, width, channels]
            }
            _ => {
                let found = format!(
                    "it is {} {}; expected uint8 [N,H,W] or [N,H,W,C]",
                    header.dtype,
                    header.shape_text()
                );
                return Err(ImageError::no_test_set(path, found));
            }
        };
        let length = shape
            .iter()
            .try_fold(1_usize, |product, extent| product.checked_mul(*extent));
        if length.and_then(|length| length.checked_add(header.data_offset)) != Some(bytes.len()) {
            return Err(ImageError::no_test_set(
                path,
                "its length is not what its shape takes",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            shape,
            data_offset: header.data_offset,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Pixels for PixelArray {
    fn shape(&self) -> [usize; 4] {
        self.shape
    }

    fn read(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>, ImageError> {
        let image: usize = self.shape[1..].iter().product();
        let at = |ordinal: usize| self.data_offset + ordinal * image;
        Ok(Cow::Borrowed(&self.bytes[at(range.start)..at(range.end)]))
    }
}

/// A test set whose images are decoded, resized and cropped each time they are asked for.
pub struct DecodedOnDemand<'s> {
    set: &'s TestSet,
    geometry: Geometry,
    shape: [usize; 4],
}

impl<'s> DecodedOnDemand<'s> {
    /// Looks at the first image.
    ///
    /// # Errors
    /// It cannot be decoded, or its channels are not what the geometry asks for.
    pub fn new(set: &'s TestSet, geometry: Geometry) -> Result<Self, ImageError> {
        let first = geometry.apply(set.picture(0)?)?;
        let channels = match (set.shape(), geometry.color) {
            // Colour pictures may follow a gray one.
            (None, super::Color::Rgb) => 3,
            _ => first.channels,
        };
        Ok(Self {
            set,
            geometry,
            shape: [set.len(), first.height, first.width, channels],
        })
    }

    fn prepare(&self, ordinal: usize, pixels: &mut [u8]) -> Result<(), ImageError> {
        let [_, height, width, channels] = self.shape;
        let picture = self.set.picture(ordinal)?;
        let from = picture.size();
        let picture = self.geometry.apply(picture)?;
        if (picture.height, picture.width) != (height, width) {
            return Err(ImageError::Recipe(format!(
                "the images have different sizes (the first makes {height}×{width} pixels, another of {from} makes {}): give `resize` as [height, width], or `crop`",
                picture.size()
            )));
        }
        pixels.copy_from_slice(&picture.with_channels(channels).pixels);
        Ok(())
    }
}

impl Pixels for DecodedOnDemand<'_> {
    fn shape(&self) -> [usize; 4] {
        self.shape
    }

    fn read(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>, ImageError> {
        let image: usize = self.shape[1..].iter().product();
        let mut pixels = vec![0; range.len() * image];
        pixels
            .par_chunks_exact_mut(image)
            .zip(range)
            .try_for_each(|(pixels, ordinal)| self.prepare(ordinal, pixels))?;
        Ok(Cow::Owned(pixels))
    }
}

impl TestSet {
    /// One image, decoded.
    ///
    /// # Errors
    /// It cannot be decoded; the sentence names it.
    pub fn picture(&self, ordinal: usize) -> Result<Picture, ImageError> {
        let bytes = self.bytes(ordinal)?;
        match (self.shape(), self.pictures()) {
            (Some(shape), _) => Ok(Picture {
                height: shape[1],
                width: shape[2],
                channels: shape.get(3).copied().unwrap_or(1),
                pixels: bytes.to_vec(),
            }),
            (None, pictures) => decode(bytes).map_err(|detail| ImageError::Picture {
                ordinal,
                name: pictures.map_or_else(String::new, |pictures| pictures[ordinal].name.clone()),
                detail,
            }),
        }
    }

    /// The size and channels that all images have, where they are an array.
    pub fn uniform(&self) -> Option<(Size, usize)> {
        let shape = self.shape()?;
        let pixels = |extent: usize| u32::try_from(extent).ok();
        let size = Size {
            height: pixels(shape[1])?,
            width: pixels(shape[2])?,
        };
        Some((size, shape.get(3).copied().unwrap_or(1)))
    }
}
