//! Pooling: a kernel of our own on the CPU, with its gradient; candle's on a GPU.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "windows and images have far fewer than 2^52 pixels"
)]

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, WithDType, bail,
};
use rayon::prelude::*;

use crate::graph::{MaxPoolPositions, Pool, PoolKind};
use crate::window::Window;

/// Pools `x [batch, channels, spatial…]` over windows.
pub(crate) fn pool(attributes: &Pool, x: &Tensor) -> Result<Tensor> {
    let window = match Window::pool(attributes, x.dims().get(2..).unwrap_or_default()) {
        Ok(window) => window,
        Err(detail) => bail!("{detail}"),
    };
    let kernel = WindowPool {
        kind: attributes.kind,
        window,
        count_include_pad: attributes.count_include_pad,
    };
    if x.device().is_cpu() {
        x.contiguous()?.apply_op1(kernel)
    } else if kernel.window.rank != 2 || kernel.window.dilation != [1; 3] {
        // No image classifier's; candle has nothing for it.
        let on_cpu = x.to_device(&Device::Cpu)?.contiguous()?;
        on_cpu.apply_op1(kernel)?.to_device(x.device())
    } else {
        kernel.composed(x)
    }
}

/// Where each maximum lies in `x` read as one row; `dims`: the pooled shape.
pub(crate) fn max_positions(
    attributes: &MaxPoolPositions,
    x: &Tensor,
    dims: &[usize],
) -> Result<Tensor> {
    let spatial = x.dims().get(2..).unwrap_or_default();
    let window = match Window::pool(&attributes.pool, spatial) {
        Ok(window) => window,
        Err(detail) => bail!("{detail}"),
    };
    let kernel = WindowPool {
        kind: PoolKind::Max,
        window,
        count_include_pad: false,
    };
    let (from, to) = (window.input_positions(), window.output_positions());
    let values: Vec<f32> = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let mut positions = Vec::with_capacity(values.len() / from.max(1) * to);
    for (plane, values) in values.chunks(from).enumerate() {
        let mut winner = vec![0; to];
        let mut best = vec![f32::NEG_INFINITY; to];
        kernel.window.visit(|to, from| {
            if values[from] > best[to] {
                (winner[to], best[to]) = (from, values[from]);
            }
        });
        let counted = |at: usize| {
            if attributes.first_fastest {
                first_fastest(at, spatial)
            } else {
                at
            }
        };
        positions.extend(
            winner
                .into_iter()
                .map(|at| (plane * from + counted(at)) as i64),
        );
    }
    Tensor::from_vec(positions, dims, x.device())
}

/// The position of an element in an array of `dims` whose first dimension runs fastest.
fn first_fastest(mut at: usize, dims: &[usize]) -> usize {
    let mut stride: usize = dims.iter().product();
    let mut position = 0;
    for length in dims.iter().rev() {
        stride /= length;
        position += at % length * stride;
        at /= length;
    }
    position
}

/// The maximum or mean over all spatial dimensions, which stay with length 1.
pub(crate) fn global_pool(kind: PoolKind, x: &Tensor) -> Result<Tensor> {
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    let flat = x.reshape((batch, channels, ()))?;
    let pooled = match kind {
        PoolKind::Average => flat.mean_keepdim(2)?,
        PoolKind::Max => flat.max_keepdim(2)?,
    };
    let mut dims = vec![1; x.rank()];
    dims[..2].copy_from_slice(&[batch, channels]);
    pooled.reshape(dims)
}

