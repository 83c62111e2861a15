use std::time::Duration;

/// Every bound of an engine, each a field with a documented default.
///
/// What a limit bounds is bounded on every transport, real or simulated. Where a connection may
/// choose for itself, the field is the value it starts with.
///
/// ```
/// use torsade_core::Limits;
///
/// let mut limits = Limits::default();
/// limits.write_high = 256 * 1024; // a bulk server buffers more before it pauses
/// assert_eq!(limits.write_low, 16 * 1024);
/// ```
#[doc(alias = "SEND_LIMIT")]
#[doc(alias = "suggestThreadPoolSize")]
#[doc(alias = "bufferSize")]
#[doc(alias = "get_write_buffer_limits")]
#[doc(alias = "slow_callback_duration")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Output waits above this many bytes: `wants_output` turns false. 64 KiB; changed for one
    /// connection by `set_write_limits`.
    pub write_high: usize,
    /// Output flows again at or below this many bytes. 16 KiB; changed for one connection by
    /// `set_write_limits`.
    pub write_low: usize,
    /// A write is refused, and its connection ended, when more than this many bytes already
    /// wait. 16 MiB. It bounds piling up, not the size of one message.
    pub write_cap: usize,
    /// What all connections of an engine may hold in output together, in bytes. 256 MiB. Past it
    /// the fullest connection is ended.
    pub total_write_cap: usize,
    /// Input that a protocol may leave unread and wait for more of, in bytes. 1 MiB; changed for
    /// one connection by `set_unread_limit`.
    pub unread: usize,
    /// Descriptors that one message may carry, and that a connection may hold received and not
    /// taken; those of output that waits are as many at most. Linux has no larger message. 253.
    pub descriptors: usize,
    /// A buffered `close` that makes no progress for this long is aborted. 120 s.
    pub flush_timeout: Duration,
    /// Before a connection whose filters are not ready is aborted. 30 s.
    pub handshake_timeout: Duration,
    /// Bytes from the wire that filters leave for later. What cannot be used within them ends the
    /// connection. 1 MiB.
    pub filter_input: usize,
    /// Bytes that filters decode ahead while a protocol's input is held back, so that they see
    /// what is meant for them. 16 KiB.
    pub filter_ahead: usize,
    /// A connect that has not succeeded after this long, over all its look-ups and addresses, has
    /// failed. 30 s; an endpoint may have its own.
    pub connect_timeout: Duration,
    /// While an address that is being connected to does not answer, the next one is tried after
    /// this long. 250 ms, as RFC 8305 recommends; an endpoint may have its own.
    pub connect_attempt_delay: Duration,
    /// A name that has no answer after this long has none. 30 s.
    pub lookup_timeout: Duration,
    /// Names that are being looked up at once, or wait for it. 1000.
    pub lookups: usize,
    /// Threads that look names up, at once and at least one: they are others than those of
    /// `Net::defer_to_thread`, so that names nobody answers for take none of these. 8.
    pub lookup_threads: usize,
    /// Addresses of one name: what an answer has more of is left out. 256.
    pub lookup_addresses: usize,
    /// Connections at once, accepted and connecting ones together. Listeners do not take more:
    /// [`when_full`](Self::when_full) says what becomes of those who come. Connections that we ask
    /// for ourselves count, but are not refused. `usize::MAX`: descriptors are the bound.
    pub max_connections: usize,
    /// What a listener does with connections for which there is no place, or no descriptor.
    /// [`WhenFull::Shed`].
    pub when_full: WhenFull,
    /// A listener that the system refuses what it needs, descriptors or memory, is left alone for
    /// this long. 1 s.
    pub accept_rest: Duration,
    /// While descriptors are short: accepts that yield no connection to serve, failed and shed
    /// ones, of all listeners of a reactor within one `accept_rest`. Past it they rest. 16.
    pub vain_accepts: usize,
    /// Before a stop goes on without the hooks of `Net::before_stop` that have no result. 30 s.
    pub before_stop_timeout: Duration,
    /// After `stop`, connections that have not ended by themselves are aborted. 5 s.
    pub stop_timeout: Duration,
    /// After the exit of a process, a descriptor of it that others hold and do not use is closed
    /// after this long. 5 s; a command may have its own.
    pub after_exit_timeout: Duration,
    /// A closed socket whose peer had not ended is kept, read and discarded for at most this
    /// long, so that the kernel does not destroy the last reply. 5 s.
    pub linger: Duration,
    /// Sockets that linger at once; past it the oldest goes. 1024.
    pub lingering: usize,
    /// Bytes taken from one connection in one turn: the size of a driver's read buffer. 64 KiB.
    pub turn_connection_bytes: usize,
    /// Bytes taken from all connections in one turn, before timers and posted calls have their
    /// chance again. 4 MiB.
    pub turn_bytes: usize,
    /// Continuations and queued callbacks run in one turn. 10,000.
    pub turn_continuations: usize,
    /// Posted calls run in one turn. 1,000.
    pub turn_posts: usize,
    /// Connections accepted by one listener in one turn. 64.
    pub turn_accepts: usize,
    /// The longest datagram that is received whole, in bytes; of a longer one
    /// [`DatagramError::Truncated`](crate::DatagramError::Truncated) tells. 65,535, which no UDP
    /// datagram exceeds.
    pub datagram: usize,
    /// Bytes of datagrams that one port queues for sending, each datagram with 64 for itself. Past
    /// it the newest is dropped and counted (contract C18). 4 MiB.
    pub datagram_queue: usize,
    /// Datagrams taken from one port in one turn; more if the port
    /// [coalesces](crate::DatagramOptions::coalesce). 64.
    pub turn_datagrams: usize,
    /// A callback that takes longer is logged as a warning, with its name and whose it is, and
    /// counted: [`Net::slow_callbacks`](crate::Net::slow_callbacks). That costs a look at the clock
    /// for each callback, so by default nobody looks: `None`. What asyncio has in its debug mode
    /// is 100 ms.
    pub slow_callback: Option<Duration>,
    /// Threads of the pool behind `Net::defer_to_thread` that stay when there is nothing to do,
    /// once there was something. 0.
    pub min_threads: usize,
    /// Threads of that pool at once, at least one. 10.
    pub max_threads: usize,
    /// Calls that wait for one of them. 10,000.
    pub thread_queue: usize,
    /// A thread above [`min_threads`](Self::min_threads) that had nothing to do for this long
    /// ends. 10 s.
    pub thread_idle: Duration,
    /// Connections the kernel queues for a listener before they are accepted. 1024.
    pub backlog: u32,
}

