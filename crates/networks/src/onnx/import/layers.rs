//! Weight layers, normalisation, pooling.

use super::{Apply, Importer, Result, Value, flow, flows};
use crate::{
    BatchNorm, Binary, ConvTranspose, Convolution, Direction, Gemm, LocalResponseNorm, Lstm,
    MaxPoolPositions, Op, Padding, Pool, PoolKind, Reduce, Reduction, Scalar, Unary, ValueId,
};

impl Importer<'_> {
    pub(super) fn layer(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        match apply.operator {
            "Conv" => self.convolution(apply),
            "ConvTranspose" => self.conv_transpose(apply),
            "Gemm" => self.gemm(apply),
            "MatMul" => {
                let (a, b) = (self.weight(apply.input(0)?), self.weight(apply.input(1)?));
                flow(self.emit(apply, Op::MatMul, &[a, b]))
            }
            "Einsum" => {
                let equation = apply
                    .text("equation")?
                    .ok_or_else(|| apply.fault("equation is missing"))?;
                let operands = apply.inputs.iter().flatten();
                let inputs = operands.map(|operand| Some(self.weight(operand))).collect();
                flows(self.emit_all(
                    apply,
                    Op::Einsum {
                        equation: equation.into(),
                    },
                    inputs,
                    1,
                ))
            }
            "LSTM" => self.lstm(apply),
            "BatchNormalization" => self.batch_norm(apply),
            "InstanceNormalization" => {
                let inputs = self.scaled(apply)?;
                flows(self.emit_all(
                    apply,
                    Op::InstanceNorm {
                        epsilon: apply.float("epsilon", 1e-5),
                    },
                    inputs,
                    1,
                ))
            }
            "LayerNormalization" => self.layer_norm(apply),
            "GroupNormalization" => self.group_norm(apply),
            "LRN" => {
                let op = Op::LocalResponseNorm(LocalResponseNorm {
                    size: apply.size("size", 0)?,
                    alpha: apply.float("alpha", 1e-4),
                    beta: apply.float("beta", 0.75),
                    bias: apply.float("bias", 1.0),
                });
                let x = self.first(apply)?;
                flow(self.emit(apply, op, &[x]))
            }
            "MaxPool" => self.pool(apply, PoolKind::Max),
            "AveragePool" => self.pool(apply, PoolKind::Average),
            "GlobalMaxPool" => self.global_pool(apply, PoolKind::Max),
            "GlobalAveragePool" => self.global_pool(apply, PoolKind::Average),
            "Dropout" => self.dropout(apply),
            _ => Ok(None),
        }
    }

    /// x, and what a normalisation scales and shifts it by.
    fn scaled(&mut self, apply: &Apply<'_>) -> Result<Vec<Option<ValueId>>> {
        let scale = apply.optional(1).map(|scale| self.weight(scale));
        let shift = apply.optional(2).map(|shift| self.weight(shift));
        Ok(vec![Some(self.first(apply)?), scale, shift])
    }

    fn convolution(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let weight = apply.input(1)?;
        let op = convolution_op(apply, weight)?;
        if holds_batch_norm(weight, apply.optional(2)) {
            self.builder.mark_folded();
        }
        let bias = apply.optional(2).map(|bias| self.weight(bias));
        let inputs = vec![Some(self.first(apply)?), Some(self.weight(weight)), bias];
        flows(self.emit_all(apply, op, inputs, 1))
    }

    fn conv_transpose(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let weight = apply.input(1)?;
        let rank = match (weight.stored(), apply.ints("kernel_shape")) {
            (Some(stored), _) => stored.dims.len().saturating_sub(2),
            (None, window) => window.map_or(2, <[i64]>::len),
        };
        let Padding::Explicit { begin, end } = padding(apply, rank)? else {
            return Err(apply.fault("auto_pad is not supported"));
        };
        if apply.has("output_shape") {
            return Err(apply.fault("output_shape is not supported"));
        }
        let op = ConvTranspose {
            stride: apply.steps("strides", rank)?,
            dilation: apply.steps("dilations", rank)?,
            begin,
            end,
            output_padding: apply
                .sizes("output_padding")?
                .unwrap_or_else(|| vec![0; rank]),
            groups: apply.size("group", 1)?.max(1),
        };
        let bias = apply.optional(2).map(|bias| self.weight(bias));
        let inputs = vec![Some(self.first(apply)?), Some(self.weight(weight)), bias];
        flows(self.emit_all(apply, Op::ConvTranspose(op), inputs, 1))
    }

    fn gemm(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let op = Gemm {
            alpha: apply.float("alpha", 1.0),
            beta: apply.float("beta", 1.0),
            transpose_a: apply.flag("transA"),
            transpose_b: apply.flag("transB"),
        };
        let (a, b) = (apply.input(0)?, apply.input(1)?);
        let c = apply.optional(2);
        // As torch.nn.Linear exports it: weights [out, in], a bias for each output.
        let outputs = b.stored().and_then(|weight| weight.dims.first());
        let is_bias = |c: &Value| {
            c.stored()
                .is_some_and(|bias| bias.dims.len() == 1 && bias.dims.first() == outputs)
        };
        #[expect(clippy::float_cmp, reason = "exactly the defaults")]
        let plain = op.alpha == 1.0
            && op.beta == 1.0
            && !op.transpose_a
            && op.transpose_b
            && a.stored().is_none();
        let op = if plain && outputs.is_some() && c.is_none_or(is_bias) {
            Op::Linear
        } else {
            Op::Gemm(op)
        };
        let inputs = vec![
            Some(self.weight(a)),
            Some(self.weight(b)),
            c.map(|c| self.weight(c)),
        ];
        flows(self.emit_all(apply, op, inputs, 1))
    }

    fn lstm(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let unusual = ["activations", "activation_alpha", "activation_beta", "clip"]
            .into_iter()
            .find(|name| apply.has(name));
        let unusual = unusual.or_else(|| {
            ["layout", "input_forget"]
                .into_iter()
                .find(|name| apply.flag(name))
        });
        if let Some(name) = unusual {
            return Err(apply.fault(format!("{name} is not supported")));
        }
        for (index, name) in [(4, "sequence_lens"), (7, "P")] {
            if apply.optional(index).is_some() {
                return Err(apply.fault(format!("{name} is not supported")));
            }
        }
        let op = Lstm {
            hidden: apply.size("hidden_size", 0)?,
            direction: match apply.text("direction")?.unwrap_or("forward") {
                "forward" => Direction::Forward,
                "reverse" => Direction::Reverse,
                "bidirectional" => Direction::Both,
                other => return Err(apply.fault(format!("direction {other:?} is unknown"))),
            },
        };
        let weights =
            [1, 2, 3].map(|index| apply.optional(index).map(|weight| self.weight(weight)));
        let states = [5, 6].map(|index| self.optional(apply, index));
        let inputs = [
            vec![Some(self.first(apply)?)],
            weights.to_vec(),
            states.to_vec(),
        ]
        .concat();
        flows(self.emit_all(apply, Op::Lstm(op), inputs, 3))
    }

    fn batch_norm(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        // Before opset 14 training mode was asked for by naming the statistics among the outputs.
        if apply.flag("training_mode")
            || (apply.opset < 14 && apply.outputs.iter().skip(1).any(|name| !name.is_empty()))
        {
            self.in_training_mode.insert(apply.name.clone());
        }
        let op = BatchNorm {
            epsilon: apply.float("epsilon", 1e-5),
            momentum: 1.0 - apply.float("momentum", 0.9),
        };
        let mut inputs = self.scaled(apply)?;
        for index in [3, 4] {
            inputs.push(Some(self.buffer(apply.input(index)?)));
        }
        let normalised = self.emit_all(apply, Op::BatchNorm(op), inputs.clone(), 1)[0];
        // In inference mode the statistics come out as they went in.
        Ok(Some(
            [Some(normalised), inputs[3], inputs[4]]
                .into_iter()
                .flatten()
                .map(Value::Flow)
                .collect(),
        ))
    }

    /// Y, and where a node asks for them the mean and 1/√(variance + ε) over the dimensions from `axis` on.
    fn layer_norm(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let (axis, epsilon) = (apply.int("axis", -1), apply.float("epsilon", 1e-5));
        let inputs = self.scaled(apply)?;
        let x = self.first(apply)?;
        let mut results = self.emit_all(apply, Op::LayerNorm { axis, epsilon }, inputs, 1);
        if apply.outputs.len() > 1 {
            let rows = self.emit(apply, Op::Flatten { axis }, &[x]);
            let last = self.integers(apply, "last", &[-1]);
            let mean_of = Op::Reduce(Reduce {
                kind: Reduction::Mean,
                keep_dims: true,
                noop_without_axes: false,
            });
            let mean = self.emit(apply, mean_of.clone(), &[rows, last]);
            let centred = self.emit(apply, Op::Binary(Binary::Sub), &[rows, mean]);
            let squares = self.emit(apply, Op::Binary(Binary::Mul), &[centred, centred]);
            let variance = self.emit(apply, mean_of, &[squares, last]);
            let epsilon = self.float(apply, "epsilon", epsilon);
            let variance = self.emit(apply, Op::Binary(Binary::Add), &[variance, epsilon]);
            let deviation = self.emit(apply, Op::Unary(Unary::Sqrt), &[variance]);
            let inverse = self.emit(apply, Op::Unary(Unary::Reciprocal), &[deviation]);
            // x's shape with 1 for each dimension from `axis` on.
            let before = self.emit(
                apply,
                Op::Shape {
                    start: 0,
                    end: Some(axis),
                },
                &[x],
            );
            let after = self.emit(
                apply,
                Op::Shape {
                    start: axis,
                    end: None,
                },
                &[x],
            );
            let ones = self.emit(apply, Op::Binary(Binary::Div), &[after, after]);
            let shape = self.emit(apply, Op::Concat { axis: 0 }, &[before, ones]);
            for statistic in [mean, inverse] {
                results.push(self.emit(
                    apply,
                    Op::Reshape { allow_zero: false },
                    &[statistic, shape],
                ));
            }
        }
        flows(results)
    }

    fn group_norm(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let groups = apply.size("num_groups", 0)?;
        if groups == 0 {
            return Err(apply.fault("num_groups is missing"));
        }
        let mut inputs = self.scaled(apply)?;
        if apply.opset < 21 {
            // Scale and shift came for each group; each channel gets its group's.
            let x = self.first(apply)?;
            let channels = self.emit(
                apply,
                Op::Shape {
                    start: 1,
                    end: Some(2),
                },
                &[x],
            );
            let count = self.integers(
                apply,
                "groups",
                &[i64::try_from(groups).unwrap_or(i64::MAX)],
            );
            let per_group = self.emit(apply, Op::Binary(Binary::Div), &[channels, count]);
            let shape = self.emit(apply, Op::Concat { axis: 0 }, &[count, per_group]);
            let (last, flat) = (
                self.integers(apply, "axes", &[1]),
                self.integers(apply, "flat", &[-1]),
            );
            for input in inputs.iter_mut().skip(1).flatten() {
                let column = self.emit(apply, Op::Unsqueeze, &[*input, last]);
                let matrix = self.emit(apply, Op::Expand, &[column, shape]);
                *input = self.emit(apply, Op::Reshape { allow_zero: false }, &[matrix, flat]);
            }
        }
        flows(self.emit_all(
            apply,
            Op::GroupNorm {
                groups,
                epsilon: apply.float("epsilon", 1e-5),
            },
            inputs,
            1,
        ))
    }

    fn pool(&mut self, apply: &Apply<'_>, kind: PoolKind) -> Result<Option<Vec<Value>>> {
        let window = apply
            .sizes("kernel_shape")?
            .ok_or_else(|| apply.fault("kernel_shape is missing"))?;
        let rank = window.len();
        if rank == 0 || window.contains(&0) {
            return Err(apply.fault(format!("kernel_shape is {window:?}")));
        }
        let pool = Pool {
            kind,
            stride: apply.steps("strides", rank)?,
            dilation: apply.steps("dilations", rank)?,
            padding: padding(apply, rank)?,
            ceil_mode: apply.flag("ceil_mode"),
            count_include_pad: apply.flag("count_include_pad"),
            window,
        };
        let x = self.first(apply)?;
        let mut results = vec![self.emit(apply, Op::Pool(pool.clone()), &[x])];
        if kind == PoolKind::Max && apply.outputs.len() > 1 {
            let positions = MaxPoolPositions {
                pool,
                first_fastest: apply.flag("storage_order"),
            };
            results.push(self.emit(apply, Op::MaxPoolPositions(positions), &[x]));
        }
        flows(results)
    }

    fn global_pool(&mut self, apply: &Apply<'_>, kind: PoolKind) -> Result<Option<Vec<Value>>> {
        let x = self.first(apply)?;
        flow(self.emit(apply, Op::GlobalPool(kind), &[x]))
    }

    fn dropout(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let constant = |index| apply.optional(index).and_then(Value::stored);
        let ratio = constant(1).and_then(|ratio| ratio.to_f32().first().copied());
        let ratio = ratio.map_or_else(|| apply.float("ratio", 0.5), f64::from);
        if constant(2).is_some_and(|training| training.to_i64().contains(&1)) {
            self.in_training_mode.insert(apply.name.clone());
        }
        let x = self.first(apply)?;
        let mut results = vec![self.emit(apply, Op::Dropout { ratio }, &[x])];
        if apply.outputs.len() > 1 {
            let shape = self.shape_of(apply, x);
            results.push(self.emit(apply, Op::ConstantOfShape(Scalar::Bool(true)), &[shape]));
        }
        flows(results)
    }
}

