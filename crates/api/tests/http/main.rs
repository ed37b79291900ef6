//! The API over HTTP, in front of a real PostgreSQL and a real object store.

mod accounts;
mod challenge_files;
mod challenges;
mod changes;
mod connections;
mod extractors;
mod gates;
mod image_order;
mod server;
mod sign_in;
