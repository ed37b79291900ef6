//! From a decoded file to a [`Network`]: operators of every opset become today's, what is constant stays a constant,
//! local functions and `If` with a condition that is constant, or follows from shapes, are written out in place.

mod arrange;
mod attention;
mod elementwise;
mod emit;
mod followed;
mod layers;
mod order;
mod origins;
mod quantised;
mod reduce;
mod rotary;
mod sequences;
mod types;
mod unsigned;
mod values;

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use emit::{flow, flows};
use followed::Followed;
use order::Pending;
use origins::Origins;
use sequences::takes_sequences;
use types::Types;
use values::Constant;
pub(super) use values::Value;

use super::{
    OnnxError, OnnxFile, SideFiles, Stored,
    error::{Result, shown},
    file::opset,
    node::{Apply, Attributes},
    proto::{FunctionProto, GraphProto, NodeProto, ValueInfoProto},
};
use crate::{Builder, ElementType, Network, Weights};

/// Nodes once functions are written out: functions that call functions could make any number of a small file.
const MOST_WRITTEN_OUT: usize = 200_000;
/// At both of these batch sizes a condition has to be the same, where the file leaves the batch open.
const FOLLOWED_BATCHES: [usize; 2] = [1, 64];

/// What stands for an input of the graph.
#[derive(Clone, Debug)]
pub enum Feed {
    /// The network's input: `dims` leave out the batch's; `fixed_batch` is the only batch size that the file declares.
    Image {
        dims: Vec<usize>,
        element: ElementType,
        fixed_batch: Option<usize>,
    },
    /// A tensor that is always the same.
    Tensor(Stored),
}

/// A file as a network. The weights have the initialisers' names.
#[derive(Debug)]
pub struct Imported {
    pub network: Network,
    pub weights: Weights,
    /// Nodes in training mode, which are run in inference mode.
    pub in_training_mode: BTreeSet<String>,
}

impl OnnxFile {
    /// The part of the graph that computes the output named `output`, as a network.
    ///
    /// `feeds` says what stands for each input that has no initialiser; one of them is the image.
    ///
    /// # Errors
    /// [`OnnxError`] names the node and says what is wrong with it.
    pub fn network(
        &self,
        name: &str,
        feeds: Vec<(String, Feed)>,
        output: &str,
    ) -> Result<Imported> {
        let mut scope = Scope::default();
        let mut builder = None;
        for (input, feed) in feeds {
            let value = match feed {
                Feed::Tensor(stored) => Value::constant(stored.named(&input)),
                Feed::Image {
                    dims,
                    element,
                    fixed_batch,
                } => {
                    let image = builder.insert(Builder::new(name, &dims, element));
                    if let Some(batch) = fixed_batch {
                        image.fix_batch(batch);
                    }
                    Value::Flow(image.input())
                }
            };
            scope.values.insert(input, value);
        }
        let builder = builder.ok_or_else(|| OnnxError::Graph("no input is an image".into()))?;
        let mut importer = Importer {
            origins: Origins::of(builder.input()),
            types: Types::default(),
            builder,
            parameters: HashMap::new(),
            side_files: &self.side_files,
            functions: self.functions()?,
            written_out: 0,
            followed: Vec::new(),
            in_training_mode: BTreeSet::new(),
        };
        let image = importer.builder.network().input();
        importer.types.set(image.value, image.element);
        importer.computed(
            Pending::of(self.graph()),
            &[output],
            self.opset()?,
            &mut scope,
            0,
        )?;
        let output = match scope.values.get(output).cloned() {
            Some(Value::Sequence(_)) => {
                return Err(OnnxError::Graph(format!(
                    "the output {} is a sequence, not a tensor",
                    shown(output)
                )));
            }
            Some(value) => importer.id(&value),
            None => {
                return Err(OnnxError::Graph(format!(
                    "no node computes the output {}",
                    shown(output)
                )));
            }
        };
        let network = importer.builder.finish(output)?;
        let tensor = |name: &str| Ok((name.to_owned(), importer.parameters[name].stored.tensor()?));
        let weights: Result<Weights> = network
            .parameters()
            .iter()
            .map(|parameter| tensor(&parameter.name))
            .collect();
        Ok(Imported {
            weights: weights?,
            network,
            in_training_mode: importer.in_training_mode,
        })
    }

    fn functions(&self) -> Result<HashMap<Called<'_>, (&FunctionProto, i64)>> {
        let by_name = |function: &'_ FunctionProto| {
            let own = &function.opset_import;
            if own.is_empty() {
                self.opset()
            } else {
                opset(own)
            }
        };
        let called = |function| Ok((Called::of(function), (function, by_name(function)?)));
        self.model.functions.iter().map(called).collect()
    }
}

