//! Convolution as matrix products, in tiles of output lines small enough for the
//! cache, and directly where each channel is a group of its own.

#![expect(
    unsafe_code,
    reason = "the tiles of one output are written from several threads"
)]

use candle_core::WithDType;
use gemm::Parallelism;
use rayon::prelude::*;

use super::im2col::{im2col, source_line};
use super::product::{Destination, Matrix, product};
use crate::graph::Activation;
use crate::window::Window;

/// About how many elements of im2col's matrix a tile holds: 512 kB in single precision.
const TILE_ELEMENTS: usize = 128 * 1024;

/// A convolution's sizes.
#[derive(Clone, Copy)]
pub(super) struct Geometry {
    pub window: Window,
    pub batch: usize,
    pub channels: usize,
    pub out: usize,
    pub groups: usize,
}

impl Geometry {
    pub fn output_dims(&self) -> Vec<usize> {
        [&[self.batch, self.out], self.window.output()].concat()
    }

    /// Rows of im2col's matrix: the inputs of one output element.
    pub fn depth(&self) -> usize {
        self.channels / self.groups * self.window.taps()
    }

    pub fn out_per_group(&self) -> usize {
        self.out / self.groups
    }

    fn is_depthwise(&self) -> bool {
        self.groups == self.channels && self.groups == self.out
    }

    /// Whether im2col's matrix is the image itself.
    fn is_pointwise(&self) -> bool {
        let Window {
            size,
            stride,
            begin,
            end,
            ..
        } = &self.window;
        *size == [1; 3] && *stride == [1; 3] && *begin == [0; 3] && *end == [0; 3]
    }

    /// The part of an image's channels that belongs to a group, as `[channels / groups, positions]`.
    pub fn image<'a, T>(&self, x: &'a [T], image: usize, group: usize) -> &'a [T] {
        let length = self.channels / self.groups * self.window.input_positions();
        &x[(image * self.groups + group) * length..][..length]
    }

    pub fn output<'a, T>(&self, y: &'a [T], image: usize, group: usize) -> &'a [T] {
        let length = self.out_per_group() * self.window.output_positions();
        &y[(image * self.groups + group) * length..][..length]
    }

    pub fn weight<'a, T>(&self, weight: &'a [T], group: usize) -> &'a [T] {
        let length = self.out_per_group() * self.depth();
        &weight[group * length..][..length]
    }
}

/// What happens to a channel's outputs while they are in the cache: the bias, and an activation that only clips.
pub(super) struct Epilogue<T> {
    bias: Option<Vec<T>>,
    clip: Option<(T, T)>,
}

impl<T: WithDType> Epilogue<T> {
    /// Also returns the activation where it is more than clipping, and is left to be done.
    pub fn new(bias: Option<Vec<T>>, activation: Option<Activation>) -> (Self, Option<Activation>) {
        let (clip, rest) = match activation {
            Some(Activation::Relu) => (Some((0., f64::INFINITY)), None),
            Some(Activation::Clip { min, max }) => (Some((min, max)), None),
            other => (None, other),
        };
        let clip = clip.map(|(min, max)| (T::from_f64(min), T::from_f64(max)));
        (Self { bias, clip }, rest)
    }

    fn apply(&self, channel: usize, y: &mut [T]) {
        if let Some(bias) = &self.bias {
            let bias = bias[channel];
            for y in y.iter_mut() {
                *y += bias;
            }
        }
        if let Some((min, max)) = self.clip {
            // In this order NaN stays NaN.
            for y in y.iter_mut() {
                let floored = if *y < min { min } else { *y };
                *y = if floored > max { max } else { floored };
            }
        }
    }
}

/// `x [batch, channels, positions]`, `weight [out, channels / groups, window]`; result `[batch, out, positions]`.
pub(super) fn forward<T: WithDType>(
    geometry: &Geometry,
    x: &[T],
    weight: &[T],
    epilogue: &Epilogue<T>,
) -> Vec<T> {
    let positions = geometry.window.output_positions();
    let mut y = vec![T::zero(); geometry.batch * geometry.out * positions];
    if geometry.is_depthwise() {
        let planes = y
            .par_chunks_mut(positions)
            .zip(x.par_chunks(geometry.window.input_positions()));
        planes.enumerate().for_each(|(plane, (y, x))| {
            let channel = plane % geometry.channels;
            let taps = geometry.window.taps();
            depthwise(&geometry.window, x, &weight[channel * taps..][..taps], y);
            epilogue.apply(channel, y);
        });
    } else {
        by_products(geometry, x, weight, epilogue, &mut y);
    }
    y
}

