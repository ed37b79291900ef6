//! Trigonometric and hyperbolic functions, element by element; sine and cosine, which transformers' position embeddings
//! have, are candle's own ([`crate::Unary`]).

use candle_core::{DType, Device, Result as CandleResult, Tensor, bail};

use super::{Operator, Reader};
use crate::{
    onnx::{Apply, Importer, OnnxError, Value, proto::AttributeProto},
    run::Inputs,
    shapes::{Arguments, Dims},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Asinh,
    Acosh,
    Atanh,
}

impl Function {
    const ALL: [Self; 9] = [
        Self::Tan,
        Self::Asin,
        Self::Acos,
        Self::Atan,
        Self::Sinh,
        Self::Cosh,
        Self::Asinh,
        Self::Acosh,
        Self::Atanh,
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
    }

    fn of(self) -> fn(f32) -> f32 {
        match self {
            Self::Tan => f32::tan,
            Self::Asin => f32::asin,
            Self::Acos => f32::acos,
            Self::Atan => f32::atan,
            Self::Sinh => f32::sinh,
            Self::Cosh => f32::cosh,
            Self::Asinh => f32::asinh,
            Self::Acosh => f32::acosh,
            Self::Atanh => f32::atanh,
        }
    }
}

pub(super) fn reader(operator: &str) -> Option<Reader> {
    Function::named(operator).map(|_| read as Reader)
}

fn read(importer: &mut Importer<'_>, apply: &Apply<'_>) -> Result<Vec<Value>, OnnxError> {
    let Some(function) = Function::named(apply.operator) else {
        return Err(apply.fault("it is not supported"));
    };
    let x = importer.first(apply)?;
    Ok(vec![Value::Flow(importer.emit(
        apply,
        function.into(),
        &[x],
    ))])
}

impl Operator for Function {
    fn name(&self) -> &'static str {
        match self {
            Self::Tan => "Tan",
            Self::Asin => "Asin",
            Self::Acos => "Acos",
            Self::Atan => "Atan",
            Self::Sinh => "Sinh",
            Self::Cosh => "Cosh",
            Self::Asinh => "Asinh",
            Self::Acosh => "Acosh",
            Self::Atanh => "Atanh",
        }
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        Ok(vec![inputs.dims(0)?.to_vec()])
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let x = inputs.get(0)?;
        if !x.dtype().is_float() {
            bail!("it takes floating-point numbers, not {:?}", x.dtype());
        }
        let values: Vec<f32> = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let values: Vec<f32> = values.into_iter().map(self.of()).collect();
        let values = Tensor::from_vec(values, dims[0].as_slice(), &Device::Cpu)?;
        Ok(vec![values.to_device(x.device())?.to_dtype(x.dtype())?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        Vec::new()
    }
}
