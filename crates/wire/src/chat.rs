use std::borrow::Cow;

use torsade_core::{Disconnect, Layered, Protocol, Transport};

use crate::delimiter::{begun, find};
use crate::pass_on::{pass_on, take_steps};

/// What is given input as it comes, and told when its terminator came: the way of Python's
/// `asynchat`. Goes into [`Chat`].
///
/// For ports, and for what is collected without being kept in memory. A protocol of lines is
/// simpler as a [`LineProtocol`](crate::LineProtocol).
///
/// ```
/// use torsade_core::Transport;
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Chat, ChatProtocol, Terminator};
///
/// /// `size CR LF`, then so many bytes, over and over.
/// struct Uploads {
///     terminator: Terminator,
///     collected: Vec<u8>,
///     in_header: bool,
/// }
///
/// impl ChatProtocol for Uploads {
///     fn terminator(&mut self) -> &mut Terminator {
///         &mut self.terminator
///     }
///
///     fn collect_incoming_data(&mut self, _: &Transport<Self>, data: &[u8]) {
///         self.collected.extend_from_slice(data);
///     }
///
///     fn found_terminator(&mut self, transport: &Transport<Self>) {
///         let collected = std::mem::take(&mut self.collected);
///         if self.in_header {
///             let size = str::from_utf8(&collected).ok().and_then(|text| text.parse().ok());
///             match size {
///                 Some(size @ 1..=1000) => self.terminator = Terminator::Count(size),
///                 _ => return transport.close(),
///             }
///         } else {
///             transport.write_parts(&[b"<", &collected[..], b">"]);
///             self.terminator = Terminator::bytes(b"\r\n");
///         }
///         self.in_header = !self.in_header;
///     }
/// }
///
/// let mut t = StringTransport::serve(Chat::new(Uploads {
///     terminator: Terminator::bytes(b"\r\n"),
///     collected: Vec::new(),
///     in_header: true,
/// }));
/// t.feed(b"5\r\nab\r\nc2\r");
/// t.feed(b"\nde");
/// assert_eq!(t.take_sent(), b"<ab\r\nc><de>");
/// ```
#[doc(alias = "asynchat")]
#[doc(alias = "async_chat")]
#[diagnostic::on_unimplemented(message = "`{Self}` is not a `ChatProtocol`")]
pub trait ChatProtocol: Sized + 'static {
    /// What is waited for: usually a field of the protocol, set whenever something else shall be.
    ///
    /// [`Chat`] looks at it between two callbacks, so a new one counts from the next byte that was
    /// not delivered; and it counts a [`Terminator::Count`] down. One that is set by a continuation
    /// is looked at when the next bytes come.
    #[doc(alias = "set_terminator")]
    #[doc(alias = "get_terminator")]
    fn terminator(&mut self) -> &mut Terminator;

    /// Bytes came that are not the terminator: at least one, cut anywhere.
    ///
    /// They are consumed by being delivered: [`unread`](torsade_core::Connection::unread) is the
    /// framing's own here, and must not be called.
    fn collect_incoming_data(&mut self, transport: &Transport<Self>, data: &[u8]);

    /// The terminator came; it is not part of what was collected.
    ///
    /// With [`Terminator::Count`] it comes in one go with the last bytes: if
    /// `collect_incoming_data` holds input back for those, that takes effect after this.
    fn found_terminator(&mut self, transport: &Transport<Self>);

    /// The connection is there. Nothing is read before this returns.
    #[doc(alias = "handle_connect")]
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The peer has ended its side. `rest` is the beginning of a terminator that never became one,
    /// and so was not collected; mostly nothing. The default closes.
    #[doc(alias = "eofReceived")]
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
    #[doc(alias = "handle_close")]
    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }
}

/// What a [`ChatProtocol`] waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is no fourth way to end a piece"
)]
pub enum Terminator {
    /// These bytes. None at all are the same as [`Terminator::None`].
    Bytes(Cow<'static, [u8]>),
    /// So many bytes more. It is counted down as they come, and
    /// [`found_terminator`](ChatProtocol::found_terminator) finds [`Terminator::None`] in its
    /// place. A count of 0 is never found.
    Count(usize),
    /// Nothing: everything is collected.
    #[default]
    None,
}

impl Terminator {
    /// Wait for these bytes.
    ///
    /// ```
    /// use torsade_wire::Terminator;
    ///
    /// let blank_line = Terminator::bytes(b"\r\n\r\n");
    /// let boundary = Terminator::bytes(b"--boundary--".to_vec());
    /// assert_ne!(blank_line, boundary);
    /// ```
    pub fn bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// The framing of a [`ChatProtocol`].
///
/// It needs no limit: all input is passed on at once, but for what may be the beginning of a
/// terminator. See [`ChatProtocol`] for an example.
#[derive(Debug)]
pub struct Chat<P> {
    protocol: P,
}

/// What the front of the input is.
enum Found {
    /// So many bytes before the terminator, if it is there at all.
    Data(usize),
    /// So many bytes, and that is the count.
    Counted(usize),
    /// The terminator, of so many bytes.
    Terminator(usize),
    /// The beginning of a terminator, perhaps.
    Nothing,
}

impl<P: ChatProtocol> Chat<P> {
    /// `protocol` in its framing.
    pub fn new(protocol: P) -> Self {
        Self { protocol }
    }
}

impl<P> Chat<P> {
    /// What is inside.
    pub fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// What is inside, to change it. Not for calling its callbacks, which want its own transport.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: ChatProtocol> Protocol for Chat<P> {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.protocol.connection_made(&transport.inner());
    }

    take_steps!();
    pass_on!();
}

impl<P: ChatProtocol> Layered for Chat<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: ChatProtocol> Chat<P> {
    /// Do the next thing with the front of `rest` and say how much of it that used; `None` if that
    /// depends on what comes next.
    fn step(&mut self, inner: &Transport<P>, rest: &[u8]) -> Option<usize> {
        match look(self.protocol.terminator(), rest) {
            Found::Data(bytes) => {
                self.protocol.collect_incoming_data(inner, &rest[..bytes]);
                Some(bytes)
            }
            Found::Counted(bytes) => {
                self.protocol.collect_incoming_data(inner, &rest[..bytes]);
                // There are no bytes left that a hold could hold back with it.
                if inner.is_open() {
                    self.protocol.found_terminator(inner);
                }
                Some(bytes)
            }
            Found::Terminator(bytes) => {
                self.protocol.found_terminator(inner);
                Some(bytes)
            }
            Found::Nothing => None,
        }
    }
}

/// What `rest`, which is not empty, begins with. Counts it, if it is counted.
fn look(terminator: &mut Terminator, rest: &[u8]) -> Found {
    match terminator {
        Terminator::Bytes(bytes) if !bytes.is_empty() => match find(bytes, rest, 0) {
            Some(0) => Found::Terminator(bytes.len()),
            Some(before) => Found::Data(before),
            None => match rest.len() - begun(bytes, rest) {
                0 => Found::Nothing,
                before => Found::Data(before),
            },
        },
        Terminator::Count(missing @ 1..) => match missing.checked_sub(rest.len()) {
            Some(left @ 1..) => {
                *missing = left;
                Found::Data(rest.len())
            }
            _ => {
                let bytes = *missing;
                *terminator = Terminator::None;
                Found::Counted(bytes)
            }
        },
        Terminator::Bytes(_) | Terminator::Count(_) | Terminator::None => Found::Data(rest.len()),
    }
}
