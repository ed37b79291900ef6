//! Reductions over axes.

use super::{Apply, Importer, Result, Value, flow, flows};
use crate::{ArgMax, Op, Reduce, Reduction};

impl Importer<'_> {
    pub(super) fn reduction(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let keep_dims = apply.int("keepdims", 1) != 0;
        if let Some(kind) = kind(apply.operator) {
            let op = Reduce {
                kind,
                keep_dims,
                noop_without_axes: apply.flag("noop_with_empty_axes"),
            };
            let inputs = vec![Some(self.first(apply)?), self.moved(apply, "axes", 1)];
            return flows(self.emit_all(apply, Op::Reduce(op), inputs, 1));
        }
        match apply.operator {
            "Softmax" => self.softmax(apply, |axis| Op::Softmax { axis }),
            "LogSoftmax" => self.softmax(apply, |axis| Op::LogSoftmax { axis }),
            "ArgMax" | "ArgMin" => {
                let op = Op::ArgMax(ArgMax {
                    axis: apply.int("axis", 0),
                    keep_dims,
                    select_last: apply.flag("select_last_index"),
                    smallest: apply.operator == "ArgMin",
                });
                let x = self.first(apply)?;
                flow(self.emit(apply, op, &[x]))
            }
            "TopK" => {
                let op = Op::TopK {
                    axis: apply.int("axis", -1),
                    largest: apply.int("largest", 1) != 0,
                    sorted: apply.int("sorted", 1) != 0,
                };
                let k = if apply.has("k") {
                    self.integers(apply, "k", &[apply.int("k", 0)])
                } else {
                    self.operand(apply, 1)?
                };
                let inputs = vec![Some(self.first(apply)?), Some(k)];
                flows(self.emit_all(apply, op, inputs, 2))
            }
            "CumSum" => {
                let op = Op::CumSum {
                    exclusive: apply.flag("exclusive"),
                    reverse: apply.flag("reverse"),
                };
                let (x, axis) = (self.first(apply)?, self.operand(apply, 1)?);
                flow(self.emit(apply, op, &[x, axis]))
            }
            _ => Ok(None),
        }
    }

    /// Before opset 13, over all dimensions from `axis` on at once; the default axis was 1.
    fn softmax(&mut self, apply: &Apply<'_>, op: impl Fn(i64) -> Op) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        if apply.opset >= 13 {
            return flow(self.emit(apply, op(apply.int("axis", -1)), &[x]));
        }
        let axis = apply.int("axis", 1);
        if axis == -1 {
            return flow(self.emit(apply, op(-1), &[x]));
        }
        let rows = self.emit(apply, Op::Flatten { axis }, &[x]);
        let softmax = self.emit(apply, op(-1), &[rows]);
        let shape = self.shape_of(apply, x);
        flow(self.emit(apply, Op::Reshape { allow_zero: true }, &[softmax, shape]))
    }
}

fn kind(operator: &str) -> Option<Reduction> {
    Some(match operator {
        "ReduceMean" => Reduction::Mean,
        "ReduceSum" => Reduction::Sum,
        "ReduceMax" => Reduction::Max,
        "ReduceMin" => Reduction::Min,
        "ReduceProd" => Reduction::Product,
        "ReduceL1" => Reduction::L1,
        "ReduceL2" => Reduction::L2,
        "ReduceSumSquare" => Reduction::SumSquare,
        "ReduceLogSum" => Reduction::LogSum,
        "ReduceLogSumExp" => Reduction::LogSumExp,
        _ => return None,
    })
}
