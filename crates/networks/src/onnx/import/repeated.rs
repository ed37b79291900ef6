//! `Loop` and `Scan`, written out turn by turn where it is known how many there are.

use std::collections::HashMap;

use super::{Apply, Importer, Pending, Result, Scope, Stored, Value, results};
use crate::{
    Op, ValueId,
    onnx::proto::{GraphProto, ValueInfoProto},
};

impl<'a> Importer<'a> {
    /// A loop that ends after a constant number of turns, or by a condition that is constant in each.
    ///
    /// The body takes the turn's number, the condition and what is carried; it gives the next condition, what is carried on, and what
    /// is collected.
    pub(super) fn repeat(
        &mut self,
        apply: &Apply<'a>,
        outer: &Scope<'a, '_>,
        depth: usize,
    ) -> Result<Vec<Value>> {
        let body = apply.graph("body")?;
        let turns = match apply.optional(0) {
            Some(turns) => Some(self.condition(turns).ok_or_else(|| {
                apply.fault(
                    "how often it turns depends on the image; only constant numbers are supported",
                )
            })?),
            None => None,
        };
        let mut goes_on = match apply.optional(1) {
            Some(goes_on) => goes_on.clone(),
            None => Value::constant(Stored::boolean(true)),
        };
        let mut carried = Vec::new();
        for index in 2..apply.inputs.len() {
            carried.push(apply.input(index)?.clone());
        }
        let shared = self.body(apply, body, outer)?;
        let mut collected: Vec<Vec<Value>> = Vec::new();
        for turn in 0.. {
            let known = self.condition(&goes_on).ok_or_else(|| {
                apply.fault("whether it goes on depends on the image; only constant conditions are supported")
            })?;
            if known == 0 || turns.is_some_and(|turns| turn >= turns) {
                break;
            }
            let number = Stored::integers(&[turn]).scalar();
            let number = Value::constant(number.named(&format!("{}/turn_{turn}", apply.name)));
            let arguments = [vec![number, goes_on], carried].concat();
            let mut given = self
                .one_turn(apply, body, &shared, turn, arguments, depth)?
                .into_iter();
            goes_on = given
                .next()
                .ok_or_else(|| apply.fault("its body gives no condition"))?;
            carried = given
                .by_ref()
                .take(apply.inputs.len().saturating_sub(2))
                .collect();
            collected.push(given.collect());
        }
        let collects = body
            .output
            .len()
            .saturating_sub(apply.inputs.len().saturating_sub(2) + 1);
        if collected.is_empty() && collects > 0 {
            return Err(apply.fault(
                "it turns not once, so that what it collects has no shape; that is not supported",
            ));
        }
        for output in 0..collects {
            let steps: Option<Vec<Value>> = collected
                .iter()
                .map(|turn| turn.get(output).cloned())
                .collect();
            let steps = steps.ok_or_else(|| apply.fault("its body gives too little"))?;
            carried.push(self.stacked(apply, &steps, 0)?);
        }
        Ok(carried)
    }