/// Average pooling to the spatial size `output`, as `torch.nn.AdaptiveAvgPool2d`: output i covers the input from
/// ⌊i·length/output⌋ up to ⌈(i+1)·length/output⌉.
pub(crate) fn adaptive_average_pool(output: &[usize], x: &Tensor) -> Result<Tensor> {
    if x.dims().get(2..) == Some(output) {
        return Ok(x.clone());
    }
    if output.iter().all(|length| *length == 1) {
        return global_pool(PoolKind::Average, x);
    }
    let mut x = x.clone();
    for (axis, length) in output
        .iter()
        .enumerate()
        .map(|(axis, length)| (axis + 2, *length))
    {
        let from = x.dim(axis)?;
        let parts = (0..length)
            .map(|at| {
                let (start, end) = (at * from / length, ((at + 1) * from).div_ceil(length));
                x.narrow(axis, start, end - start)?.mean_keepdim(axis)
            })
            .collect::<Result<Vec<_>>>()?;
        x = Tensor::cat(&parts, axis)?;
    }
    Ok(x)
}

/// The pooling of equal windows as an operator with a gradient.
#[derive(Clone, Copy)]
struct WindowPool {
    kind: PoolKind,
    window: Window,
    count_include_pad: bool,
}

impl WindowPool {
    /// By what the sum over the window at the output position is divided.
    fn divisor(&self, at: [usize; 3]) -> usize {
        (0..3)
            .map(|axis| {
                let w = &self.window;
                if self.count_include_pad {
                    let limit = w.begin[axis] + w.input[axis] + w.end[axis];
                    let start = at[axis] * w.stride[axis];
                    (0..w.size[axis])
                        .filter(|tap| start + tap * w.dilation[axis] < limit)
                        .count()
                } else {
                    (0..w.size[axis])
                        .filter(|tap| w.source(axis, at[axis], *tap).is_some())
                        .count()
                }
            })
            .product::<usize>()
            .max(1)
    }

    fn divisors<T: WithDType>(&self) -> Vec<T> {
        let w = &self.window;
        let mut divisors = Vec::with_capacity(w.output_positions());
        for d in 0..w.output[0] {
            for h in 0..w.output[1] {
                divisors.extend(
                    (0..w.output[2]).map(|at| T::from_f64(self.divisor([d, h, at]) as f64)),
                );
            }
        }
        divisors
    }

    fn forward<T: WithDType>(&self, x: &[T]) -> Vec<T> {
        let (from, to) = (
            self.window.input_positions(),
            self.window.output_positions(),
        );
        let divisors: Vec<T> = self.divisors();
        let mut pooled = vec![T::zero(); x.len() / from.max(1) * to];
        pooled
            .par_chunks_mut(to)
            .zip(x.par_chunks(from))
            .for_each(|(pooled, x)| match self.kind {
                PoolKind::Max => {
                    pooled.fill(T::from_f64(f64::NEG_INFINITY));
                    // NaN wins, as in PyTorch: a network that makes it must not look sound.
                    self.window.visit(|to, from| {
                        #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "true of NaN")]
                        if !(x[from] <= pooled[to]) {
                            pooled[to] = x[from];
                        }
                    });
                }
                PoolKind::Average => {
                    self.window.visit(|to, from| pooled[to] += x[from]);
                    pooled
                        .iter_mut()
                        .zip(&divisors)
                        .for_each(|(sum, divisor)| *sum /= *divisor);
                }
            });
        pooled
    }

    fn backward<T: WithDType>(&self, x: &[T], gradient: &[T]) -> Vec<T> {
        let (from, to) = (
            self.window.input_positions(),
            self.window.output_positions(),
        );
        let divisors: Vec<T> = self.divisors();
        let mut result = vec![T::zero(); x.len()];
        let planes = result
            .par_chunks_mut(from)
            .zip(x.par_chunks(from))
            .zip(gradient.par_chunks(to));
        planes.for_each(|((result, x), gradient)| match self.kind {
            PoolKind::Max => {
                let mut winner = vec![usize::MAX; to];
                self.window.visit(|to, from| {
                    if winner[to] == usize::MAX || x[from] > x[winner[to]] {
                        winner[to] = from;
                    }
                });
                for (winner, gradient) in winner.into_iter().zip(gradient) {
                    if winner != usize::MAX {
                        result[winner] += *gradient;
                    }
                }
            }
            PoolKind::Average => self
                .window
                .visit(|to, from| result[from] += gradient[to] / divisors[to]),
        });
        result
    }