/// One channel by its own window.
fn depthwise<T: WithDType>(w: &Window, x: &[T], weight: &[T], y: &mut [T]) {
    for (line, y) in y.chunks_mut(w.output[2]).enumerate() {
        for (tap, weight) in weight.iter().enumerate() {
            let Some((start, inside, first)) = source_line(w, line, tap) else {
                continue;
            };
            let pixels = &x[start + first..start + w.input[2]];
            let y = &mut y[inside];
            if w.stride[2] == 1 {
                y.iter_mut()
                    .zip(pixels)
                    .for_each(|(y, x)| *y += *weight * *x);
            } else {
                y.iter_mut()
                    .zip(pixels.iter().step_by(w.stride[2]))
                    .for_each(|(y, x)| *y += *weight * *x);
            }
        }
    }
}

fn by_products<T: WithDType>(
    geometry: &Geometry,
    x: &[T],
    weight: &[T],
    epilogue: &Epilogue<T>,
    y: &mut [T],
) {
    let w = &geometry.window;
    let (depth, rows, positions) = (
        geometry.depth(),
        geometry.out_per_group(),
        w.output_positions(),
    );
    let lines = w.lines();
    let lines_per_tile = (TILE_ELEMENTS / (depth * w.output[2])).clamp(1, lines);
    let tiles = lines.div_ceil(lines_per_tile);
    let units = geometry.batch * geometry.groups * tiles;
    let parallelism = if units < rayon::current_num_threads() {
        Parallelism::Rayon(0)
    } else {
        Parallelism::None
    };
    let shared = SharedOutput(y.as_mut_ptr());

    (0..units)
        .into_par_iter()
        .for_each_init(Vec::new, |columns: &mut Vec<T>, unit| {
            let (tile, group) = (unit % tiles, unit / tiles % geometry.groups);
            let image = unit / tiles / geometry.groups;
            let lines = tile * lines_per_tile..((tile + 1) * lines_per_tile).min(lines);
            let (start, count) = (lines.start * w.output[2], lines.len() * w.output[2]);
            let x = geometry.image(x, image, group);
            let (right, right_stride) = if geometry.is_pointwise() {
                (&x[start..], positions)
            } else {
                columns.resize(depth * count, T::zero());
                im2col(w, geometry.channels / geometry.groups, x, lines, columns);
                (columns.as_slice(), count)
            };
            let first_channel = group * rows;
            let offset = (image * geometry.out + first_channel) * positions + start;
            let block = Destination {
                row_stride: positions,
                rows,
                columns: count,
            };
            let left = Matrix {
                elements: geometry.weight(weight, group),
                row_stride: depth,
                column_stride: 1,
            };
            let right = Matrix {
                elements: right,
                row_stride: right_stride,
                column_stride: 1,
            };
            // SAFETY: units write to different images, groups or positions, so that no element has two writers, and a
            // unit's last element, in its last row, is inside `y`.
            unsafe {
                product(
                    shared.at(offset),
                    block,
                    left,
                    right,
                    depth,
                    false,
                    parallelism,
                );
            }
            for row in 0..rows {
                // SAFETY: as above; the product is done, and nothing else holds this unit's rows.
                let y = unsafe {
                    std::slice::from_raw_parts_mut(shared.at(offset + row * positions), count)
                };
                epilogue.apply(first_channel + row, y);
            }
        });
}

/// The output that all units of a convolution write to, each its own part.
#[derive(Clone, Copy)]
struct SharedOutput<T>(*mut T);

impl<T> SharedOutput<T> {
    /// # Safety
    /// `offset` must be inside the output.
    unsafe fn at(self, offset: usize) -> *mut T {
        // SAFETY: the caller vouches for it.
        unsafe { self.0.add(offset) }
    }
}

// SAFETY: whoever writes through it says why no element has two writers.
unsafe impl<T: Send> Send for SharedOutput<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedOutput<T> {}
