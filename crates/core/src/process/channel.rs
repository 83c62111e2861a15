use std::mem;
use std::rc::Rc;

use torsade_deferred::{Deferred, Resolver};

use super::Child;
use crate::{Connection, Disconnect, Protocol, Transport};

/// Our end of a descriptor of a child.
///
/// ```text
///             the driver has it              it is lost
///   Opening -------------------> Open ----------------------> Lost
///      |                                                       ^
///      +-------------------- the driver would not -------------+
/// ```
#[derive(Debug)]
pub(super) enum Channel {
    Opening(Early),
    Open(Connection),
    Lost,
}

/// What was done to a descriptor before it was there.
#[derive(Debug, Default)]
pub(super) struct Early {
    bytes: Vec<u8>,
    paused: bool,
    ending: Ending,
}

/// How a descriptor that is not there yet is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    #[default]
    Not,
    Closed,
    Aborted,
}

impl Channel {
    pub(super) fn is_opening(&self) -> bool {
        matches!(self, Self::Opening(_))
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    pub(super) fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Open(connection) => Some(connection),
            Self::Opening(_) | Self::Lost => None,
        }
    }

    pub(super) fn write(&mut self, data: &[u8]) {
        match self {
            Self::Opening(early) if early.ending == Ending::Not => {
                early.bytes.extend_from_slice(data);
            }
            Self::Open(connection) => connection.write(data),
            Self::Opening(_) | Self::Lost => log::debug!("a write to a descriptor that is closed"),
        }
    }

    pub(super) fn buffered(&self) -> usize {
        match self {
            Self::Opening(early) => early.bytes.len(),
            Self::Open(connection) => connection.buffered(),
            Self::Lost => 0,
        }
    }

    /// Whether a producer may go on. What waits for the descriptor counts as well.
    pub(super) fn wants_output(&self, high: usize) -> bool {
        match self {
            Self::Opening(early) => early.ending == Ending::Not && early.bytes.len() <= high,
            Self::Open(connection) => connection.wants_output(),
            Self::Lost => false,
        }
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        match self {
            Self::Opening(early) => early.paused = paused,
            Self::Open(connection) if paused => connection.pause_reading(),
            Self::Open(connection) => connection.resume_reading(),
            Self::Lost => {}
        }
    }

    pub(super) fn close(&mut self) {
        match self {
            Self::Opening(early) if early.ending == Ending::Not => early.ending = Ending::Closed,
            Self::Open(connection) => connection.close(),
            Self::Opening(_) | Self::Lost => {}
        }
    }

    pub(super) fn abort(&mut self) {
        match self {
            Self::Opening(early) => early.ending = Ending::Aborted,
            Self::Open(connection) => connection.abort(),
            Self::Lost => {}
        }
    }

    /// The driver has it. What was done before is done now.
    fn open(&mut self, connection: Connection) {
        let Self::Opening(early) = mem::replace(self, Self::Open(connection.clone())) else {
            return;
        };
        connection.write(early.bytes);
        if early.paused {
            connection.pause_reading();
        }
        match early.ending {
            Ending::Not => {}
            Ending::Closed => connection.close(),
            Ending::Aborted => connection.abort(),
        }
    }
}

/// What a descriptor of a child is to the engine: a connection, whose protocol hands everything to
/// the child's.
pub(super) struct PipeEnd {
    child: Rc<Child>,
    fd: u32,
}

impl PipeEnd {
    pub(super) fn new(child: &Rc<Child>, fd: u32) -> Self {
        Self {
            child: Rc::clone(child),
            fd,
        }
    }
}

/// Read nothing more until this is resolved.
fn hold(transport: &Transport<PipeEnd>) -> Resolver<(), ()> {
    let (resolver, held): (Resolver<(), ()>, _) = Deferred::new();
    transport.hold(held, |_, _, _| ());
    resolver
}

impl Protocol for PipeEnd {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Nothing is read before the process was made, which waits for all of its descriptors.
        self.child.opened(hold(transport), |channels| {
            if let Some(channel) = channels.get_mut(&self.fd) {
                channel.open(transport.connection());
            }
        });
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if self.child.is_queued() {
            // What is left over of a turn comes first, as it does on a connection.
            transport.unread(data.len());
            self.child.hold_back(hold(transport));
            return;
        }
        self.child.callback("child_data_received", |talk, child| {
            talk.data(child, self.fd, data);
        });
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.child.callback("pause_writing", |talk, child| {
            talk.paused(child, self.fd);
        });
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.child.callback("resume_writing", |talk, child| {
            talk.resumed(child, self.fd);
        });
    }

    /// The process is told, once, and not each of its descriptors.
    fn stopping(&mut self, _: &Transport<Self>) {}

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.child.lost(self.fd, reason.clone());
    }
}

/// One that no connection was made of is lost as well: the reactor had no room for it, or is gone.
impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.child.lost(
            self.fd,
            Disconnect::application("the reactor would not have the descriptor"),
        );
    }
}
