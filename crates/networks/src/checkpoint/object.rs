use std::fmt;

use safetensors::Dtype;

/// What a pickle builds, without running anything of it. Objects refer to each other by [`ObjectId`], so that a cycle or a
/// deep nesting costs no recursion.
#[derive(Debug, Clone)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(String),
    Tuple(Vec<ObjectId>),
    List(Vec<ObjectId>),
    /// In the order of insertion; a key that comes again replaces what it had.
    Dict(Vec<(ObjectId, ObjectId)>),
    Class(Class),
    Storage(StorageRef),
    Tensor(TensorSpec),
    /// Anything else: what a class or function that is not known here would have made.
    Opaque(Opaque),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ObjectId(pub(super) u32);

/// A class or function, by name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) module: String,
    pub(super) name: String,
}

#[derive(Debug, Clone)]
pub(super) struct Opaque {
    pub(super) class: String,
    /// What the object was to be filled with, usually its `__dict__`.
    pub(super) state: Option<ObjectId>,
}

/// A one-dimensional array of elements that lies elsewhere in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StorageRef {
    pub(super) key: String,
    /// `None` where the storage counts bytes and each tensor says what they are.
    pub(super) dtype: Option<Dtype>,
    /// So many elements of the root storage come before it (files of 2017 and before).
    pub(super) start: usize,
    /// In elements.
    pub(super) length: usize,
}

/// Which elements of a storage a tensor consists of. Not checked against the storage yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorSpec {
    pub(super) storage: StorageRef,
    pub(super) dtype: Dtype,
    /// In elements, as are the strides.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Object {
    /// `an int`, `a list`: what is said about an entry that is no tensor.
    pub(super) fn kind(&self) -> String {
        let plain = match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float => "a float",
            Self::Text(_) => "a str",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Class(class) => return format!("the class {class}"),
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::Opaque(opaque) => return format!("a {}", opaque.class),
        };
        plain.to_owned()
    }

    pub(super) fn opaque(class: impl fmt::Display) -> Self {
        Self::Opaque(Opaque {
            class: class.to_string(),
            state: None,
        })
    }
}

impl StorageRef {
    pub(super) fn element_bytes(&self) -> usize {
        self.dtype.map_or(1, |dtype| dtype.bitsize() / 8)
    }
}

impl Class {
    pub(super) fn is(&self, module: &str, name: &str) -> bool {
        self.module == module && self.name == name
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}
