//! ONNX files (opset 7 to 28): decoded without `protoc`, checked as a stranger's bytes, and turned into the same
//! [`Network`](crate::Network) as the zoo's; and back into a file.
//!
//! ```text
//! file (mapped) ── decode ──> ModelProto ── import ──> Network + Weights + notices
//!                                 └ tensors borrow from the file until they become weights
//! ```

mod encode;
mod error;
mod file;
mod import;
mod node;
mod reach;
mod tensor;

pub use encode::encode;
pub use error::OnnxError;
pub use file::{Declared, NEWEST_OPSET, OLDEST_OPSET, OnnxFile, SideFiles};
pub use import::{Feed, Imported};
pub use tensor::Stored;

/// What `build.rs` makes of `proto/onnx.proto`.
#[expect(clippy::pedantic, reason = "generated")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}
