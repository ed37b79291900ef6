use crate::error::{NetworkError, Result};
use crate::graph::{
    Activation, BatchNorm, Binary, Builder, Convolution, ElementType, Literal, LocalResponseNorm,
    Network, Op, PadMode, Padding, ParameterKind, Pool, PoolKind, ValueId,
};
use crate::shapes::{Value, infer_node};

/// A [`Builder`] in a paper's words: layers for images of a known size, that find out for themselves how many channels
/// arrive. The first error is kept and returned by [`Layers::finish`], so that an architecture reads without `?`.
pub(super) struct Layers {
    builder: Builder,
    values: Vec<Option<Value>>,
    error: Option<NetworkError>,
}

/// A two-dimensional convolution: square window, equal stride and padding in both directions, with a bias.
#[derive(Clone, Copy)]
pub(super) struct Conv {
    out: usize,
    window: usize,
    stride: usize,
    padding: usize,
    groups: usize,
    bias: bool,
}

impl Conv {
    pub fn new(out: usize, window: usize) -> Self {
        Self {
            out,
            window,
            stride: 1,
            padding: 0,
            groups: 1,
            bias: true,
        }
    }

    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub fn padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    pub fn without_bias(self) -> Self {
        Self {
            bias: false,
            ..self
        }
    }
}

impl Layers {
    /// `input` is `[channels, height, width]`.
    pub fn new(name: &str, input: [usize; 3]) -> Self {
        let builder = Builder::new(name, &input, ElementType::F32);
        let dims = [&[1], input.as_slice()].concat();
        Self {
            builder,
            values: vec![Some(Value { dims, known: None })],
            error: None,
        }
    }

    pub fn input(&self) -> ValueId {
        self.builder.input()
    }

    /// `x`'s dimensions, the batch's first; ones after an error.
    pub fn dims(&self, x: ValueId) -> [usize; 4] {
        let mut dims = [1; 4];
        if let Some(value) = self.values.get(x.index()).and_then(Option::as_ref) {
            dims.iter_mut()
                .zip(&value.dims)
                .for_each(|(to, from)| *to = *from);
        }
        dims
    }

    pub fn channels(&self, x: ValueId) -> usize {
        self.dims(x)[1]
    }

    pub fn conv(&mut self, name: &str, x: ValueId, conv: Conv) -> ValueId {
        let Conv {
            out,
            window,
            stride,
            padding,
            groups,
            bias,
        } = conv;
        let weight = [out, self.channels(x) / groups, window, window];
        let mut inputs = vec![
            x,
            self.parameter(name, "weight", &weight, ParameterKind::Trainable),
        ];
        if bias {
            inputs.push(self.parameter(name, "bias", &[out], ParameterKind::Trainable));
        }
        let attributes = Convolution {
            stride: vec![stride; 2],
            dilation: vec![1; 2],
            padding: Padding::Explicit {
                begin: vec![padding; 2],
                end: vec![padding; 2],
            },
            groups,
        };
        self.node(name, Op::Convolution(attributes), &inputs)
    }

    pub fn linear(&mut self, name: &str, x: ValueId, out: usize) -> ValueId {
        let weight = self.parameter(
            name,
            "weight",
            &[out, self.channels(x)],
            ParameterKind::Trainable,
        );
        let bias = self.parameter(name, "bias", &[out], ParameterKind::Trainable);
        self.node(name, Op::Linear, &[x, weight, bias])
    }

    /// With PyTorch's ε of 1e-5.
    pub fn batch_norm(&mut self, name: &str, x: ValueId) -> ValueId {
        self.batch_norm_with(name, x, 1e-5)
    }

    pub fn batch_norm_with(&mut self, name: &str, x: ValueId, epsilon: f64) -> ValueId {
        let channels = [self.channels(x)];
        let inputs = [
            x,
            self.parameter(name, "weight", &channels, ParameterKind::Trainable),
            self.parameter(name, "bias", &channels, ParameterKind::Trainable),
            self.parameter(name, "running_mean", &channels, ParameterKind::Buffer),
            self.parameter(name, "running_var", &channels, ParameterKind::Buffer),
        ];
        self.node(
            name,
            Op::BatchNorm(BatchNorm {
                epsilon,
                momentum: 0.1,
            }),
            &inputs,
        )
    }

    pub fn local_response_norm(
        &mut self,
        name: &str,
        x: ValueId,
        attributes: LocalResponseNorm,
    ) -> ValueId {
        self.node(name, Op::LocalResponseNorm(attributes), &[x])
    }

    pub fn relu(&mut self, x: ValueId) -> ValueId {
        self.activation(x, Activation::Relu)
    }

    pub fn activation(&mut self, x: ValueId, activation: Activation) -> ValueId {
        self.after(
            x,
            &activation.name().to_lowercase(),
            Op::Activation(activation),
        )
    }

    pub fn dropout(&mut self, x: ValueId, ratio: f64) -> ValueId {
        self.after(x, "dropout", Op::Dropout { ratio })
    }

    pub fn max_pool(&mut self, x: ValueId, window: usize, stride: usize) -> ValueId {
        self.max_pool_with(x, window, stride, 0, false)
    }

    pub fn max_pool_with(
        &mut self,
        x: ValueId,
        window: usize,
        stride: usize,
        padding: usize,
        ceil_mode: bool,
    ) -> ValueId {
        self.after(
            x,
            "maxpool",
            pool(PoolKind::Max, window, stride, padding, ceil_mode),
        )
    }

    pub fn average_pool(&mut self, x: ValueId, window: usize, stride: usize) -> ValueId {
        self.after(
            x,
            "avgpool",
            pool(PoolKind::Average, window, stride, 0, false),
        )
    }

