/// What a reactor has done so far and what it holds now: numbers for a status page, and for tests
/// that must know that nothing spins.
///
/// From [`Reactor::counters`](crate::Reactor::counters). Those that only a reactor on sockets
/// knows are here alone; the others are also methods of [`Net`](torsade_core::Net), for use within
/// callbacks.
///
/// ```
/// use std::time::Duration;
/// use torsade_reactor::Reactor;
///
/// let mut reactor = Reactor::new()?;
/// for _ in 0..3 {
///     reactor.turn(Some(Duration::ZERO))?;
/// }
/// let counters = reactor.counters();
/// assert_eq!((counters.turns, counters.events), (3, 0));
/// assert_eq!((counters.connections, counters.lingering), (0, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Turns taken.
    pub turns: u64,
    /// Events that the poller reported, of all kinds. Its own, of which a wake-up from another
    /// thread is one, do not count.
    pub events: u64,
    /// Connections that listeners accepted and that were not shed.
    pub accepts: u64,
    /// How often the system was asked for a connection. Where connections come one by one that is
    /// once for each; where many come at once, once more to find that there is no other.
    pub accept_calls: u64,
    /// Connections accepted only to be closed, for want of a place or of a descriptor.
    pub shed: u64,
    /// Connections now, accepted and connecting ones, whose `connection_lost` was not called yet.
    pub connections: usize,
    /// Closed sockets that are kept for a while, now, for the sake of their last output (contract
    /// C4).
    pub lingering: usize,
    /// Bytes of output that wait now, on all connections together.
    pub buffered: usize,
    /// Writes that came too late and were dropped.
    pub dropped_writes: u64,
    /// Callbacks that took longer than [`Limits::slow_callback`](torsade_core::Limits::slow_callback).
    pub slow_callbacks: u64,
    /// Datagram ports now.
    pub datagram_ports: usize,
    /// Datagrams that were not sent because a port's queue was full or it was closed.
    pub dropped_datagrams: u64,
}
