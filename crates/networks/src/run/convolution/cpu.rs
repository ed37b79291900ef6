//! Convolution as matrix products (im2col; Chellapilla et al. 2006), in tiles of output lines small enough for the
//! cache, and directly where each channel is a group of its own.

#![expect(
    unsafe_code,
    reason = "the tiles of one output are written from several threads"
)]

use candle_core::WithDType;
use gemm::Parallelism;
use rayon::prelude::*;

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
    fn depth(&self) -> usize {
        self.channels / self.groups * self.window.taps()
    }

    fn out_per_group(&self) -> usize {
        self.out / self.groups
    }

    fn is_depthwise(&self) -> bool {
        self.groups == self.channels && self.groups == self.out
    }

    /// Whether im2col's matrix is the image itself.
    fn is_pointwise(&self) -> bool {
        let Window {
            window,
            stride,
            begin,
            end,
            ..
        } = &self.window;
        *window == [1; 3] && *stride == [1; 3] && *begin == [0; 3] && *end == [0; 3]
    }

    /// The part of an image's channels that belongs to a group, as `[channels / groups, positions]`.
    fn image<'a, T>(&self, x: &'a [T], image: usize, group: usize) -> &'a [T] {
        let length = self.channels / self.groups * self.window.input_positions();
        &x[(image * self.groups + group) * length..][..length]
    }

    fn output<'a, T>(&self, y: &'a [T], image: usize, group: usize) -> &'a [T] {
        let length = self.out_per_group() * self.window.output_positions();
        &y[(image * self.groups + group) * length..][..length]
    }

    fn weight<'a, T>(&self, weight: &'a [T], group: usize) -> &'a [T] {
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
            y.iter_mut().for_each(|y| *y += bias);
        }
        if let Some((min, max)) = self.clip {
            // In this order NaN stays NaN.
            y.iter_mut().for_each(|y| {
                let floored = if *y < min { min } else { *y };
                *y = if floored > max { max } else { floored };
            });
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
    let lines = w.output[0] * w.output[1];
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
                )
            };
            for row in 0..rows {
                // SAFETY: as above; the product is done, and nothing else holds this unit's rows.
                let y = unsafe {
                    std::slice::from_raw_parts_mut(shared.at(offset + row * positions), count)
                };
                epilogue.apply(first_channel + row, y);
            }
        });
}

/// The gradients of the image (`None` where not wanted) and of the weight, from the output's gradient.
///
/// Images are taken in chunks that do not depend on the number of threads, and the chunks' weight gradients are added
/// in order, so that training gives the same numbers on every machine.
pub(super) fn backward<T: WithDType>(
    geometry: &Geometry,
    x: &[T],
    weight: &[T],
    gradient: &[T],
    image_gradient: bool,
) -> (Option<Vec<T>>, Vec<T>) {
    const CHUNKS: usize = 8;
    let w = &geometry.window;
    let (depth, rows, positions) = (
        geometry.depth(),
        geometry.out_per_group(),
        w.output_positions(),
    );
    let lines = w.output[0] * w.output[1];
    let image_length = geometry.channels * w.input_positions();
    let images_per_chunk = geometry.batch.div_ceil(CHUNKS).max(1);
    let mut x_gradient = vec![T::zero(); if image_gradient { x.len() } else { 0 }];

    let chunk = |first: usize, count: usize, mut x_gradient: Option<&mut [T]>| {
        let mut w_gradient = vec![T::zero(); weight.len()];
        let mut columns = vec![T::zero(); depth * positions];
        for image in first..first + count {
            for group in 0..geometry.groups {
                let outgoing = geometry.output(gradient, image, group);
                let channels = geometry.channels / geometry.groups;
                im2col(
                    w,
                    channels,
                    geometry.image(x, image, group),
                    0..lines,
                    &mut columns,
                );
                let block = Destination {
                    row_stride: depth,
                    rows,
                    columns: depth,
                };
                let left = Matrix {
                    elements: outgoing,
                    row_stride: positions,
                    column_stride: 1,
                };
                let right = Matrix {
                    elements: &columns,
                    row_stride: 1,
                    column_stride: positions,
                };
                let sum = &mut w_gradient[group * rows * depth..][..rows * depth];
                // SAFETY: `sum` has rows·depth elements, one row after the other, and is borrowed mutably.
                unsafe {
                    product(
                        sum.as_mut_ptr(),
                        block,
                        left,
                        right,
                        positions,
                        true,
                        Parallelism::None,
                    )
                };

                let Some(x_gradient) = &mut x_gradient else {
                    continue;
                };
                let block = Destination {
                    row_stride: positions,
                    rows: depth,
                    columns: positions,
                };
                let left = Matrix {
                    elements: geometry.weight(weight, group),
                    row_stride: 1,
                    column_stride: depth,
                };
                let right = Matrix {
                    elements: outgoing,
                    row_stride: positions,
                    column_stride: 1,
                };
                // SAFETY: `columns` has depth·positions elements, one row after the other, and is borrowed mutably.
                unsafe {
                    product(
                        columns.as_mut_ptr(),
                        block,
                        left,
                        right,
                        rows,
                        false,
                        Parallelism::None,
                    )
                };
                let length = channels * w.input_positions();
                let start = (image - first) * image_length + group * length;
                col2im(w, channels, &columns, &mut x_gradient[start..][..length]);
            }
        }
        w_gradient
    };

    let counts = |index: usize| {
        let first = index * images_per_chunk;
        (first, images_per_chunk.min(geometry.batch - first))
    };
    let w_gradients: Vec<Vec<T>> = if image_gradient {
        x_gradient
            .par_chunks_mut(images_per_chunk * image_length)
            .enumerate()
            .map(|(index, x_gradient)| {
                let (first, count) = counts(index);
                chunk(first, count, Some(x_gradient))
            })
            .collect()
    } else {
        (0..geometry.batch.div_ceil(images_per_chunk))
            .into_par_iter()
            .map(|index| {
                let (first, count) = counts(index);
                chunk(first, count, None)
            })
            .collect()
    };
    let w_gradient = w_gradients
        .into_iter()
        .reduce(|mut sum, next| {
            sum.iter_mut()
                .zip(next)
                .for_each(|(sum, next)| *sum += next);
            sum
        })
        .unwrap_or_default();
    (image_gradient.then_some(x_gradient), w_gradient)
}

