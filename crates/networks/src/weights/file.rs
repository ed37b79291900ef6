use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use referee_scoring::model_form::refuse_model_by_leading_bytes;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::error::{Result, WeightsError};
use crate::mapped;

/// The largest networks' headers have some hundred thousand bytes.
const LONGEST_HEADER: u64 = 16 << 20;
const LONGEST_NAME: usize = 500;
/// Of one tensor.
const MOST_DIMENSIONS: usize = 16;

/// A safetensors file, mapped. Its tensors' places are checked: they fill the file without gap or overlap.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    /// Everything behind the header.
    data: Bytes,
    metadata: BTreeMap<String, String>,
    tensors: Vec<TensorInfo>,
}

/// A tensor as the header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Its bytes within the data.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A tensor and its elements, little-endian and in the order of their indices, at no particular alignment.
pub(super) struct TensorBytes<'a> {
    pub(super) info: &'a TensorInfo,
    pub(super) bytes: &'a [u8],
}

impl WeightsFile {
    /// Maps the file at `path` and checks its header.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = mapped::open(path).map_err(|source| WeightsError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::read(&bytes)
    }

    /// Checks a file's bytes.
    pub fn read(file: &Bytes) -> Result<Self> {
        if let Some(sentence) = refuse_model_by_leading_bytes(&file[..file.len().min(1024)], None) {
            return Err(WeightsError::File(sentence));
        }
        let announced = file.first_chunk().map(|length| u64::from_le_bytes(*length));
        if announced.is_some_and(|length| length > LONGEST_HEADER && length < file.len() as u64) {
            return Err(WeightsError::File(format!(
                "the safetensors header is {} bytes long; the limit is {LONGEST_HEADER}",
                announced.unwrap_or_default()
            )));
        }
        let (header, metadata) = SafeTensors::read_metadata(file).map_err(damaged)?;
        let mut tensors = Vec::new();
        for (name, info) in metadata.tensors() {
            if name.len() > LONGEST_NAME || info.shape.len() > MOST_DIMENSIONS {
                let shown: String = name.chars().take(80).collect();
                return Err(WeightsError::File(format!(
                    "tensor {shown}: its name has {} bytes and its shape {} dimensions; the limits are {LONGEST_NAME} and {MOST_DIMENSIONS}",
                    name.len(),
                    info.shape.len()
                )));
            }
            let (start, end) = info.data_offsets;
            tensors.push(TensorInfo {
                name,
                dtype: info.dtype,
                shape: info.shape.clone(),
                start,
                end,
            });
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let texts = metadata.metadata().clone().unwrap_or_default();
        Ok(Self {
            data: file.slice(size_of::<u64>() + header..),
            metadata: texts.into_iter().collect(),
            tensors,
        })
    }

    /// What the file says about itself under `__metadata__`: `architecture`, `preprocess`, `class_order` among it.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// In the order of the names.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    pub(super) fn tensor<'a>(&'a self, info: &'a TensorInfo) -> TensorBytes<'a> {
        TensorBytes {
            info,
            bytes: &self.data[info.start..info.end],
        }
    }
}

fn damaged(error: SafeTensorError) -> WeightsError {
    use SafeTensorError as E;
    let remedy = "save it again with safetensors.torch.save_file";
    WeightsError::File(match error {
        E::HeaderTooSmall | E::HeaderTooLarge | E::InvalidHeaderLength | E::InvalidHeader(_) => {
            format!("this is not a safetensors file ({error}); {remedy}")
        }
        E::MetadataIncompleteBuffer => {
            "the safetensors file is not as long as its header says: it was cut off, or something was appended; send it again".to_owned()
        }
        E::InvalidOffset(name) => {
            format!("the safetensors header gives tensor {name} a place that overlaps another or leaves a gap; {remedy}")
        }
        error => format!("the safetensors header is damaged ({error}); {remedy}"),
    })
}
