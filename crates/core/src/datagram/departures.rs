use std::collections::VecDeque;
use std::io;
use std::mem;

use super::DatagramError;
use crate::Address;

/// A datagram that came, as a driver tells it.
#[derive(Clone, Debug)]
pub struct Arrived<'a> {
    /// Who sent it: of the family of the port's own address.
    pub from: Address,
    /// What there is of it.
    pub data: &'a [u8],
    /// How long it was, if it was longer than that.
    pub whole: Option<usize>,
}

/// Datagrams of one port that wait to be sent, for a driver to take from the front.
///
/// Their bytes lie one behind the other in one piece, so that several can be handed to the kernel
/// at once.
///
/// ```
/// use std::io;
/// use torsade_core::driver::Departures;
///
/// let mut departures = Departures::default();
/// let to: torsade_core::Address = "192.0.2.1:9".parse().unwrap();
/// departures.push(b"one", Some(to.clone()));
/// departures.push(b"three", Some(to));
/// departures.push(b"", None);
/// assert_eq!(departures.len(), 3);
/// assert_eq!(departures.first().unwrap().data, b"one");
///
/// departures.sent(1);
/// departures.failed(io::ErrorKind::HostUnreachable.into());
/// departures.no_room();
/// assert!(departures.is_held());
/// assert_eq!(departures.first().unwrap().to, None);
/// ```
#[derive(Debug, Default)]
pub struct Departures {
    /// From `start` on, what waits.
    bytes: Vec<u8>,
    start: usize,
    list: VecDeque<(usize, Option<Address>)>,
    /// The kernel has no room.
    held: bool,
    failures: Vec<DatagramError>,
    sent: u64,
}

/// One datagram that waits.
#[derive(Clone, Copy, Debug)]
pub struct Departure<'a> {
    /// Where it goes; `None` is the peer that the port is connected to.
    pub to: Option<&'a Address>,
    /// What is in it.
    pub data: &'a [u8],
}

/// What one datagram counts in the queue beside its bytes.
const EACH: usize = 64;

/// Room that an empty queue keeps.
const KEPT: usize = 64 * 1024;

/// Filling.
impl Departures {
    /// One more, at the end.
    pub fn push(&mut self, data: &[u8], to: Option<Address>) {
        self.bytes.extend_from_slice(data);
        self.list.push_back((data.len(), to));
    }

    /// How much waits, as `Limits::datagram_queue` counts it.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() - self.start + self.list.len() * EACH
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }
}

/// Sending.
impl Departures {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The oldest of those that wait.
    pub fn first(&self) -> Option<Departure<'_>> {
        self.iter().next()
    }

    /// Those that wait, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Departure<'_>> {
        let mut rest = &self.bytes[self.start..];
        self.list.iter().map(move |(length, to)| {
            let (data, behind) = rest.split_at(*length);
            rest = behind;
            Departure {
                to: to.as_ref(),
                data,
            }
        })
    }

    /// The first so many have gone.
    pub fn sent(&mut self, datagrams: usize) {
        self.sent += datagrams as u64;
        if datagrams >= self.list.len() {
            self.clear();
            return;
        }
        let gone = self.list.drain(..datagrams).map(|(length, _)| length);
        self.start += gone.sum::<usize>();
        // What is gone is moved away only when it is the larger part, so that it stays linear.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// The first one did not go, and will not.
    pub fn failed(&mut self, error: io::Error) {
        if let Some((_, to)) = self.list.front() {
            let to = to.clone();
            self.failures.push(DatagramError::Unsent { to, error });
            self.sent(1);
            self.sent -= 1;
        }
    }

    /// The system has said something of a datagram that was sent before. Those that wait still do.
    pub fn reported(&mut self, error: io::Error) {
        self.failures.push(DatagramError::Reported(error));
    }

    /// The kernel has no room: the rest waits until there is some.
    pub fn no_room(&mut self) {
        self.held = true;
    }

    /// Whether they wait for room.
    pub fn is_held(&self) -> bool {
        self.held
    }
}

/// For the engine.
impl Departures {
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// What failed, and how many went, since this was asked last.
    pub(crate) fn take_news(&mut self) -> (Vec<DatagramError>, u64) {
        (mem::take(&mut self.failures), mem::take(&mut self.sent))
    }

    /// Forget what waits. Returns how many those were.
    pub(crate) fn give_up(&mut self) -> usize {
        let given_up = self.list.len();
        self.clear();
        given_up
    }

    fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.list.shrink_to(KEPT / EACH);
        self.start = 0;
    }
}
