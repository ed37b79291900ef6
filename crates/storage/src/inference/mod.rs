//! What an inference worker asks of the database, as `referee_inference`: a role that sees models and images and nothing
//! sealed.
//!
//! Several workers share one submission. The first claims it, which raises its attempt; others join the attempt without
//! raising it. Which test images are whose is said by its [`Shard`]s: ranges that are taken one by one, each under a lease
//! that lapses when it is not renewed. Whoever finishes the last range hands the record to the scorer. A range that is done
//! stays done when everyone dies; the next claim goes on from there.

mod claim;
mod facts;
mod images;
mod shards;

pub use claim::{
    Data, Ending, FailureReason, Part, Taken, data, describe, end, joinable, leave, lose, put_off,
    take_part, wake_waiting,
};
pub use facts::{Challenge, StoredImages, ValidationSet, challenge};
pub use images::{
    finish_check, has_overdue_look, hold_check, leave_check, report_picture, take_unchecked,
};
pub use shards::{
    Findings, Shard, complete, finish, forget_ended, give_back, plan, progress, records, take_shard,
};
