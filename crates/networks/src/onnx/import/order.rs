//! In which order a graph's nodes are imported, and which: those that lead to what is wanted, each after what it reads, and otherwise as
//! they lie in the file.

use std::collections::{HashMap, HashSet};

use super::{Importer, Result, Scope, Stored, Value};
use crate::onnx::{
    OnnxError,
    error::shown,
    proto::{GraphProto, NodeProto, TensorProto},
    reach,
};

/// Functions within functions, and bodies within bodies.
const DEEPEST_CALL: usize = 32;

/// A graph of which nothing has been read yet.
pub(super) struct Pending<'a> {
    nodes: &'a [NodeProto],
    tensors: HashMap<&'a str, &'a TensorProto>,
    sparse: HashSet<&'a str>,
    producers: HashMap<&'a str, usize>,
    states: Vec<State>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Untouched,
    /// What it reads is being imported.
    Begun,
    Imported,
}

/// What is to be done next, the last first.
enum Step {
    /// A node, unless it is imported, after what it reads.
    Visit(usize),
    Import(usize),
}

impl<'a> Pending<'a> {
    pub fn of(graph: &'a GraphProto) -> Self {
        let tensors = graph.initializer.iter();
        Self {
            tensors: tensors.map(|tensor| (tensor.name(), tensor)).collect(),
            sparse: graph
                .sparse_initializer
                .iter()
                .filter_map(|sparse| Some(sparse.values.as_ref()?.name()))
                .collect(),
            ..Self::of_nodes(&graph.node)
        }
    }

    pub fn of_nodes(nodes: &'a [NodeProto]) -> Self {
        Self {
            nodes,
            tensors: HashMap::new(),
            sparse: HashSet::new(),
            producers: reach::producers(nodes),
            states: vec![State::Untouched; nodes.len()],
        }
    }

    /// The nodes that lead to `wanted`, in the file's order; those that only the body of an `If` reads are found once it is known
    /// which body that is.
    fn leading_to(&self, wanted: &[&'a str]) -> Vec<usize> {
        let mut leads = vec![false; self.nodes.len()];
        let mut pending = wanted.to_vec();
        while let Some(name) = pending.pop() {
            let Some(&node) = self.producers.get(name) else {
                continue;
            };
            if !std::mem::replace(&mut leads[node], true) {
                pending.extend(reads(&self.nodes[node]));
            }
        }
        (0..leads.len()).filter(|&node| leads[node]).collect()
    }
}

impl<'a> Importer<'a> {
    /// Imports into `scope` what `wanted` is computed from.
    pub(super) fn computed(
        &mut self,
        mut graph: Pending<'a>,
        wanted: &[&'a str],
        opset: i64,
        scope: &mut Scope<'a, '_>,
        depth: usize,
    ) -> Result<()> {
        if depth > DEEPEST_CALL {
            return Err(OnnxError::Limit {
                what: "calls within calls".into(),
                found: depth,
                limit: DEEPEST_CALL,
            });
        }
        for name in wanted {
            self.tensor(name, &graph, scope)?;
        }
        let nodes = graph.leading_to(wanted);
        let mut steps: Vec<Step> = nodes.into_iter().rev().map(Step::Visit).collect();
        while let Some(step) = steps.pop() {
            match step {
                Step::Visit(node) => match graph.states[node] {
                    State::Imported => {}
                    State::Begun => return Err(cycle(&graph.nodes[node])),
                    State::Untouched => {
                        graph.states[node] = State::Begun;
                        steps.push(Step::Import(node));
                        self.find(&reads(&graph.nodes[node]), &graph, scope, &mut steps)?;
                    }
                },
                Step::Import(node) => {
                    let before = steps.len();
                    if is_if(&graph.nodes[node]) {
                        let apply = scope.apply(&graph.nodes[node], opset)?;
                        let body = reach::free(self.taken(&apply)?);
                        steps.push(Step::Import(node));
                        self.find(&body, &graph, scope, &mut steps)?;
                        if steps.len() > before + 1 {
                            continue;
                        }
                        steps.pop();
                    }
                    self.node(&graph.nodes[node], opset, scope, depth)?;
                    graph.states[node] = State::Imported;
                }
            }
        }
        Ok(())
    }

    /// Reads the tensors among `names`, and puts down the nodes that compute others. What lies outside the graph is there already.
    fn find(
        &mut self,
        names: &[&'a str],
        graph: &Pending<'a>,
        scope: &mut Scope<'a, '_>,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        for name in names.iter().rev() {
            self.tensor(name, graph, scope)?;
            if scope.values.contains_key(*name) {
                continue;
            }
            if let Some(&node) = graph.producers.get(name)
                && graph.states[node] != State::Imported
            {
                steps.push(Step::Visit(node));
            }
        }
        Ok(())
    }

    /// Reads an initialiser, where `name` is one and is not read yet.
    fn tensor(
        &mut self,
        name: &'a str,
        graph: &Pending<'a>,
        scope: &mut Scope<'a, '_>,
    ) -> Result<()> {
        if !scope.values.contains_key(name)
            && let Some(tensor) = graph.tensors.get(name)
        {
            let stored = Stored::read(tensor, self.side_files)?;
            let value = Value::constant(stored.named(&format!("{}{name}", scope.prefix)));
            scope.values.insert(name.to_owned(), value);
        } else if graph.sparse.contains(name) {
            return Err(OnnxError::Tensor {
                tensor: shown(name),
                detail: "sparse initialisers are not supported; save it as a dense one".into(),
            });
        }
        Ok(())
    }
}

fn is_if(node: &NodeProto) -> bool {
    node.op_type() == "If" && matches!(node.domain(), "" | "ai.onnx")
}

/// What a node reads; of an `If`, what tells which of its bodies is taken.
fn reads(node: &NodeProto) -> Vec<&str> {
    if is_if(node) {
        node.input.iter().map(String::as_str).collect()
    } else {
        reach::reads(node)
    }
}

fn cycle(node: &NodeProto) -> OnnxError {
    OnnxError::Graph(format!(
        "node {}: it is computed from its own result",
        shown(node.name())
    ))
}
