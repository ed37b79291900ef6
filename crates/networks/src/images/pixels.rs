//! Images that have the network's size: read from an array, or made as they are asked for.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;
use referee_scoring::model_form::Size;

use super::decode::{Picture, decode};
use super::error::ImageError;
use super::geometry::Geometry;
use super::test_set::TestSet;

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
    set: TestSet,
    shape: [usize; 4],
}

impl PixelArray {
    /// # Errors
    /// The file cannot be read or holds something else.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let set = TestSet::open(path)?;
        let shape = match set.shape() {
            Some(&[images, height, width]) => [images, height, width, 1],
            Some(&[images, height, width, channels]) => [images, height, width, channels],
            _ => return Err(ImageError::no_test_set(path, "it is no array")),
        };
        Ok(Self { set, shape })
    }

    pub fn path(&self) -> &Path {
        self.set.path()
    }
}

impl Pixels for PixelArray {
    fn shape(&self) -> [usize; 4] {
        self.shape
    }

    fn read(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>, ImageError> {
        Ok(Cow::Borrowed(self.set.array(range)?))
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

    /// Whether `crop` does not fit in some of the images, as far as a few of them show.
    pub fn has_smaller(&self, crop: Size) -> bool {
        const LOOKED_AT: usize = 32;
        match self.uniform() {
            Some((size, _)) => !size.holds(crop),
            None => (0..self.len())
                .step_by(self.len().div_ceil(LOOKED_AT))
                .filter_map(|ordinal| self.picture(ordinal).ok())
                .any(|picture| !picture.size().holds(crop)),
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
