//! Running a network on candle tensors.
//!
//! One `match` ([`apply`]) leads from an operator to its kernel; the kernels live in a file per family. A kernel is a
//! plain function of tensors that reports what it cannot do with `candle_core::bail!`; the executor adds the node's
//! name. Faster kernels replace slower ones behind these functions, one operator at a time.
//!
//! At run time a value is floating point in the run's precision, or `i64`, or, where it is boolean, `u8`.

mod activation;
mod arrange;
mod convolution;
mod einsum;
pub(crate) mod elementwise;
mod integers;
pub(crate) mod linear;
mod normalization;
mod pooling;
mod rectify;
mod reduce;
mod resize;
mod scatter;
mod transposed;

use candle_core::{DType, Device, Result as CandleResult, Tensor, bail};

use crate::error::{NetworkError, Result};
use crate::graph::{Elements, Literal, Network, Node, Op, ValueId, Weights};
use crate::shapes;

pub(crate) use activation::activate;
use elementwise::Along;

/// A network with its weights on a device, ready to run.
#[derive(Clone, Debug)]
pub struct Executor {
    network: Network,
    /// Parameters and constants by value; `None` for what a run computes.
    prepared: Vec<Option<Tensor>>,
    /// For each node, the values that no later node reads.
    last_reads: Vec<Vec<ValueId>>,
    device: Device,
}

/// What a forward pass in training mode gives.
#[derive(Debug)]
pub struct TrainingPass {
    /// The network's output, with candle's record of how it was computed.
    pub output: Tensor,
    /// New running statistics by parameter name.
    pub statistics: Vec<(String, Tensor)>,
}

impl Executor {
    /// Puts the weights on `device` in single precision. Tensors that are there already are shared, not copied, so that
    /// those backed by a `candle_core::Var` can be trained.
    ///
    /// # Errors
    /// [`NetworkError::Weights`] if a parameter is missing or misshapen.
    pub fn new(network: &Network, weights: &Weights, device: &Device) -> Result<Self> {
        Self::with_precision(network, weights, device, DType::F32)
    }

