//! What of a graph depends on shapes alone, while it is being imported: an `If` on such a value is as good as constant.

use candle_core::{DType, Tensor};

use crate::{
    Network, ValueId,
    shapes::{Value, infer_among},
};

/// The values of a growing network at one batch size, as far as they have been asked for.
pub(super) struct Followed {
    batch: usize,
    values: Vec<Option<Value>>,
    parameters: usize,
    nodes: usize,
}

impl Followed {
    pub fn new(batch: usize) -> Self {
        Self {
            batch,
            values: Vec::new(),
            parameters: 0,
            nodes: 0,
        }
    }

    /// The elements of `value`, where they follow from the batch size; each node is followed once, whatever is asked.
    pub fn integers(&mut self, network: &Network, value: ValueId) -> Option<Vec<i64>> {
        self.follow(network);
        let known: &Tensor = self.values[value.index()].as_ref()?.known.as_ref()?;
        let known = known.to_dtype(DType::I64).ok()?.flatten_all().ok()?;
        known.to_vec1().ok()
    }

    fn follow(&mut self, network: &Network) {
        self.values.resize(network.value_count(), None);
        let input = network.input();
        self.values[input.value.index()] = Some(Value {
            dims: [&[self.batch], input.dims.as_slice()].concat(),
            known: None,
        });
        for parameter in &network.parameters()[self.parameters..] {
            self.values[parameter.value.index()] = Some(Value {
                dims: parameter.dims.clone(),
                known: None,
            });
        }
        for node in &network.nodes()[self.nodes..] {
            let mut inputs = node.inputs.iter().flatten();
            // Behind a node whose shape depends on the image nothing is known.
            if inputs.any(|input| self.values[input.index()].is_none()) {
                continue;
            }
            let outputs = infer_among(node, &self.values).unwrap_or_default();
            for (output, value) in node.outputs.iter().zip(outputs) {
                self.values[output.index()] = Some(value);
            }
        }
        self.parameters = network.parameters().len();
        self.nodes = network.nodes().len();
    }
}
