//! Operators on `uint64`, which a run stores bit by bit as `int64`. Sums, differences and products have the same bits in both; what
//! depends on the order of the numbers is asked of numbers whose highest bit is turned over: those lie in the same order.

use super::{Apply, Importer};
use crate::{Binary, Comparison, ElementType, Literal, Op, Reduce, Reduction, Unary, ValueId};

/// 2⁶⁴
const ALL: f32 = 18_446_744_073_709_551_616.0;

impl Importer<'_> {
    /// The node's results, where it would not be right on numbers with a sign.
    pub(super) fn unsigned(
        &mut self,
        apply: &Apply<'_>,
        op: &Op,
        inputs: &[Option<ValueId>],
        count: usize,
    ) -> Option<Vec<ValueId>> {
        let x = inputs.first().copied().flatten()?;
        if self.element_of(x) != Some(ElementType::U64) {
            return None;
        }
        let mut inputs = inputs.to_vec();
        match op {
            Op::Compare(_) | Op::ArgMax(_) => {
                self.turn(apply, &mut inputs);
                Some(self.push(apply, op.clone(), inputs, count))
            }
            Op::Binary(Binary::Min | Binary::Max) => {
                self.turn(apply, &mut inputs);
                let mut outputs = self.push(apply, op.clone(), inputs, count);
                outputs[0] = self.turned(apply, outputs[0]);
                Some(outputs)
            }
            Op::TopK { .. }
            | Op::Reduce(Reduce {
                kind: Reduction::Max | Reduction::Min,
                ..
            }) => {
                self.turn(apply, &mut inputs[..1]);
                let mut outputs = self.push(apply, op.clone(), inputs, count);
                outputs[0] = self.turned(apply, outputs[0]);
                Some(outputs)
            }
            Op::Binary(Binary::Div) => {
                Some(self.push(apply, Op::Binary(Binary::DivUnsigned), inputs, count))
            }
            Op::Binary(Binary::Mod | Binary::Fmod) => {
                Some(self.push(apply, Op::Binary(Binary::ModUnsigned), inputs, count))
            }
            Op::Unary(Unary::Abs) => Some(vec![x]),
            Op::Unary(Unary::Sign) => {
                let is_something = Op::Cast {
                    to: ElementType::Bool,
                };
                let is_something = self.push(apply, is_something, inputs, 1);
                let to = ElementType::U64;
                Some(self.push(apply, Op::Cast { to }, vec![Some(is_something[0])], 1))
            }
            Op::Cast { to } if to.is_float() => Some(vec![self.float_of(apply, x, *to)]),
            _ => None,
        }
    }

    fn turn(&mut self, apply: &Apply<'_>, inputs: &mut [Option<ValueId>]) {
        for input in inputs.iter_mut().flatten() {
            *input = self.turned(apply, *input);
        }
    }

    /// With the highest bit turned over, which is to add it.
    fn turned(&mut self, apply: &Apply<'_>, x: ValueId) -> ValueId {
        let highest = self.integer(apply, "highest", i64::MIN);
        self.push(
            apply,
            Op::Binary(Binary::Add),
            vec![Some(x), Some(highest)],
            1,
        )[0]
    }

    /// Read with a sign, numbers from 2⁶³ on are too small by 2⁶⁴.
    fn float_of(&mut self, apply: &Apply<'_>, x: ValueId, to: ElementType) -> ValueId {
        let push = |this: &mut Self, op, inputs: &[ValueId]| {
            this.push(apply, op, inputs.iter().copied().map(Some).collect(), 1)[0]
        };
        let wide = ElementType::F32;
        let signed = push(self, Op::Cast { to: wide }, &[x]);
        let (zero, all) = (
            self.integer(apply, "zero", 0),
            self.float(apply, "all", ALL.into()),
        );
        let is_below = push(self, Op::Compare(Comparison::Less), &[x, zero]);
        let shifted = push(self, Op::Binary(Binary::Add), &[signed, all]);
        let float = push(self, Op::Where, &[is_below, shifted, signed]);
        push(self, Op::Cast { to }, &[float])
    }

    /// A single integer that belongs to the node.
    fn integer(&mut self, apply: &Apply<'_>, what: &str, value: i64) -> ValueId {
        self.builder
            .constant(&format!("{}/{what}", apply.name), Literal::integer(value))
    }
}
