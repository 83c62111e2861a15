//! What a message and a connection cost in system calls, counted by strace, and what happens when
//! those calls fail, as strace makes them.
//!
//! Each test runs this program again, under strace, as one of the scenes in `traced`.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

#[path = "traced/besieged.rs"]
mod besieged;
#[path = "traced/counted.rs"]
mod counted;
#[path = "traced/datagrams.rs"]
mod datagrams;
#[path = "traced/strace.rs"]
mod strace;

/// Not a test, but what the tests run under strace.
#[test]
fn scene() {
    if let Ok(scene) = std::env::var(strace::SCENE) {
        match scene.as_str() {
            "besieged" => besieged::play(),
            "datagrams" => datagrams::play(),
            "named" => besieged::name_io_uring(),
            counted => counted::play(counted),
        }
    }
}
