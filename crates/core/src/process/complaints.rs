use super::{Command, ProcessProtocol, ProcessTransport};
use crate::Disconnect;

/// What a process says on its standard error, of which the rest is a connection: it goes to the
/// log.
pub(super) struct Complaints {
    program: String,
    /// The beginning of a line.
    line: Vec<u8>,
}

/// A longer line is more than one.
const LONGEST: usize = 1024;

impl Complaints {
    pub(super) fn of(command: &Command) -> Self {
        Self {
            program: command.program().display().to_string(),
            line: Vec::new(),
        }
    }

    fn say(&mut self) {
        if !self.line.is_empty() {
            log::warn!("{}: {}", self.program, self.line.escape_ascii());
            self.line.clear();
        }
    }
}

impl ProcessProtocol for Complaints {
    fn err_received(&mut self, _: &ProcessTransport<Self>, data: &[u8]) {
        for byte in data {
            if *byte == b'\n' || self.line.len() == LONGEST {
                self.say();
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
    }

    fn err_connection_lost(&mut self, _: &ProcessTransport<Self>, _: &Disconnect) {
        self.say();
    }
}