/// What a node names when it calls a function.
#[derive(PartialEq, Eq, Hash)]
struct Called<'a> {
    domain: &'a str,
    name: &'a str,
    overload: &'a str,
}

impl<'a> Called<'a> {
    fn of(function: &'a FunctionProto) -> Self {
        Self {
            domain: function.domain(),
            name: function.name(),
            overload: function.overload(),
        }
    }
}

/// The names that a node can read: those of its own graph, then those of the graphs around it.
#[derive(Default)]
struct Scope<'a, 'outer> {
    values: HashMap<String, Value>,
    /// What a function was called with.
    attributes: Attributes<'a>,
    outer: Option<&'outer Scope<'a, 'outer>>,
    /// Put before the names of nodes and tensors, which are unique only within their graph.
    prefix: String,
}

impl<'a> Scope<'a, '_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).or_else(|| self.outer?.get(name))
    }

    /// A node with its operands.
    fn apply(&self, node: &'a NodeProto, opset: i64) -> Result<Apply<'a>> {
        let own_name = if node.name().is_empty() {
            node.output.first().map_or("", String::as_str)
        } else {
            node.name()
        };
        let name = format!("{}{own_name}", self.prefix);
        let find = |input: &String| {
            if input.is_empty() {
                return Ok(None);
            }
            let unknown = || {
                OnnxError::Graph(format!(
                    "node {}: nothing computes its input {}",
                    shown(&name),
                    shown(input)
                ))
            };
            self.get(input).cloned().map(Some).ok_or_else(unknown)
        };
        let inputs = node.input.iter().map(find).collect::<Result<_>>()?;
        Ok(Apply {
            inputs,
            name,
            operator: node.op_type(),
            opset,
            outputs: node.output.iter().map(String::as_str).collect(),
            attributes: self.resolve(node),
        })
    }

    /// A node's attributes; one that refers to the function's own stands for what the function was called with.
    fn resolve(&self, node: &'a NodeProto) -> Attributes<'a> {
        let resolve = |attribute: &'a super::proto::AttributeProto| match attribute.ref_attr_name()
        {
            "" => Some((attribute.name(), attribute)),
            outer => self
                .attributes
                .get(outer)
                .map(|given| (attribute.name(), *given)),
        };
        node.attribute.iter().filter_map(resolve).collect()
    }
}

struct Importer<'a> {
    builder: Builder,
    parameters: HashMap<String, Rc<Constant>>,
    origins: Origins,
    types: Types,
    side_files: &'a SideFiles,
    functions: HashMap<Called<'a>, (&'a FunctionProto, i64)>,
    written_out: usize,
    /// At each batch size that counts; filled at the first condition that is no constant.
    followed: Vec<Followed>,
    in_training_mode: BTreeSet<String>,
}

impl<'a> Importer<'a> {
    /// Imports one node, whose inputs are in `scope`.
    fn node(
        &mut self,
        node: &'a NodeProto,
        opset: i64,
        scope: &mut Scope<'a, '_>,
        depth: usize,
    ) -> Result<()> {
        self.written_out += 1;
        if self.written_out > MOST_WRITTEN_OUT {
            return Err(OnnxError::Limit {
                what: "nodes with functions written out".into(),
                found: self.written_out,
                limit: MOST_WRITTEN_OUT,
            });
        }
        let apply = scope.apply(node, opset)?;
        let called = Called {
            domain: node.domain(),
            name: node.op_type(),
            overload: node.overload(),
        };
        let results = if let Some(&(function, opset)) = self.functions.get(&called) {
            self.call(&apply, function, opset, depth)?
        } else if !is_onnxs_own(node) {
            return Err(OnnxError::Operator {
                node: shown(&apply.name),
                operator: format!("{}::{}", shown(node.domain()), shown(node.op_type())),
                opset,
            });
        } else if apply.operator == "If" {
            self.branch(&apply, scope, depth)?
        } else {
            self.operator(&apply)?
        };
        let wanted = node
            .output
            .iter()
            .filter(|output| !output.is_empty())
            .count();
        for (output, result) in node.output.iter().zip(&results) {
            scope.values.insert(output.clone(), result.clone());
        }
        if results.len() < node.output.len() && wanted > results.len() {
            return Err(apply.fault(format!("its output {} is not supported", results.len())));
        }
        Ok(())
    }

