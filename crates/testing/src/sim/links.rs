use std::time::Duration;

use crate::sockets::LONGEST;

/// What lies between two hosts of a [`Sim`](super::Sim), and how much their kernels hold.
///
/// The default is a network in a building: half a millisecond there, a little jitter, and segments
/// that are cut where chance has it.
///
/// ```
/// use std::time::Duration;
/// use torsade_testing::sim::{Links, Sim};
///
/// let net = Sim::new(1);
/// let mut overseas = Links::default();
/// overseas.latency = Duration::from_millis(80);
/// overseas.bandwidth = Some(1_000_000); // bytes a second, each way
/// net.link("home", "abroad", overseas);
/// # net.host("home");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Links {
    /// How long every segment takes. 500 µs. Between two programs on one host it is nothing.
    pub latency: Duration,
    /// How much longer it takes at most. 200 µs. Segments of a connection never overtake.
    pub jitter: Duration,
    /// Bytes a second, each way, shared by all connections between two hosts. No bound.
    pub bandwidth: Option<u64>,
    /// The largest segment, in bytes. 1460.
    pub segment: usize,
    /// Where the stream is cut. [`Cuts::Random`].
    pub cuts: Cuts,
    /// What a kernel takes from a program and has not delivered, in bytes, for each connection. 64
    /// KiB. Once it was full, the program is told of room when a third is free.
    pub send_buffer: usize,
    /// What a kernel keeps for a program that does not read, in bytes, for each connection. 64 KiB.
    pub receive_buffer: usize,
    /// A segment that got lost is sent again after this long, then after twice as long, up to 30
    /// s. 200 ms.
    pub retransmit: Duration,
    /// A connection whose segments get nowhere for this long fails with `TimedOut`. 15 min, as on
    /// Linux.
    pub give_up: Duration,
    /// One datagram in so many gets lost between two hosts; 0 is none. None.
    pub lose_datagrams: u32,
    /// One datagram in so many comes twice; 0 is none. None.
    pub double_datagrams: u32,
    /// One datagram in so many comes later, by [`datagram_delay`](Self::datagram_delay) at most, so
    /// that others overtake it; 0 is none. None. Those that differ by less than the
    /// [`jitter`](Self::jitter) overtake each other in any case.
    pub delay_datagrams: u32,
    /// How much later that is at most. 5 ms.
    pub datagram_delay: Duration,
    /// The longest datagram that may be sent, in bytes; a longer one is an error. 65,507, as over
    /// IPv4.
    pub datagram: usize,
}

/// Where the bytes of a stream are cut into segments, and how much a program reads at once.
///
/// ```
/// use torsade_testing::sim::{Cuts, Links};
///
/// let mut links = Links::default();
/// links.cuts = Cuts::Bytewise; // every byte arrives by itself
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cuts {
    /// As few as possible.
    Whole,
    /// One segment in four somewhere in its middle, one read in four before all that is there.
    Random,
    /// After every byte.
    Bytewise,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            latency: Duration::from_micros(500),
            jitter: Duration::from_micros(200),
            bandwidth: None,
            segment: 1460,
            cuts: Cuts::Random,
            send_buffer: 64 * 1024,
            receive_buffer: 64 * 1024,
            retransmit: Duration::from_millis(200),
            give_up: Duration::from_secs(15 * 60),
            lose_datagrams: 0,
            double_datagrams: 0,
            delay_datagrams: 0,
            datagram_delay: Duration::from_millis(5),
            datagram: LONGEST,
        }
    }
}

impl Links {
    /// A network that takes no time and cuts nothing: for tests of what programs do, not of what
    /// networks do to them.
    ///
    /// ```
    /// use torsade_testing::sim::{Links, Sim};
    ///
    /// let net = Sim::new(1);
    /// net.links(Links::ideal());
    /// ```
    pub fn ideal() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            segment: usize::MAX,
            cuts: Cuts::Whole,
            ..Self::default()
        }
    }
}
