//! Arithmetic, comparisons, choice, casts and quantisation, element by element with numpy's broadcasting.
//!
//! Floating point runs on candle's own operators. Integers and booleans are shapes, indices and masks: they are computed
//! here one by one, in 64 bits, where overflow wraps and a division by zero is an error. That narrower ones wrap at their own
//! width is said in the graph, by casts.

use candle_core::{DType, Result, Tensor, WithDType, bail};

use super::rectify::rectify;
use crate::graph::{Binary, Comparison, ElementType, Unary};
use crate::narrow;

pub(crate) fn unary(op: Unary, x: &Tensor) -> Result<Tensor> {
    if op == Unary::Not {
        return x.eq(0f64);
    }
    if !x.dtype().is_float() {
        return match op {
            Unary::Abs => map(x, i64::wrapping_abs),
            Unary::Neg => map(x, i64::wrapping_neg),
            Unary::Sign => map(x, i64::signum),
            Unary::BitwiseNot => map(x, |value: i64| !value),
            Unary::Floor | Unary::Ceil | Unary::Round => Ok(x.clone()),
            _ => bail!("it takes floating-point numbers, not {:?}", x.dtype()),
        };
    }
    match op {
        Unary::Abs => x.abs(),
        Unary::Neg => x.neg(),
        Unary::Sign => x.sign(),
        Unary::Reciprocal => x.recip(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => x.log(),
        Unary::Erf => x.erf(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => in_f32(x, |x| map(x, f32::round_ties_even)),
        Unary::IsNaN => x.ne(x),
        Unary::IsInf => x.abs()?.eq(f64::INFINITY),
        Unary::BitwiseNot => bail!("it takes integers, not {:?}", x.dtype()),
        Unary::Not => unreachable!("handled above"),
    }
}

pub(crate) fn binary(op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if op == Binary::Pow {
        return power(a, b);
    }
    if a.dtype() != b.dtype() {
        bail!(
            "{:?} and {:?} do not mix; a Cast is missing",
            a.dtype(),
            b.dtype()
        );
    }
    match op {
        Binary::And => return zip(a, b, |a: u8, b| Ok(u8::from(a != 0 && b != 0))),
        Binary::Or => return zip(a, b, |a: u8, b| Ok(u8::from(a != 0 || b != 0))),
        Binary::Xor => return zip(a, b, |a: u8, b| Ok(u8::from((a != 0) != (b != 0)))),
        _ => {}
    }
    if a.dtype() == DType::I64 {
        return zip(a, b, |a, b| integer(op, a, b));
    }
    match op {
        Binary::Add => a.broadcast_add(b),
        Binary::Sub => a.broadcast_sub(b),
        Binary::Mul => a.broadcast_mul(b),
        Binary::Div => a.broadcast_div(b),
        Binary::Min => a.broadcast_minimum(b),
        Binary::Max => a.broadcast_maximum(b),
        // a − b·⌊a/b⌋ has the divisor's sign.
        Binary::Mod => a.broadcast_sub(&a.broadcast_div(b)?.floor()?.broadcast_mul(b)?),
        Binary::Fmod => in_f32(a, |a| {
            zip(a, &b.to_dtype(DType::F32)?, |a: f32, b| Ok(a % b))
        }),
        Binary::DivUnsigned
        | Binary::ModUnsigned
        | Binary::BitwiseAnd
        | Binary::BitwiseOr
        | Binary::BitwiseXor
        | Binary::ShiftLeft
        | Binary::ShiftRight => bail!("it takes integers, not {:?}", a.dtype()),
        Binary::Pow | Binary::And | Binary::Or | Binary::Xor => unreachable!("handled above"),
    }
}

fn integer(op: Binary, a: i64, b: i64) -> Result<i64> {
    Ok(match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::Div | Binary::Mod | Binary::Fmod | Binary::DivUnsigned | Binary::ModUnsigned
            if b == 0 =>
        {
            bail!("division of {a} by zero")
        }
        Binary::Div => a.wrapping_div(b),
        Binary::Fmod => a.wrapping_rem(b),
        Binary::DivUnsigned => (a.cast_unsigned() / b.cast_unsigned()).cast_signed(),
        Binary::ModUnsigned => (a.cast_unsigned() % b.cast_unsigned()).cast_signed(),
        Binary::BitwiseAnd => a & b,
        Binary::BitwiseOr => a | b,
        Binary::BitwiseXor => a ^ b,
        Binary::ShiftLeft => shifted(b, |places| a.checked_shl(places)),
        Binary::ShiftRight => shifted(b, |places| {
            Some(a.cast_unsigned().checked_shr(places)?.cast_signed())
        }),
        Binary::Mod => {
            let remainder = a.wrapping_rem(b);
            if remainder != 0 && (remainder < 0) != (b < 0) {
                remainder + b
            } else {
                remainder
            }
        }
        Binary::Pow | Binary::And | Binary::Or | Binary::Xor => bail!("it does not take integers"),
    })
}

/// Shifted by `places`; nothing is left after as many as there are bits.
fn shifted(places: i64, shift: impl Fn(u32) -> Option<i64>) -> i64 {
    u32::try_from(places).ok().and_then(shift).unwrap_or(0)
}

/// aᵇ in a's type. A constant exponent of the kinds that networks have keeps to candle's faster operators.
fn power(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype().is_float() && b.elem_count() == 1 && b.rank() <= a.rank() {
        let exponent: f64 = b.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?[0];
        #[expect(clippy::float_cmp, reason = "exactly these exponents")]
        return if exponent == 2.0 {
            a.sqr()
        } else if exponent == 0.5 {
            a.sqrt()
        } else {
            a.powf(exponent)
        };
    }
    let (dtype, a, b) = (a.dtype(), a.to_dtype(DType::F64)?, b.to_dtype(DType::F64)?);
    zip(&a, &b, |a: f64, b| Ok(a.powf(b)))?.to_dtype(dtype)
}

pub(crate) fn compare(op: Comparison, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match op {
        Comparison::Equal => a.broadcast_eq(b),
        Comparison::Less => a.broadcast_lt(b),
        Comparison::LessOrEqual => a.broadcast_le(b),
        Comparison::Greater => a.broadcast_gt(b),
        Comparison::GreaterOrEqual => a.broadcast_ge(b),
    }
}

/// `a` where `condition` holds, else `b`; the three broadcast to `dims`.
pub(crate) fn choose(condition: &Tensor, a: &Tensor, b: &Tensor, dims: &[usize]) -> Result<Tensor> {
    condition
        .broadcast_as(dims)?
        .where_cond(&a.broadcast_as(dims)?, &b.broadcast_as(dims)?)
}

/// max(x, 0) + slope·min(x, 0)
pub(crate) fn parametric_relu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    rectify(x)?.broadcast_sub(&rectify(&x.neg()?)?.broadcast_mul(slope)?)
}

