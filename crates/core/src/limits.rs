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
    /// A buffered `close` that makes no progress for this long is aborted. 120 s.
    pub flush_timeout: Duration,
    /// An attempt to connect that has not succeeded after this long, over all its addresses, has
    /// failed. 30 s.
    pub connect_timeout: Duration,
    /// After `stop`, connections that have not ended by themselves are aborted. 5 s.
    pub stop_timeout: Duration,
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
    /// Connections the kernel queues for a listener before they are accepted. 1024.
    pub backlog: u32,
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
            flush_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            lingering: 1024,
            turn_connection_bytes: 64 * KIB,
            turn_bytes: 4 * MIB,
            turn_continuations: 10_000,
            turn_posts: 1_000,
            turn_accepts: 64,
            backlog: 1024,
        }
    }
}
