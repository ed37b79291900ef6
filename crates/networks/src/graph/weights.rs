use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorView;

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

    /// A safetensors file of the tensors, in float32, that says of itself what `metadata` says (`architecture`, `preprocess`).
    ///
    /// # Errors
    /// [`NetworkError::Candle`] where a tensor cannot be read from its device.
    pub fn to_safetensors(&self, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.len());
        for (_, tensor) in self.iter() {
            let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
            bytes.push(
                values
                    .into_iter()
                    .flat_map(f32::to_le_bytes)
                    .collect::<Vec<u8>>(),
            );
        }
        let refused =
            |error: safetensors::SafeTensorError| NetworkError::Weights(error.to_string());
        let views = self.iter().zip(&bytes).map(|((name, tensor), bytes)| {
            let view = TensorView::new(safetensors::Dtype::F32, tensor.dims().to_vec(), bytes);
            Ok((name, view.map_err(refused)?))
        });
        let views: Vec<_> = views.collect::<Result<_>>()?;
        let metadata: HashMap<String, String> = metadata
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()))
            .collect();
        safetensors::serialize(views, Some(metadata)).map_err(refused)
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
