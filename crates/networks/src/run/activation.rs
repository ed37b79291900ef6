//! Functions of one variable, and dropout, composed of candle's operators so that gradients come with them.

use candle_core::{Result, Tensor, bail};

use super::rectify::rectify;
use crate::graph::Activation;

/// Applies `activation` to every element.
pub(crate) fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    if !x.dtype().is_float() {
        bail!("it takes floating-point numbers, not {:?}", x.dtype());
    }
    match activation {
        Activation::Relu => rectify(x),
        Activation::Clip { min, max } => clip(x, min, max),
        Activation::LeakyRelu { slope } => rectify(x)? - (rectify(&x.neg()?)? * slope)?,
        Activation::ThresholdedRelu { alpha } => x.gt(alpha)?.to_dtype(x.dtype())? * x,
        Activation::Elu { alpha } => x.elu(alpha),
        Activation::Celu { alpha } => x
            .affine(1. / alpha, 0.)?
            .elu(1.)?
            .affine(alpha, 0.)?
            .maximum(x),
        Activation::Selu { alpha, gamma } => x.elu(alpha)? * gamma,
        Activation::Sigmoid => sigmoid(x),
        Activation::HardSigmoid { alpha, beta } => clip(&x.affine(alpha, beta)?, 0., 1.),
        Activation::HardSwish => clip(&x.affine(1. / 6., 0.5)?, 0., 1.)? * x,
        Activation::Swish { alpha: 1. } => x.silu(),
        Activation::Swish { alpha } => sigmoid(&(x * alpha)?)? * x,
        Activation::Mish => softplus(x)?.tanh()? * x,
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (x.abs()? + 1.)?,
        Activation::Tanh => x.tanh(),
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
    }
}

fn clip(x: &Tensor, min: f64, max: f64) -> Result<Tensor> {
    match (min.is_finite(), max.is_finite()) {
        (true, true) => x.clamp(min, max),
        (true, false) => x.maximum(min),
        (false, true) => x.minimum(max),
        (false, false) => Ok(x.clone()),
    }
}

/// By tanh, which neither overflows nor loses its gradient on the way.
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x * 0.5)?.tanh()?.affine(0.5, 0.5)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), which does not overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.)?.log()?
}

/// Drops each element with probability `ratio` and divides the others by what is kept on average, so that inference
/// needs no scaling: in expectation the classic form (keep with p, multiply by p at test time).
pub(crate) fn dropout(x: &Tensor, ratio: f64, rng: &mut fastrand::Rng) -> Result<Tensor> {
    if ratio <= 0. {
        return Ok(x.clone());
    }
    let kept = 1. - ratio;
    let scale = if kept > 0. { 1. / kept } else { 0. };
    #[expect(clippy::cast_possible_truncation, reason = "the run's precision")]
    let mask: Vec<f32> = (0..x.elem_count())
        .map(|_| if rng.f64() < kept { scale as f32 } else { 0. })
        .collect();
    x * Tensor::from_vec(mask, x.dims(), x.device())?.to_dtype(x.dtype())?
}
