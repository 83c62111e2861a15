use torsade_core::{Disconnect, Limit, Transport};

/// What to do with the lines of a connection. Goes into [`Lines`](crate::Lines).
///
/// Only [`line_received`](Self::line_received) must be written. The other callbacks are those of
/// [`Protocol`](torsade_core::Protocol), in the same order and with the same promises; a panic in
/// one aborts this connection and no other.
///
/// # Raw mode
/// After [`set_raw_mode`](crate::LineTransport::set_raw_mode) bytes come as they are, to
/// [`raw_data_received`](Self::raw_data_received), beginning with the byte after the current
/// line's delimiter. [`set_line_mode`](crate::LineTransport::set_line_mode) goes back.
///
/// ```
/// use torsade_core::Transport;
/// use torsade_testing::StringTransport;
/// use torsade_wire::{LineProtocol, LineTransport, Lines};
///
/// /// `put 5`, then five bytes of anything.
/// #[derive(Default)]
/// struct Store {
///     missing: usize,
///     stored: Vec<u8>,
/// }
///
/// impl LineProtocol for Store {
///     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
///         let length = line.strip_prefix(b"put ").and_then(|n| str::from_utf8(n).ok()?.parse().ok());
///         match length {
///             Some(0) | None => transport.send_line("what?"),
///             Some(length) => {
///                 self.missing = length;
///                 transport.set_raw_mode();
///             }
///         }
///     }
///
///     fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         let (ours, rest) = data.split_at(data.len().min(self.missing));
///         self.stored.extend_from_slice(ours);
///         self.missing -= ours.len();
///         if self.missing == 0 {
///             transport.send_line("stored");
///             transport.set_line_mode(rest.len());
///         }
///     }
/// }
///
/// let mut t = StringTransport::serve(Lines::new(Store::default()));
/// t.feed(b"put 5\r\na\r\nb\rput 1\r\n.get\r\n");
/// assert_eq!(t.take_sent(), b"stored\r\nstored\r\nwhat?\r\n");
/// assert_eq!(t.protocol(|lines| lines.get_mut().stored.clone()), b"a\r\nb\r.");
/// ```
#[doc(alias = "LineReceiver")]
#[doc(alias = "LineOnlyReceiver")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `LineProtocol`",
    note = "`Lines` carries a `LineProtocol`, which is given lines; a `Protocol`, which is given chunks, needs no framing"
)]
pub trait LineProtocol: Sized + 'static {
    /// What ends a line, in both directions. At least one byte; an empty one does not compile.
    ///
    /// ```compile_fail
    /// use torsade_core::Transport;
    /// use torsade_wire::{LineProtocol, Lines};
    ///
    /// struct Endless;
    /// impl LineProtocol for Endless {
    ///     const DELIMITER: &'static [u8] = b"";
    ///     fn line_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    /// let lines = Lines::new(Endless);
    /// ```
    #[doc(alias = "delimiter")]
    const DELIMITER: &'static [u8] = b"\r\n";

    /// The connection is there. No line is read before this returns.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// A line came, here without its delimiter. It may be empty, and need not be UTF-8.
    ///
    /// A line is consumed by being delivered: [`unread`](torsade_core::Connection::unread) is the
    /// framing's own here, and must not be called.
    #[doc(alias = "lineReceived")]
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]);

    /// Bytes came in raw mode: at least one, cut anywhere.
    ///
    /// Here [`unread`](torsade_core::Connection::unread) works as in any protocol, as long as the
    /// same call does not end raw mode: then
    /// [`set_line_mode`](crate::LineTransport::set_line_mode) says what is left. The default
    /// discards them.
    #[doc(alias = "rawDataReceived")]
    fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let _ = (transport, data);
    }

    /// The peer's line is longer than [`Lines::max_length`](crate::Lines::max_length): `length`
    /// bytes are there of it, perhaps before its end is.
    ///
    /// The default ends the connection with
    /// [`Limit::Message`]; what was written is flushed first. If
    /// the connection stays open, the whole line is skipped, and the one after it delivered. Called
    /// once a line.
    ///
    /// ```
    /// use torsade_core::Transport;
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::{LineProtocol, LineTransport, Lines};
    ///
    /// struct Patient;
    /// impl LineProtocol for Patient {
    ///     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
    ///         transport.send_line(line);
    ///     }
    ///     fn line_length_exceeded(&mut self, transport: &Transport<Self>, _: usize) {
    ///         transport.send_line("500 line too long");
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Lines::new(Patient).max_length(5));
    /// t.feed(b"123456");
    /// assert_eq!(t.take_sent(), b"500 line too long\r\n");
    /// t.feed(b"789\r\n12345\r\n");
    /// assert_eq!(t.take_sent(), b"12345\r\n");
    /// ```
    #[doc(alias = "lineLengthExceeded")]
    fn line_length_exceeded(&mut self, transport: &Transport<Self>, length: usize) {
        let _ = length;
        transport.fail(Disconnect::LimitPassed(Limit::Message));
    }

    /// The peer has ended its side. `rest` is what came after the last line: the beginning of a
    /// line, perhaps with a part of its delimiter, or what raw mode left unread; often empty.
    ///
    /// The default closes. Our side stays open until `close` or `close_write` otherwise.
    ///
    /// ```
    /// use torsade_core::Transport;
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::{LineProtocol, Lines};
    ///
    /// /// Takes the last line also if it was not ended.
    /// struct Lenient(Vec<Vec<u8>>);
    /// impl LineProtocol for Lenient {
    ///     const DELIMITER: &'static [u8] = b"\n";
    ///     fn line_received(&mut self, _: &Transport<Self>, line: &[u8]) {
    ///         self.0.push(line.to_vec());
    ///     }
    ///     fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
    ///         if !rest.is_empty() {
    ///             self.line_received(transport, rest);
    ///         }
    ///         assert_eq!(self.0, [b"a", b"b"]);
    ///         transport.close();
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Lines::new(Lenient(Vec::new())));
    /// t.feed(b"a\nb");
    /// t.end();
    /// ```
    #[doc(alias = "eofReceived")]
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        let _ = rest;
        transport.close();
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
