//! Shapes, indices, constants: where numbers go.

use super::{Apply, Importer, Result, Value, flow, flows};
use crate::{
    Combine, DepthToSpaceMode, ElementType, Elements, KeepAspect, Op, PadMode, Resize,
    ResizeCoordinates, ResizeMode, ResizeRounding, Scalar, ValueId,
    onnx::{OnnxError, Stored, error::shown},
};

impl Importer<'_> {
    pub(super) fn arrangement(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let axis = apply.int("axis", 0);
        let op = match apply.operator {
            "Constant" => return Ok(Some(vec![self.constant(apply)?])),
            "Split" => return self.split(apply),
            "Slice" => return self.slice(apply),
            "Pad" => return self.pad(apply),
            "Resize" | "Upsample" => return self.resize(apply),
            "ConstantOfShape" => return self.constant_of_shape(apply),
            "Squeeze" => return self.with_axes(apply, Op::Squeeze),
            "Unsqueeze" => return self.with_axes(apply, Op::Unsqueeze),
            "Concat" => Op::Concat { axis },
            "Gather" => Op::Gather { axis },
            "GatherElements" => Op::GatherElements { axis },
            "ScatterElements" | "Scatter" => Op::ScatterElements {
                axis,
                combine: combine(apply)?,
            },
            "ScatterND" => Op::ScatterNd(combine(apply)?),
            "Trilu" => Op::Trilu {
                upper: apply.int("upper", 1) != 0,
            },
            "GatherND" => Op::GatherNd {
                batch_dims: apply.size("batch_dims", 0)?,
            },
            "Reshape" => Op::Reshape {
                allow_zero: apply.flag("allowzero"),
            },
            "Flatten" => Op::Flatten {
                axis: apply.int("axis", 1),
            },
            "Transpose" => Op::Transpose {
                permutation: apply.sizes("perm")?.unwrap_or_default(),
            },
            "Expand" => Op::Expand,
            "Tile" => Op::Tile,
            "Range" => Op::Range,
            "Shape" => Op::Shape {
                start: apply.int("start", 0),
                end: apply.has("end").then(|| apply.int("end", 0)),
            },
            "Size" => Op::Size,
            "Col2Im" => {
                let sizes = |name| Ok::<_, OnnxError>(apply.sizes(name)?.unwrap_or_default());
                Op::Col2Im {
                    dilations: sizes("dilations")?,
                    pads: sizes("pads")?,
                    strides: sizes("strides")?,
                }
            }
            "DepthToSpace" => Op::DepthToSpace {
                block: apply.size("blocksize", 0)?,
                mode: match apply.text("mode")?.unwrap_or("DCR") {
                    "DCR" => DepthToSpaceMode::Dcr,
                    "CRD" => DepthToSpaceMode::Crd,
                    other => return Err(apply.fault(format!("mode {other:?} is unknown"))),
                },
            },
            "SpaceToDepth" => Op::SpaceToDepth {
                block: apply.size("blocksize", 0)?,
            },
            _ => return Ok(None),
        };
        let inputs = self.ids(apply);
        flows(self.emit_all(apply, op, inputs, 1))
    }

    fn constant(&self, apply: &Apply<'_>) -> Result<Value> {
        let stored = if let Some(tensor) = apply.tensor("value") {
            Stored::read(tensor, self.side_files)?
        } else if let Some(values) = apply.ints("value_ints") {
            Stored::integers(values)
        } else if let Some(values) = apply.floats("value_floats") {
            Stored::floats(values)
        } else if apply.has("value_int") {
            Stored::integers(&[apply.int("value_int", 0)]).scalar()
        } else if let Some(value) = apply
            .attributes
            .get("value_float")
            .and_then(|attribute| attribute.f)
        {
            Stored::floats(&[value]).scalar()
        } else {
            return Err(apply.fault("it has no value of a supported kind"));
        };
        Ok(Value::constant(stored.named(&apply.name)))
    }

    fn constant_of_shape(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let (element, scalar) = match apply.tensor("value") {
            None => (ElementType::F32, Some(Scalar::Float(0.0))),
            Some(value) => {
                let stored = Stored::read(value, self.side_files)?;
                let scalar = match stored.literal().elements {
                    Elements::Float(values) => {
                        values.first().map(|&value| Scalar::Float(value.into()))
                    }
                    Elements::Integer(values) => {
                        values.first().map(|&value| Scalar::Integer(value))
                    }
                    Elements::Bool(values) => values.first().map(|&value| Scalar::Bool(value)),
                };
                (stored.element, scalar)
            }
        };
        let scalar = scalar.ok_or_else(|| apply.fault("its value is empty"))?;
        let shape = self.first(apply)?;
        let filled = self.emit(apply, Op::ConstantOfShape(scalar), &[shape]);
        self.types.set(filled, element);
        flow(filled)
    }

    fn with_axes(&mut self, apply: &Apply<'_>, op: Op) -> Result<Option<Vec<Value>>> {
        let inputs = vec![Some(self.first(apply)?), self.moved(apply, "axes", 1)];
        flows(self.emit_all(apply, op, inputs, 1))
    }

    fn split(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let inputs = vec![Some(self.first(apply)?), self.moved(apply, "split", 1)];
        let parts = apply.size("num_outputs", apply.outputs.len())?;
        if parts != apply.outputs.len() {
            return Err(apply.fault(format!(
                "num_outputs is {parts}, but it has {} outputs",
                apply.outputs.len()
            )));
        }
        flows(self.emit_all(
            apply,
            Op::Split {
                axis: apply.int("axis", 0),
            },
            inputs,
            parts,
        ))
    }

    fn slice(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let mut inputs = vec![Some(self.first(apply)?)];
        for (index, name) in [(1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")] {
            inputs.push(self.moved(apply, name, index));
        }
        flows(self.emit_all(apply, Op::Slice, inputs, 1))
    }

    fn pad(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        let mode = match apply.text("mode")?.unwrap_or("constant") {
            "constant" => PadMode::Constant,
            "reflect" => PadMode::Reflect,
            "edge" => PadMode::Edge,
            "wrap" => PadMode::Wrap,
            other => return Err(apply.fault(format!("mode {other:?} is unknown"))),
        };
        let value = if apply.has("value") {
            Some(self.float(apply, "value", apply.float("value", 0.0)))
        } else {
            self.optional(apply, 2)
        };
        let inputs = vec![
            Some(self.first(apply)?),
            self.moved(apply, "pads", 1),
            value,
            self.optional(apply, 3),
        ];
        flows(self.emit_all(apply, Op::Pad(mode), inputs, 1))
    }

    fn resize(&mut self, apply: &Apply<'_>) -> Result<Option<Vec<Value>>> {
        // Opset 10's Resize, and Upsample before it, took scales only and knew one way to place pixels.
        let early = apply.operator == "Upsample" || apply.opset < 11;
        let (coordinates, rounding) = if early {
            ("asymmetric", "floor")
        } else {
            ("half_pixel", "round_prefer_floor")
        };
        let op = Op::Resize(Resize {
            mode: match apply.text("mode")?.unwrap_or("nearest") {
                "nearest" => ResizeMode::Nearest,
                "linear" | "bilinear" => ResizeMode::Linear,
                "cubic" => ResizeMode::Cubic,
                other => return Err(apply.fault(format!("mode {other:?} is unknown"))),
            },
            coordinates: match apply
                .text("coordinate_transformation_mode")?
                .unwrap_or(coordinates)
            {
                "half_pixel" => ResizeCoordinates::HalfPixel,
                "half_pixel_symmetric" => ResizeCoordinates::HalfPixelSymmetric,
                "pytorch_half_pixel" => ResizeCoordinates::PytorchHalfPixel,
                "align_corners" => ResizeCoordinates::AlignCorners,
                "asymmetric" => ResizeCoordinates::Asymmetric,
                "tf_crop_and_resize" => ResizeCoordinates::TfCropAndResize,
                other => {
                    return Err(apply.fault(format!(
                        "coordinate_transformation_mode {:?} is not supported",
                        shown(other)
                    )));
                }
            },
            rounding: match apply.text("nearest_mode")?.unwrap_or(rounding) {
                "round_prefer_floor" => ResizeRounding::RoundPreferFloor,
                "round_prefer_ceil" => ResizeRounding::RoundPreferCeil,
                "floor" => ResizeRounding::Floor,
                "ceil" => ResizeRounding::Ceil,
                other => return Err(apply.fault(format!("nearest_mode {other:?} is unknown"))),
            },
            antialias: apply.flag("antialias"),
            cubic_a: apply.float("cubic_coeff_a", -0.75),
            exclude_outside: apply.flag("exclude_outside"),
            extrapolation_value: apply.float("extrapolation_value", 0.0),
            axes: apply.ints("axes").map(<[i64]>::to_vec),
            keep_aspect: match apply.text("keep_aspect_ratio_policy")?.unwrap_or("stretch") {
                "stretch" => KeepAspect::Stretch,
                "not_larger" => KeepAspect::NotLarger,
                "not_smaller" => KeepAspect::NotSmaller,
                other => {
                    return Err(
                        apply.fault(format!("keep_aspect_ratio_policy {other:?} is unknown"))
                    );
                }
            },
        });
        let x = Some(self.first(apply)?);
        let inputs = if !early {
            vec![
                x,
                self.present(apply, 1),
                self.present(apply, 2),
                self.present(apply, 3),
            ]
        } else if let Some(scales) = apply.floats("scales") {
            let scales =
                Value::constant(Stored::floats(scales).named(&format!("{}/scales", apply.name)));
            vec![x, None, Some(self.id(&scales))]
        } else {
            vec![x, None, Some(self.operand(apply, 1)?)]
        };
        flows(self.emit_all(apply, op, inputs, 1))
    }

    /// An input of `Resize`, which exporters also leave out by giving an empty tensor.
    fn present(&mut self, apply: &Apply<'_>, index: usize) -> Option<ValueId> {
        let value = apply.optional(index)?;
        let empty = value.stored().is_some_and(Stored::is_empty);
        (!empty).then(|| self.id(value))
    }
}

fn combine(apply: &Apply<'_>) -> Result<Combine> {
    Ok(match apply.text("reduction")?.unwrap_or("none") {
        "none" => Combine::Replace,
        "add" => Combine::Add,
        "mul" => Combine::Multiply,
        "max" => Combine::Max,
        "min" => Combine::Min,
        other => return Err(apply.fault(format!("reduction {other:?} is unknown"))),
    })
}
