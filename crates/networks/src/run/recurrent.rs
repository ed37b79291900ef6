//! Long short-term memory (Hochreiter and Schmidhuber 1997; with forget gates, as ONNX's `LSTM` and PyTorch's).

use candle_core::{Result, Tensor, bail};

use super::{Inputs, activate};
use crate::graph::{Activation, Lstm};

/// Every step's hidden states `[steps, directions, batch, hidden]`, and the last hidden and cell states.
///
/// Inputs as [`crate::Op::Lstm`] has them.
pub(crate) fn lstm(attributes: &Lstm, inputs: &Inputs<'_>) -> Result<Vec<Tensor>> {
    let (x, weights, recurrent) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
    let (steps, batch, _) = x.dims3()?;
    let hidden = attributes.hidden;
    let backwards = attributes.direction.backwards();
    if weights.dims3()?.0 != backwards.len()
        || recurrent.dims() != [backwards.len(), 4 * hidden, hidden]
        || steps == 0
    {
        bail!(
            "weights {:?} and {:?} for {hidden} hidden units",
            weights.dims(),
            recurrent.dims()
        );
    }
    let (mut all, mut last, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for (direction, &backwards) in backwards.iter().enumerate() {
        let state = |index: usize| match inputs.optional(index) {
            Some(initial) => initial.get(direction),
            None => Tensor::zeros((batch, hidden), x.dtype(), x.device()),
        };
        let (mut h, mut c) = (state(4)?, state(5)?);
        // Both biases add up; the input's share of all steps is one product.
        let projected = super::linear::matmul(x, &weights.get(direction)?.t()?)?;
        let projected = match inputs.optional(3) {
            Some(bias) => {
                let bias = bias.get(direction)?;
                let both =
                    (bias.narrow(0, 0, 4 * hidden)? + bias.narrow(0, 4 * hidden, 4 * hidden)?)?;
                projected.broadcast_add(&both)?
            }
            None => projected,
        };
        let recurrent = recurrent.get(direction)?.t()?;
        let mut outputs = vec![h.clone(); steps];
        for step in 0..steps {
            let at = if backwards { steps - 1 - step } else { step };
            let gates = (projected.get(at)? + h.matmul(&recurrent)?)?;
            let gate = |index: usize, of: Activation| {
                activate(of, &gates.narrow(1, index * hidden, hidden)?.contiguous()?)
            };
            let (input, output) = (gate(0, Activation::Sigmoid)?, gate(1, Activation::Sigmoid)?);
            let (forget, cell) = (gate(2, Activation::Sigmoid)?, gate(3, Activation::Tanh)?);
            c = ((forget * c)? + (input * cell)?)?;
            h = (output * c.tanh()?)?;
            outputs[at] = h.clone();
        }
        all.push(Tensor::stack(&outputs, 0)?);
        last.push(h);
        cells.push(c);
    }
    Ok(vec![
        Tensor::stack(&all, 1)?,
        Tensor::stack(&last, 0)?,
        Tensor::stack(&cells, 0)?,
    ])
}
