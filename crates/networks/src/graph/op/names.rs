//! What operators are called in messages and profiles.

use super::{Activation, ArgMax, Binary, Comparison, Op, Pool, PoolKind, Reduction, Unary};

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
            Self::BitwiseNot => "BitwiseNot",
            Self::IsNaN => "IsNaN",
            Self::IsInf => "IsInf",
        }
    }
}

impl Binary {
    /// ONNX's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Sub => "Sub",
            Self::Mul => "Mul",
            Self::Div | Self::DivUnsigned => "Div",
            Self::Pow => "Pow",
            Self::Min => "Min",
            Self::Max => "Max",
            Self::Mod | Self::Fmod | Self::ModUnsigned => "Mod",
            Self::And => "And",
            Self::Or => "Or",
            Self::Xor => "Xor",
            Self::BitwiseAnd => "BitwiseAnd",
            Self::BitwiseOr => "BitwiseOr",
            Self::BitwiseXor => "BitwiseXor",
            Self::ShiftLeft | Self::ShiftRight => "BitShift",
        }
    }
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