    /// The same in another floating-point precision.
    pub fn with_precision(
        network: &Network,
        weights: &Weights,
        device: &Device,
        precision: DType,
    ) -> Result<Self> {
        weights.check(network)?;
        let mut prepared = vec![None; network.value_count()];
        for parameter in network.parameters() {
            let tensor = weights
                .get(&parameter.name)
                .expect("Weights::check found it");
            let precision = if tensor.dtype().is_float() {
                precision
            } else {
                tensor.dtype()
            };
            prepared[parameter.value.index()] =
                Some(tensor.to_device(device)?.to_dtype(precision)?);
        }
        for node in network.nodes() {
            if let Op::Constant(literal) = &node.op {
                prepared[node.outputs[0].index()] = Some(tensor_of(literal, precision, device)?);
            }
        }
        let last_reads = last_reads(network, &prepared);
        Ok(Self {
            network: network.clone(),
            prepared,
            last_reads,
            device: device.clone(),
        })
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The tensor of a parameter or a constant, on the executor's device.
    pub(crate) fn parameter(&self, value: ValueId) -> Option<&Tensor> {
        self.prepared[value.index()].as_ref()
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The network's output for a batch, in inference mode: stored statistics, no dropout.
    ///
    /// `images`: `[batch, …]` with the dimensions of [`Network::input`].
    ///
    /// # Errors
    /// [`NetworkError::Input`] if the images have other dimensions, [`NetworkError::Node`] where a node fails.
    pub fn infer(&self, images: &Tensor) -> Result<Tensor> {
        self.forward(images, &mut Mode::Inference)
    }

    /// The same in training mode: batch statistics in batch normalisation, dropout drawn from `rng`, gradients by
    /// candle's `backward`.
    pub fn train(&self, images: &Tensor, rng: &mut fastrand::Rng) -> Result<TrainingPass> {
        let mut statistics = Vec::new();
        let output = self.forward(
            images,
            &mut Mode::Training {
                rng,
                statistics: &mut statistics,
            },
        )?;
        let name = |value| {
            self.network
                .parameters()
                .iter()
                .find(|parameter| parameter.value == value)
        };
        let statistics = statistics
            .into_iter()
            .filter_map(|(value, tensor)| Some((name(value)?.name.clone(), tensor)))
            .collect();
        Ok(TrainingPass { output, statistics })
    }

    fn forward(&self, images: &Tensor, mode: &mut Mode<'_>) -> Result<Tensor> {
        self.check_input(images)?;
        let mut values = self.prepared.clone();
        values[self.network.input().value.index()] = Some(images.to_device(&self.device)?);
        for (node, last_reads) in self.network.nodes().iter().zip(&self.last_reads) {
            if matches!(node.op, Op::Constant(_)) {
                continue;
            }
            let inputs: Vec<Option<&Tensor>> = node
                .inputs
                .iter()
                .map(|input| input.and_then(|input| values[input.index()].as_ref()))
                .collect();
            let outputs =
                run_node(node, &Inputs(&inputs), mode).map_err(|error| NetworkError::Node {
                    node: node.name.clone(),
                    op: node.op.name(),
                    detail: first_line(&error),
                })?;
            for (value, tensor) in node.outputs.iter().zip(outputs) {
                values[value.index()] = Some(tensor);
            }
            for value in last_reads {
                values[value.index()] = None;
            }
        }
        values[self.network.output().index()].take().ok_or_else(|| {
            NetworkError::Graph(format!("{}: no node makes the output", self.network.name()))
        })
    }

    fn check_input(&self, images: &Tensor) -> Result<()> {
        let input = self.network.input();
        match images.dims() {
            [batch, dims @ ..] if *batch > 0 && dims == input.dims => {}
            dims => {
                return Err(NetworkError::Input(format!(
                    "images of shape {dims:?}; {} takes [batch, {}]",
                    self.network.name(),
                    input
                        .dims
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(", ")
                )));
            }
        }
        match input.fixed_batch {
            Some(batch) if batch != images.dims()[0] => Err(NetworkError::Input(format!(
                "{} images; {} takes exactly {batch} at a time",
                images.dims()[0],
                self.network.name()
            ))),
            _ => Ok(()),
        }
    }
}

/// For each node, the values that nothing reads after it, so that their memory can be given back.
fn last_reads(network: &Network, prepared: &[Option<Tensor>]) -> Vec<Vec<ValueId>> {
    let mut seen = vec![false; network.value_count()];
    seen[network.output().index()] = true;
    let mut last_reads = Vec::with_capacity(network.nodes().len());
    for node in network.nodes().iter().rev() {
        let mut dying = Vec::new();
        for value in node.inputs.iter().flatten().chain(&node.outputs) {
            if !std::mem::replace(&mut seen[value.index()], true)
                && prepared[value.index()].is_none()
            {
                dying.push(*value);
            }
        }
        last_reads.push(dying);
    }
    last_reads.reverse();
    last_reads
}

/// What differs between inference and training.
pub(crate) enum Mode<'a> {
    Inference,
    Training {
        rng: &'a mut fastrand::Rng,
        statistics: &'a mut Vec<(ValueId, Tensor)>,
    },
}

/// A node's inputs at run time.
pub(crate) struct Inputs<'a>(pub &'a [Option<&'a Tensor>]);

impl<'a> Inputs<'a> {
    /// The input at `index`, which must be there.
    pub fn get(&self, index: usize) -> CandleResult<&'a Tensor> {
        match self.optional(index) {
            Some(tensor) => Ok(tensor),
            None => bail!("input {index} is missing"),
        }
    }

    pub fn optional(&self, index: usize) -> Option<&'a Tensor> {
        self.0.get(index).copied().flatten()
    }

