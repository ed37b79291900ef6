//! The places at which a spatial transformer samples (Jaderberg et al. 2015), as `torch.nn.functional.affine_grid`.

#![expect(clippy::cast_precision_loss, reason = "lengths of images")]

use candle_core::{Result as CandleResult, Tensor};

use super::Operator;
use crate::{
    onnx::{Apply, Importer, OnnxError, Value, encode::flag, proto::AttributeProto},
    run::Inputs,
    shapes::{Arguments, Dims, lengths},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AffineGrid {
    /// Whether −1 and 1 are the centres of the corner pixels, rather than the image's edges.
    pub align_corners: bool,
}

pub(super) fn read(
    importer: &mut Importer<'_>,
    apply: &Apply<'_>,
) -> Result<Vec<Value>, OnnxError> {
    let operator = AffineGrid {
        align_corners: apply.flag("align_corners"),
    };
    let (theta, size) = (importer.first(apply)?, importer.operand(apply, 1)?);
    Ok(vec![Value::Flow(importer.emit(
        apply,
        operator.into(),
        &[theta, size],
    ))])
}

impl Operator for AffineGrid {
    fn name(&self) -> &'static str {
        "AffineGrid"
    }

    /// The batch is theta's, whatever `size` says: an exporter writes the traced one there.
    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String> {
        let size = lengths(&inputs.integers(1)?)?;
        match (inputs.dims(0)?, size.as_slice()) {
            (&[batch, axes, columns], [_, _, spatial @ ..])
                if (2..=3).contains(&axes) && columns == axes + 1 && spatial.len() == axes =>
            {
                Ok(vec![[&[batch], spatial, &[axes]].concat()])
            }
            (theta, size) => Err(format!("transformations {theta:?} of images {size:?}")),
        }
    }

    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>> {
        let theta = inputs.get(0)?;
        let [batch, spatial @ .., axes] = dims[0].as_slice() else {
            candle_core::bail!("a grid of {:?}", dims[0]);
        };
        let places = spatial.iter().product::<usize>();
        // (x, y, 1) of each place: the last dimension first.
        let mut positions = Vec::with_capacity(places * (axes + 1));
        for place in 0..places {
            let mut rest = place;
            for &length in spatial.iter().rev() {
                positions.push(self.position(rest % length, length));
                rest /= length;
            }
            positions.push(1f32);
        }
        let positions = Tensor::from_vec(positions, (places, axes + 1), theta.device())?;
        let positions = positions.to_dtype(theta.dtype())?;
        let grid = positions
            .broadcast_left(*batch)?
            .contiguous()?
            .matmul(&theta.transpose(1, 2)?.contiguous()?)?;
        Ok(vec![grid.reshape(dims[0].as_slice())?])
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        vec![flag("align_corners", self.align_corners)]
    }
}

impl AffineGrid {
    fn position(self, at: usize, length: usize) -> f32 {
        let is_single = length == 1;
        let (at, length) = (at as f32, length as f32);
        match self.align_corners {
            // PyTorch puts a single pixel into the middle.
            true if is_single => 0.,
            true => at * 2. / (length - 1.) - 1.,
            false => (at * 2. + 1.) / length - 1.,
        }
    }
}
