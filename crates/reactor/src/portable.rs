//! The crate `polling` as a poller.
#![expect(
    unsafe_code,
    reason = "it must be promised that a source is taken out before it is closed; the type `Kept` \
              stands for that promise"
)]

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode};
use socket2::Socket;
use torsade_core::driver::Interest;

use crate::Driver;
use crate::event_loop::Doorbell;
use crate::poller::{Often, Poller, Ready};
use crate::socket::Kept;
use crate::token::Token;

/// The poller that every system has: the crate `polling` over epoll, kqueue, IOCP or event ports.
#[derive(Clone, Debug)]
pub(crate) struct Portable(Arc<polling::Poller>);

/// `polling` uses room of a batch for itself, unseen by us: its notifier and its timer.
const UNSEEN: usize = 2;

impl Poller for Portable {
    const DRIVER: Driver = Driver::Polling;

    type Events = Events;

    fn new() -> io::Result<Self> {
        let poller = polling::Poller::new()?;
        if !poller.supports_level() {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                "the system's poller has no level-triggered mode",
            ));
        }
        Ok(Self(Arc::new(poller)))
    }

    fn doorbell(&self) -> Arc<dyn Doorbell> {
        Arc::<polling::Poller>::clone(&self.0)
    }

    fn events() -> Events {
        Events::new()
    }

    fn add(
        &self,
        socket: Kept<'_>,
        token: Token,
        interest: Interest,
        often: Often,
    ) -> io::Result<()> {
        let mode = mode(often);
        // SAFETY: the socket is deleted before it is closed: that is what a `Kept` promises.
        unsafe {
            self.0
                .add_with_mode(socket.socket(), event(token, interest), mode)
        }
    }

    fn modify(
        &self,
        socket: &Socket,
        token: Token,
        interest: Interest,
        often: Often,
    ) -> io::Result<()> {
        self.0
            .modify_with_mode(socket, event(token, interest), mode(often))
    }

    fn delete(&self, socket: &Socket) -> io::Result<()> {
        self.0.delete(socket)
    }

    #[inline]
    fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        events.clear();
        // Not rounded: where it counts in coarser steps, `polling` rounds up itself.
        self.0.wait(events, timeout)
    }

    #[inline]
    fn ready(events: &Events, from: usize) -> impl Iterator<Item = Ready> {
        let mut events = events.iter();
        if from > 0 {
            events.nth(from - 1);
        }
        events.map(|event| Ready::new(event.key as u64, event.readable, event.writable))
    }

    #[inline]
    fn was_full(events: &Events, len: usize) -> bool {
        len + UNSEEN >= events.capacity().get()
    }
}

fn event(token: Token, interest: Interest) -> Event {
    // Pointers have 64 bits, see `Token`.
    Event::new(token.key() as usize, interest.readable, interest.writable)
}

fn mode(often: Often) -> PollMode {
    match often {
        Often::Always => PollMode::Level,
        Often::Once => PollMode::Oneshot,
    }
}

impl Doorbell for polling::Poller {
    fn ring(&self) -> io::Result<()> {
        self.notify()
    }

    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))]
    fn descriptor(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(self)
    }
}
