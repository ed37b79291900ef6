use bytes::Bytes;
use candle_core::{Device, Tensor};
use half::{bf16, f16};

use super::{
    OnnxError, SideFiles,
    error::{Result, shown},
    file::is_bare,
    proto::{
        StringStringEntryProto, TensorProto,
        tensor_proto::{DataLocation, DataType},
    },
};
use crate::narrow;
use crate::shapes::is_countable;
use crate::{ElementType, Elements, Literal, NetworkError};

/// A tensor of the file, checked: as many bytes as its shape asks for, still in the file where they can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub name: String,
    pub dims: Vec<usize>,
    pub element: ElementType,
    /// Little-endian, one element after the other.
    bytes: Bytes,
}

pub(crate) fn element_type(name: &str, code: i32) -> Result<ElementType> {
    let kind = DataType::try_from(code).unwrap_or(DataType::Undefined);
    Ok(match kind {
        DataType::Float => ElementType::F32,
        DataType::Float16 => ElementType::F16,
        DataType::Bfloat16 => ElementType::BF16,
        DataType::Double => ElementType::F64,
        DataType::Float8e4m3fn => ElementType::F8E4M3FN,
        DataType::Float8e4m3fnuz => ElementType::F8E4M3FNUZ,
        DataType::Float8e5m2 => ElementType::F8E5M2,
        DataType::Float8e5m2fnuz => ElementType::F8E5M2FNUZ,
        DataType::Float4e2m1 => ElementType::F4E2M1,
        DataType::Int2 => ElementType::I2,
        DataType::Int4 => ElementType::I4,
        DataType::Uint2 => ElementType::U2,
        DataType::Uint4 => ElementType::U4,
        DataType::Int8 => ElementType::I8,
        DataType::Int16 => ElementType::I16,
        DataType::Int32 => ElementType::I32,
        DataType::Int64 => ElementType::I64,
        DataType::Uint8 => ElementType::U8,
        DataType::Uint16 => ElementType::U16,
        DataType::Uint32 => ElementType::U32,
        DataType::Uint64 => ElementType::U64,
        DataType::Bool => ElementType::Bool,
        _ => {
            let kind = if kind == DataType::Undefined {
                code.to_string()
            } else {
                kind.as_str_name().to_owned()
            };
            return Err(OnnxError::Tensor {
                tensor: shown(name),
                detail: format!("element type {kind} is not supported"),
            });
        }
    })
}

/// As they lie here: what a file packs into a byte has one each.
fn element_bytes(element: ElementType) -> usize {
    match element {
        ElementType::F8E4M3FN
        | ElementType::F8E4M3FNUZ
        | ElementType::F8E5M2
        | ElementType::F8E5M2FNUZ
        | ElementType::F4E2M1
        | ElementType::I2
        | ElementType::I4
        | ElementType::U2
        | ElementType::U4
        | ElementType::I8
        | ElementType::U8
        | ElementType::Bool => 1,
        ElementType::F16 | ElementType::BF16 | ElementType::I16 | ElementType::U16 => 2,
        ElementType::F32 | ElementType::I32 | ElementType::U32 => 4,
        ElementType::F64 | ElementType::I64 | ElementType::U64 => 8,
    }
}

/// How many elements a file packs into a byte.
fn packed(element: ElementType) -> usize {
    match element {
        ElementType::F4E2M1 | ElementType::I4 | ElementType::U4 => 2,
        ElementType::I2 | ElementType::U2 => 4,
        _ => 1,
    }
}

/// One byte for each of `count` elements, of which the first lies in the lowest bits.
fn unpacked(element: ElementType, packed: &[u8], count: usize) -> Bytes {
    let bits = 8 / self::packed(element);
    let signed = matches!(element, ElementType::I4 | ElementType::I2);
    let each = packed.iter().flat_map(|byte| {
        (0..8 / bits).map(move |at| {
            let highest = byte << (8 - bits * (at + 1));
            if signed {
                (highest.cast_signed() >> (8 - bits)).cast_unsigned()
            } else {
                highest >> (8 - bits)
            }
        })
    });
    each.take(count).collect()
}