    /// Average pooling to a `size` × `size` image.
    pub fn adaptive_average_pool(&mut self, x: ValueId, size: usize) -> ValueId {
        self.after(
            x,
            "avgpool",
            Op::AdaptiveAveragePool {
                output: vec![size; 2],
            },
        )
    }

    /// The mean over all positions, as a vector of channels.
    pub fn global_average_pool(&mut self, x: ValueId) -> ValueId {
        let pooled = self.after(x, "avgpool", Op::GlobalPool(PoolKind::Average));
        self.flatten(pooled)
    }

    pub fn flatten(&mut self, x: ValueId) -> ValueId {
        self.after(x, "flatten", Op::Flatten { axis: 1 })
    }

    pub fn add(&mut self, x: ValueId, y: ValueId) -> ValueId {
        self.binary(x, y, Binary::Add)
    }

    /// x·scale + shift with a constant for each channel.
    pub fn scale_channels(&mut self, x: ValueId, scale: &[f32], shift: &[f32]) -> ValueId {
        let constant = |name: &str, values: &[f32]| {
            (
                name.to_owned(),
                Literal::floats([1, values.len(), 1, 1], values),
            )
        };
        let (scale, shift) = (constant("scale", scale), constant("shift", shift));
        let scale = self.node(&scale.0, Op::Constant(scale.1), &[]);
        let scaled = self.binary(x, scale, Binary::Mul);
        let shift = self.node(&shift.0, Op::Constant(shift.1), &[]);
        self.binary(scaled, shift, Binary::Add)
    }

    fn binary(&mut self, x: ValueId, y: ValueId, binary: Binary) -> ValueId {
        let name = format!(
            "{}.{}",
            self.builder.value_name(x),
            binary.name().to_lowercase()
        );
        self.node(&name, Op::Binary(binary), &[x, y])
    }

    /// Joins along the channels.
    pub fn concat(&mut self, name: &str, parts: &[ValueId]) -> ValueId {
        self.node(name, Op::Concat { axis: 1 }, parts)
    }

    /// Zero channels before and after `x`'s.
    pub fn pad_channels(&mut self, x: ValueId, before: usize, after: usize) -> ValueId {
        let name = format!("{}.pad", self.builder.value_name(x));
        #[expect(clippy::cast_possible_wrap, reason = "a few channels")]
        let pads = Literal::integers([before as i64, after as i64]);
        let pads = self.node(&format!("{name}.pads"), Op::Constant(pads), &[]);
        let axes = self.node(
            &format!("{name}.axes"),
            Op::Constant(Literal::integers([1])),
            &[],
        );
        self.node_with(
            &name,
            Op::Pad(PadMode::Constant),
            vec![Some(x), Some(pads), None, Some(axes)],
        )
    }

    /// Stages of so many blocks each, of which the first of every stage but the first halves the image. `block` adds one:
    /// `(network, stage from 0, block from 0, its input, stride)`.
    pub fn stages(
        &mut self,
        mut x: ValueId,
        blocks: impl IntoIterator<Item = usize>,
        mut block: impl FnMut(&mut Self, usize, usize, ValueId, usize) -> ValueId,
    ) -> ValueId {
        for (stage, blocks) in blocks.into_iter().enumerate() {
            for index in 0..blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                x = block(self, stage, index, x, stride);
            }
        }
        x
    }

    /// The network with the output `logits`.
    pub fn finish(self, logits: ValueId) -> Result<Network> {
        match self.error {
            Some(error) => Err(error),
            None => self.builder.finish(logits),
        }
    }

    fn parameter(
        &mut self,
        layer: &str,
        name: &str,
        dims: &[usize],
        kind: ParameterKind,
    ) -> ValueId {
        let value = self
            .builder
            .parameter(&format!("{layer}.{name}"), dims, kind);
        self.remember(
            value,
            Value {
                dims: dims.to_vec(),
                known: None,
            },
        );
        value
    }

    fn after(&mut self, x: ValueId, name: &str, op: Op) -> ValueId {
        let name = format!("{}.{name}", self.builder.value_name(x));
        self.node(&name, op, &[x])
    }

    fn node(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> ValueId {
        self.node_with(name, op, inputs.iter().copied().map(Some).collect())
    }

    fn node_with(&mut self, name: &str, op: Op, inputs: Vec<Option<ValueId>>) -> ValueId {
        let value = self.builder.node_with(name, op, inputs, &[name], None)[0];
        if let (Some(node), None) = (self.builder.last_node(), &self.error) {
            let inputs: Vec<Option<&Value>> = node
                .inputs
                .iter()
                .map(|input| input.and_then(|input| self.values[input.index()].as_ref()))
                .collect();
            match infer_node(node, &inputs) {
                Ok(mut outputs) => self.remember(value, outputs.remove(0)),
                Err(error) => self.error = Some(error),
            }
        }
        value
    }

    fn remember(&mut self, id: ValueId, value: Value) {
        self.values
            .resize(self.values.len().max(id.index() + 1), None);
        self.values[id.index()] = Some(value);
    }
}

fn pool(kind: PoolKind, window: usize, stride: usize, padding: usize, ceil_mode: bool) -> Op {
    Op::Pool(Pool {
        kind,
        window: vec![window; 2],
        stride: vec![stride; 2],
        dilation: vec![1; 2],
        padding: Padding::Explicit {
            begin: vec![padding; 2],
            end: vec![padding; 2],
        },
        ceil_mode,
        count_include_pad: true,
    })
}