/// The matrix whose columns are the windows of the output lines `lines` and whose rows are their inputs.
///
/// `x [channels, input positions]`; `columns [channels · taps, lines · line length]`.
fn im2col<T: WithDType>(
    w: &Window,
    channels: usize,
    x: &[T],
    lines: std::ops::Range<usize>,
    columns: &mut [T],
) {
    let length = w.output[2];
    let count = lines.len() * length;
    for (row, columns) in columns
        .chunks_mut(count)
        .enumerate()
        .take(channels * w.taps())
    {
        let plane = &x[row / w.taps() * w.input_positions()..][..w.input_positions()];
        for (columns, line) in columns.chunks_mut(length).zip(lines.clone()) {
            let Some((start, inside, first)) = source_line(w, line, row % w.taps()) else {
                columns.fill(T::zero());
                continue;
            };
            columns[..inside.start].fill(T::zero());
            columns[inside.end..].fill(T::zero());
            let pixels = &plane[start + first..start + w.input[2]];
            let columns = &mut columns[inside];
            if w.stride[2] == 1 {
                columns.copy_from_slice(&pixels[..columns.len()]);
            } else {
                columns
                    .iter_mut()
                    .zip(pixels.iter().step_by(w.stride[2]))
                    .for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The transpose of [`im2col`] over all lines: adds every window's inputs to the pixels that they came from.
fn col2im<T: WithDType>(w: &Window, channels: usize, columns: &[T], x: &mut [T]) {
    let length = w.output[2];
    for (row, columns) in columns
        .chunks(w.output_positions())
        .enumerate()
        .take(channels * w.taps())
    {
        let plane = &mut x[row / w.taps() * w.input_positions()..][..w.input_positions()];
        for (line, columns) in columns.chunks(length).enumerate() {
            let Some((start, inside, first)) = source_line(w, line, row % w.taps()) else {
                continue;
            };
            let pixels = plane[start + first..start + w.input[2]]
                .iter_mut()
                .step_by(w.stride[2]);
            pixels
                .zip(&columns[inside])
                .for_each(|(to, from)| *to += *from);
        }
    }
}

/// For an output line and a tap of the window: where in the plane the image line starts, which of the line's outputs
/// have their tap inside it, and at which pixel the first of them is.
fn source_line(
    w: &Window,
    line: usize,
    tap: usize,
) -> Option<(usize, std::ops::Range<usize>, usize)> {
    let [_, window_height, window_width] = w.window;
    let (tap_d, tap_h, tap_w) = (
        tap / window_width / window_height,
        tap / window_width % window_height,
        tap % window_width,
    );
    let z = w.source(0, line / w.output[1], tap_d)?;
    let y = w.source(1, line % w.output[1], tap_h)?;
    let inside = w.inside(2, tap_w);
    let first = w.source(2, inside.start, tap_w)?;
    Some(((z * w.input[1] + y) * w.input[2], inside, first))
}

/// A matrix in a slice.
struct Matrix<'a, T> {
    elements: &'a [T],
    row_stride: usize,
    column_stride: usize,
}

/// The shape of a product's result in memory, its columns next to each other.
struct Destination {
    rows: usize,
    columns: usize,
    row_stride: usize,
}

/// left·right, `depth` being left's columns and right's rows; added to what is there where `accumulate`.
///
/// # Safety
/// `to` must point to (rows − 1)·row_stride + columns elements that nothing else reads or writes meanwhile, but for
/// those between its rows.
unsafe fn product<T: WithDType>(
    to: *mut T,
    shape: Destination,
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    depth: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    let Destination {
        rows,
        columns,
        row_stride,
    } = shape;
    if rows == 0 || columns == 0 || depth == 0 {
        return;
    }
    let last = |matrix: &Matrix<'_, T>, rows: usize, columns: usize| {
        (rows - 1) * matrix.row_stride + (columns - 1) * matrix.column_stride
    };
    assert!(
        last(&left, rows, depth) < left.elements.len()
            && last(&right, depth, columns) < right.elements.len()
    );
    // SAFETY: the last elements read were just checked; the caller vouches for what is written. T is f32 or f64, which
    // gemm supports.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            to,
            1,
            row_stride as isize,
            accumulate,
            left.elements.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.elements.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
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
