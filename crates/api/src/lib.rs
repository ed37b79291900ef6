//! The HTTP API: every route of the contract, its problem documents, the event streams, and the web UI that it serves.
//!
//! [`router`] turns an [`App`] into an axum router; [`serve`] runs it until told to stop. The api role of the database
//! cannot read a hidden label, so nothing in this crate can leak one.

mod access;
mod app;
mod auth;
mod board;
mod config;
mod contact;
mod downloads;
mod extract;
mod health;
mod hosts;
mod hub;
mod openapi;
mod outage;
mod pace;
mod page;
mod passwords;
mod peer;
mod problem;
mod reading;
mod router;
mod routes;
mod secrets;
mod serve;
mod shares;
mod sign_ups;
mod slots;
mod uploads;
mod web;

pub use app::App;
pub use config::{ApiConfig, Registration, ServerKey};
pub use openapi::document as openapi_document;
pub use passwords::{LONGEST_PASSWORD, hash_password, weakness};
pub use peer::{NoNetwork, TrustedProxies};
pub use router::router;
pub use secrets::{new_secret, secret_hash};
pub use serve::{serve, serve_waiting};
