//! Twisted's rules, where no cell of the conformance suite and no test of the reactor shows what
//! became of them. Each test begins with the number that its rule has in `tests/rules.txt`.
//!
//! The fakes suffice for most. What concerns listeners, runs and reconnecting runs on sockets of
//! this machine; nothing waits for time to pass.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

mod closing;
mod exceptions;
mod flow;
mod half_close;
mod life;
mod listening;
mod support;
mod time;
