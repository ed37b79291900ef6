//! What operators have besides inputs.

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
    /// Each bit of an integer turned over.
    BitwiseNot,
    IsNaN,
    IsInf,
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
    /// Of 64-bit integers without a sign, which a run stores bit by bit as those with one.
    DivUnsigned,
    /// The remainder of that.
    ModUnsigned,
    And,
    Or,
    Xor,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    /// Of integers without a sign; all bits are gone after as many places as they have.
    ShiftLeft,
    ShiftRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
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
