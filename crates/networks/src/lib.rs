//! Networks as graphs of named operators, and everything that is done with one: loading weights, reading ONNX, shapes,
//! profile, running with candle, training.

mod any_batch;
pub mod checkpoint;
mod device;
mod error;
mod fuse;
mod graph;
pub mod images;
pub mod mapped;
pub mod model;
mod narrow;
pub mod onnx;
mod operators;
pub mod predict;
mod profile;
mod run;
mod shapes;
pub mod train;
pub mod weights;
mod window;
pub mod zoo;

pub use device::{DeviceChoice, NoGpu, NoSuchDevice};
pub use error::{NetworkError, Result};
pub use fuse::fuse;
pub use graph::*;
pub use profile::{LayerProfile, Profile};
pub use run::{Executor, TrainingPass};
pub use shapes::Shapes;
