//! Traps: what only real sockets, small buffers, load or bad timing show.
//!
//! Each was seen to fail, in a copy of the tree in which this was broken:
//!
//! | trap | what was broken |
//! |---|---|
//! | `deadlocks::two_echoing_ends` | connecting ends are throttled, too |
//! | `deadlocks::a_relay_to_a_loud_upstream` | the same; `resume_writing` is not told |
//! | `closing::a_slow_reader_is_never_cut` | no progress of a flush counts |
//! | `closing::a_very_slow_reader_is_never_cut` | `Wire::unsent` tells nothing |
//! | `closing::a_deaf_reader_is_cut` | a flush without progress goes on; another reason is told |
//! | `closing::two_megabytes_to_a_late_reader` | a lingering socket is closed with a zero linger time |
//! | `closing::a_reply_with_input_left_unread` | a closed socket does not linger |
//! | `closing::an_early_refusal_before_the_reset` | an error event is told before the input is read |
//! | `closing::an_early_refusal_found_by_sending` | a send that fails ends the connection at once |
//! | `half_close::held_input_wakes_nobody` | a socket that nobody wants stays in the poller |
//! | `half_close::a_reset_behind_held_input` | the same |
//! | `half_close::questions_and_then_the_end` | `hold` does not hold; what is left unread is lost |
//! | `half_close::questions_byte_by_byte` | the same |
//! | `piling::one_write_of_forty_megabytes` | the cap is one on the size of a write |
//! | `piling::piling_up_on_one_connection` | the cap is not enforced |
//! | `piling::piling_up_over_a_reactor` | the sum is not enforced; the last one goes; the emptiest goes |
//! | `stalls::heartbeats_behind_a_slow_callback` | timers set in a turn count from its beginning |
//! | `stalls::heartbeats_during_a_slow_callback` | a turn asks for the time after its callbacks |
//! | `stalls::heartbeats_during_other_stalls` | timers are run before the events are told |
//! | `stalls::heartbeats_left_over_by_a_budget` | timers do not wait for input that is left over |
//! | `panics::a_thousand_panics_under_load` | panics are not caught; the loss is not told; a descriptor leaks with each |
//! | `guest::work_made_outside_a_turn` | a change of a connection wakes nobody; what a turn leaves over wakes nobody |
//! | `guest::a_call_posted_while_the_host_sleeps` | a posted call wakes nobody |
//! | `bad_input::half_closes_at_every_byte` | an unfinished line is delivered at the end; the end aborts |
//! | `bad_input::resets_at_every_byte` | a reset is told as another error |
//! | `bad_input::a_flood_without_lines` | lines may be a thousand times as long |
//! | `bad_input::a_flood_of_a_peer_that_never_reads` | accepted connections are not throttled |
//! | `bad_input::a_listener_who_never_reads` | the cap is not enforced |
//!
//! Nothing here waits for time to pass: the reactor's clock is turned by hand, and what is scaled
//! is buffers. They run one after the other, each on a thread of its own, because one of them
//! counts the descriptors of the process.
//!
//! Arguments are parts of names: `cargo test -p torsade-tests --test traps -- closing`.
#![forbid(unsafe_code)]
#![cfg_attr(
    unix,
    expect(
        clippy::unwrap_used,
        reason = "the harness is the tests' own, so none of this is marked as a test"
    )
)]

#[cfg(unix)]
mod bad_input;
#[cfg(unix)]
mod closing;
#[cfg(unix)]
mod deadlocks;
#[cfg(unix)]
mod guest;
#[cfg(unix)]
mod half_close;
#[cfg(unix)]
mod panics;
#[cfg(unix)]
mod piling;
#[cfg(unix)]
mod stalls;
#[cfg(unix)]
mod support;

use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A name, and what it runs.
type Trap = (&'static str, fn());

macro_rules! traps {
    ($($group:ident: $($name:ident),+ $(,)?;)+) => {
        &[$($((concat!(stringify!($group), "::", stringify!($name)), $group::$name),)+)+]
    };
}

#[cfg(unix)]
const TRAPS: &[Trap] = traps![
    deadlocks: two_echoing_ends, a_relay_to_a_loud_upstream;
    closing: a_slow_reader_is_never_cut, a_very_slow_reader_is_never_cut, a_deaf_reader_is_cut,
        two_megabytes_to_a_late_reader, a_reply_with_input_left_unread, an_early_refusal_before_the_reset,
        an_early_refusal_found_by_sending;
    half_close: held_input_wakes_nobody, a_reset_behind_held_input, questions_and_then_the_end, questions_byte_by_byte;
    piling: one_write_of_forty_megabytes, piling_up_on_one_connection, piling_up_over_a_reactor;
    stalls: heartbeats_behind_a_slow_callback, heartbeats_during_a_slow_callback,
        heartbeats_during_other_stalls, heartbeats_left_over_by_a_budget;
    panics: a_thousand_panics_under_load;
    guest: work_made_outside_a_turn, a_call_posted_while_the_host_sleeps;
    bad_input: half_closes_at_every_byte, resets_at_every_byte, a_flood_without_lines,
        a_flood_of_a_peer_that_never_reads, a_listener_who_never_reads;
];
/// The traps sleep on descriptors, which other systems do not have.
#[cfg(not(unix))]
const TRAPS: &[Trap] = &[];

/// A trap that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What begins so was meant to panic.
const PLANNED: &str = "planned: ";

fn main() -> io::Result<ExitCode> {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    be_quiet_about_planned_panics();
    let mut out = io::stdout();
    let (mut passed, mut failed) = (0, 0);
    for (name, run) in TRAPS {
        if !asked.is_empty() && !asked.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        match run_apart(name, *run) {
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                writeln!(out, "trap {name}: {why}")?;
            }
        }
    }
    match failed {
        0 => writeln!(out, "traps: {passed} passed")?,
        _ => writeln!(out, "traps: {passed} passed, {failed} FAILED")?,
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// On a thread of its own a trap finds a fresh clock and queue, and one that hangs is noticed.
fn run_apart(name: &str, run: fn()) -> Result<(), &'static str> {
    let (done, outcome) = mpsc::channel();
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        run();
        done.send(()).unwrap_or_default();
    });
    let Ok(thread) = thread else {
        return Err("no thread to run it on");
    };
    match outcome.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => Err("it hangs"),
        // The panic has been printed with its place.
        _ => thread.join().map_err(|_| "it panicked"),
    }
}

fn be_quiet_about_planned_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        let is_planned = text.is_some_and(|text| text.starts_with(PLANNED));
        if !is_planned {
            usual(info);
        }
    }));
}
