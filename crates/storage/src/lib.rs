//! Everything that Referee persists: PostgreSQL, the object store, the job queue and the private cluster.
//!
//! The only crate with SQL in it. Every function takes the pool of the role that may do what it does ([`ApiDb`],
//! [`ScorerDb`], [`InferenceDb`]), so that a query that oversteps the wall fails in the test that runs it.

mod pools;

pub mod cluster;
pub mod objects;

pub use pools::{ApiDb, InferenceDb, ScorerDb, StorageError};
