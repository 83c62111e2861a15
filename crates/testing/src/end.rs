use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;

use torsade_core::driver::{Chunk, Close, Engine, Interest, Wire};
use torsade_core::{ConnectionId, Descriptor};

/// One end of a made-up connection: what a kernel would hold for it.
///
/// ```text
///   output:  Open --shutdown, Plain, Linger--> Ended       input:  Open --peer's end----> Ended
///             \-----------Reset--------------> Reset                 \---peer's reset--> Reset
///
///   sending:  Taken --peer is gone--> Lost --a send--> Failing <--told to fail-- Taken, Lost
/// ```
#[derive(Debug)]
pub(crate) struct End {
    /// What the other side sent, in the pieces in which it will arrive.
    incoming: RefCell<VecDeque<Piece>>,
    incoming_len: Cell<usize>,
    input: Cell<Side>,
    /// What the engine sent and nobody took yet.
    outgoing: RefCell<Vec<u8>>,
    /// What went with it.
    sent_descriptors: RefCell<Vec<Descriptor>>,
    output: Cell<Side>,
    room: Cell<Room>,
    sending: Cell<Sends>,
    /// Whether a close leaves a socket behind that discards what comes.
    lingers: Cell<bool>,
    /// How often the engine sent.
    sends: Cell<usize>,
    interest: Cell<Interest>,
    /// Whether the engine still has the socket.
    open: Cell<bool>,
}

/// What arrives at once.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) descriptors: Vec<Descriptor>,
}

/// The state of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Open,
    Ended,
    Reset,
}

/// The room for output.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// So many bytes more, whoever takes them.
    Window(usize),
    /// As much as is not filled of a queue of so many bytes. If it was full, there is room again
    /// once so many are free.
    Queue { bytes: usize, writable_from: usize },
}

/// What becomes of bytes that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    Taken,
    /// The other side is gone: it answers the next ones with a reset.
    Lost,
    Failing(io::ErrorKind),
}

/// What an end has to tell its engine.
pub(crate) enum Fact {
    Received(Piece),
    InputEnded,
    Failed(io::Error),
    Writable,
}

impl Fact {
    /// Tell it.
    pub(crate) fn tell<S>(self, engine: &mut Engine<S>, wire: &mut impl Wire<S>, id: ConnectionId) {
        match self {
            Self::Received(piece) => {
                if !piece.descriptors.is_empty() {
                    engine.descriptors_received(id, piece.descriptors);
                }
                engine.received(wire, id, &piece.bytes);
            }
            Self::InputEnded => engine.input_ended(wire, id),
            Self::Failed(error) => engine.failed(wire, id, error),
            Self::Writable => engine.writable(wire, id),
        }
    }
}

