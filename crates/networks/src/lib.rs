//! Networks as graphs of named operators, and everything that is done with one: loading weights, reading ONNX, shapes,
//! profile, running with candle, training.

mod error;
mod graph;

pub use error::{NetworkError, Result};
pub use graph::*;
