use candle_core::{D, Result, Tensor};

/// What training makes small, as the mean over a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// −log softmax(x)\[label\]
    CrossEntropy,
    /// ‖x − y‖² with y = 1 at the label and 0 elsewhere
    Squared,
}

impl Loss {
    /// `outputs [batch, classes]`, one label per row; a scalar with candle's record of how it was computed.
    pub fn of(self, outputs: &Tensor, labels: &[u32]) -> Result<Tensor> {
        let (batch, classes) = outputs.dims2()?;
        let mut one_hot = vec![0_f32; batch * classes];
        for (row, label) in one_hot.chunks_mut(classes).zip(labels) {
            row[*label as usize] = 1.;
        }
        let one_hot = Tensor::from_vec(one_hot, (batch, classes), outputs.device())?
            .to_dtype(outputs.dtype())?;
        let sum = match self {
            Self::CrossEntropy => {
                let shifted = outputs.broadcast_sub(&outputs.detach().max_keepdim(D::Minus1)?)?;
                let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
                (shifted.broadcast_sub(&log_sum)? * one_hot)?
                    .sum_all()?
                    .neg()?
            }
            Self::Squared => (outputs - one_hot)?.sqr()?.sum_all()?,
        };
        sum / batch as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// `torch.nn.functional.cross_entropy(tensor([[1., 2., 3.], [1., 2., 1000.]]), tensor([2, 1]))` is 499.2038.
    #[test]
    fn values() {
        let outputs = Tensor::new(&[[1_f32, 2., 3.], [1., 2., 1000.]], &Device::Cpu).unwrap();
        let loss = |loss: Loss| {
            loss.of(&outputs, &[2, 1])
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        assert!((loss(Loss::CrossEntropy) - 499.2038).abs() < 1e-3);
        // ((1² + 2² + 2²) + (1² + 1² + 1000²)) / 2
        assert!((loss(Loss::Squared) - 500_005.5).abs() < 1e-1);
    }
}
