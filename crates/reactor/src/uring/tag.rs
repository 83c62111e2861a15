use torsade_core::{AttemptId, ListenerId, PortId};

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Input of a stream, by its place.
    Receive(usize),
    /// Output of a stream.
    Send(usize),
    /// Room for output of a stream.
    Room(usize),
    /// The end of a stream's output.
    Shutdown(usize),
    Listener(ListenerId),
    Attempt(AttemptId),
    /// A descriptor that is watched, by its number.
    Watched(u64),
    /// A datagram port.
    Port(PortId),
    /// The pipe that signal handlers write to.
    Signals,
    /// Somebody rang.
    Doorbell,
}
