//! Pooling by a norm: (Σ |x|ᵖ)^(1/p) over a window.

#![expect(clippy::cast_precision_loss, reason = "an exponent")]

use candle_core::{DType, Device, Result as CandleResult, Tensor};
use rayon::prelude::*;

use super::Operator;
use crate::{
    graph::{Pool, PoolKind},
    onnx::{
        Apply, Importer, OnnxError, Value,
        encode::{int, pooling},
        proto::AttributeProto,
    },
    run::Inputs,
    shapes::{Arguments, Dims},
    window::Window,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LpPool {
    pub p: i32,
    pub window: Pool,
}

pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let operator = LpPool {
        p: exponent(apply)?,
        window: apply.window(PoolKind::Average)?,
    };
    let x = importer.first(apply)?;
    Ok(vec![Value::Flow(importer.emit(
        apply,
        operator.into(),
        &[x],
    ))])
}

/// The norm's p.
pub(super) fn exponent(apply: &Apply<'_>) -> Result<i32, OnnxError> {
    let p = apply.int("p", 2);
    let positive = i32::try_from(p).ok().filter(|p| *p > 0);
    positive.ok_or_else(|| apply.fault(format!("p is {p}")))
}

impl LpPool {
    fn geometry(&self, x: &[usize]) -> Result<Window, String> {
        match x {
            [_, _, spatial @ ..] => Window::pool(&self.window, spatial),
            _ => Err(format!("[batch, channels, …] is needed, not {x:?}")),
        }
    }
}

impl Operator for LpPool {
    fn name(&self) -> &'static str {
        "LpPool"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let x = inputs.dims(0)?;
        let window = self.geometry(x)?;
        Ok(vec![[&x[..2], window.output()].concat()])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?;
        let window = self.geometry(x.dims()).map_err(candle_core::Error::msg)?;
        let (from, to) = (window.input_positions(), window.output_positions());
        let values: Vec<f32> = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let mut pooled = vec![0f32; values.len() / from * to];
        let planes = pooled.par_chunks_mut(to).zip(values.par_chunks(from));
        planes.for_each(|(pooled, x)| {
            window.visit(|to, from| pooled[to] += x[from].abs().powi(self.p));
            for sum in pooled {
                *sum = sum.powf(1. / self.p as f32);
            }
        });
        let pooled = Tensor::from_vec(pooled, dims[0].as_slice(), &Device::Cpu)?;
        Ok(vec![pooled.to_device(x.device())?.to_dtype(x.dtype())?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        [vec![int("p", self.p.into())], pooling(&self.window)].concat()
    }
}
