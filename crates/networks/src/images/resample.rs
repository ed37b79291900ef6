//! Resizing exactly as Pillow does (`libImaging/Resample.c`, 8 bits a channel): the filter widened by the scale, so that shrinking is
//! antialiased, its weights in 22 bits of fixed point, horizontally first, rounded to bytes between the two passes.

use std::ops::Range;

use referee_scoring::model_form::Interpolation;

use super::decode::Picture;

/// Bits behind the point of a weight.
const PRECISION: u32 = 22;

/// The part of one axis of an image of `input` pixels, resized to `output`, that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub input: usize,
    pub output: usize,
    /// Within `0..output`.
    pub window: Range<usize>,
}

/// Resizes a picture, and computes only the wanted part of the result.
///
/// `[input, input, channels]` to `[window, window, channels]`.
pub(super) fn resample(
    picture: &Picture,
    vertical: &Axis,
    horizontal: &Axis,
    interpolation: Interpolation,
) -> Picture {
    match picture.channels {
        1 => resample_channels::<1>(picture, vertical, horizontal, interpolation),
        2 => resample_channels::<2>(picture, vertical, horizontal, interpolation),
        3 => resample_channels::<3>(picture, vertical, horizontal, interpolation),
        _ => resample_channels::<4>(picture, vertical, horizontal, interpolation),
    }
}

fn resample_channels<const C: usize>(
    picture: &Picture,
    vertical: &Axis,
    horizontal: &Axis,
    interpolation: Interpolation,
) -> Picture {
    let (pixels, _) = picture.pixels.as_chunks::<C>();
    let pixels = if interpolation == Interpolation::Nearest {
        nearest(pixels, vertical, horizontal)
    } else {
        let filter = Filter::of(interpolation);
        let rows = Weights::of(vertical, &filter);
        let columns = Weights::of(horizontal, &filter);
        let needed = rows.needed();
        let lines = &pixels[needed.start * horizontal.input..needed.end * horizontal.input];
        let narrowed = across(lines, horizontal, &columns);
        let width = horizontal.window.len();
        down(&narrowed, width, vertical, &rows, needed.start)
    };
    Picture {
        height: vertical.window.len(),
        width: horizontal.window.len(),
        channels: C,
        pixels: pixels.into_flattened(),
    }
}

/// The pixel whose area holds the centre of the new one. The place is summed up as Pillow sums it.
fn nearest<const C: usize>(pixels: &[[u8; C]], vertical: &Axis, horizontal: &Axis) -> Vec<[u8; C]> {
    let places = |axis: &Axis| -> Vec<usize> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "sides of images are far below 2^52"
        )]
        let step = axis.input as f64 / axis.output as f64;
        let mut at = step * 0.5;
        let mut places = Vec::with_capacity(axis.output);
        for _ in 0..axis.output {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "truncation is meant"
            )]
            places.push((at as usize).min(axis.input - 1));
            at += step;
        }
        places[axis.window.clone()].to_vec()
    };
    let columns = places(horizontal);
    let mut resized = Vec::with_capacity(vertical.window.len() * columns.len());
    for row in places(vertical) {
        let line = &pixels[row * horizontal.input..][..horizontal.input];
        resized.extend(columns.iter().map(|&column| line[column]));
    }
    resized
}

/// Resizes each line. `[lines, input]` to `[lines, window]`.
fn across<const C: usize>(pixels: &[[u8; C]], axis: &Axis, weights: &Weights) -> Vec<[u8; C]> {
    if weights.is_identity {
        let lines = pixels.chunks_exact(axis.input);
        return lines
            .flat_map(|line| line[axis.window.clone()].iter().copied())
            .collect();
    }
    let mut resized = Vec::with_capacity(pixels.len() / axis.input * axis.window.len());
    for line in pixels.chunks_exact(axis.input) {
        for (first, taps) in weights.of_each() {
            let mut sums = [1_i32 << (PRECISION - 1); C];
            for (pixel, &weight) in line[first..].iter().zip(taps) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            resized.push(sums.map(to_byte));
        }
    }
    resized
}

