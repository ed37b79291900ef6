//! Weights in safetensors files: mapped, checked, and matched to a network's parameters by name and shape.
//!
//! A file that a training script wrote rarely has exactly the network's names. What differs and does not matter (a wrapper's prefix,
//! auxiliary heads, an optimizer's state) is told apart from what does, see [`matching`].

pub(crate) mod densenet;
mod error;
mod file;
mod foreign;
mod leftovers;
mod matching;
mod sizes;
mod timm;
mod values;

use candle_core::Device;
use referee_scoring::Notice;

use crate::graph::{Network, Weights};
use error::Result;
pub use error::WeightsError;
pub use file::{TensorInfo, WeightsFile};
pub use leftovers::reparametrised;
use matching::Matching;

/// What was loaded for a network.
#[derive(Debug)]
pub struct Loaded {
    /// In float32, by the network's own names.
    pub weights: Weights,
    /// How the file stores them: `float32`, `float16`, `bfloat16`, `float64`, or several joined by `+`.
    pub stored_as: String,
    /// What was stripped or ignored.
    pub notices: Vec<Notice>,
}

impl WeightsFile {
    /// The network's weights, cast to float32, on `device`.
    ///
    /// `classes` are the challenge's: where only the head has another number, that is what the error says.
    ///
    /// # Errors
    /// [`WeightsError`], where tensors are missing, left over or of another shape, or are no floating-point numbers.
    pub fn load(&self, network: &Network, classes: usize, device: &Device) -> Result<Loaded> {
        let matching = Matching::new(self.tensors(), network);
        matching
            .check(network, classes)
            .map_err(|error| self.suggesting(error, network))?;
        let mut weights = Weights::default();
        let mut stored_as = Vec::new();
        for (parameter, tensor) in matching.found() {
            let tensor = self.tensor(tensor);
            let kind = values::kind(&tensor)?;
            if !stored_as.contains(&kind) {
                stored_as.push(kind);
            }
            weights.insert(
                &parameter.name,
                values::to_f32(&tensor, &parameter.dims, device)?,
            );
        }
        stored_as.sort_unstable();
        Ok(Loaded {
            weights,
            stored_as: stored_as.join("+"),
            notices: matching.notices(),
        })
    }

    /// What stands between the file and the network with as many classes as its own head has: nothing where it fits.
    pub fn misfit(&self, network: &Network) -> Option<WeightsError> {
        self.differs(network)
            .map(|error| self.suggesting(error, network))
    }

    fn differs(&self, network: &Network) -> Option<WeightsError> {
        let matching = Matching::new(self.tensors(), network);
        matching.check(network, matching::classes(network)).err()
    }

    /// Where the tensors are those of another network here, or of this one behind a wrapper's prefix, says so.
    fn suggesting(&self, error: WeightsError, wanted: &Network) -> WeightsError {
        match error {
            WeightsError::Mismatch {
                network,
                differences,
                remark,
            } => {
                let fits = self.architecture();
                let fits = fits.map(|fits| format!(". They are those of {fits}"));
                let behind_prefix = || {
                    let prefix = matching::unknown_prefix(self.tensors(), wanted)?;
                    Some(format!(
                        ". Without `{prefix}` before the names they are: save {{k.removeprefix(\"{prefix}\"): v for k, v in \
                         state_dict.items()}}"
                    ))
                };
                WeightsError::Mismatch {
                    network,
                    differences,
                    remark: fits.or_else(behind_prefix).unwrap_or(remark),
                }
            }
            other => other,
        }
    }
}
