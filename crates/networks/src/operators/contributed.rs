//! What ONNX Runtime's quantisation writes besides ONNX's own operators, in its domain `com.microsoft`. Said in operators on
//! floating point, which holds sums of such products exactly up to 2²⁴, and rounded where ONNX Runtime rounds.

use super::Reader;
use crate::{
    Activation, Binary, ElementType, Gemm, Literal, Op, PoolKind, ValueId,
    onnx::{Apply, Importer, OnnxError, Value},
};

pub(super) fn reader(operator: &str) -> Option<Reader> {
    Some(match operator {
        "QGemm" => read_gemm,
        "QLinearAdd" | "QLinearMul" => read_binary,
        "QLinearAveragePool" | "QLinearGlobalAveragePool" => read_average,
        "QLinearConcat" => read_concat,
        "QLinearLeakyRelu" | "QLinearSigmoid" | "QLinearSoftmax" => read_function,
        _ => return None,
    })
}

/// Without a scale for the result, that is of floating point.
fn read_gemm(importer: &mut Importer<'_>, apply: &Apply<'_>) -> Result<Vec<Value>, OnnxError> {
    let gemm = Op::Gemm(Gemm {
        alpha: 1.0,
        beta: 0.0,
        transpose_a: apply.flag("transA"),
        transpose_b: apply.flag("transB"),
    });
    let columns: &[i64] = if apply.flag("transB") {
        &[-1, 1]
    } else {
        &[-1]
    };
    let a = centred(importer, apply, 0, Some(2), None)?;
    let b = centred(importer, apply, 3, Some(5), Some(columns))?;
    let mut sum = importer.emit(apply, gemm, &[a, b]);
    let (of_a, of_b) = (
        scale(importer, apply, 1, None)?,
        scale(importer, apply, 4, None)?,
    );
    let mut factor = importer.emit(apply, Op::Binary(Binary::Mul), &[of_a, of_b]);
    let alpha = importer.float(apply, "alpha", apply.float("alpha", 1.0));
    factor = importer.emit(apply, Op::Binary(Binary::Mul), &[factor, alpha]);
    if let Some(bias) = apply.optional(6) {
        let bias = importer.weight(bias);
        let bias = to_float(importer, apply, bias);
        sum = importer.emit(apply, Op::Binary(Binary::Add), &[sum, bias]);
    }
    if apply.optional(7).is_some() {
        return requantised(importer, apply, sum, factor, 7);
    }
    Ok(vec![Value::Flow(importer.emit(
        apply,
        Op::Binary(Binary::Mul),
        &[sum, factor],
    ))])
}

/// `QLinearAdd` and `QLinearMul`: a and b with scales and zero points, the result's behind them.
fn read_binary(importer: &mut Importer<'_>, apply: &Apply<'_>) -> Result<Vec<Value>, OnnxError> {
    let op = if apply.operator == "QLinearAdd" {
        Binary::Add
    } else {
        Binary::Mul
    };
    let a = real(importer, apply, 0)?;
    let b = real(importer, apply, 3)?;
    let result = importer.emit(apply, Op::Binary(op), &[a, b]);
    quantised(importer, apply, result, 6)
}

fn read_function(importer: &mut Importer<'_>, apply: &Apply<'_>) -> Result<Vec<Value>, OnnxError> {
    let x = real(importer, apply, 0)?;
    let op = match apply.operator {
        "QLinearSigmoid" => Op::Activation(Activation::Sigmoid),
        "QLinearSoftmax" => Op::Softmax {
            axis: apply.int("axis", -1),
        },
        _ => Op::Activation(Activation::LeakyRelu {
            slope: apply.float("alpha", 0.01),
        }),
    };
    let result = importer.emit(apply, op, &[x]);
    quantised(importer, apply, result, 3)
}

fn read_average(importer: &mut Importer<'_>, apply: &Apply<'_>) -> Result<Vec<Value>, OnnxError> {
    if apply.flag("channels_last") {
        return Err(apply.fault("channels_last is not supported"));
    }
    let x = real(importer, apply, 0)?;
    let op = if apply.operator == "QLinearAveragePool" {
        Op::Pool(apply.window(PoolKind::Average)?)
    } else {
        Op::GlobalPool(PoolKind::Average)
    };
    let result = importer.emit(apply, op, &[x]);
    quantised(importer, apply, result, 3)
}

