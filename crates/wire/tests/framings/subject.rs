//! What every framing is tried with: a protocol that writes down what it is told and does what the
//! messages say, and a plain model of what it should have been told.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use torsade_core::{Disconnect, Limit, Protocol, Transport};
use torsade_deferred::Deferred;
use torsade_testing::StringTransport;

use crate::random::Random;

/// A framing, and what to try it with.
pub(crate) trait Subject: 'static {
    const NAME: &'static str;

    type Protocol: Protocol;

    /// A protocol in this framing that notes what it is told.
    fn recorder(rules: Rules, log: &Log) -> Self::Protocol;

    /// Says what the front of an input is. It sees the input whole, once from each message on.
    fn model(rules: Rules) -> impl FnMut(&[u8]) -> Front;

    /// The message, as it looks on the wire, made without the help of the framing. Of a message
    /// that cannot be said, something that is like it.
    fn wire(message: &[u8]) -> Vec<u8>;

    /// Bytes that belong to this framing, but not in this order.
    fn junk(random: &mut Random) -> Vec<u8>;
}

/// How a conversation is framed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_length: usize,
    pub(crate) too_long: TooLong,
}

/// What the protocol does about a message that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLong {
    /// What it does by default.
    End,
    /// It lets it be skipped.
    Skip,
}

/// What the model sees at the front of an input.
#[derive(Debug)]
pub(crate) enum Front {
    Message {
        message: Vec<u8>,
        used: usize,
        /// Whether commands in it are obeyed.
        obeyed: bool,
    },
    Padding(usize),
    More,
    TooLong {
        length: u64,
        skip: Option<u64>,
    },
    Fail(Disconnect),
}

impl Front {
    pub(crate) fn message(message: &[u8], used: usize) -> Self {
        Self::Message {
            message: message.to_vec(),
            used,
            obeyed: true,
        }
    }

    pub(crate) fn broken(what: &'static str) -> Self {
        Self::Fail(Disconnect::protocol(what))
    }
}

pub(crate) const TOO_LONG: Disconnect = Disconnect::LimitPassed(Limit::Message);

/// What a protocol was told.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Message(Vec<u8>),
    TooLong(u64),
    /// What a protocol that was switched in got, all of it.
    Rest(Vec<u8>),
    Eof(Vec<u8>),
    Lost(Disconnect),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(data) => write!(f, "message {:?}", data.escape_ascii().to_string()),
            Self::TooLong(length) => write!(f, "too long: {length}"),
            Self::Rest(data) => write!(f, "rest {:?}", data.escape_ascii().to_string()),
            Self::Eof(rest) => write!(f, "eof {:?}", rest.escape_ascii().to_string()),
            Self::Lost(reason) => write!(f, "lost: {reason}"),
        }
    }
}

pub(crate) type Log = Rc<RefCell<Vec<Event>>>;

/// Write the message down and do what it says. A message that contains
///
/// - `C` closes, `A` aborts, `F` fails;
/// - `P` pauses until after the callback, `H` holds for an answer that is there already;
/// - `S` switches to a protocol without a framing.
///
/// The first of these counts. There is one that panics too, which the model knows nothing of.
pub(crate) fn obey<P: 'static>(transport: &Transport<P>, log: &Log, message: &[u8]) {
    assert_ne!(message, b"hurt", "as it was told");
    log.borrow_mut().push(Event::Message(message.to_vec()));
    match command(message) {
        Some(b'C') => transport.close(),
        Some(b'A') => transport.abort(),
        Some(b'F') => transport.fail(failure()),
        Some(b'P') => {
            transport.pause_reading();
            transport.call(|_, transport| transport.resume_reading());
        }
        Some(b'H') => transport.hold(Deferred::<(), ()>::succeed(()), |_, _, _| ()),
        Some(b'S') => transport.switch(Unframed(Rc::clone(log))),
        _ => {}
    }
}

fn command(message: &[u8]) -> Option<u8> {
    let commands = b"CAFPHS";
    message.iter().copied().find(|byte| commands.contains(byte))
}

fn failure() -> Disconnect {
    Disconnect::application("as it was told")
}

/// What is switched in.
struct Unframed(Log);

impl Protocol for Unframed {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        let mut log = self.0.borrow_mut();
        match log.last_mut() {
            Some(Event::Rest(before)) => before.extend_from_slice(data),
            _ => log.push(Event::Rest(data.to_vec())),
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.borrow_mut().push(Event::Lost(reason.clone()));
    }
}

/// What a recorder is told when these pieces arrive one after the other, and then the end.
pub(crate) fn told<S: Subject>(rules: Rules, pieces: &[&[u8]]) -> Vec<Event> {
    let log = Log::default();
    let mut t = StringTransport::serve(S::recorder(rules, &log));
    for piece in pieces {
        t.feed(piece);
    }
    t.end();
    drop(t);
    log.take()
}

/// What it should have been told.
pub(crate) fn expected<S: Subject>(rules: Rules, input: &[u8]) -> Vec<Event> {
    let mut model = S::model(rules);
    let mut events = Vec::new();
    let mut rest = input;
    let end = loop {
        match model(rest) {
            Front::More => {
                events.push(Event::Eof(rest.to_vec()));
                break Disconnect::PeerClosed;
            }
            Front::Fail(reason) => break reason,
            Front::Padding(bytes) => rest = &rest[bytes..],
            Front::TooLong { length, skip } => {
                events.push(Event::TooLong(length));
                match skip {
                    Some(bytes) if rules.too_long == TooLong::Skip => {
                        rest = &rest[rest.len().min(bytes as usize)..];
                    }
                    _ => break TOO_LONG,
                }
            }
            Front::Message {
                message,
                used,
                obeyed,
            } => {
                rest = &rest[used..];
                let command = command(&message).filter(|_| obeyed);
                events.push(Event::Message(message));
                match command {
                    Some(b'C') => break Disconnect::Closed,
                    Some(b'A') => break Disconnect::Aborted,
                    Some(b'F') => break failure(),
                    Some(b'S') => {
                        if !rest.is_empty() {
                            events.push(Event::Rest(rest.to_vec()));
                        }
                        break Disconnect::PeerClosed;
                    }
                    _ => {}
                }
            }
        }
    };
    events.push(Event::Lost(end));
    events
}
