//! TLS with programs that others wrote: OpenSSL, GnuTLS, curl and Python, in both roles and both
//! versions, on loopback.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

mod clients;
mod peer;
mod platform;
mod servers;
