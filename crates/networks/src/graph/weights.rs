use std::collections::BTreeMap;

use candle_core::Tensor;

use super::Network;
use crate::error::{NetworkError, Result};

/// A network's tensors by parameter name, as in a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.remove(name)
    }

    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// In the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether every parameter of `network` is there in its shape. Surplus tensors are fine.
    ///
    /// # Errors
    /// [`NetworkError::Weights`] names the first parameter that is missing or misshapen.
    pub fn check(&self, network: &Network) -> Result<()> {
        for parameter in network.parameters() {
            let Some(tensor) = self.get(&parameter.name) else {
                return Err(NetworkError::Weights(format!(
                    "{} is missing",
                    parameter.name
                )));
            };
            if tensor.dims() != parameter.dims {
                return Err(NetworkError::Weights(format!(
                    "{} is {:?}; {} expects {:?}",
                    parameter.name,
                    tensor.dims(),
                    network.name(),
                    parameter.dims
                )));
            }
        }
        Ok(())
    }
}

impl FromIterator<(String, Tensor)> for Weights {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(tensors: I) -> Self {
        Self {
            tensors: tensors.into_iter().collect(),
        }
    }
}
