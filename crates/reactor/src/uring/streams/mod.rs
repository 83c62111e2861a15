use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;
use torsade_core::driver::{Chunk, Close, Closing, Sending};
use torsade_core::{ConnectionId, Limits, Time};

mod input;
mod lingering;
mod piped;

pub(crate) use self::piped::NewPipes;

use super::file::File;
use super::ring::{Completion, Filled, Ring};
use super::stream::{End, Output, Owner, Polling, ROOM, Receiving, Stream};
use super::tag::Tag;
use crate::{passing, transfer};

/// Every socket that bytes go through: those of connections, those that linger (contract C4), and
/// those that wait for the kernel to let go of them.
///
/// ```text
///              close, with the end sent             the peer ended; its time is over
///   connection -------------------------> lingers -----------------------------------+
///        |                                                                           v
///        +--------------------------------------------------------------> cancelled, closing
///                      close                                                         |
///                                        its operations are over: the place is free  v
/// ```
///
/// The kernel works on a socket for as long as an operation is under way, so a place is given to
/// nobody else before the last completion came.
#[derive(Debug)]
pub(crate) struct Streams {
    ring: Rc<Ring>,
    table: Slab<Stream>,
    /// In the order in which they came, which is that of their numbers and of their deadlines.
    lingering: VecDeque<Lingers>,
    next_number: u64,
    most_lingering: usize,
    linger: Duration,
    /// Streams that are to be told what is held for them, in the order of their waiting.
    due: VecDeque<usize>,
    /// Told apart by it are turns.
    turn: u32,
    /// Bytes that one connection may have in a turn.
    share: usize,
    pace: Pace,
}

/// The engine's handle of a socket.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Nothing was asked of it yet. Dropped, it is closed.
    New(File),
    /// The same of pipes.
    NewPipes(Box<NewPipes>),
    /// It has a place in [`Streams`], until it is closed there.
    Placed(usize),
    /// The same of pipes.
    PlacedPipes(usize),
}

#[derive(Debug)]
struct Lingers {
    number: u64,
    until: Time,
    place: usize,
}

/// How many sends of this turn are expected to be over as soon as they are submitted.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    swift: usize,
    /// There is one of which that is not known.
    unsure: bool,
}

/// What the engine is to be told.
#[derive(Debug)]
pub(crate) enum News {
    Nothing,
    /// There is something to be read, with descriptors.
    Readable(ConnectionId),
    End(ConnectionId, End),
    /// The kernel has let go of a socket, and perhaps a connection is to hear of it.
    Closed(Option<ConnectionId>),
}

/// A part of what was held.
#[derive(Debug)]
pub(crate) enum Late {
    Copied(ConnectionId, Vec<u8>),
    Filled(ConnectionId, Filled),
    /// There may be something to be read from pipes whose output is broken.
    Readable(ConnectionId),
    End(ConnectionId, End),
}

impl Streams {
    pub(crate) fn new(ring: &Rc<Ring>, limits: &Limits) -> Self {
        Self {
            ring: Rc::clone(ring),
            table: Slab::new(),
            lingering: VecDeque::new(),
            next_number: 0,
            most_lingering: limits.lingering,
            linger: limits.linger,
            due: VecDeque::new(),
            turn: 0,
            share: limits.turn_connection_bytes.max(1),
            pace: Pace::default(),
        }
    }

    /// A turn begins.
    pub(crate) fn begin(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// Sends that a wait need not end for.
    pub(crate) fn take_swift(&mut self) -> usize {
        let pace = std::mem::take(&mut self.pace);
        if pace.unsure { 0 } else { pace.swift }
    }

    /// How many streams are to be told what is held for them.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn next_due(&mut self) -> Option<usize> {
        let place = self.due.pop_front()?;
        self.stream(place)?.is_due = false;
        Some(place)
    }

    fn stream(&mut self, place: usize) -> Option<&mut Stream> {
        self.table.get_mut(place)
    }
}

/// What the engine asks for.
impl Streams {
    /// The place of a socket, which is a connection's from now on.
    #[inline]
    pub(crate) fn place(&mut self, socket: &mut Socket, id: ConnectionId) -> usize {
        match socket {
            Socket::Placed(place) | Socket::PlacedPipes(place) => *place,
            Socket::New(_) => {
                let place = self.table.vacant_key();
                let new = std::mem::replace(socket, Socket::Placed(place));
                if let Socket::New(file) = new {
                    self.table.insert(Stream::new(file, Owner::Connection(id)));
                }
                place
            }
            Socket::NewPipes(_) => {
                let place = self.table.vacant_key();
                let new = std::mem::replace(socket, Socket::PlacedPipes(place));
                if let Socket::NewPipes(pipes) = new {
                    self.table.insert(pipes.into_stream(Owner::Connection(id)));
                }
                place
            }
        }
    }

