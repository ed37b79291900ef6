//! Models through the real binary and a real database: what runs them is locked in, workers share them, and whatever is killed,
//! what was done is not done again.

mod arena;
mod endings;
mod files;
mod pictures;
mod progress;
mod sandbox;
mod sharing;
mod troubles;
mod wider;
