//! The Redis client on fakes: the test is the server.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

mod calls;
mod fake;
mod fuzz;
mod input;
mod limits;
mod login;
mod model;
mod pubsub;
mod random;
mod reader;
mod reconnecting;
#[path = "../corpus/replay.rs"]
mod replay;
mod transactions;
mod types;

/// What the coverage-guided fuzzer has found to be worth trying.
#[test]
fn every_input_of_the_corpus_is_read_as_the_model_says() {
    replay::replay(include_str!("../corpus/resp.txt"), input::check);
}
