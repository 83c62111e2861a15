//! Our ends of the conversations, in every framing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::rc::Rc;

use torsade_core::{AnyProtocol, Disconnect, Transport};
use torsade_deferred::{Deferred, Resolver};
use torsade_wire::{
    Decoder, Encoder, Framed, Int8, Int16, Int32, LineProtocol, LineTransport, Lines,
    MessageProtocol, MessageTransport, Netstring, TooLong,
};

/// How a conversation ended: with what reason, and what was wrong, if anything was.
pub(crate) type Outcome = (Disconnect, String);

/// What an end says, in any framing.
pub(crate) struct Talk {
    end: End,
    wrong: String,
    done: Option<Resolver<Outcome, Infallible>>,
}

enum End {
    /// Answers each message with the same bytes in reverse order, and the end with the count.
    Server { count: usize },
    /// Says all these, ends its side, and expects answers.
    Client {
        says: Vec<Vec<u8>>,
        expects: VecDeque<Vec<u8>>,
    },
}

pub(crate) type Done = Deferred<Outcome, Infallible>;

impl Talk {
    pub(crate) fn server() -> (Self, Done) {
        Self::new(End::Server { count: 0 })
    }

    pub(crate) fn client(says: Vec<Vec<u8>>) -> (Self, Done) {
        let count = says.len().to_string().into_bytes();
        let answers = says.iter().map(|message| reversed(message));
        let expects = answers.chain([count]).collect();
        Self::new(End::Client { says, expects })
    }

    fn new(end: End) -> (Self, Done) {
        let (resolver, done) = Deferred::new();
        let talk = Self {
            end,
            wrong: String::new(),
            done: Some(resolver),
        };
        (talk, done)
    }

    /// What to say first, and whether that is all.
    fn opening(&mut self) -> (Vec<Vec<u8>>, bool) {
        match &mut self.end {
            End::Server { .. } => (Vec::new(), false),
            End::Client { says, .. } => (std::mem::take(says), true),
        }
    }

    fn received(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        match &mut self.end {
            End::Server { count } => {
                *count += 1;
                Some(reversed(message))
            }
            End::Client { expects, .. } => {
                if expects.pop_front().as_deref() != Some(message) {
                    self.wrong = format!("a wrong message of {} bytes", message.len());
                }
                None
            }
        }
    }

    fn farewell(&mut self, rest: &[u8]) -> Option<Vec<u8>> {
        if !rest.is_empty() {
            self.wrong = format!("{} bytes at the end", rest.len());
        }
        match &self.end {
            End::Server { count } => Some(count.to_string().into_bytes()),
            End::Client { .. } => None,
        }
    }

    fn lost(&mut self, reason: &Disconnect) {
        if let End::Client { expects, .. } = &self.end
            && !expects.is_empty()
        {
            self.wrong += &format!(" {} messages are missing", expects.len());
        }
        if let Some(done) = self.done.take() {
            done.resolve((reason.clone(), std::mem::take(&mut self.wrong)));
        }
    }

    fn failed(&mut self, sent: Result<(), TooLong>) {
        if let Err(error) = sent {
            self.wrong = error.to_string();
        }
    }
}

fn reversed(message: &[u8]) -> Vec<u8> {
    message.iter().rev().copied().collect()
}

/// The talk in the framing of this name.
pub(crate) fn framed(framing: &str, talk: Talk) -> Result<AnyProtocol, String> {
    Ok(match framing {
        "lines" => AnyProtocol::new(Lines::new(InLines(talk))),
        "netstring" => in_frames::<Netstring>(talk),
        "int8" => in_frames::<Int8>(talk),
        "int16" => in_frames::<Int16>(talk),
        "int32" => in_frames::<Int32>(talk),
        _ => return Err(format!("no such framing as {framing:?}")),
    })
}

/// For one connection: the talk that is to come.
pub(crate) type Seat = Rc<RefCell<Option<AnyProtocol>>>;

struct InLines(Talk);

impl LineProtocol for InLines {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let (says, is_all) = self.0.opening();
        for line in says {
            transport.send_line(line);
        }
        if is_all {
            transport.close_write();
        }
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        if let Some(answer) = self.0.received(line) {
            transport.send_line(answer);
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        if let Some(farewell) = self.0.farewell(rest) {
            transport.send_line(farewell);
        }
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.lost(reason);
    }
}

struct InFrames<F>(Talk, PhantomData<F>);

fn in_frames<F>(talk: Talk) -> AnyProtocol
where
    F: for<'a> Decoder<Message<'a> = &'a [u8]> + Encoder<Vec<u8>> + Default + 'static,
{
    AnyProtocol::new(Framed::new(InFrames::<F>(talk, PhantomData)))
}

impl<F> MessageProtocol for InFrames<F>
where
    F: for<'a> Decoder<Message<'a> = &'a [u8]> + Encoder<Vec<u8>> + 'static,
{
    type Framing = F;

    fn connection_made(&mut self, transport: &Transport<Self>) {
        let (says, is_all) = self.0.opening();
        for message in says {
            self.0.failed(transport.send_message(message));
        }
        if is_all {
            transport.close_write();
        }
    }

    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        if let Some(answer) = self.0.received(message) {
            self.0.failed(transport.send_message(answer));
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        if let Some(farewell) = self.0.farewell(rest) {
            self.0.failed(transport.send_message(farewell));
        }
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.lost(reason);
    }
}
