//! The reactor through its public face, on real sockets of the loopback interface.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

mod accepting;
mod adopting;
#[cfg(target_os = "linux")]
mod children;
mod closing;
#[cfg(target_os = "linux")]
mod coalesced;
mod connecting;
mod drivers;
mod echo;
mod ending;
mod families;
mod flow;
mod guest;
mod lingering;
mod names;
mod pipes;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod progress;
mod running;
mod several;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
mod unix;
mod unix_datagrams;
#[cfg(target_os = "linux")]
mod unix_queue;
mod watching;
