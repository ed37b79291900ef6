//! The gradient of a convolution: its weight's is a sum over images and positions, its image's runs the other way.

use candle_core::WithDType;
use rayon::prelude::*;

use super::cpu::Geometry;
use super::im2col::{col2im, im2col};
use super::product::{Matrix, contiguous_product};

/// Into how many chunks a batch is cut. It does not depend on the number of threads, and the chunks' weight gradients are
/// added in order, so that training gives the same numbers on every machine.
const CHUNKS: usize = 8;

/// What a convolution's gradients depend on.
pub(super) struct Backward<'a, T> {
    pub geometry: &'a Geometry,
    pub x: &'a [T],
    pub weight: &'a [T],
    /// The output's gradient.
    pub outgoing: &'a [T],
}

impl<T: WithDType> Backward<'_, T> {
    /// The gradients of the image, where wanted, and of the weight.
    pub fn run(&self, image_gradient: bool) -> (Option<Vec<T>>, Vec<T>) {
        let images = self.geometry.batch.div_ceil(CHUNKS).max(1);
        let starts: Vec<usize> = (0..self.geometry.batch).step_by(images).collect();
        let chunk = |first: usize, x_gradient: Option<&mut [T]>| {
            self.chunk(first, images.min(self.geometry.batch - first), x_gradient)
        };
        let mut x_gradient = vec![T::zero(); if image_gradient { self.x.len() } else { 0 }];
        let weight_gradients: Vec<Vec<T>> = if image_gradient {
            let length = self.x.len() / self.geometry.batch.max(1) * images;
            let parts = starts.par_iter().zip(x_gradient.par_chunks_mut(length));
            parts
                .map(|(first, part)| chunk(*first, Some(part)))
                .collect()
        } else {
            starts.par_iter().map(|first| chunk(*first, None)).collect()
        };
        let weight_gradient = weight_gradients.into_iter().reduce(|mut sum, next| {
            sum.iter_mut()
                .zip(next)
                .for_each(|(sum, next)| *sum += next);
            sum
        });
        (
            image_gradient.then_some(x_gradient),
            weight_gradient.unwrap_or_default(),
        )
    }

    /// The weight's gradient from `count` images; theirs goes to `x_gradient`.
    fn chunk(&self, first: usize, count: usize, mut x_gradient: Option<&mut [T]>) -> Vec<T> {
        let geometry = self.geometry;
        let w = &geometry.window;
        let (depth, rows, positions) = (
            geometry.depth(),
            geometry.out_per_group(),
            w.output_positions(),
        );
        let channels = geometry.channels / geometry.groups;
        let length = channels * w.input_positions();
        let mut sum = vec![T::zero(); self.weight.len()];
        let mut columns = vec![T::zero(); depth * positions];
        for image in first..first + count {
            for group in 0..geometry.groups {
                let outgoing = Matrix {
                    elements: geometry.output(self.outgoing, image, group),
                    row_stride: positions,
                    column_stride: 1,
                };
                im2col(
                    w,
                    channels,
                    geometry.image(self.x, image, group),
                    0..w.lines(),
                    &mut columns,
                );
                let transposed = Matrix {
                    elements: &columns,
                    row_stride: 1,
                    column_stride: positions,
                };
                let to = &mut sum[group * rows * depth..][..rows * depth];
                contiguous_product(to, (rows, depth), outgoing, transposed, positions, true);

                if let Some(x_gradient) = &mut x_gradient {
                    let weight = Matrix {
                        elements: geometry.weight(self.weight, group),
                        row_stride: 1,
                        column_stride: depth,
                    };
                    contiguous_product(
                        &mut columns,
                        (depth, positions),
                        weight,
                        outgoing,
                        rows,
                        false,
                    );
                    let start = ((image - first) * geometry.groups + group) * length;
                    col2im(w, channels, &columns, &mut x_gradient[start..][..length]);
                }
            }
        }
        sum
    }
}
