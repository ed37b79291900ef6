//! The list of operators that are described in one place: an operator's attributes, how it is read from ONNX, the rule of
//! its shape, its kernel, its cost and how it is written to ONNX stand beside each other, in one file a family.
//!
//! The passes know no operator by name. They ask [`Operator`], and find it in two lists below: [`Listed`] has those with a
//! kernel, [`reader`] every ONNX operator that is read here. A new operator is a file, and a line in one list or both; one
//! that can be said in other operators needs a reader alone.
//!
//! The operators of [`crate::Op`]'s other variants came before this list and may move here one at a time.

mod affine_grid;
mod arranged;
mod composed;
mod contributed;
mod deform_conv;
mod fourier;
mod functions;
mod grid_sample;
mod lp_pool;
mod narrow_cast;
mod non_zero;
mod recurrent;

use candle_core::{Result as CandleResult, Tensor};

use crate::{
    ElementType,
    onnx::{Apply, Importer, OnnxError, Value, proto::AttributeProto},
    run::Inputs,
    shapes::{Arguments, Dims},
};

pub use self::{
    affine_grid::AffineGrid,
    arranged::{CenterCropPad, CumProd, EyeLike, ReverseSequence},
    deform_conv::DeformConv,
    fourier::Fourier,
    functions::Function,
    grid_sample::GridSample,
    lp_pool::LpPool,
    narrow_cast::NarrowCast,
    non_zero::NonZero,
    recurrent::Recurrent,
};

/// What the passes ask of an operator. Its inputs stand in ONNX's order, as of the newest opset.
pub(crate) trait Operator {
    /// ONNX's name.
    fn name(&self) -> &'static str;

    /// The dimensions of each output, or what is wrong with the inputs. A kernel runs only on what this lets through.
    fn dims(&self, inputs: &Arguments<'_>) -> Result<Vec<Dims>, String>;

    /// The outputs, whose dimensions are `dims`.
    fn run(&self, inputs: &Inputs<'_>, dims: &[Dims]) -> CandleResult<Vec<Tensor>>;

    /// Its attributes in a file of opset [`Operator::since`].
    fn attributes(&self) -> Vec<AttributeProto>;

    /// The opset whose form of it [`Operator::attributes`] writes, where that is later than 21.
    fn since(&self) -> i64 {
        21
    }

    /// Multiply-accumulates for the whole batch; `inputs` are empty where absent.
    fn macs(&self, _inputs: &[&[usize]], _output: &[usize]) -> u64 {
        0
    }

    /// Whether it is a weight layer, where it reads weights: one of those that depth counts.
    fn is_weight_layer(&self) -> bool {
        false
    }

    /// The type of its first result, where that is not its first input's.
    fn element(&self) -> Option<ElementType> {
        None
    }

    /// Inputs with an entry for each image along axis 1, the same for each: a recurrent layer's first states.
    fn states(&self) -> &'static [usize] {
        &[]
    }
}

/// Makes the enum of operators, and what leads from each to its description.
macro_rules! listed {
    ($($(#[$inputs:meta])* $name:ident),* $(,)?) => {
        /// An operator that is described in one place. The comment gives its inputs as [`crate::Op`]'s does.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Listed {
            $($(#[$inputs])* $name($name),)*
        }

        impl Listed {
            pub(crate) fn operator(&self) -> &dyn Operator {
                match self {
                    $(Self::$name(operator) => operator,)*
                }
            }
        }

        $(impl From<$name> for crate::Op {
            fn from(operator: $name) -> Self {
                Self::Listed(Listed::$name(operator))
            }
        })*
    };
}

listed! {
    /// `theta [batch, axes, axes + 1]`, `size [batch, channels, spatial…]`
    AffineGrid,
    /// `x`, `shape`
    CenterCropPad,
    /// `x`, `axis []`
    CumProd,
    /// `x [batch, channels, height, width]`, `weight [out, channels / groups, rows, columns]`,
    /// `offset [batch, offset_groups·rows·columns·2, out_height, out_width]`, `bias [out]?`,
    /// `mask [batch, offset_groups·rows·columns, out_height, out_width]?`
    DeformConv,
    /// `x [rows, columns]`, of which the shape counts
    EyeLike,
    /// `x […, 1 or 2]` (real, or real and imaginary), `length []?`, `axis []?`
    Fourier,
    /// `x`
    Function,
    /// `x [batch, channels, spatial…]`, `grid [batch, out_spatial…, axes]`
    GridSample,
    /// `x [batch, channels, spatial…]`
    LpPool,
    /// `x`
    NarrowCast,
    /// `x`, whose elements are known before running → `[axes, count]`
    NonZero,
    /// `x [steps, batch, in]`, `weight [directions, gates·hidden, in]`, `recurrent [directions, gates·hidden, hidden]`,
    /// `bias [directions, 2·gates·hidden]?`, `lengths [batch]?`, `hidden [directions, batch, hidden]?`, and of an LSTM
    /// `cell?` and `peepholes [directions, 3·hidden]?` → every step's hidden states `[steps, directions, batch, hidden]`,
    /// the last ones, and an LSTM's last cell states
    Recurrent,
    /// `x`, `lengths [batch]`
    ReverseSequence,
}

/// Turns a node of an ONNX file into operators of the network; what it returns stands for the node's outputs.
pub(crate) type Reader = fn(&mut Importer<'_>, &Apply<'_>) -> Result<Vec<Value>, OnnxError>;

/// What reads `operator` of `domain`: ONNX's own, or ONNX Runtime's `com.microsoft`, whose quantised networks hold both.
pub(crate) fn reader(domain: &str, operator: &str) -> Option<Reader> {
    if domain == "com.microsoft" {
        return contributed::reader(operator);
    }
    if !matches!(domain, "" | "ai.onnx") {
        return None;
    }
    Some(match operator {
        "AffineGrid" => affine_grid::read,
        "CenterCropPad" => arranged::read_center_crop_pad,
        "Compress" => non_zero::read_compress,
        "CumProd" => arranged::read_cum_prod,
        "DFT" => fourier::read,
        "DeformConv" => deform_conv::read,
        "EyeLike" => arranged::read_eye_like,
        "GRU" | "LSTM" | "RNN" => recurrent::read,
        "GlobalLpPool" => composed::read_global_lp_pool,
        "GridSample" => grid_sample::read,
        "Hardmax" => composed::read_hardmax,
        "LpNormalization" => composed::read_lp_normalization,
        "LpPool" => lp_pool::read,
        "MeanVarianceNormalization" => composed::read_mean_variance,
        "NonZero" => non_zero::read,
        "OneHot" => composed::read_one_hot,
        "ReverseSequence" => arranged::read_reverse_sequence,
        "Shrink" => composed::read_shrink,
        other => return functions::reader(other),
    })
}
