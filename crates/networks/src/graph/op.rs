//! The operators. One enum for zoo layers and for ONNX nodes of every opset: what later opsets moved from attributes to
//! inputs is an input here (a [`Op::Constant`] feeds it where the file has an attribute), and defaults are filled in.

mod attributes;
mod names;

pub use crate::operators::Listed;
pub use attributes::*;

/// An operator with its attributes. The comment gives the inputs in order; `?` marks those that may be absent.
///
/// `axis` attributes count from the end where negative, as in ONNX. Shapes, axes, indices and repeats that arrive as
/// inputs are one-dimensional integer values.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    // Weight layers
    /// `x [batch, channels, spatial…]`, `weight [out, channels / groups, window…]`, `bias [out]?`
    Convolution(Convolution),
    /// `x [batch, channels, spatial…]`, `weight [channels, out / groups, window…]`, `bias [out]?`
    ConvTranspose(ConvTranspose),
    /// `x […, in]`, `weight [out, in]`, `bias [out]?`: x·weightᵀ + bias, as `torch.nn.Linear`
    Linear,
    /// `a`, `b`, `c?`: alpha·a'·b' + beta·c on matrices
    Gemm(Gemm),
    /// `a`, `b`, as `numpy.matmul`
    MatMul,
    /// any number of inputs, for example `bij,bjk->bik`
    Einsum { equation: String },

    // Normalisation
    /// `x`, `scale [channels]`, `shift [channels]`, `mean [channels]`, `variance [channels]`
    BatchNorm(BatchNorm),
    /// `x`, `scale [channels]`, `shift [channels]`
    InstanceNorm { epsilon: f64 },
    /// `x`, `scale?`, `shift?`: over all dimensions from `axis` on
    LayerNorm { axis: i64, epsilon: f64 },
    /// `x`, `scale [channels]`, `shift [channels]`
    GroupNorm { groups: usize, epsilon: f64 },
    /// `x`
    LocalResponseNorm(LocalResponseNorm),

    // Pooling
    /// `x [batch, channels, spatial…]`
    Pool(Pool),
    /// `x [batch, channels, spatial…]`: where in `x`, read as one row, each maximum of a [`Op::Pool`] was found
    MaxPoolPositions(MaxPoolPositions),
    /// `x`: over all spatial dimensions, which stay with length 1
    GlobalPool(PoolKind),
    /// `x`: average pooling to a given spatial size, as `torch.nn.AdaptiveAvgPool2d`
    AdaptiveAveragePool { output: Vec<usize> },

    // Elementwise
    /// `x`
    Activation(Activation),
    /// `x`, `slope`, broadcast to `x` from the right as numpy does
    PRelu,
    /// `x`
    Unary(Unary),
    /// `a`, `b`, with numpy's broadcasting
    Binary(Binary),
    /// `a`, `b`, with numpy's broadcasting; the result is boolean
    Compare(Comparison),
    /// `condition`, `a`, `b`, with numpy's broadcasting
    Where,
    /// `x`
    Cast { to: ElementType },
    /// `x`, `like`: a cast to the second operand's type
    CastLike,
    /// `x`, `ratio?`: the identity in inference mode
    Dropout { ratio: f64 },
    /// `x`
    Identity,
    /// `x`, `scale`, `zero_point?`; the result holds integers. A scale of `x`'s rank is for `block` elements along `axis`
    QuantizeLinear {
        axis: i64,
        block: usize,
        to: ElementType,
    },
    /// `x`, `scale`, `zero_point?`, as above
    DequantizeLinear { axis: i64, block: usize },

    // Reductions
    /// `x`, `axes?` (absent: all, or none where `noop_without_axes`)
    Reduce(Reduce),
    /// `x`
    Softmax { axis: i64 },
    /// `x`
    LogSoftmax { axis: i64 },
    /// `x`
    ArgMax(ArgMax),
    /// `x`, `k [1]` → values, indices
    TopK {
        axis: i64,
        largest: bool,
        sorted: bool,
    },
    /// `x`, `axis []`
    CumSum { exclusive: bool, reverse: bool },

    // Arrangement
    /// one input or more
    Concat { axis: i64 },
    /// `x`, `sizes?` (absent: as many equal parts as the node has outputs, the last one smaller)
    Split { axis: i64 },
    /// `x`, `starts`, `ends`, `axes?`, `steps?`
    Slice,
    /// `x`, `indices`
    Gather { axis: i64 },
    /// `x`, `indices`
    GatherNd { batch_dims: usize },
    /// `x`, `indices` in the result's shape
    GatherElements { axis: i64 },
    /// `x`, `indices`, `updates` in the indices' shape
    ScatterElements { axis: i64, combine: Combine },
    /// `x`, `indices`, `updates`
    ScatterNd(Combine),
    /// `x […, rows, columns]`, `diagonal []?`: the triangle above it (or below), zero elsewhere
    Trilu { upper: bool },
    /// `x`, `shape` (0 copies the dimension unless `allow_zero`, −1 is inferred)
    Reshape { allow_zero: bool },
    /// `x`: to a matrix, the dimensions before `axis` in the rows
    Flatten { axis: i64 },
    /// `x`, `axes?` (absent: all of length 1)
    Squeeze,
    /// `x`, `axes`
    Unsqueeze,
    /// `x`; an empty permutation reverses the dimensions
    Transpose { permutation: Vec<usize> },
    /// `x`, `shape`: numpy's broadcasting, in both directions
    Expand,
    /// `x`, `repeats`
    Tile,
    /// `x`, `pads [2·axes]` (all begins, then all ends; negative crops), `value []?`, `axes?`
    Pad(PadMode),
    /// `x`, `roi?`, `scales?`, `sizes?`
    Resize(Resize),
    /// `x [batch, channels·block, positions]`, `image_shape`, `block_shape`
    Col2Im {
        dilations: Vec<usize>,
        pads: Vec<usize>,
        strides: Vec<usize>,
    },
    /// `x`
    DepthToSpace {
        block: usize,
        mode: DepthToSpaceMode,
    },
    /// `x`
    SpaceToDepth { block: usize },

    // Values and shapes
    /// no inputs
    Constant(Literal),
    /// `shape`
    ConstantOfShape(Scalar),
    /// `start []`, `limit []`, `delta []`
    Range,
    /// `x`: its dimensions from `start` up to `end` (absent: all), an integer vector
    Shape { start: i64, end: Option<i64> },
    /// `x`: its number of elements, an integer scalar
    Size,

    /// What is described in one place
    Listed(Listed),
}

