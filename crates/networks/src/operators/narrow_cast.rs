//! A cast to a float of eight or four bits that makes infinities or NaN of what is beyond its largest; one that does not is
//! [`crate::Op::Cast`].

use candle_core::{Result as CandleResult, Tensor};

use super::Operator;
use crate::{
    ElementType,
    onnx::{
        encode::{data_type, flag, int},
        proto::AttributeProto,
    },
    run::{Inputs, elementwise::narrowed},
    shapes::{Arguments, Dims},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NarrowCast {
    pub to: ElementType,
}

impl Operator for NarrowCast {
    fn name(&self) -> &'static str {
        "Cast"
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        Ok(vec![inputs.dims(0)?.to_vec()])
    }

    fn run(&self, inputs: &Inputs<'_>, _dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        Ok(vec![narrowed(inputs.get(0)?, self.to, false)?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            int("to", data_type(self.to) as i64),
            flag("saturate", false),
        ]
    }

    fn element(&self) -> Option<ElementType> {
        Some(self.to)
    }

    fn since(&self) -> i64 {
        23
    }
}
