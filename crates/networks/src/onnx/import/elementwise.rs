//! Activations, arithmetic, comparisons, casts, quantisation.

use super::{Apply, Importer, Result, Value, flow};
use crate::operators::NarrowCast;
use crate::{
    Activation, Binary, Comparison, ElementType, Literal, Op, Unary, ValueId,
    onnx::{Stored, tensor::element_type},
};

impl Importer<'_> {
    pub(super) fn elementwise(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        if let Some(activation) = activation(apply)?
            && !(activation == Activation::Relu && self.is_of_integers(apply))
        {
            return self.unary(apply, Op::Activation(activation));
        }
        if let Some(unary) = unary(apply) {
            return self.unary(apply, Op::Unary(unary));
        }
        if let Some(binary) = binary(apply)? {
            return self.fold(apply, binary);
        }
        if let Some(comparison) = comparison(apply.operator) {
            let (a, b) = (self.operand(apply, 0)?, self.operand(apply, 1)?);
            return flow(self.emit(apply, Op::Compare(comparison), &[a, b]));
        }
        match apply.operator {
            "Clip" => self.clip(apply),
            "Relu" => self.rectify(apply),
            // Of one sign, or of none.
            "IsInf" => {
                let infinity = match (
                    apply.int("detect_positive", 1),
                    apply.int("detect_negative", 1),
                ) {
                    (0, 0) => f64::NAN,
                    (0, _) => f64::NEG_INFINITY,
                    _ => f64::INFINITY,
                };
                let (x, infinity) = (self.first(apply)?, self.float(apply, "infinity", infinity));
                flow(self.emit(apply, Op::Compare(Comparison::Equal), &[x, infinity]))
            }
            "PRelu" => {
                let (x, slope) = (self.first(apply)?, self.buffer(apply.input(1)?));
                flow(self.emit(apply, Op::PRelu, &[x, slope]))
            }
            "Mean" => {
                let sum = self.sum(apply, Binary::Add)?;
                #[expect(clippy::cast_precision_loss)]
                let count = self.float(apply, "count", apply.inputs.len() as f64);
                flow(self.emit(apply, Op::Binary(Binary::Div), &[sum, count]))
            }
            "Where" => {
                let operands = [
                    self.operand(apply, 0)?,
                    self.operand(apply, 1)?,
                    self.operand(apply, 2)?,
                ];
                flow(self.emit(apply, Op::Where, &operands))
            }
            "Cast" => {
                let to = element_type(&apply.name, i32::try_from(apply.int("to", 0)).unwrap_or(0))?;
                self.cast(apply, to)
            }
            "CastLike" => {
                // Several types are stored as one when the network runs.
                if let Some(to) = self.element(apply.input(1)?) {
                    return self.cast(apply, to);
                }
                let (x, like) = (self.first(apply)?, self.operand(apply, 1)?);
                flow(self.emit(apply, Op::CastLike, &[x, like]))
            }
            "Identity" => Ok(Some(vec![apply.input(0)?.clone()])),
            "QuantizeLinear" | "DequantizeLinear" => self.quantise(apply),
            _ => Ok(None),
        }
    }

    fn unary(&mut self, apply: &Apply<'_>, op: Op) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        flow(self.emit(apply, op, &[x]))
    }

    /// Beyond the largest of a narrow float that is taken, unless a file says otherwise.
    fn cast(&mut self, apply: &Apply<'_>, to: ElementType) -> Result<Option<Vec<Value>>> {
        if apply.int("saturate", 1) == 0 && crate::narrow::layout(to).is_some() {
            return self.unary(apply, NarrowCast { to }.into());
        }
        self.unary(apply, Op::Cast { to })
    }

    /// A binary operator over two operands, or over any number for `Sum`, `Min` and `Max`.
    fn fold(&mut self, apply: &Apply<'_>, binary: Binary) -> Result<Option<Vec<Value>>> {
        if apply.inputs.len() == 1 && matches!(apply.operator, "Sum" | "Min" | "Max") {
            return Ok(Some(vec![apply.input(0)?.clone()]));
        }
        flow(self.sum(apply, binary)?)
    }

    fn sum(&mut self, apply: &Apply<'_>, binary: Binary) -> Result<ValueId> {
        let mut total = self.first(apply)?;
        for index in 1..apply.inputs.len() {
            let term = self.operand(apply, index)?;
            total = self.emit(apply, Op::Binary(binary), &[total, term]);
        }
        Ok(total)
    }

    /// Bounds that the file holds make an activation; computed ones, and those of integers, a minimum and a maximum.
    fn clip(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let bound = |index: usize, name: &str, default: f64| match apply.optional(index) {
            None => Some(if apply.has(name) {
                apply.float(name, 0.0)
            } else {
                default
            }),
            Some(value) => {
                let number = |stored: &Stored| {
                    stored
                        .element
                        .is_float()
                        .then(|| stored.to_f32().first().copied())?
                };
                value.stored().and_then(number).map(f64::from)
            }
        };
        let bounds = bound(1, "min", f64::NEG_INFINITY).zip(bound(2, "max", f64::INFINITY));
        if let Some((min, max)) = bounds.filter(|(min, max)| !min.is_nan() && !max.is_nan()) {
            if min == f64::NEG_INFINITY && max == f64::INFINITY {
                return Ok(Some(vec![apply.input(0)?.clone()]));
            }
            return self.unary(apply, Op::Activation(Activation::Clip { min, max }));
        }
        let mut x = self.first(apply)?;
        for (index, op) in [(1, Binary::Max), (2, Binary::Min)] {
            if let Some(bound) = self.optional(apply, index) {
                x = self.emit(apply, Op::Binary(op), &[x, bound]);
            }
        }
        flow(x)
    }

    /// Whether the node's operand is known to be of integers.
    fn is_of_integers(&self, apply: &Apply<'_>) -> bool {
        let x = apply.optional(0).and_then(|x| self.element(x));
        x.is_some_and(|element| !element.is_float() && element != ElementType::Bool)
    }

    /// An activation is of floating-point numbers; the larger of an integer and zero is not.
    fn rectify(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        let zero = self.literal(&format!("{}/zero", apply.name), Literal::integer(0));
        flow(self.emit(apply, Op::Binary(Binary::Max), &[x, zero]))
    }

    fn quantise(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let axis = apply.int("axis", 1);
        let block = usize::try_from(apply.int("block_size", 0)).unwrap_or(0);
        let op = if apply.operator == "DequantizeLinear" {
            Op::DequantizeLinear { axis, block }
        } else {
            let to = self.quantised_to(apply, apply.optional(2))?;
            Op::QuantizeLinear { axis, block, to }
        };
        let x = if apply.operator == "DequantizeLinear" {
            self.weight_of_integers(apply.input(0)?)
        } else {
            self.first(apply)?
        };
        let inputs = vec![
            Some(x),
            Some(self.operand(apply, 1)?),
            self.optional(apply, 2),
        ];
        flow(self.emit_all(apply, op, inputs, 1)[0])
    }

    /// Which integers a node quantises to: those of its zero point.
    pub(crate) fn quantised_to(
        &self,
        apply: &Apply<'_>,
        zero: Option<&Value>,
    ) -> Result<ElementType> {
        use ElementType::{I2, I4, I8, I16, U2, U4, U8, U16};
        let declared = i32::try_from(apply.int("output_dtype", 0)).unwrap_or(0);
        match zero.and_then(|zero| self.element(zero)) {
            Some(element @ (I2 | U2 | I4 | U4 | I8 | U8 | I16 | U16)) => Ok(element),
            Some(element) if crate::narrow::layout(element).is_some() => Ok(element),
            Some(other) => Err(apply.fault(format!(
                "its zero point is {other:?}; quantising to integers of up to 16 bits is supported"
            ))),
            None if declared != 0 => element_type(&apply.name, declared),
            None if zero.is_none() => Ok(U8),
            None => Err(apply.fault(
                "it is not known which integers its zero point is of; save it as a tensor of the file",
            )),
        }
    }
}

