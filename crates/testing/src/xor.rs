use torsade_core::{Disconnect, Filter, Sides};

/// A filter that changes every byte, differently at every place of the stream.
///
/// It keeps nobody out. It is for tests: bytes that go around it, twice through it, or through it in
/// another order, come out wrong. Both ends use the same key.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::{StringTransport, Xor};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut t = StringTransport::builder().filter(|_| Xor::new(7)).serve(Echo);
/// let secret = Xor::scrambled(7, 0, b"hello");
/// assert_ne!(secret, b"hello");
/// t.feed(&secret);
/// assert_eq!(t.take_sent(), secret); // an echo: the same bytes in the same places
/// ```
#[derive(Clone, Debug)]
pub struct Xor {
    key: u8,
    decoded: u64,
    encoded: u64,
}

impl Xor {
    /// A filter with this key.
    pub fn new(key: u8) -> Self {
        Self {
            key,
            decoded: 0,
            encoded: 0,
        }
    }

    /// What the filter makes of these bytes, in either direction, if they begin at this place of
    /// the stream.
    ///
    /// ```
    /// use torsade_testing::Xor;
    ///
    /// let there = Xor::scrambled(7, 100, b"abc");
    /// assert_eq!(Xor::scrambled(7, 100, &there), b"abc");
    /// assert_ne!(Xor::scrambled(7, 101, &there), b"abc");
    /// ```
    #[must_use]
    pub fn scrambled(key: u8, from: u64, bytes: &[u8]) -> Vec<u8> {
        let places = from..;
        let places = places.map(|place| mask(key, place));
        bytes
            .iter()
            .zip(places)
            .map(|(byte, mask)| byte ^ mask)
            .collect()
    }
}

/// Any function will do that differs from place to place and is never 0 for long.
fn mask(key: u8, place: u64) -> u8 {
    let [low, high, ..] = place.wrapping_mul(0x9e37).to_le_bytes();
    key ^ low ^ high.rotate_left(3) ^ 0x55
}

impl Filter for Xor {
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        sides
            .plain()
            .extend(Self::scrambled(self.key, self.decoded, wire));
        self.decoded += wire.len() as u64;
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            sides
                .wire()
                .extend(Self::scrambled(self.key, self.encoded, piece));
            self.encoded += piece.len() as u64;
        }
        Ok(())
    }
}
