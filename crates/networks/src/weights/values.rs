use candle_core::{Device, Tensor};
use half::{bf16, f16};
use safetensors::Dtype;

use super::error::{Result, WeightsError};
use super::file::TensorBytes;

/// How PyTorch calls the tensor's floating-point type.
pub(super) fn kind(tensor: &TensorBytes<'_>) -> Result<&'static str> {
    match tensor.info.dtype {
        Dtype::F16 => Ok("float16"),
        Dtype::BF16 => Ok("bfloat16"),
        Dtype::F32 => Ok("float32"),
        Dtype::F64 => Ok("float64"),
        other => Err(WeightsError::NotFloat {
            name: tensor.info.name.clone(),
            found: other.to_string(),
        }),
    }
}

/// The tensor's elements in float32, in the shape `dims` of as many elements.
pub(super) fn to_f32(tensor: &TensorBytes<'_>, dims: &[usize], device: &Device) -> Result<Tensor> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "to the precision that networks run in"
    )]
    let values: Vec<f32> = match tensor.info.dtype {
        Dtype::F16 => decode(tensor.bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => decode(tensor.bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F64 => decode(tensor.bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        _ => decode(tensor.bytes, f32::from_le_bytes),
    };
    Ok(Tensor::from_vec(values, dims, device)?)
}

fn decode<const SIZE: usize>(bytes: &[u8], value: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks();
    elements.iter().map(|element| value(*element)).collect()
}
