//! Endpoints with servers and proxies that others wrote: haproxy, nginx and stunnel, on loopback.
//! They pass connections on to us with PROXY headers of both versions, they have TLS in front of us
//! and behind us, and we are what they are to others.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

mod ends;
mod haproxy;
mod nginx;
mod peer;
mod stunnel;
