use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use prost::Message;

use super::{
    OnnxError,
    error::{Result, shown},
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
        tensor_proto::DataLocation, tensor_shape_proto::dimension, type_proto,
    },
    reach,
    tensor::element_type,
};
use crate::{ElementType, mapped};

pub const OLDEST_OPSET: i64 = 7;
pub const NEWEST_OPSET: i64 = 28;

/// Protobuf's own limit.
const MOST_BYTES: u64 = 2 << 30;
/// The largest timm networks export to some ten thousand nodes.
const MOST_NODES: usize = 200_000;
const MOST_TENSORS: usize = 200_000;
const LONGEST_NAME: usize = 4096;
/// Bodies of `If` within bodies of `If`.
const DEEPEST_GRAPH: usize = 16;

/// The files that hold a model's external data, mapped, by the bare name that the model calls them.
#[derive(Clone, Debug, Default)]
pub struct SideFiles(BTreeMap<String, Bytes>);

impl SideFiles {
    /// Adds the bytes of a file that is mapped already.
    pub fn insert(&mut self, name: &str, bytes: Bytes) {
        self.0.insert(name.to_owned(), bytes);
    }

    /// Adds a file under the name that the model knows it by.
    ///
    /// # Errors
    /// [`OnnxError::Io`] if it cannot be opened, is a link, or is not a plain file.
    pub fn add(&mut self, name: &str, path: &Path) -> Result<()> {
        let kind = std::fs::symlink_metadata(path).map_err(failed(path))?;
        if !kind.is_file() {
            return Err(failed(path)(std::io::Error::other("not a plain file")));
        }
        self.insert(name, map(path)?);
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Bytes> {
        self.0.get(name)
    }
}

/// A decoded ONNX file within limits. Its tensors still lie in the mapped file.
#[derive(Clone, Debug)]
pub struct OnnxFile {
    pub(super) model: ModelProto,
    pub(super) side_files: SideFiles,
}

/// An input or output as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub name: String,
    pub element: ElementType,
    /// `None` where the file gives no number; the whole absent where it gives no shape.
    pub dims: Option<Vec<Option<usize>>>,
}

impl OnnxFile {
    /// Maps and decodes the file at `path`.
    pub fn open(path: &Path, side_files: SideFiles) -> Result<Self> {
        Self::decode(map(path)?, side_files)
    }

    /// The same, with the side files that lie beside it.
    pub fn open_beside(path: &Path) -> Result<Self> {
        let mut file = Self::open(path, SideFiles::default())?;
        for (name, beside) in file.beside(path)? {
            file.side_files.add(&name, &beside)?;
        }
        Ok(file)
    }

