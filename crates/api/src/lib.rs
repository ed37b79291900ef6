//! The HTTP API: every route of the contract, its problem documents, the event streams, and the web UI that it serves.
//!
//! [`router`] turns an [`App`] into an axum router; [`serve`] runs it until told to stop. The api role of the database
//! cannot read a hidden label, so nothing in this crate can leak one.

mod app;
mod auth;
mod config;
mod extract;
mod health;
mod openapi;
mod passwords;
mod problem;
mod router;
mod routes;
mod web;

pub use app::App;
pub use config::{ApiConfig, ServerKey};
pub use openapi::document as openapi_document;
pub use passwords::hash_password;
pub use router::{router, serve};
