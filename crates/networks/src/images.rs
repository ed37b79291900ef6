//! From test sets to pixels that a network takes.
//!
//! A [`TestSet`] is what an organizer uploaded: an NPY array or a tar of pictures. A [`Geometry`] is the part of a recipe that moves
//! pixels (colour, resize, crop). [`ImageCache`] applies one to the other once and keeps the result as a uint8 array on disk, so that
//! the next submission with the same geometry reads memory-mapped pixels. What remains for each batch is arithmetic
//! ([`Normalization`]), which differs between submissions that share pixels.

mod cache;
mod check;
mod decode;
mod error;
mod geometry;
mod jpeg;
mod normalization;
mod pixels;
mod resample;
mod test_set;

pub use cache::{Building, ImageCache, Prepared};
pub use check::Undecodable;
pub use decode::{Color, Picture, decode};
pub use error::ImageError;
pub use geometry::Geometry;
pub use normalization::Normalization;
pub use pixels::{DecodedOnDemand, PixelArray, Pixels};
pub use test_set::TestSet;
