//! Which of ONNX's element types each value has. A run stores every integer in 64 bits: here what leaves the range of its own type
//! is brought back as ONNX Runtime does it, by wrapping, and by saturating where numbers are reduced.

use std::collections::HashMap;

use super::{Apply, Importer, Value};
use crate::{
    Binary, Combine, ElementType, Elements, Literal, Node, Op, Reduction, ResizeMode, Scalar,
    Unary, ValueId,
};

/// The types of the growing network's values, as far as they are known.
#[derive(Default)]
pub(super) struct Types(HashMap<ValueId, ElementType>);

impl Types {
    pub fn set(&mut self, value: ValueId, element: ElementType) {
        self.0.insert(value, element);
    }
}

/// What becomes of a result that is too large for its type.
enum Beyond {
    Wraps,
    Saturates,
}

impl Importer<'_> {
    /// The element type of a value, where it is known.
    pub(super) fn element_of(&self, value: ValueId) -> Option<ElementType> {
        let known = self.types.0.get(&value).copied();
        known.or_else(|| match &self.builder.computing(value)?.op {
            Op::Constant(literal) => Some(of_literal(literal)),
            _ => None,
        })
    }

    /// The same of what a name in the file stands for.
    pub(super) fn element(&self, value: &Value) -> Option<ElementType> {
        match value {
            Value::Constant(constant) => Some(constant.stored.element),
            Value::Flow(id) => self.element_of(*id),
            Value::Sequence(_) => None,
        }
    }

    /// Notes the types that the node added last gives its results.
    pub(super) fn follow_types(&mut self) {
        let Some(node) = self.builder.last_node() else {
            return;
        };
        let of = |index: usize| self.element_of(node.inputs.get(index).copied().flatten()?);
        let results: Vec<(ValueId, ElementType)> = (0..)
            .zip(&node.outputs)
            .filter_map(|(place, output)| Some((*output, result(&node.op, place, of)?)))
            .collect();
        self.types.0.extend(results);
    }

    /// The node's results within the ranges of their types.
    pub(super) fn within_range(
        &mut self,
        apply: &Apply<'_>,
        outputs: Vec<ValueId>,
    ) -> Vec<ValueId> {
        let beyond = self.builder.last_node().and_then(beyond);
        let range = outputs.first().and_then(|output| {
            let element = self.element_of(*output)?;
            Some((element, range(element)?))
        });
        match (beyond, range, outputs.as_slice()) {
            (Some(Beyond::Wraps), Some((to, _)), [result]) => {
                self.push(apply, Op::Cast { to }, vec![Some(*result)], 1)
            }
            (Some(Beyond::Saturates), Some((element, (least, most))), [result]) => {
                let mut result = *result;
                for (op, bound) in [(Binary::Max, least), (Binary::Min, most)] {
                    let bound = self
                        .builder
                        .constant(&format!("{}/bound", apply.name), Literal::integer(bound));
                    self.types.set(bound, element);
                    let bounded = vec![Some(result), Some(bound)];
                    result = self.push(apply, Op::Binary(op), bounded, 1)[0];
                }
                vec![result]
            }
            _ => outputs,
        }
    }
}

/// The least and the greatest number of an integer type that is narrower than what a run stores.
fn range(element: ElementType) -> Option<(i64, i64)> {
    Some(match element {
        ElementType::I2 => (-2, 1),
        ElementType::U2 => (0, 3),
        ElementType::I4 => (-8, 7),
        ElementType::U4 => (0, 15),
        ElementType::I8 => (i8::MIN.into(), i8::MAX.into()),
        ElementType::U8 => (0, u8::MAX.into()),
        ElementType::I16 => (i16::MIN.into(), i16::MAX.into()),
        ElementType::U16 => (0, u16::MAX.into()),
        ElementType::I32 => (i32::MIN.into(), i32::MAX.into()),
        ElementType::U32 => (0, u32::MAX.into()),
        _ => return None,
    })
}

/// What ONNX Runtime makes of a result beyond its type; `None` where there is none.
fn beyond(node: &Node) -> Option<Beyond> {
    match &node.op {
        Op::Binary(
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Pow | Binary::ShiftLeft,
        )
        | Op::Unary(Unary::Abs | Unary::Neg | Unary::BitwiseNot)
        | Op::CumSum { .. }
        | Op::MatMul
        | Op::Gemm(_)
        | Op::Einsum { .. }
        | Op::Convolution(_)
        | Op::Range
        | Op::ScatterElements {
            combine: Combine::Add | Combine::Multiply,
            ..
        }
        | Op::ScatterNd(Combine::Add | Combine::Multiply) => Some(Beyond::Wraps),
        Op::Reduce(reduce) if !matches!(reduce.kind, Reduction::Max | Reduction::Min) => {
            Some(Beyond::Saturates)
        }
        Op::Resize(resize) if resize.mode == ResizeMode::Cubic => Some(Beyond::Saturates),
        _ => None,
    }
}

/// The type of an operator's result `place`; `of` knows those of its operands.
fn result(op: &Op, place: usize, of: impl Fn(usize) -> Option<ElementType>) -> Option<ElementType> {
    match op {
        Op::Cast { to } | Op::QuantizeLinear { to, .. } => Some(*to),
        Op::CastLike | Op::Where | Op::DequantizeLinear { .. } => of(1),
        Op::Compare(_)
        | Op::ConstantOfShape(Scalar::Bool(_))
        | Op::Unary(Unary::Not | Unary::IsNaN | Unary::IsInf)
        | Op::Binary(Binary::And | Binary::Or | Binary::Xor) => Some(ElementType::Bool),
        Op::ArgMax(_)
        | Op::MaxPoolPositions(_)
        | Op::Shape { .. }
        | Op::Size
        | Op::ConstantOfShape(Scalar::Integer(_)) => Some(ElementType::I64),
        Op::TopK { .. } if place == 1 => Some(ElementType::I64),
        Op::Constant(literal) => Some(of_literal(literal)),
        Op::Listed(listed) => listed.operator().element().or_else(|| of(0)),
        Op::ConstantOfShape(Scalar::Float(_)) => Some(ElementType::F32),
        _ => of(0),
    }
}

/// Of a constant that the importer made itself.
fn of_literal(literal: &Literal) -> ElementType {
    match literal.elements {
        Elements::Float(_) => ElementType::F32,
        Elements::Integer(_) => ElementType::I64,
        Elements::Bool(_) => ElementType::Bool,
    }
}
