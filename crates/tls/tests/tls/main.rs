//! TLS on the string transport, with the test as the wire: no socket, no clock.

#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

mod certificates;
mod ends;
mod handshakes;
mod hostile;
mod keys;
mod output;
mod simulated;
mod start;
mod support;
