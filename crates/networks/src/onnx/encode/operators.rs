//! Each operator's name and attributes in ONNX.

use super::{
    Encoder, OnnxError, Result, data_type, flag, float, int, ints, of_literal, raw, sizes, text,
};
use crate::{
    Binary, Combine, DepthToSpaceMode, Direction, KeepAspect, Literal, Node, Op, PadMode, Padding,
    Pool, PoolKind, Resize, ResizeCoordinates, ResizeMode, ResizeRounding, Scalar,
    onnx::proto::{AttributeProto, attribute_proto::AttributeType, tensor_proto::DataType},
};

impl Encoder {
    /// Adds a node without its fused activation.
    pub(super) fn operator(&mut self, node: &Node, outputs: Vec<String>) -> Result<()> {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| input.map(|input| self.name(input)).unwrap_or_default())
            .collect();
        let attributes = match &node.op {
            Op::Constant(literal) => {
                self.initializers.push(of_literal(&outputs[0], literal));
                return Ok(());
            }
            Op::Activation(activation) => {
                let (x, y) = (inputs[0].clone(), outputs[0].clone());
                self.activation(&node.name, *activation, x, y);
                return Ok(());
            }
            Op::Linear => {
                self.linear(node, inputs, outputs);
                return Ok(());
            }
            Op::AdaptiveAveragePool { output } => {
                return self.adaptive_pool(node, output, inputs, outputs);
            }
            Op::MaxPoolPositions(positions) => {
                let unused = format!("{}/values", node.name);
                let attributes = [
                    pool(&positions.pool),
                    vec![flag("storage_order", positions.first_fastest)],
                ]
                .concat();
                self.push(
                    &node.name,
                    "MaxPool",
                    inputs,
                    vec![unused, outputs[0].clone()],
                    attributes,
                );
                return Ok(());
            }
            Op::Lstm(lstm) => {
                // Sequence lengths, which nothing here has, come between the weights and the states.
                let mut inputs = inputs;
                if inputs.len() > 4 {
                    inputs.insert(4, String::new());
                }
                let direction = match lstm.direction {
                    Direction::Forward => "forward",
                    Direction::Reverse => "reverse",
                    Direction::Both => "bidirectional",
                };
                let attributes = vec![
                    int("hidden_size", super::signed(lstm.hidden)),
                    text("direction", direction),
                ];
                self.push(&node.name, "LSTM", inputs, outputs, attributes);
                return Ok(());
            }
            Op::Dropout { .. } => {
                // In inference mode, whatever the ratio.
                self.push(
                    &node.name,
                    "Dropout",
                    vec![inputs[0].clone()],
                    outputs,
                    Vec::new(),
                );
                return Ok(());
            }
            op => attributes(op, outputs.len()),
        };
        self.push(&node.name, node.op.name(), inputs, outputs, attributes);
        Ok(())
    }

    /// On a matrix ONNX's `Gemm`; else a product with the transposed weight.
    fn linear(&mut self, node: &Node, inputs: Vec<String>, outputs: Vec<String>) {
        let rank = node.inputs[0].map_or(0, |x| self.shapes.of(x).len());
        if rank == 2 {
            self.push(&node.name, "Gemm", inputs, outputs, vec![int("transB", 1)]);
            return;
        }
        let transposed = format!("{}/transposed", node.name);
        let weight = vec![inputs[1].clone()];
        self.push(
            &transposed,
            "Transpose",
            weight,
            vec![transposed.clone()],
            vec![ints("perm", [1, 0])],
        );
        let Some(bias) = inputs.get(2) else {
            self.push(
                &node.name,
                "MatMul",
                vec![inputs[0].clone(), transposed],
                outputs,
                Vec::new(),
            );
            return;
        };
        let product = format!("{}/product", node.name);
        self.push(
            &product,
            "MatMul",
            vec![inputs[0].clone(), transposed],
            vec![product.clone()],
            Vec::new(),
        );
        self.push(
            &node.name,
            "Add",
            vec![product, bias.clone()],
            outputs,
            Vec::new(),
        );
    }

    /// ONNX has pooling to one pixel and pooling with equal windows.
    fn adaptive_pool(
        &mut self,
        node: &Node,
        output: &[usize],
        inputs: Vec<String>,
        outputs: Vec<String>,
    ) -> Result<()> {
        let spatial = node.inputs[0]
            .map(|x| self.shapes.of(x)[2..].to_vec())
            .unwrap_or_default();
        if output.iter().all(|&length| length == 1) {
            self.push(&node.name, "GlobalAveragePool", inputs, outputs, Vec::new());
            return Ok(());
        }
        if spatial.iter().zip(output).any(|(from, to)| from % to != 0) {
            return Err(OnnxError::Node {
                node: node.name.clone(),
                operator: node.op.name().into(),
                detail: format!("ONNX has no adaptive pooling of {spatial:?} to {output:?}"),
            });
        }
        let window: Vec<usize> = spatial
            .iter()
            .zip(output)
            .map(|(from, to)| from / to)
            .collect();
        let attributes = vec![sizes("kernel_shape", &window), sizes("strides", &window)];
        self.push(&node.name, "AveragePool", inputs, outputs, attributes);
        Ok(())
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each operator")]
fn attributes(op: &Op, outputs: usize) -> Vec<AttributeProto> {
    match op {
        Op::Convolution(attributes) => [
            vec![
                sizes("strides", &attributes.stride),
                sizes("dilations", &attributes.dilation),
                int("group", super::signed(attributes.groups)),
            ],
            padding(&attributes.padding),
        ]
        .concat(),
        Op::ConvTranspose(attributes) => vec![
            sizes("strides", &attributes.stride),
            sizes("dilations", &attributes.dilation),
            sizes(
                "pads",
                &[attributes.begin.as_slice(), &attributes.end].concat(),
            ),
            sizes("output_padding", &attributes.output_padding),
            int("group", super::signed(attributes.groups)),
        ],
        Op::Gemm(attributes) => vec![
            float("alpha", attributes.alpha),
            float("beta", attributes.beta),
            flag("transA", attributes.transpose_a),
            flag("transB", attributes.transpose_b),
        ],
        Op::Einsum { equation } => vec![text("equation", equation)],
        Op::BatchNorm(attributes) => {
            vec![
                float("epsilon", attributes.epsilon),
                float("momentum", 1.0 - attributes.momentum),
            ]
        }
        Op::InstanceNorm { epsilon } => vec![float("epsilon", *epsilon)],
        Op::LayerNorm { axis, epsilon } => vec![int("axis", *axis), float("epsilon", *epsilon)],
        Op::GroupNorm { groups, epsilon } => {
            vec![
                int("num_groups", super::signed(*groups)),
                float("epsilon", *epsilon),
            ]
        }
        Op::LocalResponseNorm(attributes) => vec![
            int("size", super::signed(attributes.size)),
            float("alpha", attributes.alpha),
            float("beta", attributes.beta),
            float("bias", attributes.bias),
        ],
        Op::Pool(attributes) => pool(attributes),
        Op::Binary(Binary::Fmod) => vec![int("fmod", 1)],
        Op::Binary(Binary::ShiftLeft) => vec![text("direction", "LEFT")],
        Op::Binary(Binary::ShiftRight) => vec![text("direction", "RIGHT")],
        Op::Cast { to } => vec![int("to", data_type(*to) as i64)],
        Op::QuantizeLinear { axis, block, to } => {
            let mut attributes = quantisation(*axis, *block);
            attributes.push(int("output_dtype", data_type(*to) as i64));
            attributes
        }
        Op::Reduce(attributes) => vec![
            flag("keepdims", attributes.keep_dims),
            flag("noop_with_empty_axes", attributes.noop_without_axes),
        ],
        Op::ArgMax(attributes) => vec![
            int("axis", attributes.axis),
            flag("keepdims", attributes.keep_dims),
            flag("select_last_index", attributes.select_last),
        ],
        Op::TopK {
            axis,
            largest,
            sorted,
        } => {
            vec![
                int("axis", *axis),
                flag("largest", *largest),
                flag("sorted", *sorted),
            ]
        }
        Op::CumSum { exclusive, reverse } => {
            vec![flag("exclusive", *exclusive), flag("reverse", *reverse)]
        }
        Op::Split { axis } => vec![
            int("axis", *axis),
            int("num_outputs", super::signed(outputs)),
        ],
        Op::Softmax { axis }
        | Op::LogSoftmax { axis }
        | Op::Concat { axis }
        | Op::Gather { axis }
        | Op::GatherElements { axis }
        | Op::Flatten { axis } => vec![int("axis", *axis)],
        Op::DequantizeLinear { axis, block } => quantisation(*axis, *block),
        Op::GatherNd { batch_dims } => vec![int("batch_dims", super::signed(*batch_dims))],
        Op::ScatterElements { axis, combine } => {
            vec![int("axis", *axis), text("reduction", reduction(*combine))]
        }
        Op::ScatterNd(combine) => vec![text("reduction", reduction(*combine))],
        Op::Trilu { upper } => vec![flag("upper", *upper)],
        Op::Reshape { allow_zero } => vec![flag("allowzero", *allow_zero)],
        Op::Transpose { permutation } if !permutation.is_empty() => {
            vec![sizes("perm", permutation)]
        }
        Op::Pad(mode) => vec![text(
            "mode",
            match mode {
                PadMode::Constant => "constant",
                PadMode::Reflect => "reflect",
                PadMode::Edge => "edge",
                PadMode::Wrap => "wrap",
            },
        )],
        Op::Resize(attributes) => resize(attributes),
        Op::Col2Im {
            dilations,
            pads,
            strides,
        } => vec![
            sizes("dilations", dilations),
            sizes("pads", pads),
            sizes("strides", strides),
        ]
        .into_iter()
        .filter(|attribute| !attribute.ints.is_empty())
        .collect(),
        Op::DepthToSpace { block, mode } => vec![
            int("blocksize", super::signed(*block)),
            text(
                "mode",
                if *mode == DepthToSpaceMode::Dcr {
                    "DCR"
                } else {
                    "CRD"
                },
            ),
        ],
        Op::SpaceToDepth { block } => vec![int("blocksize", super::signed(*block))],
        Op::ConstantOfShape(value) => vec![fill(*value)],
        Op::Shape { start, end } => [Some(int("start", *start)), end.map(|end| int("end", end))]
            .into_iter()
            .flatten()
            .collect(),
        _ => Vec::new(),
    }
}

fn padding(padding: &Padding) -> Vec<AttributeProto> {
    match padding {
        Padding::Explicit { begin, end } => vec![sizes("pads", &[begin.as_slice(), end].concat())],
        Padding::SameUpper => vec![text("auto_pad", "SAME_UPPER")],
        Padding::SameLower => vec![text("auto_pad", "SAME_LOWER")],
    }
}

fn pool(attributes: &Pool) -> Vec<AttributeProto> {
    let mut of_both = vec![
        sizes("kernel_shape", &attributes.window),
        sizes("strides", &attributes.stride),
        sizes("dilations", &attributes.dilation),
        flag("ceil_mode", attributes.ceil_mode),
    ];
    if attributes.kind == PoolKind::Average {
        of_both.push(flag("count_include_pad", attributes.count_include_pad));
    }
    [of_both, padding(&attributes.padding)].concat()
}

fn quantisation(axis: i64, block: usize) -> Vec<AttributeProto> {
    let mut attributes = vec![int("axis", axis)];
    // Files before opset 21 know no blocks.
    if block != 0 {
        attributes.push(int("block_size", super::signed(block)));
    }
    attributes
}

fn reduction(combine: Combine) -> &'static str {
    match combine {
        Combine::Replace => "none",
        Combine::Add => "add",
        Combine::Multiply => "mul",
        Combine::Max => "max",
        Combine::Min => "min",
    }
}

