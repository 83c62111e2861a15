use torsade_core::{Disconnect, Limit, Transport};

use crate::Decoder;

/// What to do with the messages of a connection. Goes into [`Framed`](crate::Framed).
///
/// Which framing it is, [`Framing`](Self::Framing) says. The other callbacks are those of
/// [`Protocol`](torsade_core::Protocol), in the same order and with the same promises; a panic in
/// one aborts this connection and no other.
///
/// ```
/// use torsade_core::Transport;
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Framed, Int16, MessageProtocol, MessageTransport};
///
/// struct Shout;
///
/// impl MessageProtocol for Shout {
///     type Framing = Int16;
///
///     fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
///         let answer = message.to_ascii_uppercase();
///         transport.send_message(answer).expect("no longer than what came");
///     }
/// }
///
/// let mut t = StringTransport::serve(Framed::new(Shout));
/// t.feed(b"\0\x05hel");
/// t.feed(b"lo\0\x05again\0");
/// assert_eq!(t.take_sent(), b"\0\x05HELLO\0\x05AGAIN");
/// ```
#[doc(alias = "Int8StringReceiver")]
#[doc(alias = "Int16StringReceiver")]
#[doc(alias = "Int32StringReceiver")]
#[doc(alias = "IntNStringReceiver")]
#[doc(alias = "NetstringReceiver")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `MessageProtocol`",
    note = "`Framed` carries a `MessageProtocol`, which is given messages; a `Protocol`, which is given chunks, needs no framing"
)]
pub trait MessageProtocol: Sized + 'static {
    /// Where messages begin and end, in both directions:
    /// [`Int8`](crate::Int8), [`Int16`](crate::Int16), [`Int32`](crate::Int32) and the others
    /// that are a [`LengthPrefix`](crate::LengthPrefix), [`Netstring`](crate::Netstring),
    /// [`Records`](crate::Records), or a [`Decoder`] of one's own.
    type Framing: Decoder;

    /// The connection is there. No message is read before this returns.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// A message came, here without what was around it. It may be empty if the framing can say so.
    ///
    /// With the framings of this crate it is a `&[u8]`, which lies in the reactor's buffer and is
    /// gone after the callback. A message is consumed by being delivered:
    /// [`unread`](torsade_core::Connection::unread) is the framing's own here, and must not be
    /// called.
    #[doc(alias = "stringReceived")]
    fn message_received(
        &mut self,
        transport: &Transport<Self>,
        message: <Self::Framing as Decoder>::Message<'_>,
    );

    /// The peer's message is longer than [`Framed::max_length`](crate::Framed::max_length): it has
    /// `length` bytes, or, of a netstring, at least so many. None of them need have come.
    ///
    /// The default ends the connection with [`Limit::Message`]; what was written is flushed first.
    /// If the connection stays open, the whole message is skipped, without being kept, and the one
    /// after it delivered. That cannot be done with a netstring: there the connection ends in any
    /// case. Called once a message.
    ///
    /// ```
    /// use torsade_core::Transport;
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::{Framed, Int8, MessageProtocol, MessageTransport};
    ///
    /// struct Patient;
    /// impl MessageProtocol for Patient {
    ///     type Framing = Int8;
    ///     fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
    ///         transport.write(message);
    ///     }
    ///     fn limit_exceeded(&mut self, transport: &Transport<Self>, length: u64) {
    ///         transport.write(format!("{length} are too many. "));
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Framed::new(Patient).max_length(5));
    /// t.feed(b"\x09");
    /// assert_eq!(t.take_sent(), b"9 are too many. ");
    /// t.feed(b"123456789\x0512345");
    /// assert_eq!(t.take_sent(), b"12345");
    /// ```
    #[doc(alias = "lengthLimitExceeded")]
    fn limit_exceeded(&mut self, transport: &Transport<Self>, length: u64) {
        let _ = length;
        transport.fail(Disconnect::LimitPassed(Limit::Message));
    }

    /// The peer has ended its side. `rest` is what came after the last message: the beginning of
    /// one, with what the framing put before it, or nothing.
    ///
    /// The default closes if there is nothing left, and otherwise ends the connection with
    /// [`Disconnect::Protocol`], because a message was lost. Our side stays open until `close` or
    /// `close_write` if it is overridden.
    #[doc(alias = "eofReceived")]
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        if rest.is_empty() {
            transport.close();
        } else {
            transport.fail(Disconnect::protocol("the end came inside a message"));
        }
    }

    /// More output waits than the high mark allows: stop producing.
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// Output has drained to the low mark: go on producing.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The reactor shuts down. The default closes.
    fn stopping(&mut self, transport: &Transport<Self>) {
        transport.close();
    }

    /// The connection is over. Once, always last.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }
}
