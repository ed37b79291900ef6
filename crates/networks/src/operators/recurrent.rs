//! Recurrent layers: Elman's (1990), long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates and, where a
//! file has them, peepholes) and gated recurrent units (Cho et al. 2014), as ONNX's `RNN`, `LSTM` and `GRU`.

use candle_core::{Result as CandleResult, Tensor};

use super::Operator;
use crate::{
    graph::{Activation, Op, ValueId},
    onnx::{
        Apply, Importer, OnnxError, Value,
        encode::{flag, float, floats, size, text, texts},
        proto::AttributeProto,
    },
    run::{Inputs, activate, linear},
    shapes::{Arguments, Dims, elements},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    pub cell: Cell,
    pub hidden: usize,
    pub direction: Direction,
    /// As many as the cell has, for each direction.
    pub functions: Vec<GateFunction>,
    /// What arrives at a gate is kept between −clip and clip.
    pub clip: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Rnn,
    /// Gates in the order: update, reset, hidden.
    Gru {
        /// Whether the reset gate is applied after the product with the recurrent weights, as in PyTorch.
        linear_before_reset: bool,
    },
    /// Gates in the order: input, output, forget, cell.
    Lstm {
        /// Whether the forget gate is one minus the input gate.
        coupled: bool,
    },
}

/// Which way a recurrent layer reads its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
    Both,
}

/// What a gate applies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GateFunction {
    Activation(Activation),
    /// alpha·x + beta
    Affine {
        alpha: f64,
        beta: f64,
    },
    /// alpha·tanh(beta·x)
    ScaledTanh {
        alpha: f64,
        beta: f64,
    },
}

impl Cell {
    fn name(self) -> &'static str {
        match self {
            Self::Rnn => "RNN",
            Self::Gru { .. } => "GRU",
            Self::Lstm { .. } => "LSTM",
        }
    }

    fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 3,
            Self::Lstm { .. } => 4,
        }
    }

    /// What a file that names no functions means.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Rnn => &["Tanh"],
            Self::Gru { .. } => &["Sigmoid", "Tanh"],
            Self::Lstm { .. } => &["Sigmoid", "Tanh", "Tanh"],
        }
    }

    fn outputs(self) -> usize {
        if matches!(self, Self::Lstm { .. }) {
            3
        } else {
            2
        }
    }
}

impl Direction {
    /// For each of its readings, whether that begins at the end.
    fn backwards(self) -> &'static [bool] {
        match self {
            Self::Forward => &[false],
            Self::Reverse => &[true],
            Self::Both => &[false, true],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
            Self::Both => "bidirectional",
        }
    }
}

/// Where a file has the batch first (`layout`), it is transposed before and after.
pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let cell = match apply.operator {
        "GRU" => Cell::Gru {
            linear_before_reset: apply.flag("linear_before_reset"),
        },
        "LSTM" => Cell::Lstm {
            coupled: apply.flag("input_forget"),
        },
        _ => Cell::Rnn,
    };
    let direction = match apply.text("direction")?.unwrap_or("forward") {
        "forward" => Direction::Forward,
        "reverse" => Direction::Reverse,
        "bidirectional" => Direction::Both,
        other => return Err(apply.fault(format!("direction {other:?} is unknown"))),
    };
    let recurrent = importer.weight(apply.input(2)?);
    let hidden = match apply.size("hidden_size", 0)? {
        // It may be left to the weights.
        0 => usize::try_from(importer.length(apply, recurrent, 2)?).unwrap_or(0),
        given => given,
    };
    let operator = Recurrent {
        cell,
        hidden,
        direction,
        functions: functions(apply, cell, direction)?,
        clip: apply.has("clip").then(|| apply.float("clip", 0.0)),
    };
    let layout = Layout {
        batch_first: apply.flag("layout"),
    };
    let x = importer.first(apply)?;
    let weights =
        [1, 2, 3].map(|index| apply.optional(index).map(|weight| importer.weight(weight)));
    let mut inputs = vec![Some(layout.turn(importer, apply, x, &[1, 0, 2]))];
    inputs.extend(weights);
    inputs.push(importer.optional(apply, 4));
    for index in [5, 6] {
        let state = importer.optional(apply, index);
        inputs.push(state.map(|state| layout.turn(importer, apply, state, &[1, 0, 2])));
    }
    inputs.push(
        apply
            .optional(7)
            .map(|peepholes| importer.weight(peepholes)),
    );
    let outputs = importer.emit_all(apply, operator.into(), inputs, cell.outputs());
    let turned = outputs
        .into_iter()
        .zip([&[2, 0, 1, 3][..], &[1, 0, 2], &[1, 0, 2]]);
    Ok(turned
        .map(|(output, permutation)| Value::Flow(layout.turn(importer, apply, output, permutation)))
        .collect())
}