    /// A body applied to each slice of its operands in turn.
    pub(super) fn scan(
        &mut self,
        apply: &Apply<'a>,
        outer: &Scope<'a, '_>,
        depth: usize,
    ) -> Result<Vec<Value>> {
        let is_sequence = |value: &Option<Value>| matches!(value, Some(Value::Sequence(_)));
        if apply.inputs.iter().any(is_sequence) {
            return Err(apply.fault("it is given a sequence, where a tensor is expected"));
        }
        if apply.opset < 9 {
            return Err(apply.fault("Scan as before opset 9 is not supported"));
        }
        let body = apply.graph("body")?;
        let scanned = apply.size("num_scan_inputs", 0)?;
        let states = apply.inputs.len().checked_sub(scanned);
        let states = states.filter(|_| scanned > 0).ok_or_else(|| {
            apply.fault(format!(
                "num_scan_inputs is {scanned} of {}",
                apply.inputs.len()
            ))
        })?;
        let each = |name: &str, index: usize| {
            let values = apply.ints(name).unwrap_or_default();
            values.get(index).copied().unwrap_or(0)
        };
        let mut carried = Vec::new();
        for index in 0..states {
            carried.push(apply.input(index)?.clone());
        }
        let mut sequences = Vec::new();
        let mut turns = None;
        for index in 0..scanned {
            let sequence = self.operand(apply, states + index)?;
            let axis = each("scan_input_axes", index);
            let length = self.length(apply, sequence, axis)?;
            if *turns.get_or_insert(length) != length {
                return Err(apply.fault("its sequences are not equally long"));
            }
            sequences.push((sequence, axis, each("scan_input_directions", index) != 0));
        }
        let turns = turns.filter(|turns| *turns > 0).ok_or_else(|| {
            apply.fault(
                "it turns not once, so that its results have no shape; that is not supported",
            )
        })?;
        let shared = self.body(apply, body, outer)?;
        let mut collected: Vec<Vec<Value>> = Vec::new();
        for turn in 0..turns {
            let mut arguments = carried;
            for &(sequence, axis, backwards) in &sequences {
                let at = if backwards { turns - 1 - turn } else { turn };
                arguments.push(self.slice_at(apply, sequence, axis, at));
            }
            let mut given = self
                .one_turn(apply, body, &shared, turn, arguments, depth)?
                .into_iter();
            carried = given.by_ref().take(states).collect();
            collected.push(given.collect());
        }
        for output in 0..body.output.len().saturating_sub(states) {
            let steps: Option<Vec<Value>> = collected
                .iter()
                .map(|turn| turn.get(output).cloned())
                .collect();
            let mut steps = steps.ok_or_else(|| apply.fault("its body gives too little"))?;
            if each("scan_output_directions", output) != 0 {
                steps.reverse();
            }
            carried.push(self.stacked(apply, &steps, each("scan_output_axes", output))?);
        }
        Ok(carried)
    }

    /// What all turns share: the body's own tensors.
    fn body<'outer>(
        &mut self,
        apply: &Apply<'a>,
        body: &'a GraphProto,
        outer: &'outer Scope<'a, '_>,
    ) -> Result<Scope<'a, 'outer>> {
        let mut shared = Scope {
            values: HashMap::new(),
            attributes: outer.attributes.clone(),
            outer: Some(outer),
            prefix: format!("{}/", apply.name),
        };
        for tensor in &body.initializer {
            let stored = Stored::read(tensor, self.side_files)?;
            let value =
                Value::constant(stored.named(&format!("{}{}", shared.prefix, tensor.name())));
            shared.values.insert(tensor.name().to_owned(), value);
        }
        Ok(shared)
    }

    fn one_turn(
        &mut self,
        apply: &Apply<'a>,
        body: &'a GraphProto,
        shared: &Scope<'a, '_>,
        turn: i64,
        arguments: Vec<Value>,
        depth: usize,
    ) -> Result<Vec<Value>> {
        self.write_out()?;
        let names = body.input.iter().map(|input| input.name().to_owned());
        let mut scope = Scope {
            values: names.zip(arguments).collect(),
            attributes: shared.attributes.clone(),
            outer: Some(shared),
            prefix: format!("{}{turn}/", shared.prefix),
        };
        let wanted: Vec<&str> = body.output.iter().map(ValueInfoProto::name).collect();
        let nodes = Pending::of_nodes(&body.node);
        self.computed(nodes, &wanted, apply.opset, &mut scope, depth + 1)?;
        results(apply, &scope, wanted.into_iter())
    }

    /// Entry `at` along an axis, which goes.
    fn slice_at(&mut self, apply: &Apply<'_>, sequence: ValueId, axis: i64, at: i64) -> Value {
        let index = Stored::integers(&[at]).scalar();
        let index = Value::constant(index.named(&format!("{}/at_{at}", apply.name)));
        let index = self.id(&index);
        Value::Flow(self.emit(apply, Op::Gather { axis }, &[sequence, index]))
    }

    /// The results of all turns, along a new axis.
    fn stacked(&mut self, apply: &Apply<'_>, steps: &[Value], axis: i64) -> Result<Value> {
        if steps.iter().any(|step| matches!(step, Value::Sequence(_))) {
            return Err(apply.fault("it collects sequences; only tensors are supported"));
        }
        let new = self.integers(apply, "turns", &[axis]);
        let steps: Vec<ValueId> = steps
            .iter()
            .map(|step| {
                let step = self.id(step);
                self.emit(apply, Op::Unsqueeze, &[step, new])
            })
            .collect();
        Ok(Value::Flow(self.emit(apply, Op::Concat { axis }, &steps)))
    }
}