/// The attributes of a convolution with `weight`.
pub(super) fn convolution_op(apply: &Apply<'_>, weight: &Value) -> Result<Op> {
    let rank = match (weight.stored(), apply.ints("kernel_shape")) {
        (Some(stored), _) => stored.dims.len().saturating_sub(2),
        (None, Some(window)) => window.len(),
        (None, None) => 2,
    };
    if rank == 0 {
        return Err(apply.fault("its weights have no spatial dimension"));
    }
    Ok(Op::Convolution(Convolution {
        stride: apply.steps("strides", rank)?,
        dilation: apply.steps("dilations", rank)?,
        padding: padding(apply, rank)?,
        groups: apply.size("group", 1)?.max(1),
    }))
}

/// Whether an exporter multiplied a batch normalisation into these weights, by the names that it gives them then:
/// PyTorch's exporter `conv1.weight_bias` (a bias of the layer's own is `conv1.bias`), its older one `onnx::Conv_123`,
/// tf2onnx `…/convolution/merged_input:0`.
fn holds_batch_norm(weight: &Value, bias: Option<&Value>) -> bool {
    let name = |value: &Value| value.stored().map(|stored| stored.name.clone());
    let Some(weight) = name(weight) else {
        return false;
    };
    let with_bias = bias.and_then(name).is_some_and(|bias| {
        bias.strip_suffix("_bias") == Some(&weight) || weight.starts_with("onnx::Conv_")
    });
    with_bias || weight.ends_with("/merged_input:0")
}

/// `auto_pad` and `pads` of a convolution or a pooling.
fn padding(apply: &Apply<'_>, rank: usize) -> Result<Padding> {
    match apply.text("auto_pad")?.unwrap_or("NOTSET") {
        "SAME_UPPER" => Ok(Padding::SameUpper),
        "SAME_LOWER" => Ok(Padding::SameLower),
        "VALID" => Ok(Padding::Explicit {
            begin: vec![0; rank],
            end: vec![0; rank],
        }),
        "NOTSET" | "" => {
            let pads = apply.sizes("pads")?.unwrap_or_else(|| vec![0; 2 * rank]);
            if pads.len() != 2 * rank {
                return Err(apply.fault(format!("pads is {pads:?}; expected {} numbers", 2 * rank)));
            }
            Ok(Padding::Explicit {
                begin: pads[..rank].to_vec(),
                end: pads[rank..].to_vec(),
            })
        }
        other => Err(apply.fault(format!("auto_pad {other:?} is unknown"))),
    }
}
