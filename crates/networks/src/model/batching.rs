//! How many images a network takes at a time.

use candle_core::{DType, Device, Tensor};
use referee_scoring::Notice;

use super::error::Result;
use crate::{ElementType, Executor, Network, Weights, any_batch::with_any_batch};

/// How far two runs of the same images may differ, of the largest logit.
const TOLERANCE: f64 = 1e-5;

#[derive(Clone, Copy, Debug)]
pub(super) enum Batching {
    /// Any number.
    Any,
    /// Exactly this many; the last batch is filled up.
    Fixed(usize),
}

impl Batching {
    /// Finds out how `network` takes batches, and puts it on `device`.
    ///
    /// An exporter that was given `b` images writes a file for `b` images. Where the batch can be taken out of the graph
    /// so that `2b` images give what two batches of `b` gave, it is; else the network runs `b` at a time.
    pub fn settle(
        network: &Network,
        weights: &Weights,
        declared: Option<usize>,
        device: &Device,
        notices: &mut Vec<Notice>,
    ) -> Result<(Executor, Self)> {
        let batch = declared.unwrap_or(1);
        let unchanged = Executor::new(network, weights, device)?;
        let images = trial(network, 2 * batch)?;
        let halves = [images.narrow(0, 0, batch)?, images.narrow(0, batch, batch)?];
        let expected = Tensor::cat(
            &[unchanged.infer(&halves[0])?, unchanged.infer(&halves[1])?],
            0,
        )?;
        let mut depends_on_others = false;
        let mut as_written = network.clone();
        as_written.input.fixed_batch = None;
        for any in [Some(as_written), with_any_batch(network, batch)]
            .into_iter()
            .flatten()
        {
            // Shapes tell most of those apart that a run would fail on late.
            let shapes = any.infer_shapes(2 * batch);
            if !shapes.is_ok_and(|shapes| shapes.of(any.output()) == expected.dims()) {
                continue;
            }
            let executor = Executor::new(&any, weights, device)?;
            let together = executor.infer(&images);
            if together
                .as_ref()
                .is_ok_and(|output| agree(output, &expected).unwrap_or(false))
            {
                return Ok((executor, Self::Any));
            }
            depends_on_others |= declared.is_none() && together.is_ok();
        }
        notices.push(Notice {
            code: "fixed_batch".into(),
            detail: if depends_on_others {
                "the network's answer for an image depends on the others of its batch, as with dynamic quantisation: images are \
                 run one at a time, which is slower. Then quantise it with quantize_static(…, quant_format=QuantFormat.QDQ)"
                    .into()
            } else {
                format!(
                    "the file only works for batches of {batch}: images are run {batch} at a time, which is slower. Export with \
                     dynamic_shapes={{\"x\": {{0: torch.export.Dim(\"batch\")}}}}"
                )
            },
        });
        Ok((unchanged, Self::Fixed(batch)))
    }

    /// The network's output for each image, in its own layout.
    pub fn run(self, executor: &Executor, images: &Tensor) -> Result<Tensor> {
        let Self::Fixed(batch) = self else {
            return Ok(executor.infer(images)?);
        };
        let count = images.dim(0)?;
        let mut outputs = Vec::with_capacity(count.div_ceil(batch));
        for start in (0..count).step_by(batch) {
            let taken = batch.min(count - start);
            let part = images.narrow(0, start, taken)?;
            let full = part.pad_with_zeros(0, 0, batch - taken)?;
            outputs.push(executor.infer(&full)?.narrow(0, 0, taken)?);
        }
        Ok(Tensor::cat(&outputs, 0)?)
    }
}

/// Noise in the network's own input shape; always the same.
fn trial(network: &Network, count: usize) -> Result<Tensor> {
    let input = network.input();
    let dims = [&[count], input.dims.as_slice()].concat();
    let mut rng = fastrand::Rng::with_seed(0);
    let elements: usize = dims.iter().product();
    let noise: Vec<f32> = if input.element == ElementType::U8 {
        (0..elements).map(|_| f32::from(rng.u8(..))).collect()
    } else {
        (0..elements).map(|_| rng.f32() * 4.0 - 2.0).collect()
    };
    let noise = Tensor::from_vec(noise, dims, &Device::Cpu)?;
    Ok(if input.element == ElementType::U8 {
        noise.to_dtype(DType::I64)?
    } else {
        noise
    })
}

fn agree(a: &Tensor, b: &Tensor) -> Result<bool> {
    if a.dims() != b.dims() {
        return Ok(false);
    }
    let values = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (a, b) = (values(a)?, values(b)?);
    let largest = b
        .iter()
        .fold(0.0, |largest: f64, value| largest.max(value.abs()));
    Ok(a.iter()
        .zip(&b)
        .all(|(a, b)| (a - b).abs() <= TOLERANCE * largest || a.to_bits() == b.to_bits()))
}
