use safetensors::Dtype;

use super::{LONGEST_NAME, Machine};
use crate::checkpoint::error::{CheckpointError, Result};
use crate::checkpoint::object::{Class, Object, ObjectId, StorageRef, TensorSpec};

/// PyTorch's own limit is 64.
const MOST_DIMENSIONS: usize = 64;

/// The calls that a pickle asks for: those that make tensors and dicts are understood, all others stand for an opaque value.
impl Machine<'_> {
    pub(super) fn call(&mut self, callable: ObjectId, arguments: ObjectId) -> Result<Object> {
        let Object::Class(class) = self.objects.get(callable).clone() else {
            return Ok(Object::opaque(self.class_name(callable)));
        };
        let items = self.objects.items(arguments);
        let first = items.first().copied();
        let made = match (class.module.as_str(), class.name.as_str()) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => {
                return self.dict(first);
            }
            ("collections", "defaultdict") => Some(Object::Dict(Vec::new())),
            ("torch", "Size") => first.and_then(|size| self.small(size)),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") => {
                self.tensor(items)?
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                first.and_then(|data| self.small(data))
            }
            // A subclass of tensor: (the function that makes the tensor, class, its arguments, state).
            ("torch._tensor", "_rebuild_from_type_v2") => match *items {
                [function, _, arguments, _] => match self.objects.get(function) {
                    Object::Class(function) if function.module == "torch._utils" => {
                        self.tensor(self.objects.items(arguments))?
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        Ok(made.unwrap_or_else(|| Object::opaque(class)))
    }

    /// A tensor, or a tuple no longer than a tensor's shape.
    fn small(&self, id: ObjectId) -> Option<Object> {
        match self.objects.get(id) {
            tensor @ Object::Tensor(_) => Some(tensor.clone()),
            Object::Tuple(sizes) if sizes.len() <= MOST_DIMENSIONS => {
                Some(Object::Tuple(sizes.clone()))
            }
            _ => None,
        }
    }

    /// An ordered dict, from nothing or from a list of pairs.
    fn dict(&mut self, pairs: Option<ObjectId>) -> Result<Object> {
        let Some(pairs) = pairs else {
            return Ok(Object::Dict(Vec::new()));
        };
        if let Object::Dict(entries) = self.objects.get(pairs) {
            let entries = entries.clone();
            self.copied(entries.len())?;
            return Ok(Object::Dict(entries));
        }
        let pairs = self.objects.items(pairs);
        let entries: Vec<_> = pairs
            .iter()
            .filter_map(|pair| match *self.objects.items(*pair) {
                [key, value] => Some((key, value)),
                _ => None,
            })
            .collect();
        self.copied(entries.len())?;
        Ok(Object::Dict(entries))
    }

    /// `(storage, offset, size, stride, …)`, and in version 3 the element type in the seventh place. `None`: a tensor over a
    /// storage that is not known here, such as a quantised one.
    fn tensor(&self, arguments: &[ObjectId]) -> Result<Option<Object>> {
        let [storage, offset, shape, strides, rest @ ..] = arguments else {
            return Err(self.reader.wrong("a tensor with too few arguments"));
        };
        let Object::Storage(storage) = self.objects.get(*storage) else {
            return Ok(None);
        };
        let stated = rest
            .get(2)
            .and_then(|dtype| match self.objects.get(*dtype) {
                Object::Class(class) if class.module == "torch" => element_type(&class.name),
                _ => None,
            });
        let Some(dtype) = storage.dtype.or(stated) else {
            return Ok(None);
        };
        let (shape, strides) = (self.sizes(*shape)?, self.sizes(*strides)?);
        if shape.len() != strides.len() {
            return Err(self.reader.wrong("a tensor with more sizes than strides"));
        }
        Ok(Some(Object::Tensor(TensorSpec {
            storage: storage.clone(),
            dtype,
            offset: self.size(*offset)?,
            shape,
            strides,
        })))
    }

    fn sizes(&self, id: ObjectId) -> Result<Vec<usize>> {
        let items = self.objects.items(id);
        if items.len() > MOST_DIMENSIONS {
            return Err(CheckpointError::Limit(format!(
                "a tensor with {} dimensions",
                items.len()
            )));
        }
        items.iter().map(|item| self.size(*item)).collect()
    }

    fn size(&self, id: ObjectId) -> Result<usize> {
        let size = self.objects.int(id).map(usize::try_from);
        size.and_then(std::result::Result::ok).ok_or_else(|| {
            self.reader
                .wrong("a size or offset that is no number from 0")
        })
    }

    /// `('storage', type, key, location, length[, (view's key, offset, length)])`, or in old files `('module', class, source…)`.
    pub(super) fn persistent(&self, id: ObjectId) -> Result<Object> {
        let items = self.objects.items(id);
        let tag = items.first().and_then(|tag| self.objects.text(*tag));
        match (tag, items) {
            (Some("storage"), [_, class, key, _, length, view @ ..]) => {
                let Object::Class(class) = self.objects.get(*class) else {
                    return Err(self.reader.wrong("a storage without a type"));
                };
                let Some(dtype) = storage_type(class) else {
                    return Ok(Object::opaque(class));
                };
                let key = self.objects.text(*key).map(str::to_owned);
                let key = key.filter(|key| key.len() <= LONGEST_NAME);
                let key = key.ok_or_else(|| self.reader.wrong("a storage without a name"))?;
                let view = view
                    .first()
                    .map_or(&[][..], |view| self.objects.items(*view));
                let (start, length) = match *view {
                    [_, start, length] => (self.size(start)?, self.size(length)?),
                    _ => (0, self.size(*length)?),
                };
                Ok(Object::Storage(StorageRef {
                    key,
                    dtype,
                    start,
                    length,
                }))
            }
            (Some("module"), [_, class, ..]) => Ok(self.objects.get(*class).clone()),
            _ => Ok(Object::opaque("an object that lies outside the pickle")),
        }
    }

    /// Counts entries that a call copies as objects, so that repeating a large list stays within the limit.
    fn copied(&mut self, entries: usize) -> Result<()> {
        for _ in 0..entries {
            self.objects.add(Object::None)?;
        }
        Ok(())
    }
}

/// `torch.FloatStorage`: what its elements are. `Some(None)`: bytes, of which each tensor says what they are.
#[expect(
    clippy::option_option,
    reason = "the inner one is what a storage says of its elements, the outer whether it is a storage"
)]
fn storage_type(class: &Class) -> Option<Option<Dtype>> {
    if class.is("torch.storage", "UntypedStorage") {
        return Some(None);
    }
    if !matches!(class.module.as_str(), "torch" | "torch.cuda") {
        return None;
    }
    let dtype = match class.name.as_str() {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        "ComplexFloatStorage" => Dtype::C64,
        _ => return None,
    };
    Some(Some(dtype))
}

/// `torch.float32` by its last part.
fn element_type(name: &str) -> Option<Dtype> {
    let dtype = match name {
        "float64" => Dtype::F64,
        "float32" => Dtype::F32,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float8_e4m3fn" => Dtype::F8_E4M3,
        "float8_e5m2" => Dtype::F8_E5M2,
        "float8_e4m3fnuz" => Dtype::F8_E4M3FNUZ,
        "float8_e5m2fnuz" => Dtype::F8_E5M2FNUZ,
        "int64" => Dtype::I64,
        "int32" => Dtype::I32,
        "int16" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint64" => Dtype::U64,
        "uint32" => Dtype::U32,
        "uint16" => Dtype::U16,
        "uint8" => Dtype::U8,
        "bool" => Dtype::BOOL,
        "complex64" => Dtype::C64,
        _ => return None,
    };
    Some(dtype)
}
