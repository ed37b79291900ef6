//! How a node's operators, operands and results are written into the network.

use super::{Apply, Importer, Result, Value};
use crate::{Literal, Op, ValueId};

impl Importer<'_> {
    /// Adds an operator with one output, which bears the node's first output's name.
    pub(super) fn emit(&mut self, apply: &Apply<'_>, op: Op, inputs: &[ValueId]) -> ValueId {
        self.emit_all(apply, op, inputs.iter().copied().map(Some).collect(), 1)[0]
    }

    /// Adds an operator with `count` outputs and optional inputs, of which absent last ones are dropped. Its integers calculate as
    /// those of their type.
    pub(super) fn emit_all(
        &mut self,
        apply: &Apply<'_>,
        op: Op,
        mut inputs: Vec<Option<ValueId>>,
        count: usize,
    ) -> Vec<ValueId> {
        while inputs.last() == Some(&None) {
            inputs.pop();
        }
        if let Some(outputs) = self.unsigned(apply, &op, &inputs, count) {
            return outputs;
        }
        let outputs = self.push(apply, op, inputs, count);
        self.within_range(apply, outputs)
    }

    /// The same for integers that cannot leave what a run stores them in.
    pub(super) fn push(
        &mut self,
        apply: &Apply<'_>,
        op: Op,
        inputs: Vec<Option<ValueId>>,
        count: usize,
    ) -> Vec<ValueId> {
        let name = |index| {
            apply
                .outputs
                .get(index)
                .copied()
                .filter(|name: &&str| !name.is_empty())
                .unwrap_or(&apply.name)
        };
        let names: Vec<_> = (0..count).map(name).collect();
        let outputs = self
            .builder
            .node_with(&apply.name, op, inputs, &names, None);
        if let Some(node) = self.builder.last_node() {
            self.origins.follow(node);
        }
        self.follow_types();
        outputs
    }

    /// All dimensions of a value.
    pub(super) fn shape_of(&mut self, apply: &Apply<'_>, x: ValueId) -> ValueId {
        let all = Op::Shape {
            start: 0,
            end: None,
        };
        self.emit(apply, all, &[x])
    }

    /// A vector of integers that belongs to the node.
    pub(super) fn integers(&mut self, apply: &Apply<'_>, what: &str, values: &[i64]) -> ValueId {
        self.builder
            .constant(&format!("{}/{what}", apply.name), Literal::integers(values))
    }

    /// A scalar that belongs to the node.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "attributes are single precision"
    )]
    pub(super) fn float(&mut self, apply: &Apply<'_>, what: &str, value: f64) -> ValueId {
        self.builder.constant(
            &format!("{}/{what}", apply.name),
            Literal::float(value as f32),
        )
    }

    /// All the node's inputs as they are.
    pub(super) fn ids(&mut self, apply: &Apply<'_>) -> Vec<Option<ValueId>> {
        (0..apply.inputs.len())
            .map(|index| self.optional(apply, index))
            .collect()
    }

    /// The node's only operand, or its first.
    pub(super) fn first(&mut self, apply: &Apply<'_>) -> Result<ValueId> {
        self.operand(apply, 0)
    }

    pub(super) fn operand(&mut self, apply: &Apply<'_>, index: usize) -> Result<ValueId> {
        Ok(self.id(apply.input(index)?))
    }

    pub(super) fn optional(&mut self, apply: &Apply<'_>, index: usize) -> Option<ValueId> {
        apply.optional(index).map(|value| self.id(value))
    }

    /// What was an attribute in early opsets and is an input now.
    pub(super) fn moved(
        &mut self,
        apply: &Apply<'_>,
        attribute: &str,
        index: usize,
    ) -> Option<ValueId> {
        match apply.ints(attribute) {
            Some(values) => Some(self.integers(apply, attribute, values)),
            None => self.optional(apply, index),
        }
    }
}

/// One flow of the network as a node's results.
#[expect(
    clippy::unnecessary_wraps,
    reason = "what every operator's conversion returns"
)]
pub(super) fn flow(id: ValueId) -> Result<Option<Vec<Value>>> {
    Ok(Some(vec![Value::Flow(id)]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what every operator's conversion returns"
)]
pub(super) fn flows(ids: Vec<ValueId>) -> Result<Option<Vec<Value>>> {
    Ok(Some(ids.into_iter().map(Value::Flow).collect()))
}
