use std::mem;

use torsade_core::{Disconnect, Layered, Protocol, Transport};

use crate::LineProtocol;
use crate::delimiter::{begun, find};
use crate::line_transport::Request;
use crate::pass_on::pass_on;

/// The line framing: a [`Protocol`] that cuts the stream into lines for the [`LineProtocol`]
/// inside it.
///
/// A line ends with [`LineProtocol::DELIMITER`], CR LF unless that says otherwise, and has at
/// most [`max_length`](Self::max_length) bytes before it.
///
/// ```
/// use torsade_core::{Disconnect, Limit, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{LineProtocol, Lines};
///
/// struct Count(usize);
/// impl LineProtocol for Count {
///     fn line_received(&mut self, _: &Transport<Self>, _: &[u8]) {
///         self.0 += 1;
///     }
/// }
///
/// let mut t = StringTransport::serve(Lines::new(Count(0)).max_length(80));
/// t.feed(b"one\r\ntwo\r\nthr");
/// assert_eq!(t.protocol(|lines| lines.get_mut().0), 2);
/// t.feed(&[b'e'; 100]); // and no end
/// assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
/// ```
#[doc(alias = "LineReceiver")]
#[doc(alias = "LineOnlyReceiver")]
#[doc(alias = "LinesCodec")]
#[derive(Debug)]
pub struct Lines<P> {
    protocol: P,
    max_length: usize,
    /// How many bytes at the front of the next delivery were searched before: it begins with the
    /// rest of the last one, and nothing is searched twice however a line is cut.
    searched: usize,
    mode: Mode,
}

/// What the next byte is taken for.
///
/// ```text
///                 set_raw_mode
///     Lines <----------------------> Raw
///      | ^        set_line_mode       ^
///  too | | the line's                 | the line's
/// long | | delimiter                  | delimiter
///      v |        set_raw_mode        |
///   Skipping <----------------> SkippingToRaw
///                 set_line_mode
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Lines,
    Raw,
    /// Of a line that was too long, up to its delimiter.
    Skipping,
    /// The same, with raw data after it.
    SkippingToRaw,
}

impl<P: LineProtocol> Lines<P> {
    /// `protocol` in a framing that allows lines of 16,384 bytes.
    pub fn new(protocol: P) -> Self {
        const { assert!(!P::DELIMITER.is_empty(), "a line must end with something") };
        Self {
            protocol,
            max_length: 16_384,
            searched: 0,
            mode: Mode::Lines,
        }
    }

    /// Allow lines of at most so many bytes, the delimiter not counted. 16,384 unless it is set.
    ///
    /// A longer line is found out as soon as more than that of it has arrived, and
    /// [`line_length_exceeded`](LineProtocol::line_length_exceeded) called. So much input may
    /// wait on a connection for the rest of its line, also where `Limits::unread` is less.
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        self
    }
}

impl<P> Lines<P> {
    /// What is inside.
    pub fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// What is inside, to change it. Not for calling its callbacks, which want its own transport.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: LineProtocol> Protocol for Lines<P> {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let longest_rest = self.max_length.saturating_add(P::DELIMITER.len() - 1);
        if transport.unread_limit() < longest_rest {
            transport.set_unread_limit(longest_rest);
        }
        self.protocol.connection_made(&transport.inner());
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let inner = transport.inner();
        let mut rest = data;
        loop {
            if let Some(signal) = transport.take_signal() {
                self.change_mode(signal.into());
            }
            if rest.is_empty() || !transport.wants_input() {
                break;
            }
            let used = if self.mode == Mode::Lines {
                let left = self.lines(transport, &inner, rest);
                if left.is_empty() && transport.is_undisturbed() {
                    return;
                }
                match rest.len() - left.len() {
                    0 => self.unfinished(&inner, rest),
                    used => Some(used),
                }
            } else {
                self.other(transport, &inner, rest)
            };
            let Some(used) = used else { break };
            rest = &rest[used..];
        }
        transport.unread(rest.len());
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        let inner = transport.inner();
        match self.mode {
            Mode::Lines | Mode::Raw => {
                transport.with_unread(|rest| self.protocol.eof_received(&inner, rest));
            }
            // All that can be left is a part of the delimiter.
            Mode::Skipping | Mode::SkippingToRaw => self.protocol.eof_received(&inner, &[]),
        }
    }

    pass_on!();
}