    /// Input is wanted, or not. What is under way stays so: if something comes that is not wanted,
    /// it is held, and only then the kernel is told. Most pauses are over before.
    pub(crate) fn want(&mut self, place: usize, wants: bool) {
        let Some(stream) = self.table.get_mut(place) else {
            return;
        };
        stream.wants = wants;
        if !wants {
            return;
        }
        self.go_on(place);
    }

    /// Have the kernel receive, if it does not and somebody wants it.
    pub(crate) fn receive(&mut self, place: usize) {
        let Some(stream) = self.table.get_mut(place) else {
            return;
        };
        if let Some(file) = &stream.file
            && stream.receiving == Receiving::No
            && stream.held.is_none()
            && (stream.wants || matches!(stream.owner, Owner::Lingering(_)))
        {
            let tag = Tag::Receive(place);
            let op = match stream.owner {
                Owner::Connection(_) if stream.passes => {
                    self.ring.poll(file, tag, stream.poll_for_input())
                }
                _ => self.ring.receive(file, tag),
            };
            stream.receiving = Receiving::UnderWay(op);
        }
    }

    /// Descriptors are wanted with what comes, or not any more: reads of our own have them, and the
    /// ring's do not.
    pub(crate) fn pass_descriptors(&mut self, place: usize, wanted: bool) {
        let Some(stream) = self.table.get_mut(place) else {
            return;
        };
        stream.passes = wanted || stream.piped().is_some();
        if let Receiving::UnderWay(op) = stream.receiving {
            self.ring.cancel(op);
            stream.receiving = Receiving::Cancelled;
        }
    }

    /// Send a chunk. It comes back with its completion, or at once if there is no room.
    pub(crate) fn send(&mut self, place: usize, mut chunk: Box<Chunk>) -> Sending {
        let Some(stream) = self.table.get_mut(place) else {
            return Sending::Failed(chunk, io::ErrorKind::NotConnected.into());
        };
        let Some(file) = &stream.file else {
            return Sending::Failed(chunk, io::ErrorKind::NotConnected.into());
        };
        if stream.piped().is_some() {
            return self.send_to_pipe(place, chunk);
        }
        match stream.output {
            Output::Flows => self.pace.swift += 1,
            Output::Untried => self.pace.unsure = true,
            Output::Blocked => return Sending::Done(chunk),
        }
        // The ring could send them as well; who passes descriptors is not in a hurry.
        while !chunk.descriptors().is_empty() {
            let socket = file.descriptor().ok_or(io::ErrorKind::Unsupported);
            let sent = socket.map_err(Into::into);
            match sent.and_then(|socket| passing::send(socket, &chunk)) {
                Ok(sent) => chunk.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if transfer::is_for_later(&error) => {
                    stream.output = Output::Blocked;
                    return Sending::Done(chunk);
                }
                Err(error) => return Sending::Failed(chunk, error),
            }
        }
        if chunk.is_empty() {
            return Sending::Done(chunk);
        }
        stream.sending = Some(self.ring.send(file, Tag::Send(place), chunk));
        Sending::Pending
    }

    /// Send a copy of bytes, where they flow, and there is room for one. It comes back with its
    /// completion.
    #[inline(always)]
    pub(crate) fn send_copy(&mut self, place: usize, bytes: &[u8]) -> bool {
        let Some(stream) = self.table.get_mut(place) else {
            return false;
        };
        if let (Output::Flows, Some(file)) = (stream.output, &stream.file)
            && let Some(op) = self.ring.send_copy(file, place, bytes)
        {
            debug_assert_eq!(stream.sending, None, "one send at a time");
            self.pace.swift += 1;
            stream.sending = Some(op);
            return true;
        }
        false
    }

    /// Somebody waits for room, or does not any more.
    pub(crate) fn want_room(&mut self, place: usize, wants: bool) {
        let Some(stream) = self.table.get_mut(place) else {
            return;
        };
        if !wants {
            if let Some(apart) = &mut stream.apart {
                apart.wants_room = false;
                apart.end_polling(&self.ring);
            }
            return;
        }
        let apart = stream.apart.get_or_insert_default();
        apart.wants_room = true;
        if apart.polling == Polling::No
            && let Some(file) = stream.output()
        {
            let op = self.ring.poll_for_room(file, Tag::Room(place));
            if let Some(apart) = &mut stream.apart {
                apart.polling = Polling::UnderWay(op);
            }
        }
    }

    /// The system tells of a stream that had no room for output. Whom it is for, if it is room, or
    /// an error that sending tells.
    pub(crate) fn has_room(&mut self, place: usize, said: &Completion) -> Option<ConnectionId> {
        let stream = self.stream(place)?;
        let apart = stream.apart.as_mut()?;
        if said.last {
            apart.polling = Polling::No;
        }
        let wants = apart.wants_room;
        let Owner::Connection(id) = stream.owner else {
            return None;
        };
        if said.last && wants {
            self.want_room(place, true);
        }
        let events = said.outcome.amount().unwrap_or(0);
        // The end of the peer's output is told with every poll, and is no room.
        let is_room = events & ROOM != 0 && wants;
        if is_room && let Some(stream) = self.stream(place) {
            stream.output = Output::Untried;
        }
        is_room.then_some(id)
    }