/// The result's scale and zero point, then each operand with its own.
fn read_concat(importer: &mut Importer<'_>, apply: &Apply<'_>) -> Result<Vec<Value>, OnnxError> {
    let axis = apply.int("axis", 0);
    let mut operands = Vec::new();
    for index in (2..apply.inputs.len()).step_by(3) {
        operands.push(real(importer, apply, index)?);
    }
    let result = importer.emit(apply, Op::Concat { axis }, &operands);
    quantised(importer, apply, result, 0)
}

/// Input `index` less its zero point, in floating point; a vector of zero points laid out as `shape` says.
fn centred(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    index: usize,
    zero: Option<usize>,
    shape: Option<&[i64]>,
) -> Result<ValueId, OnnxError> {
    let x = importer.weight_of_integers(apply.input(index)?);
    let x = to_float(importer, apply, x);
    let Some(zero) = zero.and_then(|zero| importer.optional(apply, zero)) else {
        return Ok(x);
    };
    let zero = to_float(importer, apply, zero);
    let zero = laid_out(importer, apply, zero, shape);
    Ok(importer.emit(apply, Op::Binary(Binary::Sub), &[x, zero]))
}

fn scale(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    index: usize,
    shape: Option<&[i64]>,
) -> Result<ValueId, OnnxError> {
    let scale = importer.operand(apply, index)?;
    Ok(laid_out(importer, apply, scale, shape))
}

fn laid_out(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    values: ValueId,
    shape: Option<&[i64]>,
) -> ValueId {
    let Some(shape) = shape else { return values };
    let shape = importer.integers(apply, "shape", shape);
    importer.emit(apply, Op::Reshape { allow_zero: false }, &[values, shape])
}

fn to_float(importer: &mut Importer<'_>, apply: &Apply<'_>, x: ValueId) -> ValueId {
    let to = ElementType::F32;
    importer.emit(apply, Op::Cast { to }, &[x])
}

/// The numbers that input `index` stands for, with the scale and the zero point behind it.
fn real(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    index: usize,
) -> Result<ValueId, OnnxError> {
    let x = importer.weight_of_integers(apply.input(index)?);
    let inputs = vec![
        Some(x),
        Some(importer.operand(apply, index + 1)?),
        importer.optional(apply, index + 2),
    ];
    let op = Op::DequantizeLinear { axis: 1, block: 0 };
    Ok(importer.emit_all(apply, op, inputs, 1)[0])
}

/// Numbers as integers of the scale at input `index`, with the zero point behind it.
fn quantised(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    x: ValueId,
    index: usize,
) -> Result<Vec<Value>, OnnxError> {
    let scale = importer.operand(apply, index)?;
    to_integers(importer, apply, x, scale, index + 1)
}

/// A sum of products of integers, whose unit is `factor`, as integers of the scale at input `index`.
fn requantised(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    sum: ValueId,
    factor: ValueId,
    index: usize,
) -> Result<Vec<Value>, OnnxError> {
    let scale = importer.operand(apply, index)?;
    let factor = importer.emit(apply, Op::Binary(Binary::Div), &[factor, scale]);
    let scaled = importer.emit(apply, Op::Binary(Binary::Mul), &[sum, factor]);
    let one = importer.literal(&format!("{}/one", apply.name), Literal::float(1.0));
    to_integers(importer, apply, scaled, one, index + 1)
}

fn to_integers(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
    x: ValueId,
    scale: ValueId,
    zero: usize,
) -> Result<Vec<Value>, OnnxError> {
    let to = importer.quantised_to(apply, apply.optional(zero))?;
    let inputs = vec![Some(x), Some(scale), importer.optional(apply, zero)];
    let op = Op::QuantizeLinear {
        axis: 1,
        block: 0,
        to,
    };
    let outputs = importer.emit_all(apply, op, inputs, 1);
    Ok(outputs.into_iter().map(Value::Flow).collect())
}