impl<P: LineProtocol> Layered for Lines<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: LineProtocol> Lines<P> {
    /// Do the next thing with what is no line and say how much of it that used; `None` if there is
    /// nothing to do before more has come.
    #[inline(never)]
    fn other(
        &mut self,
        transport: &Transport<Self>,
        inner: &Transport<P>,
        rest: &[u8],
    ) -> Option<usize> {
        match self.mode {
            Mode::Lines => Some(0),
            Mode::Raw => Some(self.raw(transport, inner, rest)),
            Mode::Skipping => self.skip(rest, Mode::Lines),
            Mode::SkippingToRaw => self.skip(rest, Mode::Raw),
        }
    }

    #[cold]
    fn change_mode(&mut self, request: Request) {
        self.mode = match (self.mode, request) {
            (Mode::Lines, Request::Raw) => {
                self.searched = 0;
                Mode::Raw
            }
            (Mode::Raw, Request::Lines { .. }) => Mode::Lines,
            (Mode::Skipping, Request::Raw) => Mode::SkippingToRaw,
            (Mode::SkippingToRaw, Request::Lines { .. }) => Mode::Skipping,
            (unchanged, _) => unchanged,
        };
    }

    /// Deliver line after line, for as long as nothing is said that changes what comes next.
    /// Returns what is left: searched, if there is no line in it.
    #[inline(always)]
    fn lines<'a>(
        &mut self,
        transport: &Transport<Self>,
        inner: &Transport<P>,
        mut rest: &'a [u8],
    ) -> &'a [u8] {
        let mut found = find(P::DELIMITER, rest, mem::take(&mut self.searched));
        while let Some(length) = found {
            if length <= self.max_length {
                self.protocol.line_received(inner, &rest[..length]);
            } else {
                self.protocol.line_length_exceeded(inner, length);
            }
            rest = &rest[length + P::DELIMITER.len()..];
            if rest.is_empty() || !transport.is_undisturbed() {
                return rest;
            }
            found = find(P::DELIMITER, rest, 0);
        }
        self.searched = rest.len();
        rest
    }

    /// There is no delimiter in `rest`, all of which is searched: wait for one, unless the line is too long already.
    fn unfinished(&mut self, inner: &Transport<P>, rest: &[u8]) -> Option<usize> {
        if rest.len() <= self.max_length {
            return None;
        }
        let begun = begun(P::DELIMITER, rest);
        let length = rest.len() - begun;
        if length <= self.max_length {
            return None;
        }
        self.searched = if planted!("split_delimiter_missed") {
            begun + 1
        } else {
            begun
        };
        self.mode = Mode::Skipping;
        self.protocol.line_length_exceeded(inner, length);
        Some(length)
    }

    #[cold]
    fn skip(&mut self, rest: &[u8], after: Mode) -> Option<usize> {
        if let Some(length) = find(P::DELIMITER, rest, self.searched) {
            self.searched = 0;
            self.mode = after;
            return Some(length + P::DELIMITER.len());
        }
        self.searched = begun(P::DELIMITER, rest);
        let used = rest.len() - self.searched;
        (used > 0).then_some(used)
    }

    /// Deliver all of `rest`; what the inner one hands back is the beginning of lines.
    fn raw(&mut self, transport: &Transport<Self>, inner: &Transport<P>, rest: &[u8]) -> usize {
        self.protocol.raw_data_received(inner, rest);
        match transport.take_signal().map(Request::from) {
            Some(Request::Lines { rest: back }) => {
                self.mode = Mode::Lines;
                rest.len() - back.min(rest.len())
            }
            Some(Request::Raw) | None => rest.len(),
        }
    }
}
