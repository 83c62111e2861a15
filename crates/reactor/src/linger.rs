use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::time::Duration;

use torsade_core::driver::Interest;
use torsade_core::{Limits, Time};

use crate::poller::Poller;
use crate::socket::Registered;
use crate::token::Token;

/// Sockets that are closed for everybody but the kernel (contract C4).
///
/// ```text
///             the peer ended, or an error
///   lingers -----------------------------------> closed plainly
///      | its time is over; too many linger;         ^
///      | descriptors run out                        |
///      +--------------------------------------------+
/// ```
///
/// The end was sent. What the peer still sends is read and dropped, because closing a socket that
/// has unread input would make the kernel reset it and destroy the reply on its way. The close at
/// the end is a plain one: the kernel goes on delivering what it took.
#[derive(Debug)]
pub(crate) struct Lingering<P: Poller> {
    /// In the order in which they came, which is that of their numbers and of their deadlines.
    sockets: VecDeque<Lingers<P>>,
    next: u64,
    most: usize,
    time: Duration,
}

#[derive(Debug)]
struct Lingers<P: Poller> {
    number: u64,
    until: Time,
    socket: Registered<P>,
}

impl<P: Poller> Lingering<P> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            sockets: VecDeque::new(),
            next: 0,
            most: limits.lingering,
            time: limits.linger,
        }
    }

    /// Keep a socket whose end was sent. If too many linger, the oldest goes.
    pub(crate) fn add(&mut self, mut socket: Registered<P>, now: Time) {
        if self.most == 0 || self.time.is_zero() {
            return;
        }
        while self.sockets.len() >= self.most {
            self.sockets.pop_front();
        }
        let number = self.next;
        self.next += 1;
        let readable = Interest {
            readable: true,
            writable: false,
        };
        // A socket that cannot be watched would only be kept for nothing.
        if socket.want(Token::Lingering(number), readable).is_ok() {
            self.sockets.push_back(Lingers {
                number,
                until: now + self.time,
                socket,
            });
        }
    }

    /// Read and drop what a socket has; returns how many bytes that was.
    pub(crate) fn readable(&mut self, number: u64, buffer: &mut [u8]) -> usize {
        let found = self.sockets.binary_search_by_key(&number, |it| it.number);
        let Ok(index) = found else {
            return 0;
        };
        match self.sockets[index].socket.socket().read(buffer) {
            Ok(n) if n > 0 => n,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            Ok(_) | Err(_) => {
                self.sockets.remove(index);
                0
            }
        }
    }

    /// When the next one's time is over.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.sockets.front().map(|it| it.until)
    }

    /// Close those whose time is over.
    pub(crate) fn expire(&mut self, now: Time) {
        while self.sockets.front().is_some_and(|it| it.until <= now) {
            self.sockets.pop_front();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Close all, because their descriptors are needed.
    pub(crate) fn clear(&mut self) {
        self.sockets.clear();
    }
}