/// What a listener does with connections that cannot be served, because there are
/// [`Limits::max_connections`] or because the system is out of descriptors.
///
/// ```
/// use torsade_core::{Limits, WhenFull};
///
/// let mut limits = Limits::default();
/// limits.max_connections = 1000;
/// assert_eq!(limits.when_full, WhenFull::Shed); // number 1001 is closed at once
/// limits.when_full = WhenFull::Wait; // or waits until one of the thousand ends
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenFull {
    /// It is accepted and closed at once, so that the client knows and can try elsewhere; the
    /// factory's `failed` is told. A reactor keeps a descriptor in reserve to be able to do it
    /// when there are no others.
    Shed,
    /// It is left in the system's queue, of at most [`Limits::backlog`] connections, and its
    /// client waits: until a connection ends, or [`Limits::accept_rest`] later when descriptors
    /// were short. Nobody is told.
    Wait,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            write_high: 64 * KIB,
            write_low: 16 * KIB,
            write_cap: 16 * MIB,
            total_write_cap: 256 * MIB,
            unread: MIB,
            descriptors: 253,
            flush_timeout: Duration::from_secs(120),
            handshake_timeout: Duration::from_secs(30),
            filter_input: MIB,
            filter_ahead: 16 * KIB,
            connect_timeout: Duration::from_secs(30),
            connect_attempt_delay: Duration::from_millis(250),
            lookup_timeout: Duration::from_secs(30),
            lookups: 1000,
            lookup_threads: 8,
            lookup_addresses: 256,
            max_connections: usize::MAX,
            when_full: WhenFull::Shed,
            accept_rest: Duration::from_secs(1),
            vain_accepts: 16,
            before_stop_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(5),
            after_exit_timeout: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            lingering: 1024,
            turn_connection_bytes: 64 * KIB,
            turn_bytes: 4 * MIB,
            turn_continuations: 10_000,
            turn_posts: 1_000,
            turn_accepts: 64,
            datagram: 65_535,
            datagram_queue: 4 * MIB,
            turn_datagrams: 64,
            slow_callback: None,
            min_threads: 0,
            max_threads: 10,
            thread_queue: 10_000,
            thread_idle: Duration::from_secs(10),
            backlog: 1024,
        }
    }
}
