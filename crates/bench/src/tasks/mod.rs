//! Work without a socket: timers, and results that come later.
//!
//! A task does its work as often as it is told and says how often it was done
//! right. What it leaves behind is not tidied up: how much that is depends on
//! how often, and would be counted.

#[cfg(unix)]
mod calloop_timers;
pub(crate) mod redis_server;
mod tokio_deferreds;
pub(crate) mod tokio_redis;
mod tokio_tasks;
mod tokio_timers;
mod torsade_deferreds;
pub(crate) mod torsade_redis;
mod torsade_tasks;
mod torsade_timers;

use std::io;
use std::time::{Duration, Instant};

/// What a task is told: how often.
pub type Task = fn(usize) -> io::Result<usize>;

/// All tasks by name; the part after the first hyphen says what they do.
pub const ALL: &[(&str, Task)] = &[
    #[cfg(unix)]
    ("calloop-timers-set", calloop_timers::set),
    #[cfg(unix)]
    ("calloop-timers-reset", calloop_timers::reset),
    #[cfg(unix)]
    ("calloop-timers-cancel", calloop_timers::cancel),
    #[cfg(unix)]
    ("calloop-timers-fire", calloop_timers::fire),
    ("tokio-deferreds", tokio_deferreds::through_two_maps),
    ("tokio-redis-get", tokio_redis::get),
    ("tokio-redis-pipe", tokio_redis::pipe),
    ("tokio-tasks-switch", tokio_tasks::switch),
    ("tokio-tasks-hand-over", tokio_tasks::hand_over),
    ("tokio-timers-set", tokio_timers::set),
    ("tokio-timers-reset", tokio_timers::reset),
    ("tokio-timers-cancel", tokio_timers::cancel),
    ("tokio-timers-fire", tokio_timers::fire),
    (
        "tokio-timers-million",
        tokio_timers::cancel_beside_a_million,
    ),
    ("torsade-deferreds", torsade_deferreds::through_two_maps),
    ("torsade-redis-get", torsade_redis::get),
    ("torsade-tasks-switch", torsade_tasks::switch),
    ("torsade-tasks-hand-over", torsade_tasks::hand_over),
    ("torsade-timers-set", torsade_timers::set),
    ("torsade-timers-reset", torsade_timers::reset),
    ("torsade-timers-cancel", torsade_timers::cancel),
    ("torsade-timers-fire", torsade_timers::fire),
    (
        "torsade-timers-million",
        torsade_timers::cancel_beside_a_million,
    ),
];

/// A task by the name that the command line gives it.
#[must_use]
pub fn by_name(name: &str) -> Option<Task> {
    let (_, task) = ALL.iter().find(|(known, _)| *known == name)?;
    Some(*task)
}

/// Timers that are armed all the while beside those that are measured.
const LIVE: usize = 10_000;
const MILLION: usize = 1_000_000;

/// As many are changed in one turn of the loop: timers are seldom set and
/// cancelled by one and the same callback.
const BATCH: usize = 100;

/// When the timer with this number is due: after all that is measured, in no
/// order, and so far from its neighbours that how fast the machine is does not
/// change the order.
fn far(number: usize) -> Duration {
    let hours = 1 + (number as u64).wrapping_mul(7919) % 10_007;
    Duration::from_secs(3600 * hours)
}

/// Due when everything is set up.
const SOON: Duration = Duration::from_millis(500);

/// Waits until what is due `SOON` is overdue, so that all of it fires at once,
/// however slow the machine may be.
fn wait_until_due(since: Instant) {
    let due = since + SOON + SOON / 4;
    while let Some(rest) = due.checked_duration_since(Instant::now()) {
        if rest.is_zero() {
            break;
        }
        std::thread::park_timeout(rest);
    }
}