struct Layout {
    batch_first: bool,
}

impl Layout {
    /// To the steps first, or back.
    fn turn(
        &self,
        importer: &mut Importer<'_>,
        apply: &Apply<'_>,
        value: ValueId,
        permutation: &[usize],
    ) -> ValueId {
        if !self.batch_first {
            return value;
        }
        let permutation = permutation.to_vec();
        importer.emit(apply, Op::Transpose { permutation }, &[value])
    }
}

/// The functions that a file names, which take its alphas and betas in turn.
fn functions(
    apply: &Apply<'_>,
    cell: Cell,
    direction: Direction,
) -> Result<Vec<GateFunction>, OnnxError> {
    let given = apply.texts("activations")?;
    let count = cell.functions().len() * direction.backwards().len();
    let names = match given {
        Some(given) if given.len() == count => given,
        Some(given) => {
            return Err(apply.fault(format!("activations are {given:?}; expected {count}")));
        }
        None => cell
            .functions()
            .iter()
            .copied()
            .cycle()
            .take(count)
            .collect(),
    };
    let mut alphas = apply.floats("activation_alpha").unwrap_or_default().iter();
    let mut betas = apply.floats("activation_beta").unwrap_or_default().iter();
    let mut alpha = |default: f32| f64::from(*alphas.next().unwrap_or(&default));
    let mut beta = |default: f32| f64::from(*betas.next().unwrap_or(&default));
    let mut functions = Vec::with_capacity(count);
    for name in names {
        functions.push(match name {
            "Affine" => GateFunction::Affine {
                alpha: alpha(1.0),
                beta: beta(0.0),
            },
            "ScaledTanh" => GateFunction::ScaledTanh {
                alpha: alpha(1.0),
                beta: beta(1.0),
            },
            name => GateFunction::Activation(match name {
                "Relu" => Activation::Relu,
                "Tanh" => Activation::Tanh,
                "Sigmoid" => Activation::Sigmoid,
                "Softsign" => Activation::Softsign,
                "Softplus" => Activation::Softplus,
                "LeakyRelu" => Activation::LeakyRelu { slope: alpha(0.01) },
                "ThresholdedRelu" => Activation::ThresholdedRelu { alpha: alpha(1.0) },
                "Elu" => Activation::Elu { alpha: alpha(1.0) },
                "HardSigmoid" => Activation::HardSigmoid {
                    alpha: alpha(0.2),
                    beta: beta(0.5),
                },
                other => return Err(apply.fault(format!("activation {other:?} is unknown"))),
            }),
        });
    }
    Ok(functions)
}

impl Operator for Recurrent {
    fn name(&self) -> &'static str {
        self.cell.name()
    }

    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let x = inputs.dims(0)?;
        let &[steps, batch, features] = x else {
            return Err(format!("[steps, batch, in] is needed, not {x:?}"));
        };
        let (hidden, directions) = (self.hidden, self.direction.backwards().len());
        let rows = self.cell.gates().saturating_mul(hidden);
        let last = vec![directions, batch, hidden];
        let expected = [
            (1, "weight", vec![directions, rows, features]),
            (2, "recurrent weight", vec![directions, rows, hidden]),
            (3, "bias", vec![directions, rows.saturating_mul(2)]),
            (4, "sequence_lens", vec![batch]),
            (5, "first hidden state", last.clone()),
            (6, "first cell state", last.clone()),
            (7, "peepholes", vec![directions, hidden.saturating_mul(3)]),
        ];
        inputs.dims(1)?;
        inputs.dims(2)?;
        for (index, what, expected) in expected {
            match inputs.optional(index) {
                Some(dims) if dims != expected => {
                    return Err(format!("its {what} is {dims:?}, expected {expected:?}"));
                }
                _ => {}
            }
        }
        if steps == 0 || hidden == 0 {
            return Err(format!("{steps} steps of {hidden} hidden units"));
        }
        let mut dims = vec![last; self.cell.outputs()];
        dims[0] = vec![steps, directions, batch, hidden];
        Ok(dims)
    }

    fn run(&self, inputs: &Inputs<'_>, _dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let directions = self.direction.backwards().iter().enumerate();
        let read = directions
            .map(|(direction, &backwards)| {
                Reading::new(self, inputs, direction)?.run(inputs, backwards)
            })
            .collect::<CandleResult<Vec<_>>>()?;
        let stacked = |at: usize, axis: usize| {
            let of_each: Vec<&Tensor> = read.iter().map(|outputs| &outputs[at]).collect();
            Tensor::stack(&of_each, axis)
        };
        let mut outputs = vec![stacked(0, 1)?];
        for at in 1..self.cell.outputs() {
            outputs.push(stacked(at, 0)?);
        }
        Ok(outputs)
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        let mut attributes = vec![
            size("hidden_size", self.hidden),
            text("direction", self.direction.name()),
        ];
        match self.cell {
            Cell::Rnn => {}
            Cell::Gru {
                linear_before_reset,
            } => attributes.push(flag("linear_before_reset", linear_before_reset)),
            Cell::Lstm { coupled } => attributes.push(flag("input_forget", coupled)),
        }
        if let Some(clip) = self.clip {
            attributes.push(float("clip", clip));
        }
        let written: Vec<_> = self
            .functions
            .iter()
            .map(|function| function.written())
            .collect();
        attributes.push(texts(
            "activations",
            written.iter().map(|written| written.0),
        ));
        for (name, values) in [
            (
                "activation_alpha",
                written
                    .iter()
                    .filter_map(|written| written.1)
                    .collect::<Vec<_>>(),
            ),
            (
                "activation_beta",
                written.iter().filter_map(|written| written.2).collect(),
            ),
        ] {
            if !values.is_empty() {
                attributes.push(floats(name, values));
            }
        }
        attributes
    }

    /// Every step and image with both matrices.
    fn macs(&self, inputs: &[&[usize]], _output: &[usize]) -> u64 {
        let weights = elements(inputs[1]).saturating_add(elements(inputs[2]));
        elements(&inputs[0][..2]).saturating_mul(weights)
    }

    fn is_weight_layer(&self) -> bool {
        true
    }

    fn states(&self) -> &'static [usize] {
        &[5, 6]
    }
}

