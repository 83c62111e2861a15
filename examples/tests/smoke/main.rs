//! Each example as a user starts it: a process, real sockets, Ctrl-C.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "that is how a test fails")]

mod coroutines;
mod curl;
mod processes;
mod program;
mod redis;
#[path = "../../../tests/tests/redis/server.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "other tests use more of it, and that is how they fail"
)]
mod redis_server;
mod relays;
mod secure;
mod servers;
mod unix;
