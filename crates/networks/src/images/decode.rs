//! Pixels of one picture, as Pillow's `Image.open(…).convert('RGB')` or `.convert('L')` has them.

use image::codecs::png::{PngDecoder, PngEncoder};
use image::{ColorType, ImageDecoder as _, ImageEncoder as _, Limits};
use std::io::Cursor;

use super::jpeg;

/// Pillow's own limit (`Image.MAX_IMAGE_PIXELS`), above which it suspects a decompression bomb.
pub(super) const MAX_PIXELS: u64 = 89_478_485;

/// A picture's decoded bytes at most: twice what that many pixels of RGB take.
const MAX_DECODED: u64 = 6 * MAX_PIXELS;

/// Channels of an image, one byte each, interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub height: usize,
    pub width: usize,
    /// 1 (gray), 3 (red, green, blue), or what an array has.
    pub channels: usize,
    /// `[height, width, channels]`.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// A PNG file with these pixels.
    ///
    /// # Errors
    /// The picture has neither one channel nor three.
    pub fn to_png(&self) -> Result<Vec<u8>, image::ImageError> {
        let color = match self.channels {
            1 => image::ExtendedColorType::L8,
            3 => image::ExtendedColorType::Rgb8,
            channels => image::ExtendedColorType::Unknown(u8::try_from(channels).unwrap_or(0)),
        };
        // A picture that was decoded is far smaller than 2^32 pixels on a side.
        let side = |extent: usize| u32::try_from(extent).unwrap_or(u32::MAX);
        let mut file = Vec::new();
        PngEncoder::new(&mut file).write_image(
            &self.pixels,
            side(self.width),
            side(self.height),
            color,
        )?;
        Ok(file)
    }
}

/// What colours become before anything is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Color {
    /// One channel, by [`luma`] where there are three.
    Gray,
    /// Three channels. A gray array stays one channel, which is as good and a third of the size.
    Rgb,
    /// So many channels, which the images must have.
    AsIs(usize),
}

/// Decodes a JPEG or PNG file. EXIF orientation and colour profiles are ignored, as Pillow ignores them; alpha is dropped.
///
/// # Errors
/// The end of a sentence that begins with the picture's name.
pub fn decode(file: &[u8]) -> Result<Picture, String> {
    if file.starts_with(b"\x89PNG") {
        png(file)
    } else {
        jpeg::decode(file)
    }
}

fn png(file: &[u8]) -> Result<Picture, String> {
    let damaged = |error| format!("is no PNG that can be decoded: {error}");
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    let decoder = PngDecoder::with_limits(Cursor::new(file), limits).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(height.into(), width.into())?;
    let color = decoder.color_type();
    let bytes = decoder.total_bytes();
    if bytes > MAX_DECODED {
        return Err(format!("decodes to {bytes} bytes; at most {MAX_DECODED}"));
    }
    let mut samples = vec![0; usize::try_from(bytes).map_err(|_| "is larger than memory")?];
    decoder.read_image(&mut samples).map_err(damaged)?;
    let (channels, pixels) = match color {
        ColorType::L8 => (1, samples),
        ColorType::La8 => (1, keep::<2, 1>(&samples, 1)),
        ColorType::Rgb8 => (3, samples),
        ColorType::Rgba8 => (3, keep::<4, 3>(&samples, 1)),
        // Pillow keeps 16 bits of gray and cuts at 255 when it converts; of colour and of gray with alpha it reads the high bytes.
        ColorType::L16 => (1, cut_at_255(&samples)),
        ColorType::La16 => (1, keep::<2, 1>(&samples, 2)),
        ColorType::Rgb16 => (3, keep::<3, 3>(&samples, 2)),
        ColorType::Rgba16 => (3, keep::<4, 3>(&samples, 2)),
        other => return Err(format!("is a PNG of {other:?}, which is not known")),
    };
    Ok(Picture {
        height: height as usize,
        width: width as usize,
        channels,
        pixels,
    })
}

/// The first `KEPT` of each `OF` channels of `bytes` bytes each, in one byte: the high one.
fn keep<const OF: usize, const KEPT: usize>(samples: &[u8], bytes: usize) -> Vec<u8> {
    let high = if cfg!(target_endian = "little") {
        bytes - 1
    } else {
        0
    };
    samples
        .chunks_exact(OF * bytes)
        .flat_map(|pixel| (0..KEPT).map(move |channel| pixel[channel * bytes + high]))
        .collect()
}

fn cut_at_255(samples: &[u8]) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<2>();
    pixels
        .iter()
        .map(|pixel| u8::try_from(u16::from_ne_bytes(*pixel)).unwrap_or(u8::MAX))
        .collect()
}

fn check_size(height: u64, width: u64) -> Result<(), String> {
    let sides = 1..=u64::from(u16::MAX);
    if !sides.contains(&height) || !sides.contains(&width) || height * width > MAX_PIXELS {
        return Err(format!(
            "has {width}×{height} pixels; expected at most {MAX_PIXELS}, and no side longer than {}",
            u16::MAX
        ));
    }
    Ok(())
}

/// Pillow's L: ITU-R 601-2 in 16 bits of fixed point.
fn luma(pixel: [u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    let weighted = 19_595 * red + 38_470 * green + 7_471 * blue + 0x8000;
    // At most 65,536 · 255 + 32,768, whose high part fits a byte.
    weighted.to_le_bytes()[2]
}

impl Picture {
    /// The picture in these colours.
    ///
    /// # Errors
    /// The number of channels that was expected, where it cannot be.
    pub fn in_color(self, color: Color) -> Result<Self, usize> {
        match (color, self.channels) {
            (Color::Gray, 3) => Ok(Self {
                channels: 1,
                pixels: self
                    .pixels
                    .as_chunks()
                    .0
                    .iter()
                    .copied()
                    .map(luma)
                    .collect(),
                ..self
            }),
            (Color::Gray, 1) | (Color::Rgb, 1 | 3) => Ok(self),
            (Color::AsIs(expected), channels) if channels == expected => Ok(self),
            (Color::Gray, _) => Err(1),
            (Color::Rgb, _) => Err(3),
            (Color::AsIs(expected), _) => Err(expected),
        }
    }

    /// The picture with so many channels: gray repeated where it is not that already.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        if self.channels == channels {
            return self;
        }
        debug_assert_eq!(self.channels, 1, "only gray is repeated");
        let repeated = self
            .pixels
            .iter()
            .flat_map(|&gray| std::iter::repeat_n(gray, channels));
        Self {
            channels,
            pixels: repeated.collect(),
            ..self
        }
    }
}