    /// The files that hold its external data, by name, as they lie beside `path`.
    ///
    /// # Errors
    /// [`OnnxError::Beside`] where one is missing, or is called by more than a name.
    pub fn beside(&self, path: &Path) -> Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        for location in self.locations() {
            let beside = path.with_file_name(&location);
            if !is_bare(&location) || !beside.is_file() {
                return Err(OnnxError::Beside {
                    remedy: if is_bare(&location) {
                        "put that file into the same folder"
                    } else {
                        "save the model again with its data in the same folder, under a name without a path"
                    },
                    location: shown(&location),
                });
            }
            found.push((location, beside));
        }
        Ok(found)
    }

    /// Decodes a file's bytes, and checks all that can be checked without following the graph.
    pub fn decode(bytes: Bytes, side_files: SideFiles) -> Result<Self> {
        if bytes.len() as u64 > MOST_BYTES {
            return Err(OnnxError::TooLarge {
                bytes: bytes.len() as u64,
            });
        }
        if bytes.is_empty() {
            return Err(OnnxError::Empty);
        }
        // Every ONNX file begins with its IR version.
        let begins_as_one = bytes.first() == Some(&0x08);
        let model = ModelProto::decode(bytes).map_err(|error| match error.to_string() {
            reason if begins_as_one && reason.contains("buffer underflow") => OnnxError::CutOff,
            reason => OnnxError::NotOnnx(reason),
        })?;
        let Some(graph) = &model.graph else {
            return Err(OnnxError::NotOnnx("it holds no graph".into()));
        };
        let mut counted = Counted::default();
        counted.graph(graph, 0)?;
        for function in &model.functions {
            counted.nodes(&function.node, 0)?;
        }
        let file = Self { model, side_files };
        file.opset()?;
        Ok(file)
    }

    pub(super) fn graph(&self) -> &GraphProto {
        self.model
            .graph
            .as_ref()
            .expect("decode refuses a file without a graph")
    }

    /// The version of ONNX's own operators that the file is written in.
    pub fn opset(&self) -> Result<i64> {
        opset(&self.model.opset_import)
    }

    /// Who wrote the file, for example `pytorch`; empty where it does not say.
    pub fn producer(&self) -> &str {
        self.model.producer_name()
    }

    /// The file's own metadata, by key.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.model
            .metadata_props
            .iter()
            .map(|entry| (entry.key(), entry.value()))
    }

    /// The inputs that a caller has to give: those without an initialiser (before IR 4 initialisers were inputs too).
    pub fn inputs(&self) -> Result<Vec<Declared>> {
        let graph = self.graph();
        let initialised: HashSet<_> = graph.initializer.iter().map(TensorProto::name).collect();
        graph
            .input
            .iter()
            .filter(|input| !initialised.contains(input.name()))
            .map(declared)
            .collect()
    }

    /// Those of them that `output` is computed from.
    pub fn inputs_of(&self, output: &str) -> Result<Vec<Declared>> {
        let graph = self.graph();
        let read = reach::leading_to(graph, output);
        let initialised: HashSet<_> = graph.initializer.iter().map(TensorProto::name).collect();
        graph
            .input
            .iter()
            .filter(|input| read.contains(input.name()) && !initialised.contains(input.name()))
            .map(declared)
            .collect()
    }

    /// # Errors
    /// Where one of them is no tensor of numbers.
    pub fn outputs(&self) -> Result<Vec<Declared>> {
        self.graph().output.iter().map(declared).collect()
    }

    /// The outputs that could answer: tensors of numbers. Others (labels, sequences, maps) are none.
    pub fn answers(&self) -> Vec<Declared> {
        let outputs = self.graph().output.iter();
        outputs.filter_map(|output| declared(output).ok()).collect()
    }

    /// What all outputs are called.
    pub fn output_names(&self) -> Vec<String> {
        let outputs = self.graph().output.iter();
        outputs.map(|output| output.name().to_owned()).collect()
    }

    /// Whether the value `from` has a part in the value `to`.
    pub fn leads_to(&self, from: &str, to: &str) -> bool {
        reach::leading_to(self.graph(), to).contains(from)
    }

    /// How the file stores its weights, most of them first: `float16`, for example, or `int8` where they are quantised.
    pub fn stored_types(&self) -> Vec<String> {
        let mut bytes: BTreeMap<&str, i64> = BTreeMap::new();
        for tensor in &self.graph().initializer {
            let name = match element_type(tensor.name(), tensor.data_type()) {
                Ok(ElementType::F16) => "float16",
                Ok(ElementType::BF16) => "bfloat16",
                Ok(ElementType::F32) => "float32",
                Ok(ElementType::F64) => "float64",
                Ok(ElementType::I8) => "int8",
                Ok(ElementType::U8) => "uint8",
                _ => continue,
            };
            let elements = tensor
                .dims
                .iter()
                .fold(1, |product: i64, &dim| product.saturating_mul(dim));
            // A scale or a bound of another type says nothing about the weights, nor does a small tensor.
            if elements > 1 {
                *bytes.entry(name).or_default() += elements;
            }
        }
        let all: i64 = bytes.values().sum();
        let mut named: Vec<(&str, i64)> = bytes
            .into_iter()
            .filter(|(_, elements)| elements.saturating_mul(100) >= all)
            .collect();
        named.sort_by_key(|(_, elements)| std::cmp::Reverse(*elements));
        named.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// The names of the files that the model's external data lies in.
    fn locations(&self) -> BTreeSet<String> {
        let mut locations = BTreeSet::new();
        locations_of(self.graph(), &mut locations);
        locations
    }
}

/// Whether a side file's name is a name only, and leads nowhere else.
pub(super) fn is_bare(location: &str) -> bool {
    !matches!(location, "" | "." | "..") && !location.contains(['/', '\\', '\0'])
}

