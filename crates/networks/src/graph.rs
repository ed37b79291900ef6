//! A network: named operators in topological order, one input, one output. Zoo architectures and ONNX files both end
//! here, and everything else (shapes, profile, fusing, running, training) is a pass over it.

mod builder;
mod op;
mod weights;

pub use builder::Builder;
pub use op::{
    Activation, ArgMax, BatchNorm, Binary, Combine, Comparison, ConvTranspose, Convolution,
    DepthToSpaceMode, ElementType, Elements, Gemm, KeepAspect, Listed, Literal, LocalResponseNorm,
    MaxPoolPositions, Op, PadMode, Padding, Pool, PoolKind, Reduce, Reduction, Resize,
    ResizeCoordinates, ResizeMode, ResizeRounding, Scalar, Unary,
};
pub use weights::Weights;

/// A network without its weights. Made by a [`Builder`], which checks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    pub(crate) name: String,
    pub(crate) input: Input,
    pub(crate) output: ValueId,
    pub(crate) nodes: Vec<Node>,
    /// In the order of their values.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) value_names: Vec<String>,
    pub(crate) folded: bool,
}

/// A value that flows through a network: its input, a parameter, or what a node makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub(crate) usize);

impl ValueId {
    /// Its position among the network's values, from 0 and without gaps: passes keep what they know in a `Vec`.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a network is given: a batch of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub value: ValueId,
    /// The dimensions after the batch's: `[channels, height, width]` for images.
    pub dims: Vec<usize>,
    /// Integers mean raw pixels, 0 to 255.
    pub element: ElementType,
    /// The only batch size that the graph accepts, where the file fixed one.
    pub fixed_batch: Option<usize>,
}

/// One operator application.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique; a zoo layer's is the prefix of its parameters (`layer1.0.conv1`).
    pub name: String,
    pub op: Op,
    /// In the order that the [`Op`]'s comment gives; `None` for an optional one left out.
    pub inputs: Vec<Option<ValueId>>,
    pub outputs: Vec<ValueId>,
    /// Applied to the only output: what [`crate::fuse`] pulls into its producer.
    pub activation: Option<Activation>,
}

/// A tensor that the network's weights supply, by the name it has in the checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub value: ValueId,
    pub name: String,
    pub dims: Vec<usize>,
    pub kind: ParameterKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Learnt; counted among a network's parameters.
    Trainable,
    /// Running statistics and other constants.
    Buffer,
}

impl Network {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn input(&self) -> &Input {
        &self.input
    }

    pub fn output(&self) -> ValueId {
        self.output
    }

    /// In topological order: whatever a node reads is the input, a parameter or an earlier node's output.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The parameter that supplies a value, if one does.
    pub fn parameter_of(&self, value: ValueId) -> Option<&Parameter> {
        let index = self
            .parameters
            .binary_search_by_key(&value, |parameter| parameter.value)
            .ok()?;
        Some(&self.parameters[index])
    }

    /// Whether batch normalisation was folded into its neighbours: its parameters are no longer to be counted.
    pub fn is_folded(&self) -> bool {
        self.folded
    }

    pub fn value_name(&self, value: ValueId) -> &str {
        &self.value_names[value.0]
    }

    /// How many values there are; their [`ValueId::index`] is below it.
    pub fn value_count(&self) -> usize {
        self.value_names.len()
    }
}
