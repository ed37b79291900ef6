//! Test sets and their preparation.

mod cache;
mod decoding;
mod geometry;

use std::path::Path;

use referee_networks::images::{Color, Geometry, Picture};
use referee_scoring::model_form::{Interpolation, Resize, Size};

/// A geometry that only resizes and crops.
fn geometry(color: Color, resize: Option<Resize>, crop: Option<u32>) -> Geometry {
    Geometry {
        color,
        resize,
        crop: crop.map(Size::square),
        interpolation: Interpolation::Bilinear,
        small: None,
    }
}

/// The picture that the golden figures were made from: `(37·row + 59·column + 83·channel + 11·row·column) mod 256`.
fn pattern(height: usize, width: usize, channels: usize) -> Picture {
    let mut pixels = Vec::new();
    for row in 0..height {
        for column in 0..width {
            for channel in 0..channels {
                let value = 37 * row + 59 * column + 83 * channel + 11 * row * column;
                pixels.push(u8::try_from(value % 256).expect("a byte"));
            }
        }
    }
    Picture {
        height,
        width,
        channels,
        pixels,
    }
}

/// Writes uint8 of this shape as numpy does.
fn save_npy(path: &Path, shape: &[usize], pixels: &[u8]) {
    let header = referee_scoring::npy::header("|u1", shape);
    std::fs::write(path, [&header, pixels].concat()).expect("a written file");
}

fn save_tar(path: &Path, files: &[(&str, Vec<u8>)]) {
    let mut tar = tar::Builder::new(std::fs::File::create(path).expect("a file"));
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice())
            .expect("a tar entry");
    }
    tar.finish().expect("a tar");
}

fn png(picture: &[u8], height: u32, width: u32, color: image::ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(encoder, picture, width, height, color).expect("a PNG");
    bytes
}