impl Stored {
    /// Checks `tensor` and finds its bytes, in the message or in a side file.
    pub fn read(tensor: &TensorProto, side_files: &SideFiles) -> Result<Self> {
        let wrong = |detail: String| OnnxError::Tensor {
            tensor: shown(tensor.name()),
            detail,
        };
        let element = element_type(tensor.name(), tensor.data_type())?;
        let dims: Vec<usize> = tensor
            .dims
            .iter()
            .filter_map(|&dim| usize::try_from(dim).ok())
            .collect();
        if dims.len() != tensor.dims.len() {
            return Err(wrong(format!("negative dimension in {:?}", tensor.dims)));
        }
        let packed = packed(element);
        let expected = dims
            .iter()
            .try_fold(element_bytes(element), |bytes, &dim| bytes.checked_mul(dim))
            .map(|bytes| bytes.div_ceil(packed))
            .filter(|_| is_countable(&dims))
            .ok_or_else(|| wrong(format!("dimensions {dims:?} are too large")))?;
        let bytes = if tensor.data_location() == DataLocation::External {
            external(tensor, expected, side_files)?
        } else {
            inline(tensor, element)
        };
        if bytes.len() != expected {
            return Err(wrong(format!(
                "{} bytes for {element:?} {dims:?}, which take {expected}",
                bytes.len()
            )));
        }
        let bytes = match packed {
            1 => bytes,
            _ => unpacked(element, &bytes, dims.iter().product()),
        };
        Ok(Self {
            name: tensor.name().to_owned(),
            dims,
            element,
            bytes,
        })
    }

    /// A one-dimensional constant, as attributes hold them.
    pub(super) fn integers(values: &[i64]) -> Self {
        Self {
            name: String::new(),
            dims: vec![values.len()],
            element: ElementType::I64,
            bytes: little_endian(values, i64::to_le_bytes),
        }
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self {
            name: String::new(),
            dims: Vec::new(),
            element: ElementType::Bool,
            bytes: vec![u8::from(value)].into(),
        }
    }

    pub(super) fn floats(values: &[f32]) -> Self {
        Self {
            name: String::new(),
            dims: vec![values.len()],
            element: ElementType::F32,
            bytes: little_endian(values, f32::to_le_bytes),
        }
    }

    /// The same elements without dimensions: a scalar attribute.
    pub(super) fn scalar(self) -> Self {
        Self {
            dims: Vec::new(),
            ..self
        }
    }

    pub(super) fn named(self, name: &str) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / element_bytes(self.element)
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its numbers in single precision.
    pub fn to_f32(&self) -> Vec<f32> {
        if let Some(narrow) = narrow::layout(self.element) {
            return self.each(|[code]| narrow.decode(code));
        }
        match self.element {
            ElementType::F32 => self.each(f32::from_le_bytes),
            ElementType::F16 => self.each(|bytes| f16::from_le_bytes(bytes).to_f32()),
            ElementType::BF16 => self.each(|bytes| bf16::from_le_bytes(bytes).to_f32()),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "double precision is cast to the worker's (CONTRACT 3)"
            )]
            ElementType::F64 => self.each(|bytes| f64::from_le_bytes(bytes) as f32),
            #[expect(clippy::cast_precision_loss)]
            _ => self
                .to_i64()
                .into_iter()
                .map(|value| value as f32)
                .collect(),
        }
    }

    /// Its integers; floating-point numbers are truncated. Unsigned ones beyond `i64` wrap.
    pub fn to_i64(&self) -> Vec<i64> {
        match self.element {
            ElementType::I8 | ElementType::I4 | ElementType::I2 => {
                self.each(|bytes| i8::from_le_bytes(bytes).into())
            }
            ElementType::I16 => self.each(|bytes| i16::from_le_bytes(bytes).into()),
            ElementType::I32 => self.each(|bytes| i32::from_le_bytes(bytes).into()),
            ElementType::I64 => self.each(i64::from_le_bytes),
            ElementType::U8 | ElementType::U4 | ElementType::U2 => {
                self.each(|bytes| u8::from_le_bytes(bytes).into())
            }
            ElementType::U16 => self.each(|bytes| u16::from_le_bytes(bytes).into()),
            ElementType::U32 => self.each(|bytes| u32::from_le_bytes(bytes).into()),
            ElementType::U64 => self.each(|bytes| u64::from_le_bytes(bytes).cast_signed()),
            ElementType::Bool => self.each(|[byte]| i64::from(byte != 0)),
            #[expect(clippy::cast_possible_truncation)]
            _ => self
                .to_f32()
                .into_iter()
                .map(|value| value as i64)
                .collect(),
        }
    }

    fn each<const N: usize, T>(&self, read: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (chunks, _) = self.bytes.as_chunks();
        chunks.iter().map(|&chunk| read(chunk)).collect()
    }

    /// As a constant of the graph.
    pub fn literal(&self) -> Literal {
        let elements = if self.element.is_float() {
            Elements::Float(self.to_f32())
        } else if self.element == ElementType::Bool {
            Elements::Bool(self.to_i64().into_iter().map(|value| value != 0).collect())
        } else {
            Elements::Integer(self.to_i64())
        };
        Literal {
            dims: self.dims.clone(),
            elements,
        }
    }

    /// As a weight: `f32`, `i64` or `u8` (booleans) on the CPU.
    pub fn tensor(&self) -> Result<Tensor> {
        let dims = self.dims.as_slice();
        let tensor = if self.element.is_float() {
            Tensor::from_vec(self.to_f32(), dims, &Device::Cpu)
        } else if self.element == ElementType::Bool {
            Tensor::from_vec(self.each(|[byte]| u8::from(byte != 0)), dims, &Device::Cpu)
        } else {
            Tensor::from_vec(self.to_i64(), dims, &Device::Cpu)
        };
        Ok(tensor.map_err(NetworkError::from)?)
    }
}

