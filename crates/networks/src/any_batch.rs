//! Takes a fixed batch size out of a graph.
//!
//! An exporter that traces a model on `b` images writes `b` into the constants of `Reshape`, `Expand` and `Resize`, and
//! into the indices of `Gather`. The graph is followed at two batch sizes at once, `b` and `2b`: where a value's shapes differ, there is its batch. A node
//! that does not fit at `2b` gets a constant that fits any batch. Whether the result is the same function has still to be
//! tried: shapes alone do not show it.

use candle_core::{DType, Tensor};

use crate::{
    graph::{Literal, Network, Node, Op, ValueId},
    shapes::{Value, infer_among},
};

/// How many nodes are rewritten at most, for each that the network has, before the search is given up.
const MOST_STEPS: usize = 8;

/// The network for batches of any size, or `None` where that is not possible by these rules.
///
/// Where a `Reshape` merges the batch with another dimension, one image does not show with which: then the likelier is tried,
/// and the other where a later node or the output does not fit.
pub(crate) fn with_any_batch(network: &Network, batch: usize) -> Option<Network> {
    let mut rewriting = Rewriting::start(network, batch)?;
    let nodes = network.nodes();
    let mut at = 0;
    for _ in 0..nodes.len() * MOST_STEPS {
        let Some(node) = nodes.get(at) else { break };
        let fits = rewriting.take(at, node.clone()).is_some()
            && (at + 1 < nodes.len() || rewriting.answers_for_each_image());
        at = if fits { at + 1 } else { rewriting.back()? };
    }
    let mut any = rewriting.network;
    any.input.fixed_batch = None;
    (at == nodes.len()).then_some(any)
}

struct Rewriting {
    /// As far as it is rewritten.
    network: Network,
    batch: usize,
    /// Every value at `batch` images, and at twice as many.
    once: Vec<Option<Value>>,
    twice: Vec<Option<Value>>,
    /// Where the batch could have gone elsewhere too, the latest last.
    choices: Vec<Choice>,
}

/// A node with several dimensions that the batch may have gone into.
struct Choice {
    /// Its place among the original network's.
    node: usize,
    /// How many nodes and values there were before it.
    before: (usize, usize),
    /// Which of the dimensions is taken: the first is the likeliest.
    taken: usize,
    among: usize,
}

impl Rewriting {
    fn start(network: &Network, batch: usize) -> Option<Self> {
        let mut rewritten = network.clone();
        rewritten.nodes.clear();
        let given = |count: usize| {
            let mut values = vec![None; network.value_count()];
            let dims = [&[count], network.input().dims.as_slice()].concat();
            values[network.input().value.index()] = Some(Value { dims, known: None });
            for parameter in network.parameters() {
                values[parameter.value.index()] = Some(Value {
                    dims: parameter.dims.clone(),
                    known: None,
                });
            }
            values
        };
        Some(Self {
            network: rewritten,
            batch,
            once: given(batch),
            twice: given(batch.checked_mul(2)?),
            choices: Vec::new(),
        })
    }

    /// Adds node `place` of the original network, changed where it does not fit twice the batch.
    fn take(&mut self, place: usize, mut node: Node) -> Option<()> {
        let once = infer(&node, &self.once)?;
        match node.op {
            Op::Reshape { .. } => self.reshape(place, &mut node, &once)?,
            Op::Expand => self.expand(&mut node)?,
            Op::Resize(_) => self.resize(&mut node)?,
            Op::Concat { axis } => self.concat(&mut node, axis)?,
            Op::Gather { axis } => self.gather(&mut node, axis)?,
            Op::Listed(ref listed) => {
                let states = listed.operator().states();
                self.states(&mut node, states)?;
            }
            Op::Binary(_) | Op::Compare(_) | Op::Where | Op::MatMul => self.broadcast(&mut node)?,
            _ => {}
        }
        let twice = infer(&node, &self.twice)?;
        self.put(node, once, twice);
        Some(())
    }

    /// Goes back to the latest choice that leaves another, and says which node that is.
    fn back(&mut self) -> Option<usize> {
        while self
            .choices
            .last()
            .is_some_and(|choice| choice.taken + 1 == choice.among)
        {
            self.choices.pop();
        }
        let choice = self.choices.last_mut()?;
        choice.taken += 1;
        let (nodes, values) = choice.before;
        self.network.nodes.truncate(nodes);
        self.network.value_names.truncate(values);
        self.once.truncate(values);
        self.twice.truncate(values);
        Some(choice.node)
    }

