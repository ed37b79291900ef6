//! The geometry of a sliding window, shared by convolution and pooling, by their shapes and by their kernels.

use crate::graph::{Convolution, Padding, Pool};

/// A window sliding over at most three spatial dimensions; absent leading ones have length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub input: [usize; 3],
    /// The window's own size.
    pub size: [usize; 3],
    pub stride: [usize; 3],
    pub dilation: [usize; 3],
    /// Padding before the first pixel.
    pub begin: [usize; 3],
    /// Padding after the last pixel.
    pub end: [usize; 3],
    pub output: [usize; 3],
    /// How many of the three dimensions the tensor has.
    pub rank: usize,
}

impl Window {
    /// `spatial` are the input's dimensions after batch and channels, `window` the weight's after its first two.
    pub fn convolution(
        attributes: &Convolution,
        spatial: &[usize],
        window: &[usize],
    ) -> Result<Self, String> {
        Self::new(
            spatial,
            window,
            &attributes.stride,
            &attributes.dilation,
            &attributes.padding,
            false,
        )
    }

    /// `spatial` are the input's dimensions after batch and channels.
    pub fn pool(attributes: &Pool, spatial: &[usize]) -> Result<Self, String> {
        let Pool {
            window,
            stride,
            dilation,
            padding,
            ceil_mode,
            ..
        } = attributes;
        Self::new(spatial, window, stride, dilation, padding, *ceil_mode)
    }

    fn new(
        spatial: &[usize],
        window: &[usize],
        stride: &[usize],
        dilation: &[usize],
        padding: &Padding,
        ceil_mode: bool,
    ) -> Result<Self, String> {
        let rank = spatial.len();
        if !(1..=3).contains(&rank) {
            return Err(format!("{rank} spatial dimensions; 1 to 3 are supported"));
        }
        if window.len() != rank || stride.len() != rank || dilation.len() != rank {
            return Err(format!(
                "a window of {} dimensions over an image of {rank}",
                window.len()
            ));
        }
        if let Padding::Explicit { begin, end } = padding
            && (begin.len() != rank || end.len() != rank)
        {
            return Err(format!(
                "padding of {} dimensions for an image of {rank}",
                begin.len()
            ));
        }
        let mut geometry = Self {
            input: [1; 3],
            size: [1; 3],
            stride: [1; 3],
            dilation: [1; 3],
            begin: [0; 3],
            end: [0; 3],
            output: [1; 3],
            rank,
        };
        for axis in 0..rank {
            let at = 3 - rank + axis;
            let (length, size, stride, dilation) =
                (spatial[axis], window[axis], stride[axis], dilation[axis]);
            if length == 0 {
                return Err("the image is empty".into());
            }
            if size == 0 || stride == 0 || dilation == 0 {
                return Err("window, stride and dilation must be at least 1".into());
            }
            let reach = dilation
                .checked_mul(size - 1)
                .and_then(|reach| reach.checked_add(1));
            let reach = reach
                .filter(|reach| *reach <= 1 << 24)
                .ok_or("the window is too large")?;
            let (begin, end) = match padding {
                Padding::Explicit { begin, end } => (begin[axis], end[axis]),
                Padding::SameUpper | Padding::SameLower => {
                    let total = ((length.div_ceil(stride).max(1) - 1) * stride + reach)
                        .saturating_sub(length);
                    let (small, large) = (total / 2, total - total / 2);
                    if *padding == Padding::SameUpper {
                        (small, large)
                    } else {
                        (large, small)
                    }
                }
            };
            if begin.max(end) > 1 << 24 {
                return Err("the padding is too large".into());
            }
            let padded = length + begin + end;
            // A last window may be incomplete, the first one too.
            let is_incomplete = padded < reach && ceil_mode && reach - padded < stride;
            if padded < reach && !is_incomplete {
                return Err(format!(
                    "a window that spans {reach} does not fit into an image of {length} with padding {begin} and {end}"
                ));
            }
            let steps = if ceil_mode {
                padded.saturating_sub(reach).div_ceil(stride)
            } else {
                (padded - reach) / stride
            };
            // A last window that would start beyond the image, in the padding, does not count.
            let output = if ceil_mode && steps * stride >= length + begin {
                steps
            } else {
                steps + 1
            };
            geometry.input[at] = length;
            geometry.size[at] = size;
            geometry.stride[at] = stride;
            geometry.dilation[at] = dilation;
            geometry.begin[at] = begin;
            geometry.end[at] = end;
            geometry.output[at] = output;
        }
        Ok(geometry)
    }

