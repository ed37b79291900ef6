//! Everything that Referee persists: PostgreSQL, the object store, the job queue and the private cluster.
//!
//! The only crate with SQL in it. Every function takes the pool of the role that may do what it does ([`ApiDb`],
//! [`ScorerDb`], [`InferenceDb`]), so that a query that oversteps the wall fails in the test that runs it.

mod installation;
mod migrate;
mod pools;
mod probe;
mod readiness;
mod sweep;
mod trouble;

pub mod accounts;
pub mod audit;
pub mod challenges;
pub mod cluster;
pub mod commitments;
pub mod events;
pub mod inference;
pub mod leaderboard;
pub mod objects;
pub mod operations;
pub mod presence;
pub mod queue;
pub mod registration;
pub mod scorer;
pub mod submissions;
#[cfg(feature = "testing")]
pub mod testing;

pub use migrate::{MigrateError, RolePasswords, migrate};
pub use pools::{ApiDb, InferenceDb, ScorerDb, StorageError};
pub use probe::Probe;
pub use readiness::NotReady;
pub use sweep::{SweepError, sweep_objects};
pub use trouble::{MAX_LOSSES, Wait};
