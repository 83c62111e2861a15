use torsade_core::{Disconnect, Filter, Sides, Time};

use super::bucket::{Bucket, Next};

/// A filter that lets bytes pass no faster than a [`Bucket`] has room for, in, out or both.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Bucket, Throttle};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// // 1000 bytes a second and connection, 500 at once.
/// let mut t = StringTransport::builder()
///     .filter(|_| Throttle::new().output(Bucket::new(1000, 500)))
///     .serve(Echo);
/// t.feed([b'x'; 2000]);
/// assert_eq!(t.take_sent().len(), 500);
/// t.advance(Duration::from_secs(1));
/// assert_eq!(t.take_sent().len(), 1000);
/// ```
///
/// One bucket for a listener is made outside, so that its connections share it:
/// ```
/// use torsade_core::ToEndpoint;
/// use torsade_wire::{Bucket, Throttle};
///
/// let all = Bucket::new(10_000_000, 1_000_000);
/// let endpoint = "127.0.0.1:8007".to_endpoint()?.filter(move |_| {
///     Throttle::new().input(all.clone()).output(Bucket::new(100_000, 50_000))
/// });
/// # let _ = endpoint;
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
///
/// # Back-pressure
/// It holds nothing itself. Output that may not pass yet waits in the connection, counts in
/// `buffered()` and pauses the protocol; `close` and `close_write` wait for it. Input that may not
/// pass yet makes the connection be read no more, so that the peer's writes wait: at most one read
/// of it is in memory. The peer's end comes after its bytes.
///
/// # Where to put it
/// Added first it lies next to the wire and counts what really goes over it. What a filter further
/// in says about an error when it fails is subject to the rate, too, and may be lost to it.
#[doc(alias = "ThrottlingFactory")]
#[doc(alias = "ThrottlingProtocol")]
#[doc(alias = "ShapedProtocolFactory")]
#[derive(Debug, Default)]
pub struct Throttle {
    input: Lane,
    output: Lane,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    /// No bucket, no bound.
    bucket: Option<Bucket>,
    /// When the next piece may pass, and how large it may be, unless it is a usual one.
    next: Option<Next>,
}

impl Throttle {
    /// One that lets everything pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is received passes through this bucket.
    #[must_use]
    pub fn input(mut self, bucket: Bucket) -> Self {
        self.input.bucket = Some(bucket);
        self
    }

    /// What is sent passes through this bucket, which may be the same.
    #[must_use]
    pub fn output(mut self, bucket: Bucket) -> Self {
        self.output.bucket = Some(bucket);
        self
    }

    /// Be woken when the first lane that is closed opens.
    fn ask_to_be_woken(&self, sides: &mut Sides<'_>) {
        let lanes = [self.input.until(), self.output.until()];
        if let Some(first) = lanes.into_iter().flatten().min() {
            sides.wake_at(first);
        }
    }
}

impl Lane {
    fn until(&self) -> Option<Time> {
        match self.next? {
            Next::At(until) => Some(until),
            Next::Now(_) => None,
        }
    }

    fn is_open(&self) -> bool {
        self.until().is_none()
    }

    fn most(&self) -> usize {
        match (self.next, &self.bucket) {
            (Some(Next::Now(most)), _) => most,
            (_, Some(bucket)) => bucket.piece(),
            (_, None) => usize::MAX,
        }
    }

    fn pass(&mut self, bytes: usize, now: Time) {
        self.next = self.bucket.as_ref().map(|bucket| bucket.pass(bytes, now));
    }

    fn open(&mut self, now: Time) {
        if self.until().is_some_and(|until| until <= now) {
            self.next = None;
        }
    }
}

impl Filter for Throttle {
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        if !self.input.is_open() {
            return Ok(0);
        }
        let len = wire.len().min(self.input.most());
        sides.plain().extend_from_slice(&wire[..len]);
        self.input.pass(len, sides.now());
        self.ask_to_be_woken(sides);
        Ok(len)
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let mut len = 0;
        for piece in plain {
            len += piece.len();
            sides.wire().extend_from_slice(piece);
        }
        self.output.pass(len, sides.now());
        self.ask_to_be_woken(sides);
        Ok(())
    }

    fn timer(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        self.input.open(sides.now());
        self.output.open(sides.now());
        self.ask_to_be_woken(sides);
        Ok(())
    }

    fn wants_plain(&self) -> bool {
        self.output.is_open()
    }

    fn most_plain(&self) -> usize {
        self.output.most()
    }

    fn wants_wire(&self) -> bool {
        self.input.is_open()
    }
}