    /// The output's spatial dimensions, as many as the input has.
    pub fn output(&self) -> &[usize] {
        &self.output[3 - self.rank..]
    }

    pub fn input_positions(&self) -> usize {
        self.input.iter().product()
    }

    pub fn output_positions(&self) -> usize {
        self.output.iter().product()
    }

    /// How many lines of pixels the output has.
    pub fn lines(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// How many elements the window has.
    pub fn taps(&self) -> usize {
        self.size.iter().product()
    }

    /// Where along `axis` the tap `tap` of the window at output position `at` lies, if inside the image.
    pub fn source(&self, axis: usize, at: usize, tap: usize) -> Option<usize> {
        let padded = at * self.stride[axis] + tap * self.dilation[axis];
        padded
            .checked_sub(self.begin[axis])
            .filter(|source| *source < self.input[axis])
    }

    /// The output positions along `axis` for which [`Window::source`] of `tap` is inside the image.
    pub fn inside(&self, axis: usize, tap: usize) -> std::ops::Range<usize> {
        let (stride, shift) = (self.stride[axis], tap * self.dilation[axis]);
        let first = self.begin[axis].saturating_sub(shift).div_ceil(stride);
        let end = (self.input[axis] + self.begin[axis])
            .saturating_sub(shift)
            .div_ceil(stride);
        let end = end.min(self.output[axis]);
        first.min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::PoolKind;

    fn pool(length: usize, window: usize, stride: usize, pad: usize, ceil_mode: bool) -> usize {
        let pool = Pool {
            kind: PoolKind::Max,
            window: vec![window],
            stride: vec![stride],
            dilation: vec![1],
            padding: Padding::Explicit {
                begin: vec![pad],
                end: vec![pad],
            },
            ceil_mode,
            count_include_pad: false,
        };
        Window::pool(&pool, &[length]).unwrap().output()[0]
    }

    /// torchvision's shapes: ResNet's and GoogLeNet's max-pooling of 112, SqueezeNet's of 111 and 109.
    #[test]
    fn output_lengths() {
        assert_eq!(pool(112, 3, 2, 1, false), 56);
        assert_eq!(pool(112, 3, 2, 0, true), 56);
        assert_eq!(pool(109, 3, 2, 0, true), 54);
        assert_eq!(pool(54, 3, 2, 0, true), 27);
        assert_eq!(pool(14, 2, 2, 0, true), 7);
        // torch.nn.MaxPool1d(1, 2, ceil_mode=True) on 2: the second window would start beyond the image.
        assert_eq!(pool(2, 1, 2, 0, true), 1);
    }

    /// TensorFlow's rule, in its documentation of `tf.nn.convolution`: 7 pixels, window 3, stride 2, output 4.
    #[test]
    fn same_padding() {
        let mut attributes = Convolution {
            stride: vec![2],
            dilation: vec![1],
            padding: Padding::SameUpper,
            groups: 1,
        };
        let upper = Window::convolution(&attributes, &[8], &[3]).unwrap();
        assert_eq!(
            (upper.output(), upper.begin[2], upper.end[2]),
            (&[4][..], 0, 1)
        );
        attributes.padding = Padding::SameLower;
        let lower = Window::convolution(&attributes, &[8], &[3]).unwrap();
        assert_eq!(
            (lower.output(), lower.begin[2], lower.end[2]),
            (&[4][..], 1, 0)
        );
    }

    #[test]
    fn inside_agrees_with_source() {
        let attributes = Convolution {
            stride: vec![2],
            dilation: vec![3],
            padding: Padding::Explicit {
                begin: vec![4],
                end: vec![2],
            },
            groups: 1,
        };
        let window = Window::convolution(&attributes, &[9], &[3]).unwrap();
        for tap in 0..3 {
            let inside = window.inside(2, tap);
            for at in 0..window.output[2] {
                assert_eq!(
                    window.source(2, at, tap).is_some(),
                    inside.contains(&at),
                    "tap {tap} at {at}"
                );
            }
        }
    }
}
