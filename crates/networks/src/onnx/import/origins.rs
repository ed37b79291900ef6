//! Where the values of a network come from: from the image or not, and from which tensors of the file (those that a weight is
//! computed from are learnt).

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use super::{Importer, values::Constant};
use crate::{Node, Op, ValueId};

/// Where the values of the growing network come from.
#[derive(Default)]
pub(super) struct Origins {
    /// Computed from the image's pixels.
    of_image: HashSet<ValueId>,
    /// The file's tensors in the network.
    constants: HashMap<ValueId, Rc<Constant>>,
    /// Seen to be learnt, with all that they are computed from.
    learnt: HashSet<ValueId>,
}

impl Origins {
    pub fn of(image: ValueId) -> Self {
        Self {
            of_image: HashSet::from([image]),
            ..Self::default()
        }
    }

    pub fn insert(&mut self, value: ValueId, constant: &Rc<Constant>) {
        self.constants.insert(value, Rc::clone(constant));
    }

    /// Follows the node that was added last.
    pub fn follow(&mut self, node: &Node) {
        let mut inputs = node.inputs.iter().flatten();
        if !node.op.reads_shape_only() && inputs.any(|input| self.of_image.contains(input)) {
            self.of_image.extend(&node.outputs);
        }
    }
}

impl Importer<'_> {
    /// Counts among the network's parameters what `weight` is computed from, unless the image has a part in it.
    pub(super) fn learn(&mut self, weight: ValueId) {
        let mut pending = vec![weight];
        while let Some(value) = pending.pop() {
            if self.origins.of_image.contains(&value) || !self.origins.learnt.insert(value) {
                continue;
            }
            if let Some(constant) = self.origins.constants.get(&value).cloned() {
                self.count(value, &constant);
            } else if let Some(node) = self.builder.computing(value) {
                pending.extend(contents(node));
            }
        }
    }
}

/// The operands that a node's result is made of: not shapes, indices or statistics.
fn contents(node: &Node) -> Vec<ValueId> {
    let inputs = node.inputs.as_slice();
    let (from, to) = match node.op {
        Op::Convolution(_)
        | Op::ConvTranspose(_)
        | Op::Linear
        | Op::Gemm(_)
        | Op::MatMul
        | Op::Einsum { .. }
        | Op::Lstm(_)
        | Op::InstanceNorm { .. }
        | Op::LayerNorm { .. }
        | Op::GroupNorm { .. }
        | Op::PRelu
        | Op::Binary(_)
        | Op::Concat { .. } => (0, inputs.len()),
        Op::BatchNorm(_) => (0, 3),
        // A number many times over: only its shape is computed.
        Op::ConstantOfShape(_) | Op::Range => (0, 0),
        Op::Where => (1, 3),
        Op::ScatterElements { .. } | Op::ScatterNd(_) => {
            return [inputs.first(), inputs.get(2)]
                .into_iter()
                .flatten()
                .flatten()
                .copied()
                .collect();
        }
        _ => (0, usize::from(!node.op.reads_shape_only())),
    };
    inputs
        .iter()
        .take(to)
        .skip(from)
        .flatten()
        .copied()
        .collect()
}