    /// Writes out a function of the file's.
    fn call(
        &mut self,
        apply: &Apply<'a>,
        function: &'a FunctionProto,
        opset: i64,
        depth: usize,
    ) -> Result<Vec<Value>> {
        let mut attributes: Attributes<'a> = function
            .attribute_proto
            .iter()
            .map(|default| (default.name(), default))
            .collect();
        attributes.extend(&apply.attributes);
        let given = function.input.iter().zip(&apply.inputs);
        let values = given
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect();
        let mut scope = Scope {
            values,
            attributes,
            outer: None,
            prefix: format!("{}/", apply.name),
        };
        let wanted: Vec<&str> = function.output.iter().map(String::as_str).collect();
        self.computed(
            Pending::of_nodes(&function.node),
            &wanted,
            opset,
            &mut scope,
            depth + 1,
        )?;
        results(apply, &scope, wanted.into_iter())
    }

    /// The first of [`Self::known_integers`]: a condition, a position.
    fn condition(&mut self, value: &Value) -> Option<i64> {
        self.known_integers(value)?.first().copied()
    }

    /// Integers that are a constant of the file's, or follow from shapes, whatever the batch.
    fn known_integers(&mut self, value: &Value) -> Option<Vec<i64>> {
        let flow = match value {
            Value::Constant(constant) => return Some(constant.stored.to_i64()),
            Value::Flow(flow) => *flow,
            Value::Sequence(_) => return None,
        };
        let network = self.builder.network();
        if self.followed.is_empty() {
            let batches = match network.input().fixed_batch {
                Some(batch) => vec![batch],
                None => FOLLOWED_BATCHES.to_vec(),
            };
            self.followed = batches.into_iter().map(Followed::new).collect();
        }
        let mut known = self
            .followed
            .iter_mut()
            .map(|followed| followed.integers(network, flow));
        let first = known.next()??;
        known
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    /// The body that a constant condition takes.
    fn taken(&mut self, apply: &Apply<'a>) -> Result<&'a GraphProto> {
        let condition = self.condition(apply.input(0)?).ok_or_else(|| {
            apply
                .fault("its condition depends on the image; only constant conditions are supported")
        })?;
        apply.graph(if condition == 0 {
            "else_branch"
        } else {
            "then_branch"
        })
    }

    /// Writes out the branch that a constant condition takes.
    fn branch(
        &mut self,
        apply: &Apply<'a>,
        outer: &Scope<'a, '_>,
        depth: usize,
    ) -> Result<Vec<Value>> {
        let body = self.taken(apply)?;
        let mut scope = Scope {
            values: HashMap::new(),
            attributes: outer.attributes.clone(),
            outer: Some(outer),
            prefix: format!("{}/", apply.name),
        };
        let wanted: Vec<&str> = body.output.iter().map(ValueInfoProto::name).collect();
        self.computed(
            Pending::of(body),
            &wanted,
            apply.opset,
            &mut scope,
            depth + 1,
        )?;
        results(apply, &scope, wanted.into_iter())
    }

    fn operator(&mut self, apply: &Apply<'_>) -> Result<Vec<Value>> {
        let is_sequence = |value: &Option<Value>| matches!(value, Some(Value::Sequence(_)));
        if !takes_sequences(apply.operator) && apply.inputs.iter().any(is_sequence) {
            return Err(apply.fault("it is given a sequence, where a tensor is expected"));
        }
        for family in [
            Self::sequence,
            Self::layer,
            Self::quantised,
            Self::transformer,
            Self::elementwise,
            Self::reduction,
            Self::arrangement,
        ] {
            if let Some(values) = family(self, apply)? {
                return Ok(values);
            }
        }
        Err(OnnxError::Operator {
            node: shown(&apply.name),
            operator: shown(apply.operator),
            opset: apply.opset,
        })
    }
}

/// Whether an operator is one of ONNX's own, or means the same: ONNX Runtime's tools write quantisation of 16 bits under their name.
fn is_onnxs_own(node: &NodeProto) -> bool {
    match node.domain() {
        "" | "ai.onnx" => true,
        "com.microsoft" => matches!(node.op_type(), "QuantizeLinear" | "DequantizeLinear"),
        _ => false,
    }
}

/// What a body's outputs stand for.
fn results<'n>(
    apply: &Apply<'_>,
    scope: &Scope<'_, '_>,
    names: impl Iterator<Item = &'n str>,
) -> Result<Vec<Value>> {
    let find = |name: &str| {
        scope
            .get(name)
            .cloned()
            .ok_or_else(|| apply.fault(format!("nothing computes its output {}", shown(name))))
    };
    names.map(find).collect()
}
