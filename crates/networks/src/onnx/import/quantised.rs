//! Products of 8-bit integers, as quantised files have them, written out: zero points are taken off, the products summed as `int32`.

use super::{Apply, Importer, Result, Value, flow, layers::convolution_op};
use crate::{Binary, Comparison, ElementType, Op, Reduce, Reduction, Unary, ValueId};

impl Importer<'_> {
    pub(super) fn quantised(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        match apply.operator {
            "MatMulInteger" => {
                let (a, b) = (self.first(apply)?, self.weight_of_integers(apply.input(1)?));
                flow(self.integer_product(apply, [a, b], [2, 3]))
            }
            "ConvInteger" => flow(self.integer_convolution(apply, 1, [2, 3])?),
            "QLinearMatMul" => {
                let (a, b) = (self.first(apply)?, self.weight_of_integers(apply.input(3)?));
                let sums = self.integer_product(apply, [a, b], [2, 5]);
                flow(self.requantised(apply, sums, -1)?)
            }
            "QLinearConv" => {
                let mut sums = self.integer_convolution(apply, 3, [2, 5])?;
                if let Some(bias) = self.optional(apply, 8) {
                    let bias = self.by_channel(apply, bias, apply.input(3)?, 1);
                    sums = self.emit(apply, Op::Binary(Binary::Add), &[sums, bias]);
                }
                flow(self.requantised(apply, sums, 1)?)
            }
            "DynamicQuantizeLinear" => self.dynamic(apply),
            _ => Ok(None),
        }
    }

    /// Matrices without their zero points: one for all, for each row of the first, for each column of the second.
    fn integer_product(
        &mut self,
        apply: &Apply<'_>,
        [a, b]: [ValueId; 2],
        zeros: [usize; 2],
    ) -> ValueId {
        let of_rows = apply
            .optional(zeros[0])
            .and_then(Value::stored)
            .is_some_and(|zeros| zeros.dims.len() == 1 && zeros.len() > 1);
        let [mut a_zero, b_zero] = zeros.map(|index| self.optional(apply, index));
        if let Some(zero) = a_zero.filter(|_| of_rows) {
            let last = self.integers(apply, "last", &[-1]);
            a_zero = Some(self.emit(apply, Op::Unsqueeze, &[zero, last]));
        }
        let (a, b) = (
            self.centred(apply, a, a_zero),
            self.centred(apply, b, b_zero),
        );
        self.emit(apply, Op::MatMul, &[a, b])
    }

    /// With the weights at input `weight`; a zero point for all of them, or for each channel that they make.
    fn integer_convolution(
        &mut self,
        apply: &Apply<'_>,
        weight: usize,
        zeros: [usize; 2],
    ) -> Result<ValueId> {
        let stored = apply.input(weight)?;
        let op = convolution_op(apply, stored)?;
        let (x, weight) = (self.first(apply)?, self.weight_of_integers(stored));
        let [x_zero, weight_zero] = zeros.map(|index| self.optional(apply, index));
        let weight_zero = weight_zero.map(|zero| self.by_channel(apply, zero, stored, 0));
        let x = self.centred(apply, x, x_zero);
        let weight = self.centred(apply, weight, weight_zero);
        Ok(self.emit(apply, op, &[x, weight]))
    }

    /// Numbers for the channels, `[channels]` or one, laid along dimension `axis` of as many as `weight` has.
    fn by_channel(
        &mut self,
        apply: &Apply<'_>,
        numbers: ValueId,
        weight: &Value,
        axis: usize,
    ) -> ValueId {
        let rank = weight.stored().map_or(4, |stored| stored.dims.len());
        let mut shape = vec![1; rank];
        shape[axis.min(rank.saturating_sub(1))] = -1;
        let shape = self.integers(apply, "by_channel", &shape);
        self.emit(apply, Op::Reshape { allow_zero: false }, &[numbers, shape])
    }

    /// As `int32`, without its zero point.
    fn centred(&mut self, apply: &Apply<'_>, x: ValueId, zero: Option<ValueId>) -> ValueId {
        let to = ElementType::I32;
        let x = self.emit(apply, Op::Cast { to }, &[x]);
        let Some(zero) = zero else { return x };
        let zero = self.emit(apply, Op::Cast { to }, &[zero]);
        self.emit(apply, Op::Binary(Binary::Sub), &[x, zero])
    }

    /// Sums of products, whose scale is that of both operands (inputs 1 and 4), in the result's (6) around its zero point (7).
    fn requantised(&mut self, apply: &Apply<'_>, sums: ValueId, axis: i64) -> Result<ValueId> {
        let to = self.quantised_to(apply, apply.optional(7))?;
        let wide = Op::Cast {
            to: ElementType::F32,
        };
        let sums = self.emit(apply, wide, &[sums]);
        let scales = [self.operand(apply, 1)?, self.operand(apply, 4)?];
        let scale = self.emit(apply, Op::Binary(Binary::Mul), &scales);
        let own = self.operand(apply, 6)?;
        let scale = self.emit(apply, Op::Binary(Binary::Div), &[own, scale]);
        let inputs = vec![Some(sums), Some(scale), self.optional(apply, 7)];
        let op = Op::QuantizeLinear { axis, block: 0, to };
        Ok(self.emit_all(apply, op, inputs, 1)[0])
    }

    /// A tensor as `uint8`, with the scale and the zero point by which its own least and greatest numbers, and 0, fit.
    fn dynamic(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        let number = |this: &mut Self, what: &str, value| this.float(apply, what, value);
        let (zero, one, steps) = (
            number(self, "zero", 0.0),
            number(self, "one", 1.0),
            number(self, "steps", 255.0),
        );
        let mut extreme = |kind, bound| {
            let reduce = Op::Reduce(Reduce {
                kind,
                keep_dims: false,
                noop_without_axes: false,
            });
            let extreme = self.emit(apply, reduce, &[x]);
            self.emit(apply, Op::Binary(bound), &[extreme, zero])
        };
        let greatest = extreme(Reduction::Max, Binary::Max);
        let least = extreme(Reduction::Min, Binary::Min);
        let span = self.emit(apply, Op::Binary(Binary::Sub), &[greatest, least]);
        let scale = self.emit(apply, Op::Binary(Binary::Div), &[span, steps]);
        let is_flat = self.emit(apply, Op::Compare(Comparison::Equal), &[scale, zero]);
        let scale = self.emit(apply, Op::Where, &[is_flat, one, scale]);
        let below = self.emit(apply, Op::Binary(Binary::Div), &[least, scale]);
        let below = self.emit(apply, Op::Unary(Unary::Neg), &[below]);
        let below = self.emit(apply, Op::Unary(Unary::Round), &[below]);
        let to = ElementType::U8;
        let zero_point = self.emit(apply, Op::Cast { to }, &[below]);
        let op = Op::QuantizeLinear {
            axis: 1,
            block: 0,
            to,
        };
        let quantised = self.emit(apply, op, &[x, scale, zero_point]);
        Ok(Some(
            [quantised, scale, zero_point].map(Value::Flow).to_vec(),
        ))
    }
}
