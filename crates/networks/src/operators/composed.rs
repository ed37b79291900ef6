//! Operators that are said in others when they are read.

use crate::{
    ArgMax, Binary, Comparison, ElementType, Literal, Op, Reduce, Reduction, Unary, ValueId,
    onnx::{Apply, Importer, OnnxError, Value},
};

use super::lp_pool::exponent;

/// (x − mean)/(standard deviation + 10⁻⁹) over the given axes; each channel's, where none are given.
pub(super) fn read_mean_variance(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let x = importer.first(apply)?;
    let axes = importer.integers(apply, "axes", apply.ints("axes").unwrap_or(&[0, 2, 3]));
    let mean = importer.emit(apply, reduce(Reduction::Mean), &[x, axes]);
    let centred = importer.emit(apply, Op::Binary(Binary::Sub), &[x, mean]);
    let squares = importer.emit(apply, Op::Binary(Binary::Mul), &[centred, centred]);
    let variance = importer.emit(apply, reduce(Reduction::Mean), &[squares, axes]);
    let deviation = importer.emit(apply, Op::Unary(Unary::Sqrt), &[variance]);
    let epsilon = importer.float(apply, "epsilon", 1e-9);
    let deviation = importer.emit(apply, Op::Binary(Binary::Add), &[deviation, epsilon]);
    one(importer.emit(apply, Op::Binary(Binary::Div), &[centred, deviation]))
}

/// x/‖x‖ along an axis; zeros stay zeros.
pub(super) fn read_lp_normalization(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let x = importer.first(apply)?;
    let norm = match apply.int("p", 2) {
        1 => Reduction::L1,
        2 => Reduction::L2,
        p => return Err(apply.fault(format!("p is {p}; 1 and 2 are supported"))),
    };
    let axis = importer.integers(apply, "axis", &[apply.int("axis", -1)]);
    let norm = importer.emit(apply, reduce(norm), &[x, axis]);
    let least = importer.float(apply, "least", f32::MIN_POSITIVE.into());
    let norm = importer.emit(apply, Op::Binary(Binary::Max), &[norm, least]);
    one(importer.emit(apply, Op::Binary(Binary::Div), &[x, norm]))
}

/// (Σ |x|ᵖ)^(1/p) over all spatial dimensions, which stay with length 1.
pub(super) fn read_global_lp_pool(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let x = importer.first(apply)?;
    let p = f64::from(exponent(apply)?);
    let rank = rank(importer, apply, x)?;
    let spatial = importer.integers(apply, "spatial", &(2..rank).collect::<Vec<_>>());
    let powers =
        [("p", p), ("root", 1. / p)].map(|(what, power)| importer.float(apply, what, power));
    let sizes = importer.emit(apply, Op::Unary(Unary::Abs), &[x]);
    let sizes = importer.emit(apply, Op::Binary(Binary::Pow), &[sizes, powers[0]]);
    let sum = importer.emit(apply, reduce(Reduction::Sum), &[sizes, spatial]);
    one(importer.emit(apply, Op::Binary(Binary::Pow), &[sum, powers[1]]))
}

/// 1 at the first maximum along an axis, 0 elsewhere. Before opset 13, along all dimensions from `axis` on.
pub(super) fn read_hardmax(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let x = importer.first(apply)?;
    if apply.opset >= 13 {
        let rank = rank(importer, apply, x)?;
        let axis = from_end(apply, rank, apply.int("axis", -1))?;
        return one(first_maximum(importer, apply, x, axis));
    }
    let axis = apply.int("axis", 1);
    let rows = importer.emit(apply, Op::Flatten { axis }, &[x]);
    let first = first_maximum(importer, apply, rows, -1);
    let shape = importer.shape_of(apply, x);
    one(importer.emit(apply, Op::Reshape { allow_zero: true }, &[first, shape]))
}

fn first_maximum(importer: &mut Importer<'_>, apply: &Apply<'_>, x: ValueId, axis: i64) -> ValueId {
    let maximum = Op::ArgMax(ArgMax {
        axis,
        keep_dims: true,
        select_last: false,
        smallest: false,
    });
    let first = importer.emit(apply, maximum, &[x]);
    let length = Op::Shape {
        start: axis,
        end: (axis != -1).then_some(axis + 1),
    };
    let length = importer.emit(apply, length, &[x]);
    let length = importer.emit(apply, Op::Squeeze, &[length]);
    let places = places(importer, apply, length, axis);
    let is_first = importer.emit(apply, Op::Compare(Comparison::Equal), &[places, first]);
    importer.emit(apply, Op::CastLike, &[is_first, x])
}

