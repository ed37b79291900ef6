//! From a decoded file to a [`Network`]: operators of every opset become today's, what is constant stays a constant,
//! local functions and `If` with a condition that is constant, or follows from shapes, are written out in place.

mod arrange;
mod attention;
mod elementwise;
mod emit;
mod followed;
mod layers;
mod origins;
mod reduce;
mod repeated;
mod rotary;
mod values;

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use emit::{flow, flows};
use followed::Followed;
use origins::Origins;
use values::Constant;
pub(crate) use values::Value;

use super::{
    OnnxError, OnnxFile, SideFiles, Stored,
    error::{Result, shown},
    file::opset,
    node::{Apply, Attributes},
    proto::{FunctionProto, GraphProto, NodeProto},
};
use crate::{Builder, ElementType, Network, Weights, operators};

/// Nodes once functions are written out: functions that call functions could make any number of a small file.
const MOST_WRITTEN_OUT: usize = 200_000;
/// Functions within functions, and bodies within bodies.
const DEEPEST_CALL: usize = 32;
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
            builder,
            parameters: HashMap::new(),
            side_files: &self.side_files,
            functions: self.functions()?,
            written_out: 0,
            followed: Vec::new(),
            in_training_mode: BTreeSet::new(),
        };
        importer.graph(self.graph(), self.opset()?, &mut scope, 0)?;
        let output = scope.values.get(output).cloned().ok_or_else(|| {
            OnnxError::Graph(format!("no node computes the output {}", shown(output)))
        })?;
        let output = importer.id(&output);
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

pub(crate) struct Importer<'a> {
    builder: Builder,
    parameters: HashMap<String, Rc<Constant>>,
    origins: Origins,
    side_files: &'a SideFiles,
    functions: HashMap<Called<'a>, (&'a FunctionProto, i64)>,
    written_out: usize,
    /// At each batch size that counts; filled at the first condition that is no constant.
    followed: Vec<Followed>,
    in_training_mode: BTreeSet<String>,
}

impl<'a> Importer<'a> {
    /// Imports a graph's initialisers and nodes into `scope`.
    fn graph(
        &mut self,
        graph: &'a GraphProto,
        opset: i64,
        scope: &mut Scope<'a, '_>,
        depth: usize,
    ) -> Result<()> {
        self.initialisers(graph, scope)?;
        self.nodes(&graph.node, opset, scope, depth)
    }

    fn initialisers(&mut self, graph: &'a GraphProto, scope: &mut Scope<'a, '_>) -> Result<()> {
        for initialiser in &graph.initializer {
            let stored = Stored::read(initialiser, self.side_files)?;
            let name = format!("{}{}", scope.prefix, stored.name);
            scope.values.insert(
                initialiser.name().to_owned(),
                Value::constant(stored.named(&name)),
            );
        }
        Ok(())
    }

    fn nodes(
        &mut self,
        nodes: &'a [NodeProto],
        opset: i64,
        scope: &mut Scope<'a, '_>,
        depth: usize,
    ) -> Result<()> {
        if depth > DEEPEST_CALL {
            return Err(OnnxError::Limit {
                what: "calls within calls".into(),
                found: depth,
                limit: DEEPEST_CALL,
            });
        }
        for node in nodes {
            self.write_out()?;
            let own_name = if node.name().is_empty() {
                node.output.first().map_or("", String::as_str)
            } else {
                node.name()
            };
            let name = format!("{}{own_name}", scope.prefix);
            let mut inputs = Vec::with_capacity(node.input.len());
            for input in &node.input {
                inputs.push(if input.is_empty() {
                    None
                } else {
                    let unknown = || {
                        OnnxError::Graph(format!(
                            "node {}: nothing computes its input {}",
                            shown(&name),
                            shown(input)
                        ))
                    };
                    Some(scope.get(input).cloned().ok_or_else(unknown)?)
                });
            }
            let apply = Apply {
                name,
                operator: node.op_type(),
                opset,
                inputs,
                outputs: node.output.iter().map(String::as_str).collect(),
                attributes: scope.resolve(node),
            };
            let called = Called {
                domain: node.domain(),
                name: node.op_type(),
                overload: node.overload(),
            };
            let results = if let Some(&(function, opset)) = self.functions.get(&called) {
                self.call(&apply, function, opset, depth)?
            } else if let Some(read) = operators::reader(node.domain(), node.op_type()) {
                read(self, &apply)?
            } else if !matches!(node.domain(), "" | "ai.onnx") {
                let operator = format!("{}::{}", shown(node.domain()), shown(node.op_type()));
                return Err(OnnxError::Operator {
                    node: shown(&apply.name),
                    operator,
                });
            } else if apply.operator == "If" {
                self.branch(&apply, scope, depth)?
            } else if apply.operator == "Loop" {
                self.repeat(&apply, scope, depth)?
            } else if apply.operator == "Scan" {
                self.scan(&apply, scope, depth)?
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
        }
        Ok(())
    }

    /// Counts a node, or a turn of a loop.
    fn write_out(&mut self) -> Result<()> {
        self.written_out += 1;
        if self.written_out > MOST_WRITTEN_OUT {
            return Err(OnnxError::Limit {
                what: "nodes with functions and loops written out".into(),
                found: self.written_out,
                limit: MOST_WRITTEN_OUT,
            });
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
        self.nodes(&function.node, opset, &mut scope, depth + 1)?;
        results(apply, &scope, function.output.iter().map(String::as_str))
    }

    /// A condition that is a constant of the file's, or follows from shapes.
    pub(crate) fn condition(&mut self, value: &Value) -> Option<i64> {
        let flow = match value {
            Value::Constant(constant) => return constant.stored.to_i64().first().copied(),
            Value::Flow(flow) => *flow,
        };
        let network = self.builder.network();
        if self.followed.is_empty() {
            let batches = match network.input().fixed_batch {
                Some(batch) => vec![batch],
                None => FOLLOWED_BATCHES.to_vec(),
            };
            self.followed = batches.into_iter().map(Followed::new).collect();
        }
        let mut conditions = self
            .followed
            .iter_mut()
            .map(|followed| followed.integer(network, flow));
        let first = conditions.next()??;
        conditions
            .all(|other| other == Some(first))
            .then_some(first)
    }

    /// Writes out the branch that a constant condition takes.
    fn branch(
        &mut self,
        apply: &Apply<'a>,
        outer: &Scope<'a, '_>,
        depth: usize,
    ) -> Result<Vec<Value>> {
        let condition = self.condition(apply.input(0)?).ok_or_else(|| {
            apply
                .fault("its condition depends on the image; only constant conditions are supported")
        })?;
        let body = apply.graph(if condition == 0 {
            "else_branch"
        } else {
            "then_branch"
        })?;
        let mut scope = Scope {
            values: HashMap::new(),
            attributes: outer.attributes.clone(),
            outer: Some(outer),
            prefix: format!("{}/", apply.name),
        };
        self.graph(body, apply.opset, &mut scope, depth + 1)?;
        results(
            apply,
            &scope,
            body.output.iter().map(super::proto::ValueInfoProto::name),
        )
    }

    fn operator(&mut self, apply: &Apply<'_>) -> Result<Vec<Value>> {
        for family in [
            Self::layer,
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
        })
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
