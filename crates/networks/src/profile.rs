//! What a network costs: parameters, multiply-accumulates, depth.

use serde::Serialize;

use crate::error::Result;
use crate::graph::{Network, Node, Op, Parameter, ParameterKind};
use crate::shapes::{Shapes, elements};

/// A network's characteristics, by the board's conventions (`docs/SUBMIT.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Trainable scalars; running statistics and auxiliary heads are not counted.
    pub parameters: u64,
    /// Multiply-accumulates of convolutions and matrix products for one image; biases, normalisation and activations
    /// are not counted.
    pub macs: u64,
    /// Weight layers (convolution, linear) on the longest path from input to output.
    pub depth: usize,
    /// Whether batch normalisation was folded into convolutions before, so that its parameters are missing here.
    pub folded: bool,
    /// Every node but constants and shape arithmetic, in topological order.
    pub layers: Vec<LayerProfile>,
}

/// One node's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerProfile {
    pub name: String,
    pub op: &'static str,
    /// For one image, the batch's dimension included.
    pub output_shape: Vec<usize>,
    pub parameters: u64,
    pub macs: u64,
}

impl Network {
    /// Counts what one image costs (2·macs operations).
    ///
    /// # Errors
    /// Where [`Network::infer_shapes`] fails.
    pub fn profile(&self) -> Result<Profile> {
        let batch = self.input().fixed_batch.unwrap_or(1);
        let shapes = self.infer_shapes(batch)?;
        let mut counted = vec![false; self.value_count()];
        let mut layers = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            if shapes.known(node.outputs[0]).is_some() {
                continue;
            }
            let parameters = self
                .trainable_inputs(node)
                .filter(|parameter| !std::mem::replace(&mut counted[parameter.value.index()], true))
                .map(|parameter| elements(&parameter.dims))
                .sum();
            layers.push(LayerProfile {
                name: node.name.clone(),
                op: node.op.name(),
                output_shape: shapes.of(node.outputs[0]).to_vec(),
                parameters,
                macs: macs(node, &shapes) / batch as u64,
            });
        }
        Ok(Profile {
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            macs: layers
                .iter()
                .map(|layer| layer.macs)
                .fold(0, u64::saturating_add),
            depth: self.depth(),
            folded: self.is_folded(),
            layers,
        })
    }

    /// The trainable parameters that `node` reads.
    fn trainable_inputs<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Parameter> {
        let parameters = node
            .inputs
            .iter()
            .flatten()
            .filter_map(|value| self.parameter_of(*value));
        parameters.filter(|parameter| parameter.kind == ParameterKind::Trainable)
    }

    /// The number of weight layers on the longest path from input to output.
    fn depth(&self) -> usize {
        // Of the values that the image has a part in.
        let mut depths: Vec<Option<usize>> = vec![None; self.value_count()];
        depths[self.input().value.index()] = Some(0);
        // Computed from weights alone: in another arrangement, for example, or of the integers that the file holds.
        let mut weights = vec![false; self.value_count()];
        for node in self.nodes() {
            let inputs = || node.inputs.iter().flatten();
            let reads_weights = self.trainable_inputs(node).next().is_some()
                || inputs().any(|input| weights[input.index()]);
            let longest = inputs().filter_map(|input| depths[input.index()]).max();
            let longest = longest.filter(|_| !node.op.reads_shape_only());
            let depth = longest
                .map(|longest| longest + usize::from(is_weight_layer(&node.op, reads_weights)));
            for output in &node.outputs {
                depths[output.index()] = depth;
                weights[output.index()] = depth.is_none() && reads_weights;
            }
        }
        depths[self.output().index()].unwrap_or(0)
    }
}

/// Convolutions and linear layers; a product of two computed matrices, as in attention, is none.
fn is_weight_layer(op: &Op, reads_weights: bool) -> bool {
    match op {
        Op::Convolution(_) | Op::ConvTranspose(_) | Op::Linear => true,
        Op::Gemm(_) | Op::MatMul | Op::Einsum { .. } => reads_weights,
        Op::Listed(listed) => listed.operator().is_weight_layer() && reads_weights,
        _ => false,
    }
}

/// The multiply-accumulates of a node for the whole batch.
fn macs(node: &Node, shapes: &Shapes) -> u64 {
    let output = || elements(shapes.of(node.outputs[0]));
    let input = |index: usize| {
        node.inputs[index]
            .map(|value| shapes.of(value))
            .unwrap_or_default()
    };
    let per_output = match &node.op {
        // [out, channels / groups, window…]
        Op::Convolution(_) => elements(&input(1)[1..]),
        // Every pixel of the input with [out / groups, window…] weights.
        Op::ConvTranspose(_) => return elements(input(0)).saturating_mul(elements(&input(1)[1..])),
        Op::Linear => input(1)[1] as u64,
        Op::Gemm(attributes) => input(0)[usize::from(!attributes.transpose_a)] as u64,
        Op::Listed(listed) => {
            let inputs: Vec<_> = (0..node.inputs.len()).map(input).collect();
            return listed.operator().macs(&inputs, shapes.of(node.outputs[0]));
        }
        Op::MatMul => input(0).last().map_or(0, |inner| *inner as u64),
        Op::Einsum { equation } => return einsum_macs(equation, node, shapes),
        _ => return 0,
    };
    output().saturating_mul(per_output)
}

/// One multiply-accumulate for every combination of the letters; the dimensions of an ellipsis come with the output. A
/// single operand is summed or arranged, and multiplied by nothing.
fn einsum_macs(equation: &str, node: &Node, shapes: &Shapes) -> u64 {
    let equation: String = equation.split_whitespace().collect();
    let (terms, result) = if let Some((terms, result)) = equation.split_once("->") {
        (terms, result.to_owned())
    } else {
        // The letters that occur once.
        let once = |letter: &char| equation.matches(*letter).count() == 1;
        (equation.as_str(), equation.chars().filter(once).collect())
    };
    if !terms.contains(',') {
        return 0;
    }
    let mut summed = std::collections::BTreeMap::new();
    for (term, value) in terms.split(',').zip(node.inputs.iter().flatten()) {
        let (before, after) = term.split_once("...").unwrap_or((term, ""));
        let dims = shapes.of(*value);
        let first_after = dims.len().saturating_sub(after.len());
        let letters = before
            .chars()
            .zip(dims)
            .chain(after.chars().zip(&dims[first_after..]));
        summed.extend(letters.filter(|(letter, _)| !result.contains(*letter)));
    }
    summed
        .values()
        .fold(elements(shapes.of(node.outputs[0])), |product, length| {
            product.saturating_mul(**length as u64)
        })
}
