use std::net::{Ipv4Addr, SocketAddr};
use std::panic;
use std::time::Duration;

use torsade_core::{Address, Limits, Listener, Net, Place};

use super::Probe;

/// What the suite needs of a driver: connections whose other end is in the hands of a cell.
///
/// A peer's acts ([`send`](Self::send), [`finish`](Self::finish) and so on) only happen; what
/// they lead to happens in [`settle`](Self::settle). What a harness cannot do it answers with
/// [`not_here`], and the cell counts as not applicable there.
///
/// ```
/// use torsade_core::{Limits, Protocol, Transport, factory};
/// use torsade_testing::conformance::{STRING, Seen};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut harness = (STRING.make)(Limits::default());
/// let listener = harness.net().listen("127.0.0.1:0", factory(|_| Echo))?;
/// let end = harness.dial(&listener);
/// harness.send(end, b"hello");
/// assert_eq!(harness.received(end), b""); // it only happens when it is let
/// harness.settle();
/// assert_eq!((harness.received(end), harness.seen(end)), (b"hello".to_vec(), Seen::Open));
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
///
/// Dropping a harness ends everything on it, and panics if user code panicked that a cell did not
/// [expect](Self::expect_panic) to, or if an expected panic did not happen.
#[doc(alias = "ReactorBuilder")]
pub trait Harness {
    /// What programs are written against.
    fn net(&self) -> Net;

    /// Where a listener may be: a new place for each, at best.
    fn anywhere(&self) -> Address {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()
    }

    /// What a peer sees of an abort.
    fn aborted(&self) -> Seen {
        Seen::Reset
    }

    /// Make a connection of `probe` to a raw end. When this returns, the probe's
    /// `connection_made` has been called.
    fn open(&mut self, role: Role, probe: Probe) -> End;

    /// Connect a raw end to a listener of this harness.
    fn dial(&mut self, listener: &Listener) -> End;

    /// A place that a raw end waits at, for one connection: its other end is the returned one, once
    /// the connection is made.
    fn door(&mut self) -> (Place, End);

    /// A place at which nobody waits.
    fn closed_door(&mut self) -> Place;

    /// The peer sends these bytes.
    fn send(&mut self, end: End, data: &[u8]);

    /// The peer ends its side in good order, and goes on reading.
    fn finish(&mut self, end: End);

    /// The peer resets the connection.
    fn reset(&mut self, end: End);

    /// The peer stops reading: soon there is no room for output.
    fn stop_reading(&mut self, end: End);

    /// A peer that stopped reading takes a part of a [`flood`](Self::flood), and stops again.
    fn read_some(&mut self, end: End);

    /// A peer that stopped reading takes so little that the kernel does not tell us of room,
    /// though it has less to deliver.
    fn sip(&mut self, end: End);

    /// The peer reads again, everything.
    fn read_again(&mut self, end: End);

    /// Everything that the peer has read so far.
    fn received(&mut self, end: End) -> Vec<u8>;

    /// How the stream ended, as far as the peer has read it.
    fn seen(&mut self, end: End) -> Seen;

    /// How many times bytes were handed to the kernel for this end.
    fn sends(&mut self, end: End) -> usize;

    /// More bytes than find room on the way to a peer that does not read.
    fn flood(&self) -> usize;

    /// Let happen what is going to happen, without time passing.
    fn settle(&mut self);

    /// This much time passes; what comes due runs at its moment.
    fn advance(&mut self, duration: Duration);

    /// Open a raw socket for datagrams on loopback, and tell its address. A harness without
    /// datagrams need not.
    fn far_port(&mut self) -> (Far, SocketAddr) {
        not_here("there are no datagrams")
    }

    /// Somebody sends one from a raw socket.
    fn throw(&mut self, from: Far, to: SocketAddr, data: &[u8]) {
        let _ = (from, to, data);
        not_here("there are no datagrams")
    }

    /// What has come to a raw socket since this was asked last, and from whom.
    fn caught(&mut self, far: Far) -> Vec<(SocketAddr, Vec<u8>)> {
        let _ = far;
        not_here("there are no datagrams")
    }

    /// An address on loopback at which nobody hears datagrams, and the system says so.
    fn deaf_address(&mut self) -> SocketAddr {
        not_here("there are no datagrams")
    }

    /// User code is going to panic with a report that contains this text.
    fn expect_panic(&mut self, text: &str);

    /// The end of the engine, as when a reactor is dropped.
    fn shut_down(&mut self);
}

/// Which end of a harness is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End(
    /// Counted from 0, in the order in which the harness made them.
    pub usize,
);

/// Which raw socket for datagrams is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Far(
    /// Counted from 0, in the order in which the harness made them.
    pub usize,
);

/// Who asked for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The raw end did: the protocol under test is a server's, and throttled.
    Accepted,
    /// The protocol under test did.
    Connecting,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Accepted, Self::Connecting];
}

/// What a peer saw of the end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: it is open.
    Open,
    /// The end, in good order, after all bytes.
    Ended,
    /// A reset.
    Reset,
}

/// One column of the table: a name and how to make its harness.
///
/// ```
/// use torsade_testing::conformance::{Column, STRING};
///
/// // Cells about threads want another one, which a pure crate does not start.
/// let column = Column {
///     elsewhere: Some(|work| std::thread::spawn(work).join().unwrap()),
///     ..STRING
/// };
/// assert_eq!(column.name, "string");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heads the column.
    pub name: &'static str,
    /// Makes a harness of its own for a cell.
    pub make: fn(Limits) -> Box<dyn Harness>,
    /// Runs work on another thread and returns when that is done. Without it, cells about threads
    /// do not apply.
    pub elsewhere: Option<fn(Work)>,
    /// Cells that do not apply to this driver by its nature, by name, and why.
    pub cannot: &'static [(&'static str, &'static str)],
}

/// Something to be done on another thread.
pub type Work = Box<dyn FnOnce() + Send>;

/// What a cell runs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage(pub(super) Column);

impl Stage {
    pub(super) fn harness(self) -> Box<dyn Harness> {
        (self.0.make)(Limits::default())
    }

    pub(super) fn with(self, change: impl FnOnce(&mut Limits)) -> Box<dyn Harness> {
        let mut limits = Limits::default();
        change(&mut limits);
        (self.0.make)(limits)
    }

    pub(super) fn elsewhere(self, work: impl FnOnce() + Send + 'static) {
        match self.0.elsewhere {
            Some(elsewhere) => elsewhere(Box::new(work)),
            None => not_here("no other thread was offered"),
        }
    }
}

/// The payload of the panic that [`not_here`] is.
pub(super) struct NotHere(pub(super) &'static str);

/// End the cell: the harness cannot have it, for this reason.
///
/// ```should_panic
/// torsade_testing::conformance::not_here("a pump has no listeners");
/// ```
///
/// # Panics
/// Always; whoever runs the cell knows what it means.
pub fn not_here(reason: &'static str) -> ! {
    panic::panic_any(NotHere(reason))
}
