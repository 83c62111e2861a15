use std::num::NonZeroUsize;

use torsade_core::Transport;

use crate::LineProtocol;

/// What a [`LineProtocol`] may ask of the [`Lines`](crate::Lines) around it, on its transport.
///
/// Bring it into scope with `use`; it is not to be implemented. See [`LineProtocol`] for an
/// example of both modes.
pub trait LineTransport: sealed::Sealed {
    /// Write a line: these bytes and the delimiter.
    ///
    /// Nothing looks for the delimiter inside `line`. What came from elsewhere and may contain it
    /// would reach the peer as several lines.
    ///
    /// ```
    /// # use torsade_core::Transport;
    /// # use torsade_wire::{LineProtocol, LineTransport, Lines};
    /// struct Greeter;
    /// impl LineProtocol for Greeter {
    ///     const DELIMITER: &'static [u8] = b"\n";
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         transport.send_line("who is there?");
    ///     }
    ///     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
    ///         transport.send_line([b"hello, ", line].concat());
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Lines::new(Greeter));
    /// t.feed(b"ann\n");
    /// assert_eq!(t.take_sent(), b"who is there?\nhello, ann\n");
    /// ```
    #[doc(alias = "sendLine")]
    fn send_line(&self, line: impl AsRef<[u8]>);

    /// From here on bytes are delivered as they are, to
    /// [`raw_data_received`](LineProtocol::raw_data_received).
    ///
    /// From inside [`line_received`](LineProtocol::line_received), "here" is the byte after the
    /// line's delimiter, be it in this chunk or in one to come. From anywhere else it is the
    /// first byte that has not been delivered: the beginning of a line that is not complete comes
    /// raw, at once.
    #[doc(alias = "setRawMode")]
    fn set_raw_mode(&self);

    /// From here on bytes are lines again. The last `rest` bytes of the raw data being delivered
    /// belong to them already; elsewhere than in
    /// [`raw_data_received`](LineProtocol::raw_data_received), `rest` means nothing.
    ///
    /// Lines in the rest are delivered right after the callback. When the mode is set several
    /// times in one callback, the last counts.
    #[doc(alias = "setLineMode")]
    fn set_line_mode(&self, rest: usize);
}

impl<P: LineProtocol> LineTransport for Transport<P> {
    #[inline]
    fn send_line(&self, line: impl AsRef<[u8]>) {
        self.write_parts(&[line.as_ref(), P::DELIMITER]);
    }

    fn set_raw_mode(&self) {
        self.signal(Request::Raw.into());
    }

    fn set_line_mode(&self, rest: usize) {
        self.signal(Request::Lines { rest }.into());
    }
}

mod sealed {
    /// Keeps the trait open to new methods.
    #[expect(unnameable_types, reason = "so that nobody else can implement it")]
    pub trait Sealed {}
    impl<P: crate::LineProtocol> Sealed for torsade_core::Transport<P> {}
}

/// What the inside asks of its framing, as it passes through the connection's signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Raw,
    Lines { rest: usize },
}

impl From<Request> for NonZeroUsize {
    fn from(request: Request) -> Self {
        match request {
            Request::Raw => Self::MIN,
            // No delivery is so long that the two numbers taken by this make a difference.
            Request::Lines { rest } => Self::MIN.saturating_add(1).saturating_add(rest),
        }
    }
}

impl From<NonZeroUsize> for Request {
    fn from(signal: NonZeroUsize) -> Self {
        match signal.get() {
            1 => Self::Raw,
            lines => Self::Lines { rest: lines - 2 },
        }
    }
}
