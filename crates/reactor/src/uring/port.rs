use std::io;
use std::rc::Weak;

use socket2::Socket;
use torsade_core::PortId;
use torsade_core::driver::Interest;

use super::file::File;
use super::ring::{Completion, OpId, Ring};
use super::stream::ROOM;
use super::tag::Tag;
use crate::datagrams::PortSocket;

/// A datagram port's socket, polled once at a time, and again when what it said was told.
///
/// ```text
///             want(some)             it is ready: told
///   silent --------------> polled ----------------------> told
///      ^                    |  ^                            |
///      +--------------------+  +----------------------------+
///        want(nothing)                  poll_again
/// ```
#[derive(Debug)]
pub(crate) struct RingPort {
    file: File,
    ring: Weak<Ring>,
    tag: Option<Tag>,
    interest: Interest,
    op: Option<OpId>,
}

impl RingPort {
    pub(crate) fn new(file: File, ring: &Weak<Ring>) -> Self {
        Self {
            file,
            ring: Weak::clone(ring),
            tag: None,
            interest: Interest::default(),
            op: None,
        }
    }

    /// A poll says something: what. `None` if it is not the last one that was begun.
    pub(crate) fn came(&mut self, said: &Completion) -> Option<Interest> {
        if self.op != Some(said.op) {
            return None;
        }
        self.op = None;
        // What is wrong with a poll, or with the socket, is found out by who reads or writes.
        let events = said.outcome.amount().unwrap_or(usize::MAX);
        let wrong = events & (libc::POLLERR | libc::POLLHUP) as usize != 0;
        Some(Interest {
            readable: self.interest.readable && (wrong || events & libc::POLLIN as usize != 0),
            writable: self.interest.writable && (wrong || events & ROOM != 0),
        })
    }

    /// It was told: on with it, if it is not under way.
    pub(crate) fn poll_again(&mut self) {
        let wanted = self.interest.readable || self.interest.writable;
        if self.op.is_none()
            && wanted
            && let (Some(ring), Some(tag)) = (self.ring.upgrade(), self.tag)
        {
            self.op = Some(ring.poll(&self.file, tag, self.interest));
        }
    }

    fn stop(&mut self) {
        if let (Some(op), Some(ring)) = (self.op.take(), self.ring.upgrade()) {
            ring.cancel(op);
        }
    }
}

impl PortSocket for RingPort {
    fn socket(&self) -> &Socket {
        match self.file.descriptor() {
            Some(socket) => socket,
            None => unreachable!("a port is a descriptor"),
        }
    }

    fn want(&mut self, port: PortId, interest: Interest) -> io::Result<()> {
        let begins = self.tag.replace(Tag::Port(port)).is_none();
        self.interest = interest;
        self.stop();
        self.poll_again();
        if begins && let Some(ring) = self.ring.upgrade() {
            // At once, because nobody knows when there is a turn.
            ring.submit()?;
        }
        Ok(())
    }
}

impl Drop for RingPort {
    fn drop(&mut self) {
        self.stop();
        if let (Some(ring), Some(tag)) = (self.ring.upgrade(), self.tag) {
            // The address is to be free at once: the poll, which has the socket too, is waited for.
            // If that fails, it is free a little later.
            let _ = ring.flush();
            ring.take_out(|other| other == tag, drop);
        }
    }
}