pub(super) fn opset(imports: &[super::proto::OperatorSetIdProto]) -> Result<i64> {
    let own = imports
        .iter()
        .find(|import| matches!(import.domain(), "" | "ai.onnx"));
    let version = own.map_or(1, super::proto::OperatorSetIdProto::version);
    if (OLDEST_OPSET..=NEWEST_OPSET).contains(&version) {
        Ok(version)
    } else {
        Err(OnnxError::Opset { version })
    }
}

fn map(path: &Path) -> Result<Bytes> {
    mapped::open(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> OnnxError + '_ {
    |source| OnnxError::Io {
        path: path.to_owned(),
        source,
    }
}

fn declared(value: &ValueInfoProto) -> Result<Declared> {
    let Some(type_proto::Value::TensorType(tensor)) =
        value.r#type.as_ref().and_then(|of| of.value.as_ref())
    else {
        return Err(OnnxError::Graph(format!(
            "{} is not a tensor",
            shown(value.name())
        )));
    };
    let dims = tensor.shape.as_ref().map(|shape| {
        let dim = |dim: &super::proto::tensor_shape_proto::Dimension| match &dim.value {
            Some(dimension::Value::DimValue(length)) => {
                usize::try_from(*length).ok().filter(|&length| length > 0)
            }
            _ => None,
        };
        shape.dim.iter().map(dim).collect()
    });
    Ok(Declared {
        name: value.name().to_owned(),
        element: element_type(value.name(), tensor.elem_type())?,
        dims,
    })
}

fn locations_of(graph: &GraphProto, locations: &mut BTreeSet<String>) {
    let mut tensor = |tensor: &TensorProto| {
        if tensor.data_location() == DataLocation::External {
            let location = tensor
                .external_data
                .iter()
                .find(|entry| entry.key() == "location");
            locations.extend(location.map(|entry| entry.value().to_owned()));
        }
    };
    graph.initializer.iter().for_each(&mut tensor);
    graph
        .node
        .iter()
        .flat_map(|node| &node.attribute)
        .filter_map(|attribute| attribute.t.as_ref())
        .for_each(tensor);
    for body in graph
        .node
        .iter()
        .flat_map(|node| &node.attribute)
        .filter_map(|attribute| attribute.g.as_ref())
    {
        locations_of(body, locations);
    }
}

/// How much of everything a file holds, counted while walking it.
#[derive(Default)]
struct Counted {
    nodes: usize,
    tensors: usize,
}

impl Counted {
    fn graph(&mut self, graph: &GraphProto, depth: usize) -> Result<()> {
        limit("graphs within graphs", depth, DEEPEST_GRAPH)?;
        self.tensors += graph.initializer.len();
        limit("initialisers", self.tensors, MOST_TENSORS)?;
        graph
            .initializer
            .iter()
            .try_for_each(|tensor| name(tensor.name()))?;
        graph
            .input
            .iter()
            .chain(&graph.output)
            .try_for_each(|value| name(value.name()))?;
        self.nodes(&graph.node, depth)
    }

    fn nodes(&mut self, nodes: &[NodeProto], depth: usize) -> Result<()> {
        self.nodes += nodes.len();
        limit("nodes", self.nodes, MOST_NODES)?;
        for node in nodes {
            let names = [node.name(), node.op_type(), node.domain()];
            names
                .into_iter()
                .chain(node.input.iter().chain(&node.output).map(String::as_str))
                .try_for_each(name)?;
            node.attribute
                .iter()
                .try_for_each(|attribute| name(attribute.name()))?;
            let bodies = |attribute: &'_ AttributeProto| {
                attribute.g.is_some() || !attribute.graphs.is_empty()
            };
            for attribute in node.attribute.iter().filter(|attribute| bodies(attribute)) {
                attribute
                    .g
                    .iter()
                    .chain(&attribute.graphs)
                    .try_for_each(|body| self.graph(body, depth + 1))?;
            }
        }
        Ok(())
    }
}

fn name(name: &str) -> Result<()> {
    limit("bytes in a name", name.len(), LONGEST_NAME)
}

fn limit(what: &str, found: usize, limit: usize) -> Result<()> {
    if found <= limit {
        Ok(())
    } else {
        Err(OnnxError::Limit {
            what: what.into(),
            found,
            limit,
        })
    }
}