fn resize(attributes: &Resize) -> Vec<AttributeProto> {
    let mode = match attributes.mode {
        ResizeMode::Nearest => "nearest",
        ResizeMode::Linear => "linear",
        ResizeMode::Cubic => "cubic",
    };
    let coordinates = match attributes.coordinates {
        ResizeCoordinates::HalfPixel => "half_pixel",
        ResizeCoordinates::HalfPixelSymmetric => "half_pixel_symmetric",
        ResizeCoordinates::PytorchHalfPixel => "pytorch_half_pixel",
        ResizeCoordinates::AlignCorners => "align_corners",
        ResizeCoordinates::Asymmetric => "asymmetric",
        ResizeCoordinates::TfCropAndResize => "tf_crop_and_resize",
    };
    let rounding = match attributes.rounding {
        ResizeRounding::RoundPreferFloor => "round_prefer_floor",
        ResizeRounding::RoundPreferCeil => "round_prefer_ceil",
        ResizeRounding::Floor => "floor",
        ResizeRounding::Ceil => "ceil",
    };
    let policy = match attributes.keep_aspect {
        KeepAspect::Stretch => "stretch",
        KeepAspect::NotLarger => "not_larger",
        KeepAspect::NotSmaller => "not_smaller",
    };
    let mut all = vec![
        text("mode", mode),
        text("coordinate_transformation_mode", coordinates),
        text("nearest_mode", rounding),
        flag("antialias", attributes.antialias),
        float("cubic_coeff_a", attributes.cubic_a),
        flag("exclude_outside", attributes.exclude_outside),
        float("extrapolation_value", attributes.extrapolation_value),
        text("keep_aspect_ratio_policy", policy),
    ];
    if let Some(axes) = &attributes.axes {
        all.push(ints("axes", axes.iter().copied()));
    }
    all
}

/// `ConstantOfShape`'s value: a tensor of one element.
fn fill(value: Scalar) -> AttributeProto {
    #[expect(clippy::cast_possible_truncation, reason = "the run's precision")]
    let tensor = match value {
        Scalar::Float(value) => of_literal("", &Literal::floats(vec![1], vec![value as f32])),
        Scalar::Integer(value) => of_literal("", &Literal::integers(vec![value])),
        Scalar::Bool(value) => raw("", DataType::Bool, &[1], vec![u8::from(value)]),
    };
    AttributeProto {
        t: Some(tensor),
        ..super::attribute("value", AttributeType::Tensor)
    }
}
