//! The behaviour of a Deferred, through the public API.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "functions that several tests share are not marked as tests"
)]

mod cancel;
mod chain;
mod depth;
mod future;
mod groups;
mod lines;
mod model;
mod order;
mod panics;
mod queue;
mod report;
mod support;
mod thread_exit;
