//! A line protocol that writes down what it is told and does what the lines say, and a plain
//! model of what it should have been told.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use torsade_core::{Disconnect, Limit, Transport};
use torsade_deferred::Deferred;
use torsade_testing::StringTransport;
use torsade_wire::{LineProtocol, LineTransport, Lines};

/// What a line protocol was told.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Line(Vec<u8>),
    TooLong,
    /// Neighbouring raw deliveries are one event, because where they are cut means nothing.
    Raw(Vec<u8>),
    Eof(Vec<u8>),
    Lost(Disconnect),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {:?}", line.escape_ascii().to_string()),
            Self::TooLong => f.write_str("too long"),
            Self::Raw(data) => write!(f, "raw {:?}", data.escape_ascii().to_string()),
            Self::Eof(rest) => write!(f, "eof {:?}", rest.escape_ascii().to_string()),
            Self::Lost(reason) => write!(f, "lost: {reason}"),
        }
    }
}

/// A delimiter as a type.
pub(crate) trait Delimiter: 'static {
    const BYTES: &'static [u8];
}

macro_rules! delimiters {
    ($($name:ident = $bytes:expr;)*) => {
        $(
            #[derive(Debug)]
            pub(crate) enum $name {}
            impl Delimiter for $name {
                const BYTES: &'static [u8] = $bytes;
            }
        )*
    };
}

delimiters! {
    Lf = b"\n";
    CrLf = b"\r\n";
    LfCrLf = b"\n\r\n";
    Abab = b"abab";
}

/// What to do about a line that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLong {
    /// What [`LineProtocol`] does by default.
    End,
    /// Skip it.
    Skip,
    /// Skip it, and take so many bytes after it raw.
    SkipToRaw(usize),
}

/// How a conversation is framed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_length: usize,
    pub(crate) too_long: TooLong,
}

/// Writes down what it is told. A line of `n` bytes that contains
///
/// - `R` asks for the next `n` bytes raw;
/// - `C` closes, `P` pauses until after the callback, `H` holds for an answer that is there
///   already, `S` switches to another such protocol.
///
/// The first of these counts.
pub(crate) struct Recorder<D> {
    rules: Rules,
    log: Log,
    /// Raw bytes to come.
    missing: usize,
    delimiter: PhantomData<fn(D)>,
}

pub(crate) type Log = Rc<RefCell<Vec<Event>>>;

impl<D: Delimiter> Recorder<D> {
    pub(crate) fn framed(rules: Rules, log: &Log) -> Lines<Self> {
        let recorder = Self {
            rules,
            log: Rc::clone(log),
            missing: 0,
            delimiter: PhantomData,
        };
        Lines::new(recorder).max_length(rules.max_length)
    }

    fn note(&self, event: Event) {
        self.log.borrow_mut().push(event);
    }

    fn take_raw(&mut self, transport: &Transport<Self>, bytes: usize) {
        self.missing = bytes;
        transport.set_raw_mode();
    }
}

impl<D: Delimiter> LineProtocol for Recorder<D> {
    const DELIMITER: &'static [u8] = D::BYTES;

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        self.note(Event::Line(line.to_vec()));
        match command(line) {
            Some(b'R') => self.take_raw(transport, line.len()),
            Some(b'C') => transport.close(),
            Some(b'P') => {
                transport.pause_reading();
                transport.call(|_, transport| transport.resume_reading());
            }
            Some(b'H') => transport.hold(Deferred::<(), ()>::succeed(()), |_, _, _| ()),
            Some(b'S') => transport.switch(Self::framed(self.rules, &self.log)),
            _ => {}
        }
    }

    fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let (raw, rest) = data.split_at(data.len().min(self.missing));
        let mut log = self.log.borrow_mut();
        match log.last_mut() {
            Some(Event::Raw(before)) => before.extend_from_slice(raw),
            _ => log.push(Event::Raw(raw.to_vec())),
        }
        self.missing -= raw.len();
        if self.missing == 0 {
            transport.set_line_mode(rest.len());
        }
    }

    fn line_length_exceeded(&mut self, transport: &Transport<Self>, length: usize) {
        assert!(length > self.rules.max_length, "{length} is not too long");
        self.note(Event::TooLong);
        match self.rules.too_long {
            TooLong::End => transport.fail(Disconnect::LimitPassed(Limit::Message)),
            TooLong::Skip => {}
            TooLong::SkipToRaw(bytes) => self.take_raw(transport, bytes),
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        self.note(Event::Eof(rest.to_vec()));
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.note(Event::Lost(reason.clone()));
    }
}

fn command(line: &[u8]) -> Option<u8> {
    line.iter().copied().find(|byte| b"RCPHS".contains(byte))
}

/// What a [`Recorder`] is told when these pieces arrive one after the other, and then the end.
pub(crate) fn told<D: Delimiter>(rules: Rules, pieces: &[&[u8]]) -> Vec<Event> {
    let log = Log::default();
    let mut t = StringTransport::serve(Recorder::<D>::framed(rules, &log));
    for piece in pieces {
        t.feed(piece);
    }
    t.end();
    drop(t);
    log.take()
}

/// What it should have been told. It looks at the whole input at once, and does not care how fast.
pub(crate) fn expected<D: Delimiter>(rules: Rules, input: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = input;
    loop {
        let length = rest
            .windows(D::BYTES.len())
            .position(|window| window == D::BYTES);
        let (line, after) = match length {
            Some(length) => (&rest[..length], &rest[length + D::BYTES.len()..]),
            None => (without_begun_delimiter::<D>(rest), &[][..]),
        };
        let mut raw = 0;
        if line.len() > rules.max_length {
            events.push(Event::TooLong);
            match rules.too_long {
                TooLong::End => {
                    events.push(Event::Lost(Disconnect::LimitPassed(Limit::Message)));
                    return events;
                }
                TooLong::Skip => {}
                TooLong::SkipToRaw(bytes) => raw = bytes,
            }
            rest = &[];
        } else if length.is_some() {
            events.push(Event::Line(line.to_vec()));
            match command(line) {
                Some(b'R') => raw = line.len(),
                Some(b'C') => {
                    events.push(Event::Lost(Disconnect::Closed));
                    return events;
                }
                _ => {}
            }
        }
        if length.is_none() {
            events.push(Event::Eof(rest.to_vec()));
            events.push(Event::Lost(Disconnect::PeerClosed));
            return events;
        }
        let (data, after) = after.split_at(raw.min(after.len()));
        if !data.is_empty() {
            events.push(Event::Raw(data.to_vec()));
        }
        rest = after;
    }
}

fn without_begun_delimiter<D: Delimiter>(rest: &[u8]) -> &[u8] {
    let begun = (0..D::BYTES.len())
        .filter(|begun| rest.ends_with(&D::BYTES[..*begun]))
        .max();
    &rest[..rest.len() - begun.unwrap_or(0)]
}
