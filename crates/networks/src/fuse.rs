//! Fusing: the same function with fewer passes over memory. Batch normalisation goes into the convolution or linear
//! layer before it, an activation into its producer, dropout and the identity away.

use candle_core::Tensor;

use crate::error::Result;
use crate::graph::{Network, Node, Op, ValueId, Weights};

/// The network and its weights for inference, fused. What cannot be fused stays as it is.
///
/// # Errors
/// [`crate::NetworkError::Weights`] if a parameter is missing or misshapen.
pub fn fuse(network: &Network, weights: &Weights) -> Result<(Network, Weights)> {
    weights.check(network)?;
    let mut network = network.clone();
    let mut weights = weights.clone();
    drop_identities(&mut network);
    fold_batch_norms(&mut network, &mut weights)?;
    pull_activations_in(&mut network);
    network.drop_unused();
    let kept: Vec<&str> = network
        .parameters()
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    let weights = kept
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), weights.remove(name)?)))
        .collect();
    Ok((network, weights))
}

/// Lets every reader of a dropout's or an identity's result read what went in.
fn drop_identities(network: &mut Network) {
    let mut source: Vec<ValueId> = (0..network.value_count()).map(ValueId).collect();
    for node in &mut network.nodes {
        for input in node.inputs.iter_mut().flatten() {
            *input = source[input.index()];
        }
        if let (Op::Dropout { .. } | Op::Identity, [output], Some(Some(input)), None) = (
            &node.op,
            node.outputs.as_slice(),
            node.inputs.first(),
            node.activation,
        ) {
            source[output.index()] = *input;
        }
    }
    network.output = source[network.output.index()];
}

/// y = (W·x + b − mean)·f + shift with f = scale/√(variance + ε): W takes the factor f, b becomes (b − mean)·f + shift.
fn fold_batch_norms(network: &mut Network, weights: &mut Weights) -> Result<()> {
    let readers = Readers::of(network);
    for index in 0..network.nodes.len() {
        let Op::BatchNorm(attributes) = network.nodes[index].op else {
            continue;
        };
        let Some(producer) = readers.only_producer(network, index) else {
            continue;
        };
        let (layer, norm) = (&network.nodes[producer], &network.nodes[index]);
        if !matches!(layer.op, Op::Convolution(_) | Op::Linear) || layer.activation.is_some() {
            continue;
        }
        let parameter = |value: Option<ValueId>| {
            network
                .parameter_of(value?)
                .map(|parameter| &parameter.name)
        };
        let tensor = |value| parameter(value).and_then(|name| weights.get(name));
        let statistics: Option<Vec<&Tensor>> = norm.inputs[1..]
            .iter()
            .map(|value| tensor(*value))
            .collect();
        let (Some(weight_name), Some([scale, shift, mean, variance])) =
            (parameter(layer.inputs[1]).cloned(), statistics.as_deref())
        else {
            continue;
        };
        // A weight or bias that another node reads too must stay as it is.
        let rewritten = layer.inputs[1..].iter().chain(&norm.inputs[2..3]).flatten();
        let shared = rewritten
            .copied()
            .any(|value| readers.count[value.index()] != 1);
        let bias = layer.inputs.get(2).copied().flatten();
        if shared || (bias.is_some() && parameter(bias).is_none()) {
            continue;
        }

        let factor = (*scale / (*variance + attributes.epsilon)?.sqrt()?)?;
        let weight = weights.get(&weight_name).expect("Weights::check found it");
        let mut per_output = vec![1; weight.rank()];
        per_output[0] = factor.elem_count();
        let folded_weight = weight.broadcast_mul(&factor.reshape(per_output)?)?;
        let centred = match tensor(bias) {
            Some(bias) => (bias - *mean)?,
            None => mean.neg()?,
        };
        let folded_bias = ((centred * &factor)? + *shift)?;

        let bias_name = parameter(bias)
            .or_else(|| parameter(norm.inputs[2]))
            .cloned();
        let bias = bias.or(norm.inputs[2]);
        weights.insert(weight_name, folded_weight);
        weights.insert(bias_name.expect("both are parameters"), folded_bias);
        let output = network.nodes[index].outputs.clone();
        let activation = network.nodes[index].activation;
        let layer = &mut network.nodes[producer];
        layer.inputs.resize(3, None);
        layer.inputs[2] = bias;
        layer.outputs = output;
        layer.activation = activation;
        // The norm's own output has a new producer; the node is left without one and goes with `drop_unused`.
        network.nodes[index].outputs.clear();
        network.folded = true;
    }
    network.nodes.retain(|node| !node.outputs.is_empty());
    Ok(())
}

/// Lets the node that makes an activation's only input apply it.
fn pull_activations_in(network: &mut Network) {
    let readers = Readers::of(network);
    for index in 0..network.nodes.len() {
        let (Op::Activation(activation), None) =
            (&network.nodes[index].op, network.nodes[index].activation)
        else {
            continue;
        };
        let activation = *activation;
        let Some(producer) = readers.only_producer(network, index) else {
            continue;
        };
        let node = &network.nodes[producer];
        // A constant is no calculation: nothing would apply it.
        if matches!(node.op, Op::Constant(_))
            || node.activation.is_some()
            || node.outputs.len() != 1
        {
            continue;
        }
        network.nodes[producer].activation = Some(activation);
        network.nodes[producer].outputs = std::mem::take(&mut network.nodes[index].outputs);
    }
    network.nodes.retain(|node| !node.outputs.is_empty());
}

/// Who reads and who makes each value.
struct Readers {
    count: Vec<usize>,
    producer: Vec<Option<usize>>,
}

impl Readers {
    fn of(network: &Network) -> Self {
        let mut readers = Self {
            count: vec![0; network.value_count()],
            producer: vec![None; network.value_count()],
        };
        readers.count[network.output.index()] += 1;
        for (index, node) in network.nodes.iter().enumerate() {
            node.inputs
                .iter()
                .flatten()
                .for_each(|input| readers.count[input.index()] += 1);
            node.outputs
                .iter()
                .for_each(|output| readers.producer[output.index()] = Some(index));
        }
        readers
    }

    /// The node that makes the first input of the node at `index`, if nothing else reads it.
    fn only_producer(&self, network: &Network, index: usize) -> Option<usize> {
        let Node { inputs, .. } = &network.nodes[index];
        let input = (*inputs.first()?)?;
        if self.count[input.index()] != 1 {
            return None;
        }
        // An earlier fusion may have given the value's node another output.
        self.producer[input.index()]
            .filter(|producer| network.nodes[*producer].outputs.contains(&input))
    }
}
