use std::fmt;

use torsade_core::{Disconnect, Filter, Sides, WireEnd};

/// A filter that shows what passes on a connection, and changes none of it.
///
/// It sees the bytes as they are in its place of the chain: added last, it lies next to the protocol
/// and shows plain text; added first, it lies next to the wire and shows what others can see. What
/// is sent is shown as it leaves, all that a callback wrote together, whoever wrote it.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Traffic, TrafficLog};
///
/// struct Greeting;
/// impl Protocol for Greeting {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write("hello, ");
///         transport.write(data);
///     }
/// }
///
/// // A filter may not hold what is bound to a thread.
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let notes = Arc::clone(&seen);
/// let mut t = StringTransport::builder()
///     .filter(move |_| {
///         let notes = Arc::clone(&notes);
///         TrafficLog::new(move |traffic| notes.lock().unwrap().push(traffic.to_string()))
///     })
///     .serve(Greeting);
/// t.feed(b"Ada\r\n");
/// t.end();
/// assert_eq!(t.take_sent(), b"hello, Ada\r\n");
/// assert_eq!(
///     *seen.lock().unwrap(),
///     ["received \"Ada\\r\\n\"", "sent \"hello, Ada\\r\\n\"", "the peer ended", "we ended"],
/// );
/// ```
///
/// In a program the log is a good place for it:
/// ```
/// use torsade_core::ToEndpoint;
/// use torsade_wire::TrafficLog;
///
/// let endpoint = "127.0.0.1:8007".to_endpoint()?.filter(|peer| {
///     let peer = peer.to_string();
///     TrafficLog::new(move |traffic| println!("{peer}: {traffic}"))
/// });
/// // net.listen(endpoint, factory(|_| Echo))?;
/// # let _ = endpoint;
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "TrafficLoggingFactory")]
#[doc(alias = "TrafficLoggingProtocol")]
#[doc(alias = "SpewingFactory")]
#[doc(alias = "SpewingProtocol")]
pub struct TrafficLog<F> {
    sink: F,
}

/// What a [`TrafficLog`] shows.
///
/// Its `Display` gives bytes as Rust writes them in text, with escapes.
///
/// ```
/// use torsade_wire::Traffic;
///
/// assert_eq!(Traffic::Sent(b"\x00ok").to_string(), r#"sent "\x00ok""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic<'a> {
    /// Bytes came from the peer.
    Received(&'a [u8]),
    /// Bytes leave for the peer: one of the pieces that leave together.
    Sent(&'a [u8]),
    /// The peer ended its side.
    PeerEnded,
    /// We end our side.
    Ended,
}

impl<F: FnMut(Traffic<'_>) + Send + 'static> TrafficLog<F> {
    /// Show what passes to `sink`. It runs within the engine's turn: it should be quick. A panic of
    /// it ends the connection, like one of any filter.
    pub fn new(sink: F) -> Self {
        Self { sink }
    }
}

impl<F: FnMut(Traffic<'_>) + Send + 'static> Filter for TrafficLog<F> {
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        (self.sink)(Traffic::Received(wire));
        sides.plain().extend_from_slice(wire);
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            (self.sink)(Traffic::Sent(piece));
            sides.wire().extend_from_slice(piece);
        }
        Ok(())
    }

    fn wire_ended(&mut self, _: &[u8], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        (self.sink)(Traffic::PeerEnded);
        sides.end_plain();
        Ok(())
    }

    fn end(&mut self, _: &mut Sides<'_>) -> Result<WireEnd, Disconnect> {
        (self.sink)(Traffic::Ended);
        Ok(WireEnd::Follows)
    }
}

impl<F> fmt::Debug for TrafficLog<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficLog").finish_non_exhaustive()
    }
}

impl fmt::Display for Traffic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(bytes) => write!(f, "received \"{}\"", bytes.escape_ascii()),
            Self::Sent(bytes) => write!(f, "sent \"{}\"", bytes.escape_ascii()),
            Self::PeerEnded => f.write_str("the peer ended"),
            Self::Ended => f.write_str("we ended"),
        }
    }
}
