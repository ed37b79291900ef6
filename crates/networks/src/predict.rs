//! From a model's file and test images to answers: what the inference worker does, and offline `referee predict`.
//!
//! ```text
//! file + form ── open ──> Opened + form with the file's metadata ── Predictor::new ──> Predictor ── run(pixels, range) ──> rows
//! ```
//!
//! Classes are the model's columns here; [`ClassOrder::columns`](referee_scoring::model_form::ClassOrder::columns) says which
//! classes of the challenge they are.

mod error;
mod open;
mod predictor;
mod settle;

pub use error::PredictError;
pub use open::{ModelFile, Task, open, open_within};
pub use predictor::{Done, Predictor};
pub use settle::enlarged;