    /// All inputs of an operator that takes any number.
    pub fn all(&self) -> CandleResult<Vec<&'a Tensor>> {
        (0..self.0.len()).map(|index| self.get(index)).collect()
    }

    /// The elements of an integer input: a shape, axes, repeats.
    pub fn integers(&self, index: usize) -> CandleResult<Vec<i64>> {
        self.get(index)?
            .to_dtype(DType::I64)?
            .flatten_all()?
            .to_vec1()
    }

    /// The only element of an integer input.
    pub fn integer(&self, index: usize) -> CandleResult<i64> {
        match self.integers(index)?.as_slice() {
            [only] => Ok(*only),
            several => bail!(
                "input {index} has {} elements; one is needed",
                several.len()
            ),
        }
    }

    pub fn optional_integers(&self, index: usize) -> CandleResult<Option<Vec<i64>>> {
        self.optional(index)
            .map(|_| self.integers(index))
            .transpose()
    }
}

/// What a node gives of its inputs in inference mode, its activation included.
pub(crate) fn infer_node(node: &Node, inputs: &Inputs<'_>) -> CandleResult<Vec<Tensor>> {
    run_node(node, inputs, &mut Mode::Inference)
}

fn run_node(node: &Node, inputs: &Inputs<'_>, mode: &mut Mode<'_>) -> CandleResult<Vec<Tensor>> {
    if let (Op::BatchNorm(attributes), Mode::Training { statistics, .. }) = (&node.op, &mut *mode) {
        let trained = normalization::batch_norm_training(attributes, inputs)?;
        for (input, tensor) in [(3, trained.mean), (4, trained.variance)] {
            statistics.extend(node.inputs[input].map(|value| (value, tensor)));
        }
        return Ok(vec![finish(trained.output, node)?]);
    }
    if let (Op::Dropout { ratio }, Mode::Training { rng, .. }) = (&node.op, &mut *mode) {
        return Ok(vec![finish(
            activation::dropout(inputs.get(0)?, *ratio, rng)?,
            node,
        )?]);
    }
    // The convolution applies its activation while its results are in the cache.
    if let Op::Convolution(attributes) = &node.op {
        let (x, weight, bias) = (inputs.get(0)?, inputs.get(1)?, inputs.optional(2));
        return Ok(vec![convolution::convolution(
            attributes,
            x,
            weight,
            bias,
            node.activation,
        )?]);
    }
    let mut outputs = apply(&node.op, inputs, node.outputs.len())?;
    if let [output] = outputs.as_mut_slice() {
        *output = finish(output.clone(), node)?;
    }
    Ok(outputs)
}

fn finish(output: Tensor, node: &Node) -> CandleResult<Tensor> {
    match node.activation {
        Some(activation) => activate(activation, &output),
        None => Ok(output),
    }
}

