//! What of a graph leads to a value: nothing else of it is read.

use std::collections::{HashMap, HashSet};

use super::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};

/// Which node of a graph computes each name.
pub(super) fn producers(nodes: &[NodeProto]) -> HashMap<&str, usize> {
    let mut producers = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            producers.entry(output.as_str()).or_insert(index);
        }
    }
    producers
}

/// The names that a node needs: its inputs, and what its bodies read from outside.
pub(super) fn reads(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).collect();
    for attribute in &node.attribute {
        for body in attribute.g.iter().chain(&attribute.graphs) {
            names.extend(free(body));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The names that a body reads from the graphs around it.
pub(super) fn free(body: &GraphProto) -> Vec<&str> {
    let own: HashSet<&str> = body
        .initializer
        .iter()
        .map(TensorProto::name)
        .chain(body.input.iter().map(ValueInfoProto::name))
        .chain(
            body.node
                .iter()
                .flat_map(|node| &node.output)
                .map(String::as_str),
        )
        .collect();
    let read = body.node.iter().flat_map(reads);
    let outputs = body.output.iter().map(ValueInfoProto::name);
    read.chain(outputs)
        .filter(|name| !own.contains(name))
        .collect()
}

/// All names that lead to `wanted`, itself among them.
pub(super) fn leading_to<'a>(graph: &'a GraphProto, wanted: &'a str) -> HashSet<&'a str> {
    let producers = producers(&graph.node);
    let mut found = HashSet::new();
    let mut pending = vec![wanted];
    while let Some(name) = pending.pop() {
        if found.insert(name)
            && let Some(&node) = producers.get(name)
        {
            pending.extend(reads(&graph.node[node]));
        }
    }
    found
}