    /// One of `among` at node `place` of the original network: the first, and after [`Self::back`] the next.
    fn choose(&mut self, place: usize, among: usize) -> usize {
        match self.choices.last() {
            Some(choice) if choice.node == place => choice.taken,
            _ if among > 1 => {
                self.choices.push(Choice {
                    node: place,
                    before: (self.network.nodes.len(), self.once.len()),
                    taken: 0,
                    among,
                });
                0
            }
            _ => 0,
        }
    }

    fn answers_for_each_image(&self) -> bool {
        let answers = self.batch_axis(self.network.output());
        answers.is_some_and(|(axis, length)| axis == 0 && length == self.batch)
    }

    fn put(&mut self, node: Node, once: Vec<Value>, twice: Vec<Value>) {
        for ((output, once), twice) in node.outputs.iter().zip(once).zip(twice) {
            self.once[output.index()] = Some(once);
            self.twice[output.index()] = Some(twice);
        }
        self.network.nodes.push(node);
    }

    /// The axis in whose length the batch is a factor, and its length at `batch`.
    fn batch_axis(&self, value: ValueId) -> Option<(usize, usize)> {
        let (once, twice) = (
            &self.once[value.index()].as_ref()?.dims,
            &self.twice[value.index()].as_ref()?.dims,
        );
        let axis =
            (0..once.len()).find(|&axis| once[axis] != twice.get(axis).copied().unwrap_or(0))?;
        (once.len() == twice.len() && twice[axis] == 2 * once[axis]).then_some((axis, once[axis]))
    }

    /// Whether the node's operands, as they are, give a result for twice the batch.
    fn fits(&self, node: &Node) -> bool {
        infer(node, &self.twice).is_some()
    }

    /// A shape that is no constant, or leaves a dimension open, may fit already. Else the dimension that the batch went into
    /// is left open.
    fn reshape(&mut self, place: usize, node: &mut Node, once: &[Value]) -> Option<()> {
        let data = node.inputs[0]?;
        let Some((axis, length)) = self.batch_axis(data) else {
            return Some(());
        };
        let target = &once.first()?.dims;
        let scaled = infer(node, &self.twice).map(|twice| twice[0].dims.clone());
        let grows = scaled.and_then(|dims| {
            let mut grown = (0..target.len()).filter(|&at| dims.get(at) != target.get(at));
            grown.next().filter(|_| grown.next().is_none())
        });
        let operand = &self.once[data.index()].as_ref()?.dims;
        let mut likeliest = holding(operand, axis, target, self.batch);
        let before: usize = operand[..axis].iter().product();
        let begins = |at: usize| target[..at].iter().product::<usize>() == before;
        likeliest.sort_by_key(|&at| {
            // Its own dimension again; the same as before; what is open already; where the batch begins in memory; what precedes it.
            match (begins(at), target[at] == length) {
                _ if target[at] == self.batch && length != self.batch => 0,
                (true, true) => 1,
                _ if grows == Some(at) => 2,
                (true, false) => 3,
                (false, _) => 4,
            }
        });
        let open = *likeliest.get(self.choose(place, likeliest.len()))?;
        if grows == Some(open) {
            return Some(());
        }
        let mut shape: Vec<i64> = target
            .iter()
            .map(|&length| i64::try_from(length).unwrap_or(i64::MAX))
            .collect();
        shape[open] = -1;
        node.inputs[1] = Some(self.integers(&node.name, shape));
        Some(())
    }

    /// A target that holds the batch's length where the operand has the batch: 1 keeps the operand's.
    fn expand(&mut self, node: &mut Node) -> Option<()> {
        let Some((axis, length)) = self.batch_axis(node.inputs[0]?) else {
            return Some(());
        };
        let mut target = integers_of(self.twice[node.inputs[1]?.index()].as_ref()?)?;
        let rank = self.once[node.inputs[0]?.index()].as_ref()?.dims.len();
        let at = (axis + target.len()).checked_sub(rank)?;
        if usize::try_from(target[at]).ok() == Some(length) && length == self.batch {
            target[at] = 1;
            node.inputs[1] = Some(self.integers(&node.name, target));
        }
        Some(())
    }

