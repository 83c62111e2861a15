use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use torsade_core::{Disconnect, Filter, Sides};

/// How many bytes passed, over all connections of a listener for instance.
///
/// A handle that may travel to other threads: clones show the same counts. Each connection's
/// filter comes from [`filter`](Self::filter).
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::ByteCounts;
///
/// struct Twice;
/// impl Protocol for Twice {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write_parts(&[data, data]);
///     }
/// }
///
/// let counts = ByteCounts::new();
/// for _ in 0..3 {
///     let each = counts.clone();
///     let mut t = StringTransport::builder().filter(move |_| each.filter()).serve(Twice);
///     t.feed(b"hello");
/// }
/// assert_eq!((counts.received(), counts.sent()), (15, 30));
/// ```
///
/// With a listener, `endpoint.filter(move |_| counts.filter())`.
///
/// Added last, it counts what the protocol reads and writes; added first, what goes over the wire,
/// with what other filters add. Output is counted when it leaves for the kernel. A filter costs a
/// copy of each byte: for one connection,
/// [`bytes_sent`](torsade_core::Connection::bytes_sent) and
/// [`bytes_received`](torsade_core::Connection::bytes_received) are there without.
#[derive(Clone, Default)]
pub struct ByteCounts(Arc<Counts>);

#[derive(Default)]
struct Counts {
    received: AtomicU64,
    sent: AtomicU64,
}

/// A filter that adds to [`ByteCounts`], and changes nothing.
#[derive(Debug)]
pub struct Count(ByteCounts);

impl ByteCounts {
    /// Counts of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A filter for one connection that counts here.
    pub fn filter(&self) -> Count {
        Count(self.clone())
    }

    /// Bytes that came from peers.
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Bytes that left for peers.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }
}

fn add(count: &AtomicU64, bytes: usize) {
    count.fetch_add(bytes as u64, Ordering::Relaxed);
}

impl Filter for Count {
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        add(&self.0.0.received, wire.len());
        sides.plain().extend_from_slice(wire);
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            add(&self.0.0.sent, piece.len());
            sides.wire().extend_from_slice(piece);
        }
        Ok(())
    }
}

impl fmt::Debug for ByteCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteCounts")
            .field("received", &self.received())
            .field("sent", &self.sent())
            .finish()
    }
}
