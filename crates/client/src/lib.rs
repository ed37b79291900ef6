//! The JSON documents of the HTTP API as Rust types and, with the feature `http`, a typed client over them.
//!
//! The server serialises exactly these types and the command line reads them back, so neither can drift from the other.

mod disposition;
pub mod documents;
#[cfg(feature = "http")]
pub mod http;

pub use disposition::disposition;
#[cfg(feature = "http")]
pub use http::{Client, ClientError};
