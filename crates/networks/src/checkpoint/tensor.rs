use std::borrow::Cow;

use bytes::Bytes;
use safetensors::Dtype;

use super::container::Container;
use super::object::TensorSpec;

/// A tensor of a checkpoint: which elements of a storage, whose bytes stay in the mapped file.
#[derive(Debug, Clone)]
pub struct StoredTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    /// In elements, one for each dimension; not necessarily those of a contiguous tensor.
    strides: Vec<usize>,
    /// From the tensor's first element on.
    storage: Bytes,
    /// Of the tensor when it is contiguous.
    bytes: usize,
}

impl StoredTensor {
    /// # Errors
    /// What is wrong with it, where it reaches beyond its storage.
    pub(super) fn new(container: &Container, spec: &TensorSpec) -> Result<Self, String> {
        let Some(storage) = container.storages.get(&spec.storage.key) else {
            return Err(format!("its storage {} is missing", spec.storage.key));
        };
        let size = spec.dtype.bitsize() / 8;
        let too_large = || "it reaches beyond any memory".to_owned();
        let elements = product(&spec.shape).ok_or_else(too_large)?;
        let bytes = elements.checked_mul(size).ok_or_else(too_large)?;
        let start = spec.storage.start.checked_mul(spec.storage.element_bytes());
        let start = start.zip(spec.offset.checked_mul(size));
        let start = start.and_then(|(storage, tensor)| storage.checked_add(tensor));
        let (start, span) = start
            .zip(span(&spec.shape, &spec.strides).and_then(|span| span.checked_mul(size)))
            .ok_or_else(too_large)?;
        let end = start.checked_add(span).ok_or_else(too_large)?;
        if bytes > 0 && end > storage.len() {
            return Err(format!(
                "it needs {end} bytes of storage {}, which has {}: the file was cut off",
                spec.storage.key,
                storage.len()
            ));
        }
        let storage = if bytes == 0 {
            Bytes::new()
        } else {
            storage.slice(start..end)
        };
        Ok(Self {
            dtype: spec.dtype,
            shape: spec.shape.clone(),
            strides: spec.strides.clone(),
            storage,
            bytes,
        })
    }

    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// When contiguous.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the elements lie in the file in the order of their indices.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.bytes == 0
            || self
                .shape
                .iter()
                .zip(&self.strides)
                .rev()
                .all(|(&size, &stride)| {
                    let fits = size == 1 || stride == expected;
                    expected *= size;
                    fits
                })
    }

    /// The elements in the order of their indices, little-endian. Copied only where they lie otherwise.
    pub fn contiguous(&self) -> Cow<'_, [u8]> {
        if self.is_contiguous() {
            return Cow::Borrowed(&self.storage[..self.bytes]);
        }
        let size = self.dtype.bitsize() / 8;
        let mut copied = Vec::with_capacity(self.bytes);
        let last = self.shape.len() - 1;
        let (length, stride) = (self.shape[last], self.strides[last]);
        let mut index = vec![0; last];
        loop {
            let row: usize = index
                .iter()
                .zip(&self.strides)
                .map(|(i, stride)| i * stride)
                .sum();
            if stride == 1 {
                copied.extend_from_slice(&self.storage[row * size..(row + length) * size]);
            } else {
                for column in 0..length {
                    let at = (row + column * stride) * size;
                    copied.extend_from_slice(&self.storage[at..at + size]);
                }
            }
            if !advance(&mut index, &self.shape[..last]) {
                return Cow::Owned(copied);
            }
        }
    }
}

/// The next index in row-major order; false after the last.
fn advance(index: &mut [usize], shape: &[usize]) -> bool {
    for (place, &size) in index.iter_mut().zip(shape).rev() {
        *place += 1;
        if *place < size {
            return true;
        }
        *place = 0;
    }
    false
}

fn product(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1, |product: usize, &size| product.checked_mul(size))
}

/// How many elements lie between the first and the last, both counted.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    shape
        .iter()
        .zip(strides)
        .try_fold(1, |span: usize, (&size, &stride)| {
            span.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        })
}
