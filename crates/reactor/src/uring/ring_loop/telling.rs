//! What the ring has brought, and what it means to the engine.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use torsade_core::{Address, ConnectionId, ListenerId, PortId};

use super::super::connecting::reached;
use super::super::port::RingPort;
use super::super::ring::{Brought, Completion, Copied, Event, Filled, Outcome};
use super::super::stream::{End, Owner};
use super::super::streams::{Late, News, Socket};
use super::super::tag::Tag;
use super::RingLoop;
use crate::stdio;
use crate::teller::is_nothing;

/// What came.
impl RingLoop {
    /// Tell what there is, as far as this turn's budget goes.
    pub(super) fn tell(&mut self) {
        while let Some(listener) = self.system.host.standing.take() {
            self.tell_standing(listener);
        }
        for _ in 0..self.system.ended.len() {
            match self.system.ended.pop_front() {
                Some((attempt, Ok((socket, peer)))) => {
                    self.engine
                        .connected(&mut self.system, attempt, socket, peer);
                }
                Some((attempt, Err(error))) => {
                    self.engine.connect_failed(&mut self.system, attempt, error);
                }
                None => {}
            }
        }
        self.left = self.turn_bytes.max(1);
        // Those who wait since the last turn, what is new, and who had to wait for others of it.
        self.tell_late();
        self.tell_new();
        self.tell_rest();
    }

    /// Tell what the ring has brought.
    pub(super) fn tell_new(&mut self) {
        // Those present now: what is submitted meanwhile, because the queue is full, can wait.
        for _ in 0..self.system.ring.ready() {
            match self.system.ring.pop() {
                Some(Event::Received(place, bytes, last)) => self.tell_bytes_of(place, bytes, last),
                Some(Event::Sent(place, copied, outcome)) => {
                    self.tell_sent_copy(place, &copied, outcome);
                }
                Some(Event::Other(completion)) => self.tell_completion(completion),
                None => break,
            }
        }
    }

    /// Tell what follows from what the ring has brought.
    pub(super) fn tell_rest(&mut self) {
        self.tell_late();
        for _ in 0..self.system.host.listeners.due() {
            if let Some(id) = self.system.host.listeners.next_due() {
                self.tell_arrived(id);
            }
        }
    }

    /// Tell the streams that wait now what is held for them.
    fn tell_late(&mut self) {
        for _ in 0..self.system.streams.due() {
            if self.left == 0 {
                return;
            }
            let Some(place) = self.system.streams.next_due() else {
                continue;
            };
            while self.left > 0
                && let Some(late) = self.system.streams.next_late(place)
            {
                match late {
                    Late::Copied(id, bytes) => self.tell_bytes(id, &bytes),
                    Late::Filled(id, filled) => self.tell_bytes(id, &filled),
                    Late::Readable(id) => {
                        self.tell_readable(place, id);
                        break;
                    }
                    Late::End(id, end) => self.tell_end(id, end),
                }
            }
            if let Some(id) = self.system.streams.go_on(place) {
                self.engine.input_left(id);
            }
        }
    }

