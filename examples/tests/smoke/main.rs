//! Each example as a user starts it: a process, real sockets, Ctrl-C.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "that is how a test fails")]

mod curl;
mod program;
mod relays;
mod servers;