impl Op {
    /// Whether the result says nothing of the operand but its dimensions.
    pub(crate) fn reads_shape_only(&self) -> bool {
        matches!(self, Self::Shape { .. } | Self::Size)
    }
}

/// A small tensor that belongs to the graph, not to its weights: shapes, axes, scales, bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    pub dims: Vec<usize>,
    pub elements: Elements,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    Float(Vec<f32>),
    Integer(Vec<i64>),
    Bool(Vec<bool>),
}

/// One element of a [`Op::ConstantOfShape`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Float(f64),
    Integer(i64),
    Bool(bool),
}

impl Literal {
    /// A vector of integers: a shape, axes, sizes.
    pub fn integers(values: impl Into<Vec<i64>>) -> Self {
        let values = values.into();
        Self {
            dims: vec![values.len()],
            elements: Elements::Integer(values),
        }
    }

    /// A single integer without dimensions.
    pub fn integer(value: i64) -> Self {
        Self {
            dims: Vec::new(),
            elements: Elements::Integer(vec![value]),
        }
    }

    /// A single number without dimensions.
    pub fn float(value: f32) -> Self {
        Self {
            dims: Vec::new(),
            elements: Elements::Float(vec![value]),
        }
    }

    /// Numbers in the given shape.
    pub fn floats(dims: impl Into<Vec<usize>>, values: impl Into<Vec<f32>>) -> Self {
        Self {
            dims: dims.into(),
            elements: Elements::Float(values.into()),
        }
    }
}