/// The same numbers as another type. Narrow integers wrap as in C, although they are stored wide; what no integer of 32 bits (64
/// where the type has as many, or `uint32`) holds becomes the least of those first, as processors do it and ONNX Runtime with them.
pub(crate) fn cast(x: &Tensor, to: ElementType) -> Result<Tensor> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "wrapping is what a cast does"
    )]
    let wrap: fn(i64) -> i64 = match to {
        ElementType::Bool => return x.ne(0f64),
        ElementType::F16 => return rounded(x, DType::F16),
        ElementType::BF16 => return rounded(x, DType::BF16),
        ElementType::F32 | ElementType::F64 => return float(x),
        ElementType::F8E4M3FN
        | ElementType::F8E4M3FNUZ
        | ElementType::F8E5M2
        | ElementType::F8E5M2FNUZ
        | ElementType::F4E2M1 => return narrowed(x, to, true),
        ElementType::I2 => |value| value << 62 >> 62,
        ElementType::I4 => |value| value << 60 >> 60,
        ElementType::U2 => |value| value & 3,
        ElementType::U4 => |value| value & 15,
        ElementType::I8 => |value| i64::from(value as i8),
        ElementType::U8 => |value| i64::from(value as u8),
        ElementType::I16 => |value| i64::from(value as i16),
        ElementType::U16 => |value| i64::from(value as u16),
        ElementType::I32 => |value| i64::from(value as i32),
        ElementType::U32 => |value| i64::from(value as u32),
        ElementType::I64 | ElementType::U64 => |value| value,
    };
    if x.dtype().is_float() {
        let truncate = truncation(to);
        let values: Vec<f64> = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let integers: Vec<i64> = values
            .into_iter()
            .map(|value| wrap(truncate(value)))
            .collect();
        return Tensor::from_vec(integers, x.dims(), x.device());
    }
    let x = x.to_dtype(DType::I64)?;
    match to {
        ElementType::I64 | ElementType::U64 => Ok(x),
        _ => map(&x, wrap),
    }
}

