//! max(x, 0) of which NaN stays NaN, so that a network that diverged does not answer with numbers. candle's own makes it 0.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};

pub(crate) fn rectify(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) {
        x.contiguous()?.apply_op1(Rectify)
    } else {
        x.lt(0.)?.where_cond(&x.zeros_like()?, x)
    }
}

struct Rectify;

fn rectified<T: WithDType>(x: &[T]) -> Vec<T> {
    let zero = T::zero();
    x.iter()
        .map(|x| if *x < zero { zero } else { *x })
        .collect()
}

impl CustomOp1 for Rectify {
    fn name(&self) -> &'static str {
        "rectify"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("rectifying needs contiguous numbers")
        };
        let rectified = match storage {
            CpuStorage::F32(x) => CpuStorage::F32(rectified(&x[start..end])),
            CpuStorage::F64(x) => CpuStorage::F64(rectified(&x[start..end])),
            _ => bail!("rectifying takes single or double precision"),
        };
        Ok((rectified, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _rectified: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((gradient * x.gt(0.)?.to_dtype(x.dtype())?)?))
    }
}