    /// The same by candle's operators on a padded image, for devices without a kernel of ours; windows of two dimensions, without
    /// dilation.
    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let w = &self.window;
        let mut padded = x.clone();
        for axis in 1..3 {
            let reach = (w.output[axis] - 1) * w.stride[axis] + w.size[axis];
            let after = reach.saturating_sub(w.begin[axis] + w.input[axis]);
            padded = match self.kind {
                PoolKind::Average => padded.pad_with_zeros(axis + 1, w.begin[axis], after)?,
                PoolKind::Max => pad_with_minus_infinity(&padded, axis + 1, w.begin[axis], after)?,
            };
        }
        let (window, stride) = ((w.size[1], w.size[2]), (w.stride[1], w.stride[2]));
        match self.kind {
            PoolKind::Max => padded.max_pool2d_with_stride(window, stride),
            PoolKind::Average => {
                let factors: Vec<f32> = self
                    .divisors::<f32>()
                    .iter()
                    .map(|n| w.taps() as f32 / n)
                    .collect();
                let factors =
                    Tensor::from_vec(factors, w.output(), x.device())?.to_dtype(x.dtype())?;
                padded
                    .avg_pool2d_with_stride(window, stride)?
                    .broadcast_mul(&factors)
            }
        }
    }
}

fn pad_with_minus_infinity(x: &Tensor, axis: usize, before: usize, after: usize) -> Result<Tensor> {
    let border = |length: usize| {
        let mut dims = x.dims().to_vec();
        dims[axis] = length;
        Tensor::full(f32::NEG_INFINITY, dims, x.device())?.to_dtype(x.dtype())
    };
    match (before, after) {
        (0, 0) => Ok(x.clone()),
        (_, 0) => Tensor::cat(&[&border(before)?, x], axis),
        (0, _) => Tensor::cat(&[x, &border(after)?], axis),
        _ => Tensor::cat(&[&border(before)?, x, &border(after)?], axis),
    }
}

impl CustomOp1 for WindowPool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("pooling needs a contiguous image")
        };
        let pooled = match storage {
            CpuStorage::F32(x) => CpuStorage::F32(self.forward(&x[start..end])),
            CpuStorage::F64(x) => CpuStorage::F64(self.forward(&x[start..end])),
            _ => bail!("pooling takes single or double precision"),
        };
        let dims = [&layout.dims()[..2], self.window.output()].concat();
        Ok((pooled, dims.into()))
    }

    fn bwd(&self, x: &Tensor, _pooled: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (x, gradient) = (x.contiguous()?, gradient.contiguous()?);
        Ok(Some(
            x.apply_op2_no_bwd(&gradient, &WindowPoolGradient(*self))?,
        ))
    }
}

/// From the image and the gradient of its pooling, the gradient of the image.
struct WindowPoolGradient(WindowPool);

impl candle_core::CustomOp2 for WindowPoolGradient {
    fn name(&self) -> &'static str {
        "pool-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_l: &Layout,
        g: &CpuStorage,
        g_l: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (Some((x0, x1)), Some((g0, g1))) = (x_l.contiguous_offsets(), g_l.contiguous_offsets())
        else {
            bail!("pooling needs a contiguous image");
        };
        let gradient = match (x, g) {
            (CpuStorage::F32(x), CpuStorage::F32(g)) => {
                CpuStorage::F32(self.0.backward(&x[x0..x1], &g[g0..g1]))
            }
            (CpuStorage::F64(x), CpuStorage::F64(g)) => {
                CpuStorage::F64(self.0.backward(&x[x0..x1], &g[g0..g1]))
            }
            _ => bail!("pooling takes single or double precision"),
        };
        Ok((gradient, x_l.shape().clone()))
    }
}