    /// `sizes` that include the batch's: the batch's axis is not resized.
    fn resize(&mut self, node: &mut Node) -> Option<()> {
        let Op::Resize(attributes) = &mut node.op else {
            return Some(());
        };
        let (Some((axis, _)), Some(Some(sizes))) =
            (self.batch_axis(node.inputs[0]?), node.inputs.get(3))
        else {
            return Some(());
        };
        let mut sizes = integers_of(self.twice[sizes.index()].as_ref()?)?;
        if attributes.axes.is_some() || sizes.len() <= axis {
            return Some(());
        }
        sizes.remove(axis);
        let rest = (0..=sizes.len())
            .filter(|&at| at != axis)
            .map(|at| i64::try_from(at).unwrap_or(i64::MAX));
        attributes.axes = Some(rest.collect());
        node.inputs[3] = Some(self.integers(&node.name, sizes));
        Some(())
    }

    /// A constant joined to each image (a class token): one copy of it for each image of the batch.
    fn concat(&mut self, node: &mut Node, joined: i64) -> Option<()> {
        if self.fits(node) {
            return Some(());
        }
        let inputs: Vec<ValueId> = node.inputs.iter().copied().collect::<Option<_>>()?;
        let (source, (axis, length)) = inputs
            .iter()
            .find_map(|&input| Some((input, self.batch_axis(input)?)))?;
        let rank = self.once[source.index()].as_ref()?.dims.len();
        let joined = if joined < 0 {
            joined + i64::try_from(rank).ok()?
        } else {
            joined
        };
        if length != self.batch || i64::try_from(axis).ok()? == joined {
            return None;
        }
        for input in node.inputs.iter_mut().flatten() {
            if self.batch_axis(*input).is_none() {
                *input = self.repeated(&node.name, *input, source, axis)?;
            }
        }
        Some(())
    }

    /// Elements taken from a batch laid out in one row (`as_strided`), where the same are taken of each image: taken of
    /// each image's own row.
    fn gather(&mut self, node: &mut Node, along: i64) -> Option<()> {
        let (data, indices) = (node.inputs[0]?, node.inputs[1]?);
        let is_one_row =
            matches!(along, 0 | -1) && self.batch_axis(data).is_some_and(|(axis, _)| axis == 0);
        let Some([row]) = self.once[data.index()]
            .as_ref()
            .map(|row| row.dims.as_slice())
            .filter(|_| is_one_row)
        else {
            return Some(());
        };
        let image = i64::try_from(row / self.batch).ok()?;
        let taken = self.once[indices.index()].as_ref()?;
        let (dims, Some(taken)) = (taken.dims.clone(), integers_of(taken)) else {
            return Some(());
        };
        if dims.first()? % self.batch != 0 || taken.is_empty() {
            return None;
        }
        let (first, _) = taken.split_at(taken.len() / self.batch);
        let of_image = |(number, others): (i64, &[i64])| {
            others.iter().zip(first).all(|(index, first)| {
                (0..image).contains(first) && *index == first + number * image
            })
        };
        if !(0..).zip(taken.chunks(first.len())).all(of_image) {
            return None;
        }
        let rows = self.integers(&node.name, vec![-1, image]);
        let rows = self.add(&node.name, Op::Reshape { allow_zero: false }, &[data, rows])?;
        let first = self.integers(&node.name, first.to_vec());
        let taken = self.add(&node.name, Op::Gather { axis: 1 }, &[rows, first])?;
        let mut shape: Vec<i64> = dims
            .iter()
            .map(|&length| i64::try_from(length))
            .collect::<Result<_, _>>()
            .ok()?;
        shape[0] = -1;
        node.op = Op::Reshape { allow_zero: false };
        node.inputs = vec![Some(taken), Some(self.integers(&node.name, shape))];
        Some(())
    }

    /// Initial states that are the same for each sequence, as many as a batch has.
    fn states(&mut self, node: &mut Node, states: &[usize]) -> Option<()> {
        let x = node.inputs[0]?;
        let Some((1, _)) = self.batch_axis(x) else {
            return Some(());
        };
        for &index in states {
            let Some(Some(state)) = node.inputs.get(index).copied() else {
                continue;
            };
            if self.batch_axis(state).is_none() {
                node.inputs[index] = Some(self.repeated(&node.name, state, x, 1)?);
            }
        }
        Some(())
    }