/// One operator on its inputs, in inference mode; `outputs` is how many results the node has.
#[expect(clippy::too_many_lines, reason = "a line for each operator")]
pub(crate) fn apply(op: &Op, inputs: &Inputs<'_>, outputs: usize) -> CandleResult<Vec<Tensor>> {
    let x = || inputs.get(0);
    let all_dims = || shapes::output_dims(op, inputs, outputs);
    let dims = || Ok::<_, candle_core::Error>(all_dims()?.swap_remove(0));
    if takes_floats_only(op)
        && let Some(other) = inputs
            .0
            .iter()
            .flatten()
            .find(|input| !input.dtype().is_float())
    {
        bail!("it takes floating-point numbers, not {:?}", other.dtype());
    }
    let output = match op {
        Op::Convolution(attributes) => {
            convolution::convolution(attributes, x()?, inputs.get(1)?, inputs.optional(2), None)?
        }
        Op::ConvTranspose(attributes) => {
            let (weight, bias) = (inputs.get(1)?, inputs.optional(2));
            transposed::conv_transpose(attributes, x()?, weight, bias, &dims()?)?
        }
        Op::Linear => linear::linear(x()?, inputs.get(1)?, inputs.optional(2))?,
        Op::Gemm(attributes) => linear::gemm(attributes, x()?, inputs.get(1)?, inputs.optional(2))?,
        Op::MatMul => linear::matmul(x()?, inputs.get(1)?)?,
        Op::BatchNorm(attributes) => normalization::batch_norm(attributes, inputs)?,
        Op::LocalResponseNorm(attributes) => normalization::local_response_norm(attributes, x()?)?,
        Op::Pool(attributes) if !x()?.dtype().is_float() => {
            let pooled = pooling::pool(attributes, &x()?.to_dtype(DType::F32)?)?;
            pooled.to_dtype(x()?.dtype())?
        }
        Op::Pool(attributes) => pooling::pool(attributes, x()?)?,
        Op::MaxPoolPositions(attributes) => pooling::max_positions(attributes, x()?, &dims()?)?,
        Op::GlobalPool(kind) => pooling::global_pool(*kind, x()?)?,
        Op::AdaptiveAveragePool { output } => pooling::adaptive_average_pool(output, x()?)?,
        Op::Activation(activation) => activate(*activation, x()?)?,
        Op::Dropout { .. } | Op::Identity => x()?.clone(),
        Op::InstanceNorm { epsilon } => normalization::instance_norm(*epsilon, inputs)?,
        Op::LayerNorm { axis, epsilon } => normalization::layer_norm(*axis, *epsilon, inputs)?,
        Op::GroupNorm { groups, epsilon } => normalization::group_norm(*groups, *epsilon, inputs)?,
        Op::PRelu => elementwise::parametric_relu(x()?, inputs.get(1)?)?,
        Op::Unary(unary) => elementwise::unary(*unary, x()?)?,
        Op::Binary(binary) => elementwise::binary(*binary, x()?, inputs.get(1)?)?,
        Op::Compare(comparison) => elementwise::compare(*comparison, x()?, inputs.get(1)?)?,
        Op::Where => elementwise::choose(x()?, inputs.get(1)?, inputs.get(2)?, &dims()?)?,
        Op::Cast { to } => elementwise::cast(x()?, *to)?,
        Op::CastLike => elementwise::cast_like(x()?, inputs.get(1)?)?,
        Op::QuantizeLinear { axis, block, to } => {
            let along = Along::new(*axis, *block);
            elementwise::quantize(x()?, inputs.get(1)?, inputs.optional(2), along, *to)?
        }
        Op::DequantizeLinear { axis, block } => {
            let along = Along::new(*axis, *block);
            elementwise::dequantize(x()?, inputs.get(1)?, inputs.optional(2), along)?
        }
        Op::Reduce(attributes) => {
            dims()?;
            reduce::reduce(*attributes, inputs)?
        }
        Op::Softmax { axis } => reduce::softmax(x()?, *axis)?,
        Op::LogSoftmax { axis } => reduce::log_softmax(x()?, *axis)?,
        Op::ArgMax(attributes) => reduce::arg_max(attributes, x()?)?,
        Op::TopK { axis, largest, .. } => {
            let k = all_dims()?[0][x()?.normalize_axis(*axis)?];
            return reduce::top_k(x()?, k, *axis, *largest);
        }
        Op::CumSum { exclusive, reverse } => {
            let axis = inputs.integer(1)?;
            reduce::cumulative_sum(x()?, axis, *exclusive, *reverse)?
        }
        Op::Concat { axis } => arrange::concat(inputs, *axis)?,
        Op::Split { axis } => return arrange::split(x()?, *axis, &all_dims()?),
        Op::Slice => arrange::slice(inputs, &dims()?)?,
        Op::Gather { axis } => arrange::gather(x()?, inputs.get(1)?, *axis, &dims()?)?,
        Op::GatherNd { batch_dims } => {
            arrange::gather_nd(x()?, inputs.get(1)?, *batch_dims, &dims()?)?
        }
        Op::GatherElements { axis } => scatter::gather_elements(x()?, inputs.get(1)?, *axis)?,
        Op::ScatterElements { axis, combine } => {
            scatter::scatter_elements(x()?, inputs.get(1)?, inputs.get(2)?, *axis, *combine)?
        }
        Op::ScatterNd(combine) => {
            scatter::scatter_nd(x()?, inputs.get(1)?, inputs.get(2)?, *combine)?
        }
        Op::Trilu { upper } => {
            let diagonal = inputs.optional(1).map_or(Ok(0), |_| inputs.integer(1))?;
            scatter::triangle(x()?, diagonal, *upper)?
        }
        Op::Reshape { .. } | Op::Flatten { .. } | Op::Squeeze | Op::Unsqueeze => {
            x()?.reshape(dims()?)?
        }
        Op::Transpose { permutation } => arrange::transpose(x()?, permutation)?,
        Op::Expand => x()?.broadcast_as(dims()?)?,
        Op::Tile => arrange::tile(x()?, &inputs.integers(1)?)?,
        Op::Pad(mode) => {
            dims()?;
            arrange::pad(*mode, inputs)?
        }
        Op::Resize(attributes) => resize::resize(attributes, inputs, &dims()?)?,
        Op::Col2Im {
            dilations,
            pads,
            strides,
        } => {
            let block = inputs.integers(2)?;
            arrange::col2im(x()?, &block, &dims()?, dilations, pads, strides)?
        }
        Op::DepthToSpace { block, mode } => {
            dims()?;
            arrange::depth_to_space(x()?, *block, *mode)?
        }
        Op::SpaceToDepth { block } => {
            dims()?;
            arrange::space_to_depth(x()?, *block)?
        }
        Op::Einsum { equation } => einsum::einsum(equation, &inputs.all()?)?,
        Op::Constant(literal) => tensor_of(literal, DType::F32, &Device::Cpu)?,
        Op::ConstantOfShape(value) => arrange::filled(*value, &dims()?, x()?.device())?,
        Op::Range => arrange::range(x()?, inputs.get(2)?, &dims()?)?,
        Op::Shape { start, end } => shapes::shape_of(x()?, *start, *end)?,
        Op::Size => Tensor::new(arrange::signed(x()?.elem_count()), x()?.device())?,
        Op::Listed(listed) => return listed.operator().run(inputs, &all_dims()?),
    };
    Ok(vec![output])
}

