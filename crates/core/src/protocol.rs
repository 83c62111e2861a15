use crate::{Disconnect, Transport};

/// One connection's behaviour: what to do when bytes arrive, and when it ends.
///
/// One value per connection, made by a [`Factory`](crate::Factory) or handed to
/// [`Net::connect`](crate::Net::connect). Only [`data_received`](Self::data_received) must be
/// written. Chunks are cut anywhere: bytes written together may arrive apart, bytes written apart
/// may arrive together. A framing such as `torsade_wire::Lines` puts messages together again, and
/// [`unread`](crate::Connection::unread) is how to do it by hand.
///
/// # Order
/// `connection_made` first, once; then data, possibly the peer's end, pauses and resumes of
/// writing; `connection_lost` last, once, whatever happened. No callback runs while another one
/// does, on this connection or any other of the thread (contract C1), so a `RefCell` shared
/// between protocols may stay borrowed across every method of a transport.
///
/// # Panics in callbacks
/// A panic is caught and logged; that connection is aborted and still gets `connection_lost`,
/// with [`Disconnect::Panicked`]; nobody else notices (contract C8).
///
/// ```
/// use torsade_core::{Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// use torsade_testing::StringTransport;
/// let mut t = StringTransport::serve(Echo);
/// t.feed(b"hello");
/// assert_eq!(t.take_sent(), b"hello");
/// ```
#[doc(alias = "IProtocol")]
#[doc(alias = "BaseProtocol")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Protocol`",
    note = "if it handles messages of a framing, put it into that framing: `Lines::new(..)` for a `LineProtocol`"
)]
pub trait Protocol: Sized + 'static {
    /// The connection is there. Nothing is read before this returns.
    #[doc(alias = "connectionMade")]
    #[doc(alias = "makeConnection")]
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// Bytes came from the peer: at least one, cut anywhere.
    ///
    /// What cannot be used yet is given back with [`unread`](crate::Connection::unread) and comes again in front
    /// of the next bytes.
    #[doc(alias = "dataReceived")]
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]);

    /// The peer has ended its side; no bytes follow. Called once at most, after all data.
    ///
    /// The default closes, which flushes first. A relay or a server that answers later overrides
    /// it: our side stays open until [`close`](crate::Connection::close) or
    /// [`close_write`](crate::Connection::close_write). Input left unread is readable here through
    /// [`with_unread`](crate::Connection::with_unread) and dropped afterwards.
    #[doc(alias = "eofReceived")]
    #[doc(alias = "readConnectionLost")]
    #[doc(alias = "IHalfCloseableProtocol")]
    fn eof_received(&mut self, transport: &Transport<Self>) {
        transport.close();
    }

    /// More output waits than the high mark allows: stop producing.
    ///
    /// Strictly alternates with [`resume_writing`](Self::resume_writing), starting with this one.
    /// [`wants_output`](crate::Connection::wants_output) turned false earlier, inside the write
    /// that passed the mark.
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// Output has drained to the low mark: go on producing.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The reactor shuts down. The default closes; a protocol with a farewell says it here and
    /// closes when it is done. What is still open after `Limits::stop_timeout` is aborted.
    fn stopping(&mut self, transport: &Transport<Self>) {
        transport.close();
    }

    /// The connection is over: the socket is closed, nothing follows. Once, always last.
    ///
    /// Writes are dropped here, and whatever this connection still waited for has been cancelled.
    #[doc(alias = "connectionLost")]
    #[doc(alias = "clientConnectionLost")]
    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }
}