impl GateFunction {
    fn apply(self, x: &Tensor) -> CandleResult<Tensor> {
        match self {
            Self::Activation(activation) => activate(activation, &x.contiguous()?),
            Self::Affine { alpha, beta } => x.affine(alpha, beta),
            Self::ScaledTanh { alpha, beta } => (x * beta)?.tanh()? * alpha,
        }
    }

    /// Its name, alpha and beta in a file.
    fn written(self) -> (&'static str, Option<f64>, Option<f64>) {
        match self {
            Self::Affine { alpha, beta } => ("Affine", Some(alpha), Some(beta)),
            Self::ScaledTanh { alpha, beta } => ("ScaledTanh", Some(alpha), Some(beta)),
            Self::Activation(activation) => match activation {
                Activation::LeakyRelu { slope: alpha }
                | Activation::ThresholdedRelu { alpha }
                | Activation::Elu { alpha } => (activation.name(), Some(alpha), None),
                Activation::HardSigmoid { alpha, beta } => {
                    (activation.name(), Some(alpha), Some(beta))
                }
                _ => (activation.name(), None, None),
            },
        }
    }
}

/// One direction of a layer, ready to read a sequence.
struct Reading<'a> {
    layer: &'a Recurrent,
    functions: &'a [GateFunction],
    /// The input's share of each gate at each step, with its bias: one product for the whole sequence.
    arriving: Tensor,
    /// `[hidden, gates·hidden]`
    recurrent: Tensor,
    /// `[gates·hidden]`
    recurrent_bias: Option<Tensor>,
    hidden: Tensor,
    /// Read by an LSTM only.
    cell: Tensor,
    /// `[3·hidden]`
    peepholes: Option<Tensor>,
}

impl<'a> Reading<'a> {
    fn new(layer: &'a Recurrent, inputs: &Inputs<'_>, direction: usize) -> CandleResult<Self> {
        let x = inputs.get(0)?;
        let rows = layer.cell.gates() * layer.hidden;
        let of = |index: usize| {
            inputs
                .optional(index)
                .map(|all| all.get(direction))
                .transpose()
        };
        let state = |index: usize| match of(index)? {
            Some(first) => Ok(first),
            None => Tensor::zeros((x.dim(1)?, layer.hidden), x.dtype(), x.device()),
        };
        let arriving = linear::matmul(x, &inputs.get(1)?.get(direction)?.t()?)?;
        let (arriving, recurrent_bias) = match of(3)? {
            Some(bias) => (
                arriving.broadcast_add(&bias.narrow(0, 0, rows)?)?,
                Some(bias.narrow(0, rows, rows)?),
            ),
            None => (arriving, None),
        };
        let count = layer.cell.functions().len();
        Ok(Self {
            layer,
            functions: &layer.functions[direction * count..][..count],
            arriving,
            recurrent: inputs.get(2)?.get(direction)?.t()?,
            recurrent_bias,
            hidden: state(5)?,
            cell: state(6)?,
            peepholes: of(7)?,
        })
    }