/// Resizes each column. `pixels` are the lines from `first_line` on. `[lines, width]` to `[window, width]`.
fn down<const C: usize>(
    pixels: &[[u8; C]],
    width: usize,
    axis: &Axis,
    weights: &Weights,
    first_line: usize,
) -> Vec<[u8; C]> {
    if weights.is_identity {
        return pixels.to_vec();
    }
    let mut resized = Vec::with_capacity(axis.window.len() * width);
    let mut sums = vec![[0_i32; C]; width];
    for (first, taps) in weights.of_each() {
        sums.fill([1 << (PRECISION - 1); C]);
        let lines = pixels[(first - first_line) * width..].chunks_exact(width);
        for (line, &weight) in lines.zip(taps) {
            let line = line.as_flattened();
            for (sum, &value) in sums.as_flattened_mut().iter_mut().zip(line) {
                *sum += i32::from(value) * weight;
            }
        }
        resized.extend(sums.iter().map(|sums| sums.map(to_byte)));
    }
    resized
}

#[expect(clippy::cast_sign_loss, reason = "clamped to a byte")]
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// A filter kernel, zero from `support` on.
struct Filter {
    support: f64,
    value: fn(f64) -> f64,
}

impl Filter {
    fn of(interpolation: Interpolation) -> Self {
        match interpolation {
            Interpolation::Bicubic => Self {
                support: 2.0,
                value: bicubic,
            },
            Interpolation::Bilinear | Interpolation::Nearest => Self {
                support: 1.0,
                value: |x| (1.0 - x.abs()).max(0.0),
            },
        }
    }
}

/// Keys' cubic convolution kernel (1981) with a = −0.5.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// For each wanted pixel of an axis, which pixels it is made of, and how much of each.
struct Weights {
    /// The first pixel, and where its weight and those of the following pixels are in `taps`.
    spans: Vec<(usize, Range<usize>)>,
    taps: Vec<i32>,
    /// Nothing is resized: each pixel is made of itself.
    is_identity: bool,
}

impl Weights {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sides of images are far below 2^52; truncation is what Pillow does"
    )]
    fn of(axis: &Axis, filter: &Filter) -> Self {
        if axis.input == axis.output {
            return Self {
                spans: axis.window.clone().map(|pixel| (pixel, 0..1)).collect(),
                taps: vec![1 << PRECISION],
                is_identity: true,
            };
        }
        let scale = axis.input as f64 / axis.output as f64;
        let widened = scale.max(1.0);
        let support = filter.support * widened;
        let mut weights = Self {
            spans: Vec::with_capacity(axis.window.len()),
            taps: Vec::new(),
            is_identity: false,
        };
        let mut values = Vec::new();
        for pixel in axis.window.clone() {
            let center = (pixel as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(axis.input);
            values.clear();
            values.extend(
                (first..end).map(|at| (filter.value)((at as f64 - center + 0.5) * (1.0 / widened))),
            );
            let sum: f64 = values.iter().sum();
            let begin = weights.taps.len();
            weights
                .taps
                .extend(values.iter().map(|value| fixed_point(value / sum)));
            weights.spans.push((first, begin..weights.taps.len()));
        }
        weights
    }

    fn of_each(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.spans
            .iter()
            .map(|(first, taps)| (*first, &self.taps[taps.clone()]))
    }

    /// The pixels of which the wanted ones are made.
    fn needed(&self) -> Range<usize> {
        let start = self.of_each().map(|(first, _)| first).min();
        let end = self.of_each().map(|(first, taps)| first + taps.len()).max();
        start.unwrap_or(0)..end.unwrap_or(0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "weights are at most a little above 1"
)]
fn fixed_point(weight: f64) -> i32 {
    let half = if weight < 0.0 { -0.5 } else { 0.5 };
    (half + weight * f64::from(1 << PRECISION)) as i32
}