/// Whether an operator is not defined on integers, or not by candle.
fn takes_floats_only(op: &Op) -> bool {
    use Op::{
        Activation, AdaptiveAveragePool, BatchNorm, ConvTranspose, Gemm, GlobalPool, GroupNorm,
        InstanceNorm, LayerNorm, Linear, LocalResponseNorm, LogSoftmax, PRelu, Softmax,
    };
    matches!(
        op,
        ConvTranspose(_)
            | Linear
            | Gemm(_)
            | BatchNorm(_)
            | InstanceNorm { .. }
            | LayerNorm { .. }
            | GroupNorm { .. }
            | LocalResponseNorm(_)
            | GlobalPool(_)
            | AdaptiveAveragePool { .. }
            | Activation(_)
            | PRelu
            | Softmax { .. }
            | LogSoftmax { .. }
    )
}

/// What went wrong, without the backtrace that candle appends where one is asked for.
fn first_line(error: &candle_core::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A literal as a run-time value.
pub(crate) fn tensor_of(
    literal: &Literal,
    precision: DType,
    device: &Device,
) -> CandleResult<Tensor> {
    let dims = literal.dims.as_slice();
    match &literal.elements {
        Elements::Float(values) => Tensor::from_slice(values, dims, device)?.to_dtype(precision),
        Elements::Integer(values) => Tensor::from_slice(values, dims, device),
        Elements::Bool(values) => {
            let bytes: Vec<u8> = values.iter().map(|value| u8::from(*value)).collect();
            Tensor::from_slice(&bytes, dims, device)
        }
    }
}
