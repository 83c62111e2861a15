//! The Redis client against a real redis-server, which each test starts for itself.
//!
//! A server that is not installed is an error where `CI` is set, and a line that says so elsewhere.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

mod bench;
mod families;
mod kills;
mod listening;
mod million;
mod random;
mod server;
mod sessions;
