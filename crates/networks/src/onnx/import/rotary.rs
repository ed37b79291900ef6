//! Rotary position embedding (Su et al. 2021), an operator since opset 23, written out.

use super::{Apply, Importer, Result, Value, flow};
use crate::{Binary, Op, ValueId};

/// `[batch, heads, length, size]` as `[batch, length, heads, size]`, and back.
const HEADS_BEHIND_LENGTH: [usize; 4] = [0, 2, 1, 3];

impl Importer<'_> {
    /// Turns pairs (a, b) of each head's numbers by the angle of their place: (a·cos − b·sin, a·sin + b·cos).
    pub(super) fn rotary(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        let shape = self.shape_of(apply, x);
        let rank = self.emit(apply, Op::Size, &[shape]);
        let is_split = self.condition(&Value::Flow(rank)) == Some(4);
        let transpose = || Op::Transpose {
            permutation: HEADS_BEHIND_LENGTH.to_vec(),
        };
        let x = if is_split {
            self.emit(apply, transpose(), &[x])
        } else {
            let heads = self.integers(apply, "heads", &[0, 0, apply.int("num_heads", 1), -1]);
            self.emit(apply, Op::Reshape { allow_zero: false }, &[x, heads])
        };
        let size = self.length(apply, x, 3)?;
        let turned = match apply.int("rotary_embedding_dim", 0) {
            0 => size,
            some if (0..=size).contains(&some) => some,
            other => {
                return Err(apply.fault(format!(
                    "rotary_embedding_dim is {other}; its heads have {size} numbers"
                )));
            }
        };
        let half = turned / 2;
        let cos = self.of_places(apply, 1, half)?;
        let sin = self.of_places(apply, 2, half)?;
        let interleaved = apply.flag("interleaved");
        let (a, b) = if interleaved {
            (
                self.part(apply, x, [0, turned, 2]),
                self.part(apply, x, [1, turned, 2]),
            )
        } else {
            (
                self.part(apply, x, [0, half, 1]),
                self.part(apply, x, [half, turned, 1]),
            )
        };
        let mut binary = |op, a, b| self.emit(apply, Op::Binary(op), &[a, b]);
        let (a_cos, b_sin) = (binary(Binary::Mul, a, cos), binary(Binary::Mul, b, sin));
        let (a_sin, b_cos) = (binary(Binary::Mul, a, sin), binary(Binary::Mul, b, cos));
        let first = binary(Binary::Sub, a_cos, b_sin);
        let second = binary(Binary::Add, a_sin, b_cos);
        let mut output = if interleaved {
            self.interleaved(apply, first, second)
        } else {
            self.emit(apply, Op::Concat { axis: -1 }, &[first, second])
        };
        if turned < size {
            let rest = self.part(apply, x, [turned, size, 1]);
            output = self.emit(apply, Op::Concat { axis: -1 }, &[output, rest]);
        }
        flow(if is_split {
            self.emit(apply, transpose(), &[output])
        } else {
            let joined = self.integers(apply, "joined", &[0, 0, -1]);
            self.emit(apply, Op::Reshape { allow_zero: false }, &[output, joined])
        })
    }

    /// The first `half` cosines or sines of each place, for all heads: `[batch, length, 1, half]`. Input `index` has them by
    /// batch and place, or by position where positions are given.
    fn of_places(&mut self, apply: &Apply<'_>, index: usize, half: i64) -> Result<ValueId> {
        let mut table = self.operand(apply, index)?;
        if let Some(positions) = self.optional(apply, 3) {
            table = self.emit(apply, Op::Gather { axis: 0 }, &[table, positions]);
        }
        let table = self.part(apply, table, [0, half, 1]);
        let heads = self.integers(apply, "heads_axis", &[2]);
        Ok(self.emit(apply, Op::Unsqueeze, &[table, heads]))
    }

    /// `x[..., start:end:step]`
    fn part(&mut self, apply: &Apply<'_>, x: ValueId, [start, end, step]: [i64; 3]) -> ValueId {
        let mut operands = vec![x];
        for (what, value) in [("start", start), ("end", end), ("axis", -1), ("step", step)] {
            operands.push(self.integers(apply, what, &[value]));
        }
        self.emit(apply, Op::Slice, &operands)
    }

    /// One number of each in turn.
    fn interleaved(&mut self, apply: &Apply<'_>, first: ValueId, second: ValueId) -> ValueId {
        let last = self.integers(apply, "last", &[-1]);
        let pairs = [first, second].map(|of| self.emit(apply, Op::Unsqueeze, &[of, last]));
        let pairs = self.emit(apply, Op::Concat { axis: -1 }, &pairs);
        let shape = self.integers(apply, "in_a_row", &[0, 0, 0, -1]);
        self.emit(apply, Op::Reshape { allow_zero: false }, &[pairs, shape])
    }
}