impl End {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            incoming: RefCell::default(),
            incoming_len: Cell::new(0),
            input: Cell::new(Side::Open),
            outgoing: RefCell::default(),
            sent_descriptors: RefCell::default(),
            output: Cell::new(Side::Open),
            room: Cell::new(Room::Window(room)),
            sending: Cell::new(Sends::Taken),
            lingers: Cell::new(true),
            sends: Cell::new(0),
            interest: Cell::default(),
            open: Cell::new(true),
        }
    }

    /// A piece arrives from the other side. A closed end discards it, as a lingering socket does.
    pub(crate) fn arrive(&self, piece: &[u8]) {
        self.arrive_with(piece, Vec::new());
    }

    /// The same with descriptors, which go with the first byte.
    pub(crate) fn arrive_with(&self, bytes: &[u8], descriptors: Vec<Descriptor>) {
        if self.open.get() && self.input.get() == Side::Open && !bytes.is_empty() {
            self.incoming_len.set(self.incoming_len.get() + bytes.len());
            let bytes = bytes.to_vec();
            self.incoming
                .borrow_mut()
                .push_back(Piece { bytes, descriptors });
        }
    }

    /// The other side ends, in good order or not. What arrived before stays readable. Returns
    /// whether that is news.
    pub(crate) fn end_input(&self, how: Side) -> bool {
        let news = self.input.get() != how && self.input.get() != Side::Reset;
        if news {
            self.input.set(how);
        }
        news
    }

    /// Bytes that arrived and were not read.
    pub(crate) fn waiting(&self) -> usize {
        self.incoming_len.get()
    }

    pub(crate) fn take_outgoing(&self, most: usize) -> Vec<u8> {
        let mut outgoing = self.outgoing.borrow_mut();
        let most = most.min(outgoing.len());
        outgoing.drain(..most).collect()
    }

    pub(crate) fn take_descriptors(&self) -> Vec<Descriptor> {
        self.sent_descriptors.take()
    }

    pub(crate) fn outgoing(&self) -> usize {
        self.outgoing.borrow().len()
    }

    pub(crate) fn output(&self) -> Side {
        self.output.get()
    }

    /// Room for so many more bytes.
    pub(crate) fn set_room(&self, room: usize) {
        self.room.set(Room::Window(room));
    }

    /// Room for what is not filled of a queue, told when so many bytes of it are free.
    pub(crate) fn set_queue(&self, bytes: usize, writable_from: usize) {
        self.room.set(Room::Queue {
            bytes,
            writable_from,
        });
    }

    pub(crate) fn room(&self) -> usize {
        match self.room.get() {
            Room::Window(room) => room,
            Room::Queue { bytes, .. } => bytes.saturating_sub(self.outgoing()),
        }
    }

    /// The other side is gone for good: it has ended, and resets what is still sent.
    pub(crate) fn hang_up(&self) {
        self.end_input(Side::Ended);
        self.sending.set(Sends::Lost);
    }

    /// From now on sending fails.
    pub(crate) fn fail_sends(&self, kind: io::ErrorKind) {
        self.sending.set(Sends::Failing(kind));
    }

    /// From now on a close is a plain one.
    pub(crate) fn forbid_linger(&self) {
        self.lingers.set(false);
    }

    pub(crate) fn sends(&self) -> usize {
        self.sends.get()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    pub(crate) fn interest(&self) -> Interest {
        self.interest.get()
    }

    pub(crate) fn set_interest(&self, interest: Interest) {
        self.interest.set(interest);
    }

    /// The next thing that a poller would report, given what is wanted.
    pub(crate) fn fact(&self) -> Option<Fact> {
        if !self.open.get() {
            return None;
        }
        let wanted = self.interest.get();
        if wanted.writable && self.is_writable() {
            return Some(Fact::Writable);
        }
        if !wanted.readable {
            return None;
        }
        let piece = self.incoming.borrow_mut().pop_front();
        if let Some(piece) = piece {
            self.incoming_len
                .set(self.incoming_len.get() - piece.bytes.len());
            return Some(Fact::Received(piece));
        }
        match self.input.get() {
            Side::Open => None,
            Side::Ended => Some(Fact::InputEnded),
            Side::Reset => Some(Fact::Failed(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// Whether there is such a thing.
    pub(crate) fn has_fact(&self) -> bool {
        let wanted = self.interest.get();
        let has_input = self.waiting() > 0 || self.input.get() != Side::Open;
        self.open.get()
            && ((wanted.writable && self.is_writable()) || (wanted.readable && has_input))
    }

    /// Whether a poller would say so: there is room, or sending fails.
    fn is_writable(&self) -> bool {
        let from = match self.room.get() {
            Room::Window(_) => 1,
            Room::Queue { writable_from, .. } => writable_from,
        };
        self.room() >= from
            || self.input.get() == Side::Reset
            || matches!(self.sending.get(), Sends::Failing(_))
    }

    pub(crate) fn send(&self, chunk: &mut Chunk) -> io::Result<()> {
        let took = self.accept(chunk.pieces())?;
        let descriptors = chunk.take_descriptors(took);
        self.sent_descriptors.borrow_mut().extend(descriptors);
        chunk.advance(took);
        Ok(())
    }

    /// Take of these pieces what there is room for.
    pub(crate) fn accept(&self, pieces: impl Iterator<Item: AsRef<[u8]>>) -> io::Result<usize> {
        if self.input.get() == Side::Reset || self.output.get() != Side::Open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        match self.sending.get() {
            Sends::Taken => {}
            Sends::Lost => {
                // The kernel takes them; what comes back for them breaks the connection.
                self.fail_sends(io::ErrorKind::BrokenPipe);
                self.sends.set(self.sends.get() + 1);
                return Ok(pieces.map(|piece| piece.as_ref().len()).sum());
            }
            Sends::Failing(kind) => {
                // The kernel gives such a connection up: after what has arrived comes its end.
                self.end_input(Side::Ended);
                return Err(kind.into());
            }
        }
        let room = self.room();
        let mut outgoing = self.outgoing.borrow_mut();
        let mut took = 0;
        for piece in pieces {
            let piece = piece.as_ref();
            let part = &piece[..piece.len().min(room - took)];
            outgoing.extend_from_slice(part);
            took += part.len();
        }
        self.sends.set(self.sends.get() + 1);
        if let Room::Window(room) = self.room.get()
            && room != usize::MAX
        {
            self.room.set(Room::Window(room - took));
        }
        Ok(took)
    }

    pub(crate) fn close(&self, how: Close) {
        self.open.set(false);
        let unread = self.incoming_len.get() > 0;
        self.incoming.borrow_mut().clear();
        self.incoming_len.set(0);
        match how {
            Close::Linger if self.lingers.get() => self.end_output(Side::Ended),
            // What a kernel does to a socket that is closed with input unread.
            Close::Plain | Close::Linger if unread => self.end_output(Side::Reset),
            Close::Plain | Close::Linger => self.end_output(Side::Ended),
            Close::Reset => self.end_output(Side::Reset),
        }
    }

    pub(crate) fn end_output(&self, how: Side) {
        if self.output.get() == Side::Reset || self.input.get() == Side::Reset {
            return;
        }
        self.output.set(how);
    }
}
