//! The operators. One enum for zoo layers and for ONNX nodes of every opset: what later opsets moved from attributes to
//! inputs is an input here (a [`Op::Constant`] feeds it where the file has an attribute), and defaults are filled in.

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
    /// `x [steps, batch, in]`, `weight [directions, 4·hidden, in]`, `recurrent [directions, 4·hidden, hidden]`,
    /// `bias [directions, 8·hidden]?`, `hidden [directions, batch, hidden]?`, `cell?` → every step's hidden states
    /// `[steps, directions, batch, hidden]`, the last hidden and cell states; gates in ONNX's order (input, output,
    /// forget, cell)
    Lstm(Lstm),

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
    /// `x`, `scale`, `zero_point?`; the result holds integers
    QuantizeLinear { axis: i64, to: ElementType },
    /// `x`, `scale`, `zero_point?`
    DequantizeLinear { axis: i64 },

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
}

impl Op {
    /// ONNX's name of the operator, or PyTorch's where ONNX has none.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Convolution(_) => "Conv",
            Self::ConvTranspose(_) => "ConvTranspose",
            Self::Linear => "Linear",
            Self::Gemm(_) => "Gemm",
            Self::MatMul => "MatMul",
            Self::Einsum { .. } => "Einsum",
            Self::Lstm(_) => "LSTM",
            Self::BatchNorm(_) => "BatchNormalization",
            Self::InstanceNorm { .. } => "InstanceNormalization",
            Self::LayerNorm { .. } => "LayerNormalization",
            Self::GroupNorm { .. } => "GroupNormalization",
            Self::LocalResponseNorm(_) => "LRN",
            Self::Pool(Pool {
                kind: PoolKind::Max,
                ..
            })
            | Self::MaxPoolPositions(_) => "MaxPool",
            Self::Pool(Pool {
                kind: PoolKind::Average,
                ..
            }) => "AveragePool",
            Self::GlobalPool(PoolKind::Max) => "GlobalMaxPool",
            Self::GlobalPool(PoolKind::Average) => "GlobalAveragePool",
            Self::AdaptiveAveragePool { .. } => "AdaptiveAvgPool",
            Self::Activation(activation) => activation.name(),
            Self::PRelu => "PRelu",
            Self::Unary(unary) => unary.name(),
            Self::Binary(binary) => binary.name(),
            Self::Compare(comparison) => comparison.name(),
            Self::Where => "Where",
            Self::Cast { .. } => "Cast",
            Self::CastLike => "CastLike",
            Self::Dropout { .. } => "Dropout",
            Self::Identity => "Identity",
            Self::QuantizeLinear { .. } => "QuantizeLinear",
            Self::DequantizeLinear { .. } => "DequantizeLinear",
            Self::Reduce(reduce) => reduce.kind.name(),
            Self::Softmax { .. } => "Softmax",
            Self::LogSoftmax { .. } => "LogSoftmax",
            Self::ArgMax(ArgMax {
                smallest: false, ..
            }) => "ArgMax",
            Self::ArgMax(_) => "ArgMin",
            Self::TopK { .. } => "TopK",
            Self::CumSum { .. } => "CumSum",
            Self::Concat { .. } => "Concat",
            Self::Split { .. } => "Split",
            Self::Slice => "Slice",
            Self::Gather { .. } => "Gather",
            Self::GatherNd { .. } => "GatherND",
            Self::GatherElements { .. } => "GatherElements",
            Self::ScatterElements { .. } => "ScatterElements",
            Self::ScatterNd(_) => "ScatterND",
            Self::Trilu { .. } => "Trilu",
            Self::Reshape { .. } => "Reshape",
            Self::Flatten { .. } => "Flatten",
            Self::Squeeze => "Squeeze",
            Self::Unsqueeze => "Unsqueeze",
            Self::Transpose { .. } => "Transpose",
            Self::Expand => "Expand",
            Self::Tile => "Tile",
            Self::Pad(_) => "Pad",
            Self::Resize(_) => "Resize",
            Self::Col2Im { .. } => "Col2Im",
            Self::DepthToSpace { .. } => "DepthToSpace",
            Self::SpaceToDepth { .. } => "SpaceToDepth",
            Self::Constant(_) => "Constant",
            Self::ConstantOfShape(_) => "ConstantOfShape",
            Self::Range => "Range",
            Self::Shape { .. } => "Shape",
            Self::Size => "Size",
        }
    }
}