/// `on` at the index that each place names, `off` elsewhere, along a new axis.
pub(super) fn read_one_hot(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let to_integers = || Op::Cast {
        to: ElementType::I64,
    };
    let indices = importer.first(apply)?;
    let rank = rank(importer, apply, indices)?;
    let axis = from_end(apply, rank + 1, apply.int("axis", -1))?;
    let depth = importer.in_graph(apply.input(1)?);
    let values = importer.operand(apply, 2)?;
    let indices = importer.emit(apply, to_integers(), &[indices]);
    let depth = importer.emit(apply, to_integers(), &[depth]);
    let scalar = importer.integers(apply, "scalar", &[]);
    let depth = importer.emit(apply, Op::Reshape { allow_zero: false }, &[depth, scalar]);
    let axis_value = importer.integers(apply, "axis", &[axis]);
    let indices = importer.emit(apply, Op::Unsqueeze, &[indices, axis_value]);
    let places = places(importer, apply, depth, axis);
    // Counted from the end where negative.
    let from_end = importer.emit(apply, Op::Binary(Binary::Sub), &[places, depth]);
    let is_index = [places, from_end]
        .map(|places| importer.emit(apply, Op::Compare(Comparison::Equal), &[places, indices]));
    let is_index = importer.emit(apply, Op::Binary(Binary::Or), &is_index);
    let [off, on] = ["off", "on"].map(|name| {
        let at = importer.literal(
            &format!("{}/{name}", apply.name),
            Literal::integer(i64::from(name == "on")),
        );
        importer.emit(apply, Op::Gather { axis: 0 }, &[values, at])
    });
    one(importer.emit(apply, Op::Where, &[is_index, on, off]))
}

/// x moved towards zero by `bias` where it is further away than `lambd`, zero elsewhere.
pub(super) fn read_shrink(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let x = importer.first(apply)?;
    let (lambda, bias) = (apply.float("lambd", 0.5), apply.float("bias", 0.0));
    let mut number = |name: &str, value| importer.float(apply, name, value);
    let (high, low) = (number("high", lambda), number("low", -lambda));
    let (down, up, zero) = (
        number("down", bias),
        number("up", -bias),
        number("zero", 0.0),
    );
    let above = importer.emit(apply, Op::Compare(Comparison::Greater), &[x, high]);
    let below = importer.emit(apply, Op::Compare(Comparison::Less), &[x, low]);
    let [lowered, raised] =
        [down, up].map(|by| importer.emit(apply, Op::Binary(Binary::Sub), &[x, by]));
    let rest = importer.emit(apply, Op::Where, &[below, raised, zero]);
    one(importer.emit(apply, Op::Where, &[above, lowered, rest]))
}

/// 0, 1, … below `count`, along the given axis (counted from the end) of what it will be compared with.
fn places(importer: &mut Importer<'_>, apply: &Apply<'_>, count: ValueId, axis: i64) -> ValueId {
    let mut scalar = |name: &str, value| {
        importer.literal(&format!("{}/{name}", apply.name), Literal::integer(value))
    };
    let (zero, step) = (scalar("zero", 0), scalar("step", 1));
    let places = importer.emit(apply, Op::Range, &[zero, count, step]);
    let behind = importer.integers(apply, "behind", &(1..-axis).collect::<Vec<_>>());
    importer.emit(apply, Op::Unsqueeze, &[places, behind])
}

/// The number of x's dimensions, which no image changes.
fn rank(importer: &mut Importer<'_>, apply: &Apply<'_>, x: ValueId) -> Result<i64, OnnxError> {
    let shape = importer.shape_of(apply, x);
    let rank = importer.emit(apply, Op::Size, &[shape]);
    let rank = importer.condition(&Value::Flow(rank));
    rank.ok_or_else(|| apply.fault("its rank depends on the image"))
}

/// An axis of what has `rank` dimensions, counted from the end.
fn from_end(apply: &Apply<'_>, rank: i64, axis: i64) -> Result<i64, OnnxError> {
    if !(-rank..rank).contains(&axis) {
        return Err(apply.fault(format!("axis {axis} of {rank} dimensions")));
    }
    Ok(if axis < 0 { axis } else { axis - rank })
}

fn reduce(kind: Reduction) -> Op {
    Op::Reduce(Reduce {
        kind,
        keep_dims: true,
        noop_without_axes: false,
    })
}

/// One flow of the network as a node's results.
#[expect(clippy::unnecessary_wraps, reason = "what every reader returns")]
fn one(output: ValueId) -> Result<Vec<Value>, OnnxError> {
    Ok(vec![Value::Flow(output)])
}
