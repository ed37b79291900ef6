//! The API over HTTP, in front of a real PostgreSQL and a real object store.

mod accounts;
mod challenge_files;
mod challenges;
mod changes;
mod connections;
mod extractors;
mod server;
mod sign_in;
