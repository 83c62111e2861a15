use std::time::Duration;

use crate::Connection;

/// What descriptors have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    bytes: u64,
    /// For how long we did not read: who is not read is not silent.
    held: Duration,
}

impl Passed {
    pub(super) fn of(connections: &[Connection]) -> Self {
        let mut passed = Self::default();
        for connection in connections {
            passed.bytes += connection.bytes_received() + connection.bytes_sent();
            passed.held += connection.input_held();
        }
        passed
    }
}
