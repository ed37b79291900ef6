//! Sequences of tensors, which are followed while the file is read: how long they are and which of them is taken is constant in every
//! network that one is exported with, so that none is left in the network.

use std::rc::Rc;

use super::{Apply, Importer, Result, Value, flow};
use crate::{Op, ValueId, onnx::Stored};

/// More parts than any network takes a tensor into.
const MOST_PARTS: i64 = 4096;

impl Importer<'_> {
    pub(super) fn sequence(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let made = |values: Vec<Value>| Ok(Some(vec![Value::Sequence(values.into())]));
        match apply.operator {
            "SplitToSequence" => {
                let parts = self.parts(apply)?;
                made(parts)
            }
            "SequenceConstruct" => made(apply.inputs.iter().flatten().cloned().collect()),
            "SequenceEmpty" => made(Vec::new()),
            "SequenceAt" => {
                let values = sequence(apply, 0)?;
                let at = self.place(apply, 1, values.len())?;
                Ok(Some(vec![values[at].clone()]))
            }
            "SequenceInsert" => {
                let mut values = sequence(apply, 0)?.to_vec();
                let at = match apply.optional(2) {
                    // One place more than there are: behind the last.
                    Some(_) => self.place(apply, 2, values.len() + 1)?,
                    None => values.len(),
                };
                values.insert(at, apply.input(1)?.clone());
                made(values)
            }
            "SequenceErase" => {
                let mut values = sequence(apply, 0)?.to_vec();
                let at = match apply.optional(1) {
                    Some(_) => self.place(apply, 1, values.len())?,
                    None => values.len().saturating_sub(1),
                };
                if at < values.len() {
                    values.remove(at);
                }
                made(values)
            }
            "SequenceLength" => {
                let length = i64::try_from(sequence(apply, 0)?.len()).unwrap_or(i64::MAX);
                let length = Stored::integers(&[length]).scalar();
                Ok(Some(vec![Value::constant(length.named(&apply.name))]))
            }
            "ConcatFromSequence" => self.concatenated(apply),
            _ => Ok(None),
        }
    }

    /// Input `index` as a place among `count`, counted from the end where negative.
    fn place(&mut self, apply: &Apply<'_>, index: usize, count: usize) -> Result<usize> {
        let given = apply.input(index)?;
        let at = self
            .condition(given)
            .ok_or_else(|| apply.fault("its position depends on the image, or on the batch"))?;
        let length = i64::try_from(count).unwrap_or(i64::MAX);
        let from_start = if at < 0 {
            at.saturating_add(length)
        } else {
            at
        };
        usize::try_from(from_start)
            .ok()
            .filter(|place| *place < count)
            .ok_or_else(|| apply.fault(format!("position {at} of a sequence of {count}")))
    }

    /// A tensor in parts along an axis: of given lengths, of one length, or of length 1 each.
    fn parts(&mut self, apply: &Apply<'_>) -> Result<Vec<Value>> {
        let axis = apply.int("axis", 0);
        let x = self.first(apply)?;
        let length = self.dimension(apply, x, axis);
        let length = self
            .condition(&Value::Flow(length))
            .ok_or_else(|| apply.fault("the number of its parts depends on the batch"))?;
        let split = match apply.optional(1) {
            None => None,
            Some(given) => Some(
                self.known_integers(given)
                    .ok_or_else(|| apply.fault("the lengths of its parts depend on the image"))?,
            ),
        };
        let is_scalar = |value: &Value| value.stored().is_none_or(|split| split.dims.is_empty());
        let lengths: Vec<i64> = match (split.as_deref(), apply.optional(1)) {
            (Some(&[part]), Some(given)) if is_scalar(given) && part > 0 => {
                if length / part > MOST_PARTS {
                    return Err(apply.fault(format!("{length} in parts of {part} are too many")));
                }
                let whole = usize::try_from(length / part).unwrap_or(0);
                let rest = Some(length % part).filter(|rest| *rest > 0);
                std::iter::repeat_n(part, whole).chain(rest).collect()
            }
            (Some(lengths), _) => lengths.to_vec(),
            (None, _) if length > MOST_PARTS => {
                return Err(apply.fault(format!("{length} parts are too many")));
            }
            (None, _) => vec![1; usize::try_from(length).unwrap_or(0)],
        };
        if lengths.is_empty() {
            return Err(apply.fault("it has no part"));
        }
        let sizes = self.integers(apply, "split", &lengths);
        let parts = self.emit_all(
            apply,
            Op::Split { axis },
            vec![Some(x), Some(sizes)],
            lengths.len(),
        );
        if apply.optional(1).is_some() || apply.int("keepdims", 1) != 0 {
            return Ok(parts.into_iter().map(Value::Flow).collect());
        }
        let dimensions = self.integers(apply, "axes", &[axis]);
        let squeezed = parts
            .into_iter()
            .map(|part| Value::Flow(self.emit(apply, Op::Squeeze, &[part, dimensions])));
        Ok(squeezed.collect())
    }

    fn concatenated(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let axis = apply.int("axis", 0);
        let values = sequence(apply, 0)?;
        if values.is_empty() {
            return Err(apply.fault("its sequence is empty"));
        }
        let mut parts: Vec<ValueId> = values.iter().map(|value| self.id(value)).collect();
        if apply.flag("new_axis") {
            let dimensions = self.integers(apply, "axes", &[axis]);
            for part in &mut parts {
                *part = self.emit(apply, Op::Unsqueeze, &[*part, dimensions]);
            }
        }
        flow(self.emit(apply, Op::Concat { axis }, &parts))
    }
}

/// Input `index`, which is to be a sequence of tensors.
fn sequence(apply: &Apply<'_>, index: usize) -> Result<Rc<[Value]>> {
    match apply.input(index)? {
        Value::Sequence(values)
            if !values
                .iter()
                .any(|value| matches!(value, Value::Sequence(_))) =>
        {
            Ok(Rc::clone(values))
        }
        _ => Err(apply.fault(format!("input {index} is no sequence of tensors"))),
    }
}

/// Whether an operator takes sequences, or passes them on.
pub(super) fn takes_sequences(operator: &str) -> bool {
    matches!(
        operator,
        "SequenceAt"
            | "SequenceInsert"
            | "SequenceErase"
            | "SequenceLength"
            | "ConcatFromSequence"
            | "Identity"
    )
}
