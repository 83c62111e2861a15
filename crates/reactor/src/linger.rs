use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::time::Duration;

use torsade_core::driver::Interest;
use torsade_core::{ConnectionId, Limits, Time};

use crate::accepting;
use crate::poller::Poller;
use crate::socket::Registered;
use crate::token::Token;
use crate::transfer;

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
    /// By the connections they were, whose names they keep in the poller.
    sockets: HashMap<ConnectionId, Registered<P>>,
    /// When the time of each is over, in the order in which they came; also of some that are gone.
    deadlines: VecDeque<(Time, ConnectionId)>,
    most: usize,
    time: Duration,
}

impl<P: Poller> Lingering<P> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            sockets: HashMap::new(),
            deadlines: VecDeque::new(),
            most: limits.lingering,
            time: limits.linger,
        }
    }

    /// Keep a socket whose end was sent. If too many linger, the oldest goes.
    pub(crate) fn add(&mut self, id: ConnectionId, mut socket: Registered<P>, now: Time) {
        if self.most == 0 || self.time.is_zero() {
            return;
        }
        while self.sockets.len() >= self.most {
            self.remove_oldest();
        }
        let readable = Interest {
            readable: true,
            writable: false,
        };
        // A socket that cannot be watched would only be kept for nothing.
        if socket.interest() == readable || socket.want(Token::Connection(id), readable).is_ok() {
            self.sockets.insert(id, socket);
            self.deadlines.push_back((now + self.time, id));
            self.forget_some();
        }
    }

    fn remove_oldest(&mut self) {
        if let Some((_, id)) = self.deadlines.pop_front()
            && !planted!("descriptor_leak")
        {
            self.sockets.remove(&id);
        }
    }

    /// Those who have gone must not outnumber those who linger by much.
    fn forget_some(&mut self) {
        const FEW: usize = 32;
        if self.deadlines.len() > 2 * self.sockets.len() + FEW {
            let sockets = &self.sockets;
            self.deadlines.retain(|(_, id)| sockets.contains_key(id));
        }
    }

    /// Read and drop what a socket has, if it lingers; returns how many bytes that was.
    pub(crate) fn readable(&mut self, id: ConnectionId, buffer: &mut [u8]) -> usize {
        let Some(socket) = self.sockets.get(&id) else {
            return 0;
        };
        match transfer::receive(socket.socket(), buffer) {
            Ok(n) if n > 0 => n,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            Ok(_) | Err(_) => {
                self.sockets.remove(&id);
                // So that no turn is taken for the time of one that is gone.
                while matches!(self.deadlines.front(), Some((_, id)) if !self.sockets.contains_key(id))
                {
                    self.deadlines.pop_front();
                }
                0
            }
        }
    }

    /// When the next one's time is over.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.deadlines.front().map(|(until, _)| *until)
    }

    /// Close those whose time is over.
    pub(crate) fn expire(&mut self, now: Time) {
        while self.deadline().is_some_and(|until| until <= now) {
            self.remove_oldest();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }
}

/// A reactor that goes waits for nobody, but what has arrived meanwhile must not make the kernel
/// reset what still leaves: a protocol that did not read was told of the stop, and wrote a farewell.
impl<P: Poller> Drop for Lingering<P> {
    fn drop(&mut self) {
        // A peer that sends as fast as this reads must not hold it up.
        const ROUNDS: usize = 64;
        let mut buffer = [0; 16 * 1024];
        for socket in self.sockets.values() {
            let mut rounds = 0..ROUNDS;
            while rounds.next().is_some()
                && matches!(transfer::receive(socket.socket(), &mut buffer), Ok(n) if n > 0)
            {
            }
        }
    }
}

impl<P: Poller> accepting::Lingers for Lingering<P> {
    fn give_way(&mut self) -> bool {
        let were_some = !self.sockets.is_empty();
        self.sockets.clear();
        self.deadlines.clear();
        were_some
    }
}
