//! The Redis client on fakes: the test is the server.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

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
