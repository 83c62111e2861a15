//! The Redis client on fakes: the test is the server.

mod calls;
mod fake;
mod fuzz;
mod limits;
mod login;
mod model;
mod pubsub;
mod random;
mod reader;
mod reconnecting;
mod transactions;
mod types;
