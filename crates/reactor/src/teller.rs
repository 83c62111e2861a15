use std::io::{self, ErrorKind};

#[cfg(unix)]
use torsade_core::Address;
use torsade_core::driver::Engine;
use torsade_core::{ConnectionId, ListenerId, PortId};

use crate::datagrams::Receiver;
use crate::eagerness::Eagerness;
use crate::poller::{Poller, Ready};
#[cfg(unix)]
use crate::signals::Signals;
use crate::socket::Registered;
#[cfg(unix)]
use crate::stdio;
use crate::system::{Answer, System};
use crate::token::Token;
use crate::transfer;

/// Finds out what an event means and tells the engine.
pub(crate) struct Teller<P: Poller> {
    pub(crate) engine: Engine<Registered<P>>,
    pub(crate) system: System<P>,
    /// What every socket is read into: input is delivered, or kept by the engine, before the next.
    buffer: Box<[u8]>,
    /// What datagrams are received into.
    receiver: Receiver,
    eagerness: Eagerness,
    /// Events that were about nobody.
    pub(crate) pollers_own: u64,
    #[cfg(unix)]
    pub(crate) signals: Option<Signals>,
}

impl<P: Poller> Teller<P> {
    pub(crate) fn new(engine: Engine<Registered<P>>, system: System<P>) -> Self {
        let limits = engine.net().limits();
        // A read into no room at all would look like the peer's end.
        let bytes = limits.turn_connection_bytes.max(1);
        Self {
            buffer: vec![0; bytes].into(),
            receiver: Receiver::new(limits),
            eagerness: Eagerness::new(limits.turn_accepts),
            pollers_own: 0,
            engine,
            system,
            #[cfg(unix)]
            signals: None,
        }
    }

    /// A stop is complete: the next signal is the first one again.
    pub(crate) fn forget_signals(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            signals.forget();
        }
    }
}

impl<P: Poller> Teller<P> {
    /// Tell what came up where nothing could be told.
    pub(crate) fn tell_answers(&mut self) {
        #[cfg(unix)]
        while let Some(listener) = self.system.host.standing.take() {
            self.tell_standing(listener);
        }
        // Those present now; what they lead to waits for the next turn.
        for _ in 0..self.system.answers.len() {
            match self.system.answers.pop_front() {
                Some(Answer::Connected(attempt, socket, peer)) => {
                    self.engine
                        .connected(&mut self.system, attempt, socket, peer);
                }
                Some(Answer::ConnectFailed(attempt, error)) => {
                    self.engine.connect_failed(&mut self.system, attempt, error);
                }
                Some(Answer::Unwatched(id, error)) => {
                    self.engine.failed(&mut self.system, id, error);
                    // Its input may have ended before; then sending is what must fail.
                    self.engine.writable(&mut self.system, id);
                }
                Some(Answer::Broken(id)) => self.tell_broken(id),
                Some(Answer::Deaf(port, error)) => {
                    self.engine.datagram_failed(&mut self.system, port, error);
                }
                None => return,
            }
        }
    }

    #[cfg(unix)]
    fn tell_standing(&mut self, listener: ListenerId) {
        let system = &mut self.system;
        match system.connecting.reach(&Address::Stdio) {
            Ok((socket, peer)) => {
                self.engine.accepted(system, listener, socket, peer);
            }
            Err(error) => {
                self.engine
                    .accept_failed(system, listener, stdio::peer(), error);
            }
        }
    }

    /// Tell one event; returns how many bytes were read.
    #[inline(always)]
    pub(crate) fn tell(&mut self, event: Ready, turn: u64) -> usize {
        match Token::connection(event.key) {
            // The usual case.
            Some(id) if event.is_input() => self.tell_readable(id),
            Some(id) => self.tell_connection(event, id),
            None => self.tell_other(event, turn),
        }
    }

