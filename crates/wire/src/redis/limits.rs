/// The bounds of a Redis client, each a field with a documented default.
///
/// None of them is a size that is allocated: memory grows with bytes that have come, and never with
/// a number that the server said.
///
/// ```
/// use torsade_wire::redis::RedisLimits;
///
/// let mut limits = RedisLimits::default();
/// limits.reply = 512 << 20; // values as large as a Redis server takes them
/// assert_eq!(limits.depth, 64);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisLimits {
    /// Bytes of one reply on the wire, with all that is in it. 64 MiB. A value that is longer
    /// ends the connection as soon as its length has come.
    pub reply: usize,
    /// Values in one reply, the ones inside others counted. 1,048,576.
    pub items: usize,
    /// Arrays, maps and sets inside each other. 64.
    pub depth: usize,
    /// Bytes of a simple string, an error or a number. 64 KiB.
    pub line: usize,
    /// Calls that wait for their reply. 65,536. One more is rejected with
    /// [`RedisError::TooManyCalls`](super::RedisError::TooManyCalls).
    pub calls: usize,
    /// Bytes of calls that wait for the connection to be ready. 1 MiB. A call that would pass it
    /// is rejected with the same error.
    pub early: usize,
    /// Messages that wait for the consumer of one subscription. 1,024. When so many do, the
    /// connection is not read until half of them are taken.
    pub messages: usize,
}

impl Default for RedisLimits {
    fn default() -> Self {
        Self {
            reply: 64 << 20,
            items: 1 << 20,
            depth: 64,
            line: 64 << 10,
            calls: 1 << 16,
            early: 1 << 20,
            messages: 1024,
        }
    }
}
