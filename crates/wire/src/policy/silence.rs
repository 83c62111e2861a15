use std::time::Duration;

use torsade_core::{Connection, Time};

/// For how long nothing has happened on a connection, without the time in which it was not read.
///
/// Breaking it stores the time and touches no timer. The timer that was set for its end finds out,
/// when it strikes, how much is left.
#[derive(Clone, Copy)]
pub(super) struct Silence {
    since: Time,
    /// The connection's account of held input at that time.
    held: Duration,
    /// Whether it was broken since a timer last struck.
    fresh: bool,
}

/// What a timer finds when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// So much is left.
    Some(Duration),
    /// The clock stands still until input is wanted again.
    Held,
    Nothing,
}

impl Silence {
    /// It begins now.
    pub(super) fn begin(connection: &Connection) -> Self {
        Self {
            since: connection.net().now(),
            held: connection.input_held(),
            fresh: false,
        }
    }

    /// Something happened.
    pub(super) fn interrupt(&mut self, connection: &Connection) {
        let now = Self::begin(connection);
        // Within one turn it is the same silence, whose timer counts from the turn's end.
        let fresh = self.fresh || now.since > self.since;
        *self = Self { fresh, ..now };
    }

    /// What is left of `timeout`.
    pub(super) fn left(&mut self, connection: &Connection, timeout: Duration) -> Left {
        if !connection.wants_input() {
            return Left::Held;
        }
        let passed = connection.net().now() - self.since;
        let held = connection.input_held().saturating_sub(self.held);
        let left = timeout.saturating_sub(passed.saturating_sub(held));
        let was_fresh = std::mem::take(&mut self.fresh);
        if !left.is_zero() {
            return Left::Some(left);
        }
        if was_fresh {
            // A timer that was set before the interruption is due before the silence after it can be
            // over. It was late, so the thread was busy, and no peer could have been heard.
            *self = Self::begin(connection);
            return Left::Some(timeout);
        }
        Left::Nothing
    }
}
