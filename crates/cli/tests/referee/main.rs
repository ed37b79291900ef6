//! The real binary, as people run it, against a real server.

mod accounts;
mod arguments;
mod audit;
mod canary;
mod challenge;
mod challenges;
mod crashes;
mod hosting;
mod installation;
mod offline;
mod person;
mod roles;
mod server;
mod submissions;
mod test_sets;