/// Attributes of an n-dimensional convolution, one entry for each spatial dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub padding: Padding,
    pub groups: usize,
}

/// Attributes of a transposed convolution, one entry for each spatial dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvTranspose {
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    /// Cropped from the result at its beginning and end.
    pub begin: Vec<usize>,
    pub end: Vec<usize>,
    /// Added to the result's end.
    pub output_padding: Vec<usize>,
    pub groups: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lstm {
    pub hidden: usize,
    pub direction: Direction,
}

/// Which way a recurrent layer reads its sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
    Both,
}

impl Direction {
    /// For each of its readings, whether that begins at the end.
    pub fn backwards(self) -> &'static [bool] {
        match self {
            Self::Forward => &[false],
            Self::Reverse => &[true],
            Self::Both => &[false, true],
        }
    }
}

/// How the border of an image is filled, for convolution and pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Padding {
    /// One entry for each spatial dimension.
    Explicit { begin: Vec<usize>, end: Vec<usize> },
    /// As much as makes the output ⌈input / stride⌉ long; an odd one at the end.
    SameUpper,
    /// The same, an odd one at the beginning.
    SameLower,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm {
    pub alpha: f64,
    pub beta: f64,
    pub transpose_a: bool,
    pub transpose_b: bool,
}

/// Normalisation by a channel's statistics: the stored ones in inference mode, the batch's in training mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    pub epsilon: f64,
    /// The batch's weight in the running statistics (PyTorch's convention; ONNX writes 1 − momentum).
    pub momentum: f64,
}

/// x / (bias + alpha/size · Σ x²)^beta, the sum over `size` neighbouring channels (Krizhevsky et al. 2012, section 3.3,
/// with ONNX's and PyTorch's division of alpha by size).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponseNorm {
    pub size: usize,
    pub alpha: f64,
    pub beta: f64,
    pub bias: f64,
}

/// A pooling window, one entry for each spatial dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub kind: PoolKind,
    pub window: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub padding: Padding,
    /// Whether a last, incomplete window counts; one that would start in the padding never does.
    pub ceil_mode: bool,
    /// Whether an average divides by the whole window or by the pixels that it covers.
    pub count_include_pad: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPoolPositions {
    pub pool: Pool,
    /// Whether the spatial dimensions are counted with the first one fastest.
    pub first_fastest: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    Max,
    Average,
}

/// A function of one real variable without weights. What only some opsets have, or exports spell out in several nodes,
/// ends here too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Relu,
    /// min(max(x, min), max); `ReLU6` is 0 to 6, a side without a bound is infinite
    Clip {
        min: f64,
        max: f64,
    },
    LeakyRelu {
        slope: f64,
    },
    ThresholdedRelu {
        alpha: f64,
    },
    Elu {
        alpha: f64,
    },
    Celu {
        alpha: f64,
    },
    Selu {
        alpha: f64,
        gamma: f64,
    },
    Sigmoid,
    /// max(0, min(1, alpha·x + beta))
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    /// x · max(0, min(1, x/6 + 1/2))
    HardSwish,
    /// x · sigmoid(alpha·x); `SiLU` has alpha = 1
    Swish {
        alpha: f64,
    },
    /// x · tanh(ln(1 + eˣ))
    Mish,
    Softplus,
    Softsign,
    Tanh,
    /// x·Φ(x), with Φ by erf
    Gelu,
    /// x·Φ(x), with Φ by its approximation with tanh
    GeluTanh,
}

