//! From coefficients to pixels: samples, chroma at full size (`jdsample.c`), colour (`jdcolor.c`).

use super::super::decode::Picture;
use super::header::{Color, Frame, Tables};
use super::scan::{Decoder, Plane, natural_order};
use super::transform::inverse;

/// Samples of one component.
struct Samples {
    height: usize,
    width: usize,
    /// Samples in a row, those that only fill up a block included.
    stride: usize,
    values: Vec<u8>,
}

pub(super) fn picture(decoder: Decoder, tables: &Tables, color: Color) -> Result<Picture, String> {
    let (frame, planes) = decoder.into_planes();
    let mut full = Vec::with_capacity(planes.len());
    for (index, plane) in planes.into_iter().enumerate() {
        full.push(full_size(&frame, index, &plane, tables)?);
    }
    let (channels, pixels) = match (color, full.as_slice()) {
        (Color::Rgb, [red, green, blue]) => {
            let pixels = red.iter().zip(green).zip(blue);
            (
                3,
                pixels
                    .flat_map(|((&red, &green), &blue)| [red, green, blue])
                    .collect(),
            )
        }
        (Color::YCbCr, [y, cb, cr]) => {
            let pixels = y.iter().zip(cb).zip(cr);
            (
                3,
                pixels.flat_map(|((&y, &cb), &cr)| rgb(y, cb, cr)).collect(),
            )
        }
        (Color::Cmyk, [c, m, y, k]) => {
            let pixels = c.iter().zip(m).zip(y).zip(k);
            (
                3,
                pixels
                    .flat_map(|(((&c, &m), &y), &k)| [c, m, y].map(|ink| without_black(ink, k)))
                    .collect(),
            )
        }
        (Color::Ycck, [y, cb, cr, k]) => {
            let pixels = y.iter().zip(cb).zip(cr).zip(k);
            let inks = |y, cb, cr| rgb(y, cb, cr).map(|light| 255 - light);
            (
                3,
                pixels
                    .flat_map(|(((&y, &cb), &cr), &k)| {
                        inks(y, cb, cr).map(|ink| without_black(ink, k))
                    })
                    .collect(),
            )
        }
        _ => (1, full.swap_remove(0)),
    };
    Ok(Picture {
        height: frame.height,
        width: frame.width,
        channels,
        pixels,
    })
}

/// One component at the picture's size, `[height, width]`.
fn full_size(
    frame: &Frame,
    index: usize,
    plane: &Plane,
    tables: &Tables,
) -> Result<Vec<u8>, String> {
    let component = &frame.components[index];
    let zigzag = tables.quantization[component.quantization]
        .as_ref()
        .ok_or("is a JPEG that lacks a quantization table")?;
    let mut quantization = [0; 64];
    for (at, &value) in zigzag.iter().enumerate() {
        quantization[natural_order(at)] = value;
    }
    let (most_horizontal, most_vertical) = frame.most_samples();
    if most_horizontal % component.horizontal != 0 || most_vertical % component.vertical != 0 {
        return Err(
            "is a JPEG whose chroma has no whole fraction of the pixels; save it as a common one"
                .to_owned(),
        );
    }
    let samples = Samples {
        height: (frame.height * component.vertical).div_ceil(most_vertical),
        width: (frame.width * component.horizontal).div_ceil(most_horizontal),
        stride: plane.stride * 8,
        values: transformed(plane, &quantization),
    };
    let (wider, higher) = (
        most_horizontal / component.horizontal,
        most_vertical / component.vertical,
    );
    let mut full = Vec::with_capacity(frame.height * frame.width);
    let mut line = vec![0; samples.width * wider];
    for row in 0..frame.height {
        samples.enlarged_row(row, wider, higher, &mut line);
        full.extend_from_slice(&line[..frame.width]);
    }
    Ok(full)
}

fn transformed(plane: &Plane, quantization: &[u16; 64]) -> Vec<u8> {
    let width = plane.stride * 8;
    let mut values = vec![0; plane.blocks.len() * 64];
    let rows = plane.blocks.chunks_exact(plane.stride);
    for (blocks, lines) in rows.zip(values.chunks_exact_mut(8 * width)) {
        for (column, block) in blocks.iter().enumerate() {
            let samples = inverse(block, quantization);
            for (line, samples) in lines
                .chunks_exact_mut(width)
                .zip(samples.as_chunks::<8>().0)
            {
                line[column * 8..column * 8 + 8].copy_from_slice(samples);
            }
        }
    }
    values
}

impl Samples {
    fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride..][..self.width]
    }

    /// A row of the component enlarged `wider` and `higher` times: between two samples by a triangle filter, else repeated.
    fn enlarged_row(&self, row: usize, wider: usize, higher: usize, line: &mut [u8]) {
        let near = self.row(row / higher);
        // In a pair of rows, the first lies nearer to the row above.
        let is_first = row.is_multiple_of(2);
        let far = || {
            let above = (row / 2).saturating_sub(1);
            let below = (row / 2 + 1).min(self.height - 1);
            self.row(if is_first { above } else { below })
        };
        match (wider, higher) {
            (1, 1) => line.copy_from_slice(near),
            (2, 1) if self.width > 2 => {
                let sums = |at: usize| u32::from(near[at]);
                triangle(line, self.width, sums, [1, 2], 2);
            }
            (1, 2) => {
                let bias = if is_first { 1 } else { 2 };
                for ((value, &near), &far) in line.iter_mut().zip(near).zip(far()) {
                    *value = to_byte((3 * u32::from(near) + u32::from(far) + bias) >> 2);
                }
            }
            (2, 2) if self.width > 2 => {
                let far = far();
                let sums = |at: usize| 3 * u32::from(near[at]) + u32::from(far[at]);
                triangle(line, self.width, sums, [8, 7], 4);
            }
            _ => {
                for (values, &sample) in line.chunks_exact_mut(wider).zip(near) {
                    values.fill(sample);
                }
            }
        }
    }
}

/// Each sample becomes two: three quarters of it and a quarter of the neighbour on that side, itself at the edge.
fn triangle(
    line: &mut [u8],
    width: usize,
    sums: impl Fn(usize) -> u32,
    bias: [u32; 2],
    shift: u32,
) {
    let (mut before, mut this) = (sums(0), sums(0));
    for (at, pair) in line.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let after = sums((at + 1).min(width - 1));
        *pair = [
            to_byte((3 * this + before + bias[0]) >> shift),
            to_byte((3 * this + after + bias[1]) >> shift),
        ];
        (before, this) = (this, after);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an average of bytes")]
fn to_byte(value: u32) -> u8 {
    value as u8
}

/// ITU-R BT.601 in 16 bits of fixed point.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    #[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
    [
        y + ((91_881 * cr + HALF) >> 16),
        y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16),
        y + ((116_130 * cb + HALF) >> 16),
    ]
    .map(|light| light.clamp(0, 255) as u8)
}

/// Pillow's conversion of inverted CMYK: `ink · black / 255`, rounded.
fn without_black(ink: u8, black: u8) -> u8 {
    let product = u32::from(ink) * u32::from(black) + 128;
    to_byte((product + (product >> 8)) >> 8)
}
