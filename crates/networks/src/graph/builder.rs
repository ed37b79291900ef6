use std::collections::{HashMap, HashSet};

use super::{
    Activation, ElementType, Input, Literal, Network, Node, Op, Parameter, ParameterKind, ValueId,
};
use crate::error::{NetworkError, Result};

/// Builds a [`Network`] node by node, in topological order.
///
/// ```
/// use referee_networks::{Builder, ElementType, Op, ParameterKind};
///
/// let mut builder = Builder::new("perceptron", &[1, 28, 28], ElementType::F32);
/// let image = builder.input();
/// let pixels = builder.node("flatten", Op::Flatten { axis: 1 }, &[image]);
/// let weight = builder.parameter("weight", &[10, 784], ParameterKind::Trainable);
/// let logits = builder.node("fc", Op::Linear, &[pixels, weight]);
/// let network = builder.finish(logits)?;
/// assert_eq!(network.nodes().len(), 2);
/// # Ok::<(), referee_networks::NetworkError>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    network: Network,
    /// With how many names have been made of each by a number.
    node_names: HashMap<String, u64>,
}

impl Builder {
    /// `dims` are the input's dimensions after the batch's.
    pub fn new(name: &str, dims: &[usize], element: ElementType) -> Self {
        let input = Input {
            value: ValueId(0),
            dims: dims.to_vec(),
            element,
            fixed_batch: None,
        };
        let network = Network {
            name: name.into(),
            output: input.value,
            input,
            nodes: Vec::new(),
            parameters: Vec::new(),
            value_names: vec!["input".into()],
            folded: false,
        };
        Self {
            network,
            node_names: HashMap::new(),
        }
    }

    pub fn input(&self) -> ValueId {
        self.network.input.value
    }

    /// Says that the graph only works on batches of this size.
    pub fn fix_batch(&mut self, batch: usize) {
        self.network.input.fixed_batch = Some(batch);
    }

    /// Says that batch normalisation was folded into convolutions before the graph was written.
    pub fn mark_folded(&mut self) {
        self.network.folded = true;
    }

    /// Declares a tensor that the weights will supply.
    pub fn parameter(&mut self, name: &str, dims: &[usize], kind: ParameterKind) -> ValueId {
        let value = self.value(name);
        self.network.parameters.push(Parameter {
            value,
            name: name.into(),
            dims: dims.to_vec(),
            kind,
        });
        value
    }

    /// Counts a parameter among what is learnt, where that shows only after it was declared.
    pub(crate) fn set_trainable(&mut self, value: ValueId) {
        let mut parameters = self.network.parameters.iter_mut();
        parameters
            .find(|parameter| parameter.value == value)
            .expect("declared before")
            .kind = ParameterKind::Trainable;
    }

    /// Makes a parameter of a constant, so that the weights supply it.
    pub(crate) fn take_out(
        &mut self,
        constant: ValueId,
        name: &str,
        dims: &[usize],
        kind: ParameterKind,
    ) {
        self.network.parameters.push(Parameter {
            value: constant,
            name: name.into(),
            dims: dims.to_vec(),
            kind,
        });
    }

    /// A small tensor that belongs to the graph.
    pub fn constant(&mut self, name: &str, literal: Literal) -> ValueId {
        self.node(name, Op::Constant(literal), &[])
    }

    /// A node with all its inputs and one output, which bears its name.
    pub fn node(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> ValueId {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        let output = self.value(name);
        self.push(name, op, inputs, vec![output], None);
        output
    }

    /// Any node: optional inputs left out, several outputs (named), an activation pulled in. A name already taken gets
    /// a number appended.
    pub fn node_with(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<Option<ValueId>>,
        outputs: &[&str],
        activation: Option<Activation>,
    ) -> Vec<ValueId> {
        let outputs: Vec<_> = outputs.iter().map(|output| self.value(output)).collect();
        self.push(name, op, inputs, outputs.clone(), activation);
        outputs
    }

    /// As far as it is built.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// The node added last.
    pub(crate) fn last_node(&self) -> Option<&Node> {
        self.network.nodes.last()
    }

    /// The node that computes `value`, if one does.
    pub(crate) fn computing(&self, value: ValueId) -> Option<&Node> {
        let nodes = &self.network.nodes;
        let after = nodes.partition_point(|node| node.outputs.first() <= Some(&value));
        nodes[..after]
            .last()
            .filter(|node| node.outputs.last() >= Some(&value))
    }

    /// What a value of the network being built is called.
    pub fn value_name(&self, value: ValueId) -> &str {
        self.network.value_name(value)
    }

    fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<Option<ValueId>>,
        outputs: Vec<ValueId>,
        activation: Option<Activation>,
    ) {
        let mut unique = name.to_owned();
        while self.node_names.contains_key(&unique) {
            let number = self.node_names.entry(name.to_owned()).or_default();
            *number += 1;
            unique = format!("{name}_{number}");
        }
        self.node_names.insert(unique.clone(), 0);
        self.network.nodes.push(Node {
            name: unique,
            op,
            inputs,
            outputs,
            activation,
        });
    }

    fn value(&mut self, name: &str) -> ValueId {
        self.network.value_names.push(name.into());
        ValueId(self.network.value_names.len() - 1)
    }

    /// The network whose output is `output`, without the nodes and parameters that it does not depend on.
    pub fn finish(mut self, output: ValueId) -> Result<Network> {
        self.network.output = output;
        self.network.settle_parameters();
        self.network.drop_unused();
        self.network.check_names()?;
        Ok(self.network)
    }
}

impl Network {
    /// Forgets nodes and parameters that the output does not depend on.
    pub(crate) fn drop_unused(&mut self) {
        let mut needed = vec![false; self.value_count()];
        needed[self.output.index()] = true;
        let mut kept = Vec::with_capacity(self.nodes.len());
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if node.outputs.iter().any(|output| needed[output.index()]) {
                for input in node.inputs.iter().flatten() {
                    needed[input.index()] = true;
                }
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.parameters
            .retain(|parameter| needed[parameter.value.index()]);
    }

    /// Orders the parameters by their values, and forgets the constants that became parameters.
    fn settle_parameters(&mut self) {
        self.parameters.sort_by_key(|parameter| parameter.value);
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.retain(|node| {
            !matches!(node.op, Op::Constant(_)) || self.parameter_of(node.outputs[0]).is_none()
        });
        self.nodes = nodes;
    }

    fn check_names(&self) -> Result<()> {
        let mut names = HashSet::new();
        match self
            .parameters
            .iter()
            .find(|parameter| !names.insert(&parameter.name))
        {
            Some(twice) => Err(NetworkError::Graph(format!(
                "two parameters are called {}",
                twice.name
            ))),
            None => Ok(()),
        }
    }
}