    #[inline]
    fn tell_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.left = self.left.saturating_sub(bytes.len());
        self.engine.received(&mut self.system, id, bytes);
    }

    #[inline(never)]
    fn tell_completion(&mut self, completion: Completion) {
        self.engine.disturb();
        if completion.tag != Tag::Doorbell {
            self.events += 1;
        }
        match completion.tag {
            Tag::Receive(place) => self.tell_received(place, &completion),
            Tag::Send(place) => self.tell_sent(place, completion),
            Tag::Room(place) => match self.system.streams.has_room(place, &completion) {
                Some(id) => self.engine.writable(&mut self.system, id),
                None => self.tell_if_closed(place),
            },
            Tag::Shutdown(place) => {
                self.system.streams.was_shut_down(place);
                self.tell_if_closed(place);
            }
            Tag::Listener(id) => self.system.host.listeners.came(id, completion),
            Tag::Attempt(attempt) => match self.system.connecting.ended(attempt, &completion) {
                Some(Ok((file, peer))) => {
                    let socket = Socket::New(file);
                    self.engine
                        .connected(&mut self.system, attempt, socket, peer);
                }
                Some(Err(error)) => {
                    self.engine.connect_failed(&mut self.system, attempt, error);
                }
                None => {}
            },
            Tag::Watched(number) => {
                if self.system.registrar.came(&completion) {
                    self.system.watches.tell(number);
                }
            }
            Tag::Port(port) => self.tell_port(port, &completion),
            Tag::Signals => {
                if self.system.registrar.came(&completion) {
                    self.hear_signals();
                }
            }
            Tag::Doorbell => {
                self.system.ring.hear(&self.reader, Tag::Doorbell);
            }
        }
    }

    /// Bytes came, the usual news.
    #[inline(always)]
    fn tell_bytes_of(&mut self, place: usize, bytes: Filled, last: bool) {
        self.events += 1;
        let to = match self.left {
            0 => None,
            _ => self.system.streams.tells(place, bytes.len(), last),
        };
        let Some(id) = to else {
            let news = self.system.streams.keep_bytes(place, bytes, last);
            return self.tell_news(place, news);
        };
        self.tell_bytes(id, &bytes);
        // The kernel's again before it is to receive more.
        drop(bytes);
        if last {
            self.system.streams.receive(place);
        }
    }

    fn tell_received(&mut self, place: usize, completion: &Completion) {
        let spent = self.left == 0;
        let news = self.system.streams.received(place, completion, spent);
        self.tell_news(place, news);
    }

    #[inline(never)]
    fn tell_news(&mut self, place: usize, news: News) {
        match news {
            News::Nothing => {}
            News::Readable(id) => self.tell_readable(place, id),
            News::End(id, end) => self.tell_end(id, end),
            News::Closed(id) => self.closed(id),
        }
    }

    /// There is something to read of who wants descriptors with it.
    #[cold]
    fn tell_readable(&mut self, place: usize, id: ConnectionId) {
        let most = self.engine.net().limits().turn_connection_bytes.max(1);
        self.buffer.resize(most, 0);
        // Who has come not to want them any more: the ring receives again from the next turn on.
        let not_now = |_: &mut Socket, _: &mut [u8]| Err(io::ErrorKind::WouldBlock.into());
        let read = self
            .engine
            .readable(&mut self.system, id, &mut self.buffer, not_now);
        self.left = self.left.saturating_sub(read.unwrap_or(0));
        self.system.streams.receive(place);
    }

    fn tell_end(&mut self, id: ConnectionId, end: End) {
        match end {
            End::Ended => self.engine.input_ended(&mut self.system, id),
            End::Failed(error) => self.engine.failed(&mut self.system, id, error),
        }
    }

    /// A copy was sent, the usual news but one.
    #[inline(always)]
    fn tell_sent_copy(&mut self, place: usize, copied: &Copied, outcome: Outcome) {
        self.events += 1;
        let (sent, error) = sent(outcome);
        match self.system.streams.sent(place, sent == copied.len()) {
            Some(Owner::Connection(id)) => {
                let system = &mut self.system;
                self.engine.sent_kept(system, id, copied, sent, error);
            }
            // What was left of it is not worth a word any more.
            _ => self.tell_if_closed(place),
        }
    }

    fn tell_sent(&mut self, place: usize, completion: Completion) {
        let Brought::Chunk(chunk) = completion.brought else {
            return;
        };
        let (sent, error) = sent(completion.outcome);
        match self.system.streams.sent(place, sent == chunk.len()) {
            Some(Owner::Connection(id) | Owner::Closing(Some(id))) => {
                self.engine.sent(&mut self.system, id, chunk, sent, error);
            }
            _ => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(chunk)));
            }
        }
        self.tell_if_closed(place);
    }

    #[inline]
    fn tell_if_closed(&mut self, place: usize) {
        if let Some(id) = self.system.streams.free_if_over(place) {
            self.closed(id);
        }
    }

    fn closed(&mut self, id: Option<ConnectionId>) {
        self.system.accepting.relieve();
        if let Some(id) = id {
            self.engine.closed(id);
        }
    }

    fn tell_port(&mut self, port: PortId, completion: &Completion) {
        let ports = &self.system.host.ports;
        let came = ports.with(port, |socket| socket.came(completion));
        let Some(Some(ready)) = came else {
            return;
        };
        if ready.writable {
            self.engine.datagram_writable(&mut self.system, port);
        }
        // Past the budget, the next poll says it again.
        if ready.readable && self.left > 0 {
            self.tell_datagrams(port);
        }
        self.system.host.ports.with(port, RingPort::poll_again);
    }

    fn tell_datagrams(&mut self, port: PortId) {
        let received = self.system.host.ports.receive(port, &mut self.receiver);
        match received {
            Ok((bytes, family)) => {
                self.left = self.left.saturating_sub(bytes);
                let (engine, system) = (&mut self.engine, &mut self.system);
                match self.receiver.is_coalesced() {
                    false => engine.datagrams(system, port, self.receiver.arrived(family)),
                    true => engine.datagrams(system, port, self.receiver.coalesced(family)),
                }
            }
            Err(error) if is_nothing(&error) => {}
            Err(error) => self.engine.datagram_failed(&mut self.system, port, error),
        }
    }

    fn tell_standing(&mut self, listener: ListenerId) {
        let reached = reached(&Address::Stdio, &self.system.ring.files());
        let (engine, system) = (&mut self.engine, &mut self.system);
        match reached {
            Ok((socket, peer)) => {
                engine.accepted(system, listener, socket, peer);
            }
            Err(error) => engine.accept_failed(system, listener, stdio::peer(), error),
        }
    }

    fn tell_arrived(&mut self, listener: ListenerId) {
        for _ in 0..self.turn_accepts {
            if !self.engine.may_accept() {
                self.system.accepting.wait_for_room(listener);
                return;
            }
            let accepted = self.system.accept(listener);
            if !accepted.tell(&mut self.engine, &mut self.system, listener) {
                if !self.system.accepting.is_resting(listener) {
                    let short = self.system.accepting.is_short();
                    self.system.host.listeners.go_on(listener, short);
                }
                return;
            }
        }
        self.system.host.listeners.put_off(listener);
    }

    fn hear_signals(&mut self) {
        if let Some(signals) = &mut self.signals {
            signals.tell(&self.engine);
        }
    }
}

/// How many bytes a send took, and what is wrong if there is.
#[inline(always)]
fn sent(outcome: Outcome) -> (usize, Option<io::Error>) {
    match outcome.result() {
        Ok(sent) => (sent, None),
        Err(error) => match error.raw_os_error() {
            // Nothing went, and nothing is wrong.
            Some(libc::EINTR | libc::EAGAIN) => (0, None),
            _ => (0, Some(error)),
        },
    }
}