fn activation(apply: &Apply<'_>) -> Result<Option<Activation>> {
    let alpha = |default| apply.float("alpha", default);
    Ok(Some(match apply.operator {
        "Relu" => Activation::Relu,
        "LeakyRelu" => Activation::LeakyRelu { slope: alpha(0.01) },
        "ThresholdedRelu" => Activation::ThresholdedRelu { alpha: alpha(1.0) },
        "Elu" => Activation::Elu { alpha: alpha(1.0) },
        "Celu" => Activation::Celu { alpha: alpha(1.0) },
        // The constants that ONNX's specification gives.
        "Selu" => Activation::Selu {
            alpha: alpha(1.673_263_2),
            gamma: apply.float("gamma", 1.050_701),
        },
        "Sigmoid" => Activation::Sigmoid,
        "HardSigmoid" => Activation::HardSigmoid {
            alpha: alpha(0.2),
            beta: apply.float("beta", 0.5),
        },
        "HardSwish" => Activation::HardSwish,
        "Swish" => Activation::Swish { alpha: alpha(1.0) },
        "Mish" => Activation::Mish,
        "Softplus" => Activation::Softplus,
        "Softsign" => Activation::Softsign,
        "Tanh" => Activation::Tanh,
        "Gelu" => match apply.text("approximate")?.unwrap_or("none") {
            "none" => Activation::Gelu,
            "tanh" => Activation::GeluTanh,
            other => return Err(apply.fault(format!("approximate {other:?} is unknown"))),
        },
        _ => return Ok(None),
    }))
}