    /// A send is over. Whose it was.
    #[inline(always)]
    pub(crate) fn sent(&mut self, place: usize, whole: bool) -> Option<Owner> {
        let stream = self.stream(place)?;
        stream.sending = None;
        stream.output = if whole {
            Output::Flows
        } else {
            Output::Blocked
        };
        Some(stream.owner)
    }

    /// End our side. False if that failed.
    pub(crate) fn shutdown(&mut self, place: usize) -> bool {
        let Some(stream) = self.table.get_mut(place) else {
            return false;
        };
        if stream.piped().is_some() {
            return self.shutdown_pipe(place);
        }
        let Some(file) = &stream.file else {
            return false;
        };
        match file.descriptor() {
            Some(socket) => socket.shutdown(Shutdown::Write).is_ok(),
            None => {
                let op = self.ring.shutdown(file, Tag::Shutdown(place));
                stream.apart.get_or_insert_default().ending = Some(op);
                true
            }
        }
    }

    /// The end of a stream's output was sent.
    pub(crate) fn was_shut_down(&mut self, place: usize) {
        if let Some(apart) = self.stream(place).and_then(|it| it.apart.as_mut()) {
            apart.ending = None;
        }
    }

    pub(crate) fn file(&self, place: usize) -> Option<&File> {
        self.table.get(place)?.file.as_ref()
    }

    /// The engine is done with a socket.
    pub(crate) fn close(
        &mut self,
        mut socket: Socket,
        id: ConnectionId,
        how: Close,
        now: Time,
    ) -> Closing {
        let place = self.place(&mut socket, id);
        let ended = self.has_ended(place);
        if how == Close::Reset {
            self.will_reset(place);
        }
        if let Some(piped) = self.stream(place).and_then(Stream::piped_mut) {
            piped.pipes.close(how);
        }
        // If the end cannot be sent, there is nothing on its way that could be saved.
        // Of pipes there is nothing that unread input would destroy.
        let is_socket = matches!(socket, Socket::Placed(_));
        let lingers = how == Close::Linger && is_socket;
        if lingers && self.shutdown(place) && !ended && self.keep(place, now) {
            return Closing::Closed;
        }
        self.give_up(place, Some(id));
        if self.free_if_over(place).is_some() {
            // If something was asked of it just now, it is closed with that.
            self.ring.close_files();
            return Closing::Closed;
        }
        // The socket is to be closed when the connection hears of its loss. Who reads a pipe may be
        // waited for right then, and its descriptor is closed with the last operation.
        if self.ring.flush().is_ok()
            && is_socket
            && let Some(stream) = self.stream(place)
            && stream.sending.is_none()
        {
            stream.owner = Owner::Closing(None);
            return Closing::Closed;
        }
        Closing::Pending
    }

    fn will_reset(&self, place: usize) {
        let Some(file) = self.file(place) else {
            return;
        };
        match file.descriptor() {
            Some(socket) => {
                let _ = socket.set_linger(Some(Duration::ZERO));
            }
            None => self.ring.will_reset(file),
        }
    }

    /// Whether the peer's end has come, though nobody was told.
    fn has_ended(&self, place: usize) -> bool {
        let held = self.table.get(place).and_then(|it| it.held.as_ref());
        held.is_some_and(|held| held.end.is_some())
    }

    /// Close a stream, as soon as the kernel has let go of it.
    fn give_up(&mut self, place: usize, id: Option<ConnectionId>) {
        let Some(stream) = self.table.get_mut(place) else {
            return;
        };
        stream.owner = Owner::Closing(id);
        stream.wants = false;
        stream.held = None;
        if let Receiving::UnderWay(op) = stream.receiving {
            self.ring.cancel(op);
            stream.receiving = Receiving::Cancelled;
        }
        if let Some(op) = stream.sending {
            self.ring.cancel(op);
        }
        // Closed here and now, or else with the last of its operations.
        stream.file = None;
        if let Some(apart) = &mut stream.apart {
            apart.end_polling(&self.ring);
            if let Some(op) = apart.ending {
                self.ring.cancel(op);
            }
            apart.piped = None;
        }
    }

    /// If a stream is closing and its operations are over, its place is free: whom to tell.
    pub(crate) fn free_if_over(&mut self, place: usize) -> Option<Option<ConnectionId>> {
        let stream = self.table.get(place)?;
        let Owner::Closing(id) = stream.owner else {
            return None;
        };
        if !stream.is_at_rest() {
            return None;
        }
        self.table.remove(place);
        Some(id)
    }
}