    /// Every step's hidden states `[steps, batch, hidden]`, the last ones, and the last cell states.
    fn run(mut self, inputs: &Inputs<'_>, backwards: bool) -> CandleResult<Vec<Tensor>> {
        let steps = self.arriving.dim(0)?;
        let lengths = inputs.optional_integers(4)?;
        let mut outputs = vec![self.hidden.clone(); steps];
        for step in 0..steps {
            let at = if backwards { steps - 1 - step } else { step };
            let before = [self.hidden.clone(), self.cell.clone()];
            self.step(&self.arriving.get(at)?)?;
            outputs[at] = self.hidden.clone();
            // Behind its end a sequence's state stays, and its outputs are zero.
            if let Some(lengths) = &lengths {
                let lasts = |length: &i64| {
                    u8::from(usize::try_from(*length).is_ok_and(|length| at < length))
                };
                let lasts: Vec<u8> = lengths.iter().map(lasts).collect();
                let lasts = Tensor::from_vec(lasts, (lengths.len(), 1), self.hidden.device())?;
                let lasts = lasts.broadcast_as(self.hidden.shape())?;
                outputs[at] = lasts.where_cond(&self.hidden, &self.hidden.zeros_like()?)?;
                let [hidden, cell] = before;
                self.hidden = lasts.where_cond(&self.hidden, &hidden)?;
                self.cell = lasts.where_cond(&self.cell, &cell)?;
            }
        }
        Ok(vec![Tensor::stack(&outputs, 0)?, self.hidden, self.cell])
    }

    fn step(&mut self, arriving: &Tensor) -> CandleResult<()> {
        match self.layer.cell {
            Cell::Rnn => {
                let sum = (arriving + self.product(&self.hidden, 0, 1)?)?;
                self.hidden = self.gate(0, &sum)?;
            }
            Cell::Gru {
                linear_before_reset,
            } => {
                let both = (self.part(arriving, 0, 2)? + self.product(&self.hidden, 0, 2)?)?;
                let update = self.gate(0, &self.part(&both, 0, 1)?)?;
                let reset = self.gate(0, &self.part(&both, 1, 1)?)?;
                let kept = if linear_before_reset {
                    (reset * self.product(&self.hidden, 2, 1)?)?
                } else {
                    self.product(&(reset * &self.hidden)?, 2, 1)?
                };
                let proposed = self.gate(1, &(self.part(arriving, 2, 1)? + kept)?)?;
                self.hidden = ((&proposed + (&update * &self.hidden)?)? - (&update * proposed)?)?;
            }
            Cell::Lstm { coupled } => {
                let sums = (arriving + self.product(&self.hidden, 0, 4)?)?;
                let peeping = |gate: usize, peephole: usize, cell: &Tensor| {
                    let sum = self.part(&sums, gate, 1)?;
                    match &self.peepholes {
                        Some(all) => sum + cell.broadcast_mul(&self.part(all, peephole, 1)?)?,
                        None => Ok(sum),
                    }
                };
                let input = self.gate(0, &peeping(0, 0, &self.cell)?)?;
                let forget = if coupled {
                    input.affine(-1., 1.)?
                } else {
                    self.gate(0, &peeping(2, 2, &self.cell)?)?
                };
                let proposed = self.gate(1, &self.part(&sums, 3, 1)?)?;
                let cell = ((forget * &self.cell)? + (input * proposed)?)?;
                let output = self.gate(0, &peeping(1, 1, &cell)?)?;
                self.hidden = (output * self.functions[2].apply(&cell)?)?;
                self.cell = cell;
            }
        }
        Ok(())
    }

    /// `count` gates' parts of what has all gates' along its last axis.
    fn part(&self, of: &Tensor, gate: usize, count: usize) -> CandleResult<Tensor> {
        let hidden = self.layer.hidden;
        of.narrow(of.rank() - 1, gate * hidden, count * hidden)
    }

    /// `state` times the recurrent weights of `count` gates, with their bias.
    fn product(&self, state: &Tensor, gate: usize, count: usize) -> CandleResult<Tensor> {
        let product = state.matmul(&self.part(&self.recurrent, gate, count)?)?;
        match &self.recurrent_bias {
            Some(bias) => product.broadcast_add(&self.part(bias, gate, count)?),
            None => Ok(product),
        }
    }

    fn gate(&self, function: usize, sum: &Tensor) -> CandleResult<Tensor> {
        let function = self.functions[function];
        match self.layer.clip {
            Some(clip) => function.apply(&sum.clamp(-clip, clip)?),
            None => function.apply(sum),
        }
    }
}