/// How a number becomes an integer of type `to`, before that wraps.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the bounds are powers of two, and numbers between them are truncated"
)]
fn truncation(to: ElementType) -> fn(f64) -> i64 {
    match to {
        ElementType::U64 => |value| {
            if value >= i64::MAX as f64 && value < u64::MAX as f64 {
                (value as u64).cast_signed()
            } else {
                held(value, i64::MIN)
            }
        },
        ElementType::I64 | ElementType::U32 => |value| held(value, i64::MIN),
        _ => |value| held(value, i32::MIN.into()),
    }
}

/// `value` without what follows the point, where that is between `least` and its opposite; else `least`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the bounds are powers of two, and numbers between them are truncated"
)]
fn held(value: f64, least: i64) -> i64 {
    let bound = least as f64;
    if value.trunc() >= bound && value.trunc() < -bound {
        value as i64
    } else {
        least
    }
}

/// Floating point in the run's precision.
fn float(x: &Tensor) -> Result<Tensor> {
    if x.dtype().is_float() {
        Ok(x.clone())
    } else {
        x.to_dtype(DType::F32)
    }
}

/// As a float of eight or four bits holds them, stored as before; beyond the largest of those that, where it `saturates`.
pub(crate) fn narrowed(x: &Tensor, to: ElementType, saturates: bool) -> Result<Tensor> {
    let Some(layout) = narrow::layout(to) else {
        bail!("{to:?} is no narrow float");
    };
    in_f32(&float(x)?, |x| {
        map(x, |value| layout.round(value, saturates))
    })
}

/// As a shorter type holds them, stored as before.
fn rounded(x: &Tensor, to: DType) -> Result<Tensor> {
    let x = float(x)?;
    x.to_dtype(to)?.to_dtype(x.dtype())
}

/// The same numbers in the type of `like`.
pub(crate) fn cast_like(x: &Tensor, like: &Tensor) -> Result<Tensor> {
    match like.dtype() {
        DType::U8 => cast(x, ElementType::Bool),
        DType::I64 => cast(x, ElementType::I64),
        dtype => x.to_dtype(dtype),
    }
}

/// round(x / scale) + zero point, halves to even, saturated to `to`'s range.
pub(crate) fn quantize(
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    along: Along,
    to: ElementType,
) -> Result<Tensor> {
    let scaled = x
        .to_dtype(DType::F32)?
        .broadcast_div(&along.lay(&scale.to_dtype(DType::F32)?, x)?)?;
    if narrow::layout(to).is_some() {
        let shifted = match zero {
            Some(zero) => scaled.broadcast_add(&along.lay(&zero.to_dtype(DType::F32)?, x)?)?,
            None => scaled,
        };
        return narrowed(&shifted, to, true);
    }
    let (low, high) = match to {
        ElementType::I2 => (-2.0, 1.0),
        ElementType::I4 => (-8.0, 7.0),
        ElementType::U2 => (0.0, 3.0),
        ElementType::U4 => (0.0, 15.0),
        ElementType::I8 => (-128.0, 127.0),
        ElementType::U8 => (0.0, 255.0),
        ElementType::I16 => (-32768.0, 32767.0),
        ElementType::U16 => (0.0, 65535.0),
        other => bail!("quantising to {other:?} is not supported"),
    };
    let rounded = map(&scaled, f32::round_ties_even)?;
    let shifted = match zero {
        Some(zero) => rounded.broadcast_add(&along.lay(&zero.to_dtype(DType::F32)?, x)?)?,
        None => rounded,
    };
    shifted.clamp(low, high)?.to_dtype(DType::I64)
}

