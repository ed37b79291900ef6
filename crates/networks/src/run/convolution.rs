//! Convolution in one, two or three dimensions, with groups. On the CPU by a kernel of our own, with its gradient; on a
//! GPU by candle's.

mod cpu;
mod gradient;
mod im2col;
mod product;

use candle_core::{
    CpuStorage, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};

use super::{activate, integers};
use crate::graph::{Activation, Convolution};
use crate::window::Window;
use cpu::{Epilogue, Geometry};
use gradient::Backward;

/// `x [batch, channels, spatial…]`, `weight [out, channels / groups, window…]`, `bias [out]`; the activation is applied
/// to the result. Of integers too, without bias.
pub(crate) fn convolution(
    attributes: &Convolution,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Option<Activation>,
) -> Result<Tensor> {
    if x.dtype() == DType::I64 && weight.dtype() == DType::I64 && bias.is_none() {
        // Those of 8 bits, whose sums are exact in double precision.
        return integers::by_floats(x, weight, |x, weight| {
            convolution(attributes, x, weight, None, None)
        });
    }
    let geometry = geometry(attributes, x, weight)?;
    if let Some(bias) = bias.filter(|bias| bias.dims() != [geometry.out]) {
        bail!(
            "the bias is {:?}, but there are {} channels",
            bias.dims(),
            geometry.out
        );
    }
    let on_cpu = x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64);
    let gradients = x.track_op() || weight.track_op() || bias.is_some_and(Tensor::track_op);
    if on_cpu && !gradients {
        let kernel = Kernel {
            geometry,
            bias: bias.cloned(),
            activation,
        };
        return x
            .contiguous()?
            .apply_op2_no_bwd(&weight.contiguous()?, &kernel);
    }
    let product = if on_cpu {
        let kernel = Kernel {
            geometry,
            bias: None,
            activation: None,
        };
        x.contiguous()?.apply_op2(&weight.contiguous()?, kernel)?
    } else {
        by_candle(&geometry, x, weight)?
    };
    let sum = match bias {
        Some(bias) => {
            let mut dims = vec![1; x.rank()];
            dims[1] = bias.elem_count();
            product.broadcast_add(&bias.reshape(dims)?)?
        }
        None => product,
    };
    activation.map_or(Ok(sum.clone()), |activation| activate(activation, &sum))
}

fn geometry(attributes: &Convolution, x: &Tensor, weight: &Tensor) -> Result<Geometry> {
    let ([batch, channels, spatial @ ..], [out, channels_per_group, window @ ..]) =
        (x.dims(), weight.dims())
    else {
        bail!(
            "a convolution needs [batch, channels, …], not {:?} and {:?}",
            x.dims(),
            weight.dims()
        );
    };
    let groups = attributes.groups;
    if groups == 0
        || *channels == 0
        || *channels != channels_per_group.saturating_mul(groups)
        || out % groups != 0
    {
        bail!(
            "{channels} channels arrive in {groups} groups, but the weight is {:?}",
            weight.dims()
        );
    }
    let window = match Window::convolution(attributes, spatial, window) {
        Ok(window) => window,
        Err(detail) => bail!("{detail}"),
    };
    Ok(Geometry {
        window,
        batch: *batch,
        channels: *channels,
        out: *out,
        groups,
    })
}

/// Candle's convolution, which pads alike on both sides and has one stride, after padding where that is not enough.
fn by_candle(geometry: &Geometry, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let w = &geometry.window;
    let first = 3 - w.rank;
    let equal = |sizes: &[usize; 3]| sizes[first..].iter().all(|size| *size == sizes[2]);
    if w.rank == 3 || !equal(&w.stride) || !equal(&w.dilation) {
        bail!("a convolution with unequal strides or in three dimensions runs on the CPU only");
    }
    let symmetric = w.begin == w.end && equal(&w.begin);
    let mut padded = x.clone();
    if !symmetric {
        for axis in first..3 {
            padded = padded.pad_with_zeros(axis - first + 2, w.begin[axis], w.end[axis])?;
        }
    }
    let padding = if symmetric { w.begin[2] } else { 0 };
    if w.rank == 1 {
        padded.conv1d(weight, padding, w.stride[2], w.dilation[2], geometry.groups)
    } else {
        padded.conv2d(weight, padding, w.stride[2], w.dilation[2], geometry.groups)
    }
}

/// The CPU's convolution as an operator with a gradient.
struct Kernel {
    geometry: Geometry,
    bias: Option<Tensor>,
    activation: Option<Activation>,
}

impl Kernel {
    fn forward<T: WithDType>(&self, x: &[T], weight: &[T]) -> Result<Vec<T>> {
        let bias = self.bias.as_ref().map(Tensor::to_vec1::<T>).transpose()?;
        let (epilogue, rest) = Epilogue::new(bias, self.activation);
        let y = cpu::forward(&self.geometry, x, weight, &epilogue);
        let Some(activation) = rest else { return Ok(y) };
        let y = Tensor::from_vec(y, self.geometry.output_dims(), &candle_core::Device::Cpu)?;
        activate(activation, &y)?.flatten_all()?.to_vec1()
    }
}

impl CustomOp2 for Kernel {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_l: &Layout,
        w: &CpuStorage,
        w_l: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (Some((x0, x1)), Some((w0, w1))) = (x_l.contiguous_offsets(), w_l.contiguous_offsets())
        else {
            bail!("a convolution needs contiguous tensors");
        };
        let y = match (x, w) {
            (CpuStorage::F32(x), CpuStorage::F32(w)) => {
                CpuStorage::F32(self.forward(&x[x0..x1], &w[w0..w1])?)
            }
            (CpuStorage::F64(x), CpuStorage::F64(w)) => {
                CpuStorage::F64(self.forward(&x[x0..x1], &w[w0..w1])?)
            }
            _ => bail!(
                "a convolution takes image and weight in the same precision, single or double"
            ),
        };
        Ok((y, self.geometry.output_dims().into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x_gradient, w_gradient) = match x.dtype() {
            DType::F64 => gradients::<f64>(&self.geometry, x, w, gradient)?,
            _ => gradients::<f32>(&self.geometry, x, w, gradient)?,
        };
        Ok((x_gradient, Some(w_gradient)))
    }
}

/// The gradients of the image, where something depends on it, and of the weight.
fn gradients<T: WithDType>(
    geometry: &Geometry,
    x: &Tensor,
    weight: &Tensor,
    gradient: &Tensor,
) -> Result<(Option<Tensor>, Tensor)> {
    let gradient = gradient.contiguous()?;
    let (x_storage, x_layout) = x.storage_and_layout();
    let (w_storage, w_layout) = weight.storage_and_layout();
    let (g_storage, g_layout) = gradient.storage_and_layout();
    let backward = Backward {
        geometry,
        x: elements::<T>(&x_storage, x_layout)?,
        weight: elements::<T>(&w_storage, w_layout)?,
        outgoing: elements::<T>(&g_storage, g_layout)?,
    };
    let (x_gradient, w_gradient) = backward.run(x.track_op());
    let x_gradient = x_gradient
        .map(|gradient| Tensor::from_vec(gradient, x.dims(), x.device()))
        .transpose()?;
    Ok((
        x_gradient,
        Tensor::from_vec(w_gradient, weight.dims(), weight.device())?,
    ))
}

fn elements<'a, T: WithDType>(storage: &'a Storage, layout: &Layout) -> Result<&'a [T]> {
    match (storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((start, end))) => Ok(&storage.as_slice::<T>()?[start..end]),
        _ => bail!("a convolution needs contiguous tensors on the CPU"),
    }
}
