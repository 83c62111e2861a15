use torsade_core::Transport;

use crate::{Encoder, MessageProtocol, TooLong};

/// What a [`MessageProtocol`] may ask of its framing, on its transport.
///
/// Bring it into scope with `use`; it is not to be implemented.
pub trait MessageTransport: sealed::Sealed {
    /// The protocol's framing, [`MessageProtocol::Framing`].
    type Framing;

    /// Write a message: these bytes, and around them what the framing wants there.
    ///
    /// Nothing is allocated for it, and nothing copied that a plain
    /// [`write`](torsade_core::Connection::write) would not copy. What this end *accepts*,
    /// [`Framed::max_length`](crate::Framed::max_length), does not bound what it sends.
    ///
    /// # Errors
    /// [`TooLong`] if the framing cannot express so long a message; nothing was sent then. A
    /// [`Netstring`](crate::Netstring) and a record of [`Records`](crate::Records) are never too
    /// long.
    ///
    /// ```
    /// # use torsade_core::Transport;
    /// # use torsade_testing::StringTransport;
    /// # use torsade_wire::{Framed, Int8, MessageProtocol, MessageTransport, TooLong};
    /// struct Greeter;
    /// impl MessageProtocol for Greeter {
    ///     type Framing = Int8;
    ///     fn message_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
    ///         let greeting = [b"hello, ", name].concat();
    ///         if let Err(TooLong { max, .. }) = transport.send_message(&greeting) {
    ///             let _ = transport.send_message(&greeting[..max]); // as much as fits
    ///         }
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Framed::new(Greeter));
    /// t.feed(b"\x03ann");
    /// assert_eq!(t.take_sent(), b"\x0ahello, ann");
    /// t.feed([255; 256]);
    /// assert_eq!(t.take_sent().len(), 1 + 255);
    /// ```
    #[doc(alias = "sendString")]
    fn send_message<M>(&self, message: M) -> Result<(), TooLong>
    where
        Self::Framing: Encoder<M>;
}

impl<P: MessageProtocol> MessageTransport for Transport<P> {
    type Framing = P::Framing;

    #[inline]
    fn send_message<M>(&self, message: M) -> Result<(), TooLong>
    where
        P::Framing: Encoder<M>,
    {
        P::Framing::encode(message, |pieces| self.write_parts(pieces))
    }
}

mod sealed {
    /// Keeps the trait open to new methods.
    #[expect(unnameable_types, reason = "so that nobody else can implement it")]
    pub trait Sealed {}
    impl<P: crate::MessageProtocol> Sealed for torsade_core::Transport<P> {}
}