fn little_endian<T: Copy, const N: usize>(values: &[T], write: impl Fn(T) -> [u8; N]) -> Bytes {
    values.iter().flat_map(|&value| write(value)).collect()
}

/// Raw bytes, or whichever typed field the element type uses.
fn inline(tensor: &TensorProto, element: ElementType) -> Bytes {
    if let Some(raw) = &tensor.raw_data {
        return raw.clone();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "narrow elements lie in wider fields"
    )]
    match element {
        ElementType::F32 => little_endian(&tensor.float_data, f32::to_le_bytes),
        ElementType::F64 => little_endian(&tensor.double_data, f64::to_le_bytes),
        ElementType::I64 => little_endian(&tensor.int64_data, i64::to_le_bytes),
        ElementType::U64 => little_endian(&tensor.uint64_data, u64::to_le_bytes),
        ElementType::U32 => {
            little_endian(&tensor.uint64_data, |value| (value as u32).to_le_bytes())
        }
        ElementType::I32 => little_endian(&tensor.int32_data, i32::to_le_bytes),
        ElementType::F16 | ElementType::BF16 | ElementType::I16 | ElementType::U16 => {
            little_endian(&tensor.int32_data, |value| (value as u16).to_le_bytes())
        }
        _ => little_endian(&tensor.int32_data, |value| [value as u8]),
    }
}

/// The slice of a side file that `tensor` names: a bare file name, and a range inside that file.
fn external(tensor: &TensorProto, expected: usize, side_files: &SideFiles) -> Result<Bytes> {
    let wrong = |detail: String| OnnxError::Tensor {
        tensor: shown(tensor.name()),
        detail,
    };
    let entry = |key: &str| {
        tensor
            .external_data
            .iter()
            .find(|entry| entry.key() == key)
            .map(StringStringEntryProto::value)
    };
    let number = |key: &str| {
        let parse = |text: &str| {
            text.parse::<usize>()
                .map_err(|_| wrong(format!("external data's {key} is {:?}", shown(text))))
        };
        entry(key).map(parse).transpose()
    };
    let location = entry("location").unwrap_or_default();
    if !is_bare(location) {
        return Err(wrong(format!(
            "external data's location {:?} is not a bare file name",
            shown(location)
        )));
    }
    let Some(file) = side_files.get(location) else {
        return Err(OnnxError::SideFile {
            tensor: shown(tensor.name()),
            location: shown(location),
        });
    };
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or(expected);
    let end = offset.checked_add(length).filter(|&end| end <= file.len());
    let Some(end) = end else {
        return Err(wrong(format!(
            "bytes {offset} to {offset} + {length} of {location}, which has {}",
            file.len()
        )));
    };
    Ok(file.slice(offset..end))
}
