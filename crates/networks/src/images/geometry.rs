//! The part of a recipe that moves pixels: colour, resize, crop.

use std::fmt;
use std::ops::Range;

use referee_scoring::model_form::{Channels, Interpolation, Preprocessing, Resize, Size};

use super::decode::{Color, MAX_PIXELS, Picture};
use super::error::ImageError;
use super::resample::{Axis, resample};

/// What is done to the pixels of every image. Recipes that agree in this share prepared images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    pub color: Color,
    pub resize: Option<Resize>,
    pub crop: Option<Size>,
    pub interpolation: Interpolation,
    /// As [`Preprocessing::small`].
    pub small: Option<u32>,
}

impl Geometry {
    pub fn of(preprocessing: &Preprocessing) -> Self {
        Self {
            color: match preprocessing.channels {
                Some(Channels::Gray) => Color::Gray,
                Some(Channels::Rgb | Channels::Bgr) => Color::Rgb,
                None => Color::AsIs(preprocessing.mean.len()),
            },
            resize: preprocessing.resize,
            crop: preprocessing.crop,
            interpolation: preprocessing.interpolation,
            small: preprocessing.small,
        }
    }

    /// The size of an image of this size once it is resized and cropped.
    pub fn output(&self, image: Size) -> Size {
        self.crop.unwrap_or_else(|| self.resized(image))
    }

    /// Whether it leaves images of this size, with so many channels, as they are.
    pub fn keeps(&self, image: Size, channels: usize) -> bool {
        let color = match self.color {
            Color::Gray => channels == 1,
            Color::Rgb => matches!(channels, 1 | 3),
            Color::AsIs(expected) => channels == expected,
        };
        color && self.resized(image) == image && self.output(image) == image
    }

    /// Colour, resize, crop; the crop is black where the image is smaller, as torchvision pads it.
    ///
    /// # Errors
    /// [`ImageError::Recipe`] where the image has other channels than the recipe asks for.
    pub fn apply(&self, picture: Picture) -> Result<Picture, ImageError> {
        let found = picture.channels;
        let picture = picture.in_color(self.color).map_err(|expected| {
            ImageError::Recipe(format!(
                "the images have {found} channels, but the network takes {expected}"
            ))
        })?;
        let size = picture.size();
        let resized = self.resized(size);
        let output = self.output(size);
        if resized == size && output == size {
            return Ok(picture);
        }
        if u64::from(output.height) * u64::from(output.width) > MAX_PIXELS {
            return Err(ImageError::Recipe(format!(
                "an image of {size} pixels becomes one of {output}: give `crop`"
            )));
        }
        let [rows, columns] = [
            Crop::of(resized.height, output.height),
            Crop::of(resized.width, output.width),
        ];
        let vertical = rows.axis(size.height, resized.height);
        let horizontal = columns.axis(size.width, resized.width);
        let inside = resample(&picture, &vertical, &horizontal, self.interpolation);
        Ok(padded(inside, &rows, &columns, output))
    }

    /// How an image of this size is resized.
    fn resize_of(&self, image: Size) -> Option<Resize> {
        match (self.small, self.crop) {
            (Some(_), Some(crop)) if image == crop => None,
            (Some(small), Some(crop)) if !image.holds(crop) => Some(Resize::ShortSide(small)),
            _ => self.resize,
        }
    }

    /// `torchvision.transforms.Resize`: the long side is truncated.
    fn resized(&self, image: Size) -> Size {
        let long = |short: u32, long: u32, side: u32| {
            u32::try_from(u64::from(side) * u64::from(long) / u64::from(short)).unwrap_or(u32::MAX)
        };
        match self.resize_of(image) {
            None => image,
            Some(Resize::Exact(size)) => size,
            Some(Resize::ShortSide(side)) if image.width <= image.height => Size {
                height: long(image.width, image.height, side),
                width: side,
            },
            Some(Resize::ShortSide(side)) => Size {
                height: side,
                width: long(image.height, image.width, side),
            },
        }
    }
}

impl fmt::Display for Geometry {
    /// As part of a file's name: `rgb-resize256-bilinear-crop224x224`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.color {
            Color::Gray => f.write_str("gray")?,
            Color::Rgb => f.write_str("rgb")?,
            Color::AsIs(channels) => write!(f, "{channels}channels")?,
        }
        match self.resize {
            None => {}
            Some(Resize::ShortSide(side)) => write!(f, "-resize{side}")?,
            Some(Resize::Exact(size)) => write!(f, "-resize{}x{}", size.height, size.width)?,
        }
        if self.resize.is_some() {
            f.write_str(match self.interpolation {
                Interpolation::Bilinear => "-bilinear",
                Interpolation::Bicubic => "-bicubic",
                Interpolation::Nearest => "-nearest",
            })?;
        }
        if let Some(size) = self.crop {
            write!(f, "-crop{}x{}", size.height, size.width)?;
        }
        match self.small {
            None => Ok(()),
            Some(side) => write!(f, "-small{side}"),
        }
    }
}

impl Picture {
    pub fn size(&self) -> Size {
        // Sides of pictures are at most 65,535, those of arrays at most what fits memory.
        let side = |pixels| u32::try_from(pixels).unwrap_or(u32::MAX);
        Size {
            height: side(self.height),
            width: side(self.width),
        }
    }
}

/// A centre crop along one axis.
struct Crop {
    /// The part of the image that is kept.
    window: Range<usize>,
    /// Black pixels before it.
    before: usize,
}

impl Crop {
    /// `torchvision.transforms.CenterCrop`: half of what is cut off, half to even; a smaller image is padded first.
    fn of(image: u32, crop: u32) -> Self {
        let (image, crop) = (image as usize, crop as usize);
        if crop >= image {
            return Self {
                window: 0..image,
                before: (crop - image) / 2,
            };
        }
        let cut = image - crop;
        let start = cut / 2 + usize::from(cut % 4 == 3);
        Self {
            window: start..start + crop,
            before: 0,
        }
    }

    fn axis(&self, input: u32, output: u32) -> Axis {
        Axis {
            input: input as usize,
            output: output as usize,
            window: self.window.clone(),
        }
    }
}

fn padded(inside: Picture, rows: &Crop, columns: &Crop, output: Size) -> Picture {
    if inside.size() == output {
        return inside;
    }
    let channels = inside.channels;
    let (height, width) = (output.height as usize, output.width as usize);
    let mut pixels = vec![0; height * width * channels];
    let lines = inside.pixels.chunks_exact(inside.width * channels);
    for (row, line) in lines.enumerate() {
        let at = ((rows.before + row) * width + columns.before) * channels;
        pixels[at..at + line.len()].copy_from_slice(line);
    }
    Picture {
        height,
        width,
        channels,
        pixels,
    }
}