    /// The first entry of `value` along `axis`, as often as `source` is long there.
    fn repeated(
        &mut self,
        name: &str,
        value: ValueId,
        source: ValueId,
        axis: usize,
    ) -> Option<ValueId> {
        let single = self.first_of(name, value, axis)?;
        let at = i64::try_from(axis).ok()?;
        let rank = i64::try_from(self.once[single.index()].as_ref()?.dims.len()).ok()?;
        let count = self.add(
            name,
            Op::Shape {
                start: at,
                end: Some(at + 1),
            },
            &[source],
        )?;
        let ones = |count: i64| vec![1; usize::try_from(count).unwrap_or(0)];
        let (before, after) = (
            self.integers(name, ones(at)),
            self.integers(name, ones(rank - at - 1)),
        );
        let shape = self.add(name, Op::Concat { axis: 0 }, &[before, count, after])?;
        self.add(name, Op::Expand, &[single, shape])
    }

    /// Operands that hold the same thing for each image of the batch: the first of them, which broadcasts.
    fn broadcast(&mut self, node: &mut Node) -> Option<()> {
        if self.fits(node) {
            return Some(());
        }
        let inputs: Vec<ValueId> = node.inputs.iter().copied().collect::<Option<_>>()?;
        let from_end = |this: &Self, input: ValueId| {
            let (axis, length) = this.batch_axis(input)?;
            Some((this.once[input.index()].as_ref()?.dims.len() - axis, length))
        };
        let (distance, length) = inputs.iter().find_map(|&input| from_end(self, input))?;
        for input in node.inputs.iter_mut().flatten() {
            let dims = &self.once[input.index()].as_ref()?.dims;
            let Some(axis) = dims.len().checked_sub(distance) else {
                continue;
            };
            if self.batch_axis(*input).is_none() && dims[axis] == length && length == self.batch {
                *input = self.first_of(&node.name, *input, axis)?;
            }
        }
        Some(())
    }

    /// `value[..., 0:1, ...]` along `axis`.
    fn first_of(&mut self, name: &str, value: ValueId, axis: usize) -> Option<ValueId> {
        let one = |this: &mut Self, at: i64| this.integers(name, vec![at]);
        let (start, end, axis) = (
            one(self, 0),
            one(self, 1),
            one(self, i64::try_from(axis).ok()?),
        );
        self.add(name, Op::Slice, &[value, start, end, axis])
    }

    fn integers(&mut self, name: &str, values: Vec<i64>) -> ValueId {
        self.add(name, Op::Constant(Literal::integers(values)), &[])
            .expect("a constant fits")
    }

    /// Adds a node of this rewriting's own.
    fn add(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> Option<ValueId> {
        let output = ValueId(self.once.len());
        let name = format!("{name}/batch_{}", output.index());
        self.network.value_names.push(name.clone());
        self.once.push(None);
        self.twice.push(None);
        let inputs = inputs.iter().copied().map(Some).collect();
        let node = Node {
            name,
            op,
            inputs,
            outputs: vec![output],
            activation: None,
        };
        let (once, twice) = (infer(&node, &self.once)?, infer(&node, &self.twice)?);
        self.put(node, once, twice);
        Some(output)
    }
}

/// The dimensions of `target` that the batch may have gone into: those that reach over some of the memory that dimension `axis`
/// of `operand` reaches over.
fn holding(operand: &[usize], axis: usize, target: &[usize], batch: usize) -> Vec<usize> {
    let step = |dims: &[usize], at: usize| dims[at + 1..].iter().product::<usize>();
    let (low, high) = (step(operand, axis), step(operand, axis) * operand[axis]);
    (0..target.len())
        .filter(|&at| {
            let (own_low, own_high) = (step(target, at), step(target, at) * target[at]);
            // A dimension of length 1 reaches over no memory, but has a place in it.
            target[at].is_multiple_of(batch) && own_low <= high && low <= own_high
        })
        .collect()
}

fn infer(node: &Node, values: &[Option<Value>]) -> Option<Vec<Value>> {
    infer_among(node, values).ok()
}

fn integers_of(value: &Value) -> Option<Vec<i64>> {
    let known: &Tensor = value.known.as_ref()?;
    known
        .to_dtype(DType::I64)
        .and_then(|known| known.flatten_all()?.to_vec1())
        .ok()
}