    #[inline(never)]
    fn tell_other(&mut self, event: Ready, turn: u64) -> usize {
        self.engine.disturb();
        match Token::from_key(event.key) {
            Some(Token::Listener(id)) => self.accept(id, turn),
            Some(Token::Attempt(attempt)) => match self.system.connecting.writable(attempt) {
                Some(Ok((socket, peer))) => {
                    self.engine
                        .connected(&mut self.system, attempt, socket, peer);
                }
                Some(Err(error)) => {
                    self.engine.connect_failed(&mut self.system, attempt, error);
                }
                None => {}
            },
            Some(Token::Signals) => self.hear_signals(),
            Some(Token::Watched(number)) => self.tell_watched(number),
            Some(Token::Port(port)) => return self.tell_port(event, port),
            Some(Token::Connection(_)) => {}
            // Whoever rings once more before this is heard, too: what he brings is looked for
            // before the next wait.
            None => {
                self.pollers_own += 1;
                self.system.poller.heard(event.key);
            }
        }
        0
    }

    /// An event of a datagram port, as far as it is still wanted.
    fn tell_port(&mut self, event: Ready, port: PortId) -> usize {
        let Some(interest) = self.system.host.ports.interest(port) else {
            return 0;
        };
        if event.is_writable() && interest.writable {
            self.engine.datagram_writable(&mut self.system, port);
        }
        if !event.is_readable() || !interest.readable {
            return 0;
        }
        match self.system.host.ports.receive(port, &mut self.receiver) {
            Ok((bytes, family)) => {
                let (engine, system) = (&mut self.engine, &mut self.system);
                match self.receiver.is_coalesced() {
                    false => engine.datagrams(system, port, self.receiver.arrived(family)),
                    true => engine.datagrams(system, port, self.receiver.coalesced(family)),
                }
                bytes
            }
            Err(error) if is_nothing(&error) => 0,
            Err(error) => {
                self.engine.datagram_failed(&mut self.system, port, error);
                0
            }
        }
    }

    /// An event of a connection. What it says counts only as far as it is still wanted: the
    /// batch may be older than the last pause, and a hang-up is reported with every interest.
    #[inline(never)]
    fn tell_connection(&mut self, event: Ready, id: ConnectionId) -> usize {
        let mut bytes = 0;
        if event.is_readable() {
            bytes = self.tell_readable(id);
        }
        if event.is_writable()
            && let Some(socket) = self.engine.socket(id)
            && socket.wants_room()
        {
            self.engine.writable(&mut self.system, id);
        }
        bytes
    }

    #[inline(always)]
    fn tell_readable(&mut self, id: ConnectionId) -> usize {
        let (engine, system) = (&mut self.engine, &mut self.system);
        let bytes = engine.readable(system, id, &mut self.buffer, |socket, buffer| {
            transfer::receive(socket.socket(), buffer)
        });
        match bytes {
            Some(bytes) => bytes,
            None => self.tell_lingering(id),
        }
    }

    #[cold]
    fn tell_lingering(&mut self, id: ConnectionId) -> usize {
        if self.system.lingering.len() == 0 {
            return 0;
        }
        self.system.lingering.readable(id, &mut self.buffer)
    }

    /// The output of pipes broke: read on, a buffer in a turn, until what had come is over.
    fn tell_broken(&mut self, id: ConnectionId) {
        self.tell_readable(id);
        if let Some(socket) = self.engine.socket(id)
            && socket.interest().readable
        {
            self.system.answers.push_back(Answer::Broken(id));
        }
    }

    fn accept(&mut self, listener: ListenerId, turn: u64) {
        let asks = self.eagerness.begin(turn);
        for asked in 0..asks {
            if !self.engine.may_accept() {
                self.system.accepting.wait_for_room(listener);
                return;
            }
            let accepted = self.system.accept(listener);
            if !accepted.tell(&mut self.engine, &mut self.system, listener) {
                self.eagerness.found_the_end(asked);
                return;
            }
        }
    }

    /// Whatever the event says, an end or an error included, the callback finds out.
    fn tell_watched(&self, number: u64) {
        #[cfg(unix)]
        self.system.watches.tell(number);
        #[cfg(not(unix))]
        let _ = number;
    }

    fn hear_signals(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            signals.tell(&self.engine);
        }
    }
}

/// Whether an error of receiving says that there is nothing to receive after all.
pub(crate) fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