fn unary(apply: &Apply<'_>) -> Option<Unary> {
    Some(match apply.operator {
        "Abs" => Unary::Abs,
        "Neg" => Unary::Neg,
        "Sign" => Unary::Sign,
        "Reciprocal" => Unary::Reciprocal,
        "Sqrt" => Unary::Sqrt,
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Erf" => Unary::Erf,
        "Sin" => Unary::Sin,
        "Cos" => Unary::Cos,
        "Floor" => Unary::Floor,
        "Ceil" => Unary::Ceil,
        "Round" => Unary::Round,
        "Not" => Unary::Not,
        "BitwiseNot" => Unary::BitwiseNot,
        "IsNaN" => Unary::IsNaN,
        "IsInf" if apply.int("detect_positive", 1) != 0 && apply.int("detect_negative", 1) != 0 => {
            Unary::IsInf
        }
        _ => return None,
    })
}

fn binary(apply: &Apply<'_>) -> Result<Option<Binary>> {
    Ok(Some(match apply.operator {
        "Add" | "Sum" => Binary::Add,
        "Sub" => Binary::Sub,
        "Mul" => Binary::Mul,
        "Div" => Binary::Div,
        "Pow" => Binary::Pow,
        "Min" => Binary::Min,
        "Max" => Binary::Max,
        "Mod" if apply.flag("fmod") => Binary::Fmod,
        "Mod" => Binary::Mod,
        "And" => Binary::And,
        "Or" => Binary::Or,
        "Xor" => Binary::Xor,
        "BitwiseAnd" => Binary::BitwiseAnd,
        "BitwiseOr" => Binary::BitwiseOr,
        "BitwiseXor" => Binary::BitwiseXor,
        "BitShift" => match apply.text("direction")? {
            Some("LEFT") => Binary::ShiftLeft,
            Some("RIGHT") => Binary::ShiftRight,
            other => return Err(apply.fault(format!("direction {other:?} is unknown"))),
        },
        _ => return Ok(None),
    }))
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "Equal" => Comparison::Equal,
        "Less" => Comparison::Less,
        "LessOrEqual" => Comparison::LessOrEqual,
        "Greater" => Comparison::Greater,
        "GreaterOrEqual" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