/// (x − zero point)·scale
pub(crate) fn dequantize(
    x: &Tensor,
    scale: &Tensor,
    zero: Option<&Tensor>,
    along: Along,
) -> Result<Tensor> {
    let x = x.to_dtype(scale.dtype())?;
    let centred = match zero {
        Some(zero) => x.broadcast_sub(&along.lay(&zero.to_dtype(scale.dtype())?, &x)?)?,
        None => x.clone(),
    };
    centred.broadcast_mul(&along.lay(scale, &x)?)
}

/// Which elements of an array a scale is for.
#[derive(Clone, Copy)]
pub(crate) struct Along {
    axis: i64,
    /// Elements along `axis`; 0: as many as there are scales for.
    block: usize,
}

impl Along {
    pub fn new(axis: i64, block: usize) -> Self {
        Self { axis, block }
    }

    /// A scalar as it is, a vector laid along the axis of `x`; of `x`'s own rank, each repeated for its block.
    fn lay(self, values: &Tensor, x: &Tensor) -> Result<Tensor> {
        if values.elem_count() == 1 {
            return values.reshape(());
        }
        let axis = x.normalize_axis(self.axis)?;
        let length = x.dim(axis)?;
        if values.rank() == x.rank() && values.rank() > 1 {
            let blocks = values.dim(axis)?;
            let block = match self.block {
                0 => length.div_ceil(blocks.max(1)).max(1),
                block => block,
            };
            if length.div_ceil(block) != blocks {
                bail!("{blocks} scales for {length} along axis {axis} in blocks of {block}");
            }
            let source: Vec<u32> = (0..length)
                .map(|at| u32::try_from(at / block).unwrap_or(u32::MAX))
                .collect();
            return values
                .contiguous()?
                .index_select(&Tensor::from_vec(source, length, x.device())?, axis);
        }
        if values.elem_count() != length {
            bail!(
                "{} scales for {length} along axis {axis}",
                values.elem_count()
            );
        }
        let mut dims = vec![1; x.rank()];
        dims[axis] = length;
        values.reshape(dims)
    }
}

/// Runs `f` on `x` in single precision.
fn in_f32(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    f(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype())
}

/// `f` of every element, on the host.
fn map<T: WithDType>(x: &Tensor, f: impl Fn(T) -> T) -> Result<Tensor> {
    let values: Vec<T> = x.flatten_all()?.to_vec1()?;
    Tensor::from_vec(
        values.into_iter().map(f).collect::<Vec<_>>(),
        x.dims(),
        x.device(),
    )
}

/// `f` of every pair of elements, on the host.
fn zip<T: WithDType>(a: &Tensor, b: &Tensor, f: impl Fn(T, T) -> Result<T>) -> Result<Tensor> {
    let dims = a
        .shape()
        .broadcast_shape_binary_op(b.shape(), "broadcast")?;
    let elements = |x: &Tensor| x.broadcast_as(&dims)?.flatten_all()?.to_vec1::<T>();
    let values: Result<Vec<T>> = elements(a)?
        .into_iter()
        .zip(elements(b)?)
        .map(|(a, b)| f(a, b))
        .collect();
    Tensor::from_vec(values?, dims, a.device())
}