impl Activation {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "Relu",
            Self::Clip { .. } => "Clip",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::ThresholdedRelu { .. } => "ThresholdedRelu",
            Self::Elu { .. } => "Elu",
            Self::Celu { .. } => "Celu",
            Self::Selu { .. } => "Selu",
            Self::Sigmoid => "Sigmoid",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::HardSwish => "HardSwish",
            Self::Swish { .. } => "Swish",
            Self::Mish => "Mish",
            Self::Softplus => "Softplus",
            Self::Softsign => "Softsign",
            Self::Tanh => "Tanh",
            Self::Gelu | Self::GeluTanh => "Gelu",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Abs,
    Neg,
    Sign,
    Reciprocal,
    Sqrt,
    Exp,
    Log,
    Erf,
    Sin,
    Cos,
    Floor,
    Ceil,
    /// To the nearest even integer where two are as near.
    Round,
    Not,
    IsNaN,
    IsInf,
}

impl Unary {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abs => "Abs",
            Self::Neg => "Neg",
            Self::Sign => "Sign",
            Self::Reciprocal => "Reciprocal",
            Self::Sqrt => "Sqrt",
            Self::Exp => "Exp",
            Self::Log => "Log",
            Self::Erf => "Erf",
            Self::Sin => "Sin",
            Self::Cos => "Cos",
            Self::Floor => "Floor",
            Self::Ceil => "Ceil",
            Self::Round => "Round",
            Self::Not => "Not",
            Self::IsNaN => "IsNaN",
            Self::IsInf => "IsInf",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// Truncating towards zero on integers.
    Div,
    Pow,
    Min,
    Max,
    /// The remainder with the divisor's sign, as in Python.
    Mod,
    /// The remainder with the dividend's sign, as C's `fmod`.
    Fmod,
    And,
    Or,
    Xor,
}

impl Binary {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Div => "Div",
            Self::Pow => "Pow",
            Self::Min => "Min",
            Self::Max => "Max",
            Self::Mod | Self::Fmod => "Mod",
            Self::And => "And",
            Self::Or => "Or",
            Self::Xor => "Xor",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Less => "Less",
            Self::LessOrEqual => "LessOrEqual",
            Self::Greater => "Greater",
            Self::GreaterOrEqual => "GreaterOrEqual",
        }
    }
}

/// How a value's elements are stored in a file. At run time there are three kinds: floating point in the run's
/// precision, integers as `i64` and booleans as `u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    F16,
    BF16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl ElementType {
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduce {
    pub kind: Reduction,
    pub keep_dims: bool,
    /// Without axes: whether nothing is reduced, rather than everything.
    pub noop_without_axes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    Mean,
    Sum,
    Max,
    Min,
    Product,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
}

impl Reduction {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "ReduceMean",
            Self::Sum => "ReduceSum",
            Self::Max => "ReduceMax",
            Self::Min => "ReduceMin",
            Self::Product => "ReduceProd",
            Self::L1 => "ReduceL1",
            Self::L2 => "ReduceL2",
            Self::SumSquare => "ReduceSumSquare",
            Self::LogSum => "ReduceLogSum",
            Self::LogSumExp => "ReduceLogSumExp",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgMax {
    pub axis: i64,
    pub keep_dims: bool,
    /// Which of equal maxima: the last, rather than the first.
    pub select_last: bool,
    /// Whether the smallest element is looked for instead (ONNX's `ArgMin`).
    pub smallest: bool,
}

/// What a scattered update does with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    Replace,
    Add,
    Multiply,
    Max,
    Min,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadMode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    pub mode: ResizeMode,
    pub coordinates: ResizeCoordinates,
    pub rounding: ResizeRounding,
    /// Low-pass filter when shrinking.
    pub antialias: bool,
    /// The cubic's parameter a.
    pub cubic_a: f64,
    /// Leave out pixels beyond the border and scale the remaining weights to 1.
    pub exclude_outside: bool,
    pub extrapolation_value: f64,
    /// Which axes `roi`, `scales` and `sizes` speak of; absent: all.
    pub axes: Option<Vec<i64>>,
    pub keep_aspect: KeepAspect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeMode {
    Nearest,
    Linear,
    Cubic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeCoordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfCropAndResize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeRounding {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAspect {
    Stretch,
    NotLarger,
    NotSmaller,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepthToSpaceMode {
    /// Depth, column, row.
    Dcr,
    /// Column, row, depth.
    Crd,
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
