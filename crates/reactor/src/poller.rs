use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use torsade_core::driver::Interest;

use crate::Driver;
use crate::event_loop::Doorbell;
use crate::socket::Kept;
use crate::token::Token;

/// What a readiness loop needs of the system: to be told which of its sockets are ready.
///
/// A value is a handle, and its clones are the same poller. Everything else of the loop is generic
/// over it, so that no call on the way of a message is an indirect one.
pub(crate) trait Poller: Clone + fmt::Debug + 'static {
    /// Which driver a loop over this poller is.
    const DRIVER: Driver;

    /// Room for the events of one wait.
    type Events: fmt::Debug;

    fn new() -> io::Result<Self>;

    /// What ends a wait, from any thread.
    fn doorbell(&self) -> Arc<dyn Doorbell>;

    fn events() -> Self::Events;

    /// Begin to report these events of a socket, as being about `token`.
    fn add(
        &self,
        socket: Kept<'_>,
        token: Token,
        interest: Interest,
        often: Often,
    ) -> io::Result<()>;

    /// Report these events instead.
    fn modify(
        &self,
        socket: &Socket,
        token: Token,
        interest: Interest,
        often: Often,
    ) -> io::Result<()>;

    /// Report it no more.
    fn delete(&self, socket: &Socket) -> io::Result<()>;

    /// Wait for events, at most so long, never shorter without one. Returns how many there are
    /// without the poller's own.
    fn wait(&self, events: &mut Self::Events, timeout: Option<Duration>) -> io::Result<usize>;

    /// An event was told whose key is nobody's token: the poller's own, perhaps.
    fn heard(&self, key: u64) {
        let _ = key;
    }

    /// The events of the last wait from that one on.
    fn ready(events: &Self::Events, from: usize) -> impl Iterator<Item = Ready>;

    /// Whether there may have been more events than these, for which there was room.
    fn was_full(events: &Self::Events, len: usize) -> bool;
}

/// How often an event is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Often {
    /// In every wait, as long as it is so.
    Always,
    /// Once; then the socket stays in the poller, unheard of, until it is modified.
    Once,
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// The key of a [`Token`].
    pub(crate) key: u64,
    /// What is ready, as epoll says it, so that its events are taken as they are.
    flags: u32,
}

impl Ready {
    /// Bytes, or an end that was reported as if it were some.
    const IN: u32 = 1;
    const OUT: u32 = 4;
    /// An error, or a hang-up: whoever reads or writes finds out what it is.
    const BROKEN: u32 = 8 | 16;

    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "there is no epoll")
    )]
    #[inline(always)]
    pub(crate) fn of_epoll(key: u64, flags: u32) -> Self {
        Self { key, flags }
    }

    #[inline]
    pub(crate) fn new(key: u64, readable: bool, writable: bool) -> Self {
        let flags = (u32::from(readable) * Self::IN) | (u32::from(writable) * Self::OUT);
        Self { key, flags }
    }

    /// Whether there are bytes, and nothing else is said: the usual case.
    #[inline(always)]
    pub(crate) fn is_input(self) -> bool {
        self.flags == Self::IN
    }

    /// Bytes, an end, or an error.
    #[inline]
    pub(crate) fn is_readable(self) -> bool {
        self.flags & (Self::IN | Self::BROKEN) != 0
    }

    /// Room, or an error.
    #[inline]
    pub(crate) fn is_writable(self) -> bool {
        self.flags & (Self::OUT | Self::BROKEN) != 0
    }
}
