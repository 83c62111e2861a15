use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use torsade_core::driver::{Chunk, Close, Closing, Interest, Sending, Wire};
use torsade_core::{ConnectionId, ListenerId, Peer};

use crate::end::{End, Side};

/// What lies between the ends of a world: what a poller watches, and who waits to be accepted.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// Connections that the engine has asked to hear of.
    watched: RefCell<Vec<(ConnectionId, Rc<End>)>>,
    /// Those that connected to a listener and were not accepted yet.
    queued: RefCell<VecDeque<Queued>>,
}

/// A connection that a listener has not accepted.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) listener: ListenerId,
    pub(crate) end: Rc<End>,
    pub(crate) peer: Peer,
}

impl Network {
    /// Something connects.
    pub(crate) fn queue(&self, queued: Queued) {
        self.queued.borrow_mut().push_back(queued);
    }

    /// Whoever has waited longest, at any listener.
    pub(crate) fn next_queued(&self) -> Option<Queued> {
        self.queued.borrow_mut().pop_front()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.borrow().len()
    }

    /// A listener is closed: who waits for it is reset, as a kernel does.
    pub(crate) fn refuse(&self, listener: ListenerId) {
        self.queued.borrow_mut().retain(|queued| {
            let stays = queued.listener != listener;
            if !stays {
                queued.end.close(Close::Reset);
            }
            stays
        });
    }

    pub(crate) fn watched(&self) -> Vec<(ConnectionId, Rc<End>)> {
        self.watched.borrow().clone()
    }

    /// Forget the ends that the engine is done with.
    pub(crate) fn forget_closed(&self) {
        self.watched.borrow_mut().retain(|(_, end)| end.is_open());
    }

    fn watch(&self, id: ConnectionId, end: &Rc<End>) {
        let mut watched = self.watched.borrow_mut();
        if !watched.iter().any(|(known, _)| *known == id) {
            watched.push((id, Rc::clone(end)));
        }
    }
}

/// The engine's hold on an end: closed when it is dropped, as a socket is.
#[derive(Debug)]
pub(crate) struct Socket(pub(crate) Rc<End>);

impl Drop for Socket {
    fn drop(&mut self) {
        if self.0.is_open() {
            self.0.close(Close::Plain);
        }
    }
}

/// A driver whose sockets are [`End`]s.
#[derive(Debug)]
pub(crate) struct EndWire(pub(crate) Rc<Network>);

impl Wire<Socket> for EndWire {
    fn send(&mut self, socket: &mut Socket, _: ConnectionId, mut chunk: Box<Chunk>) -> Sending {
        match socket.0.send(&mut chunk) {
            Ok(()) => Sending::Done(chunk),
            Err(error) => Sending::Failed(chunk, error),
        }
    }

    fn send_lent(&mut self, socket: &mut Socket, _: ConnectionId, bytes: &[u8]) -> usize {
        socket.0.accept(std::iter::once(bytes)).unwrap_or(0)
    }

    fn interest(&mut self, socket: &mut Socket, id: ConnectionId, interest: Interest) {
        self.0.watch(id, &socket.0);
        socket.0.set_interest(interest);
    }

    fn shutdown(&mut self, socket: &mut Socket, _: ConnectionId) {
        socket.0.end_output(Side::Ended);
    }

    fn close(&mut self, socket: Socket, _: ConnectionId, how: Close) -> Closing {
        socket.0.close(how);
        Closing::Closed
    }

    fn accept(&mut self, listener: ListenerId) -> Option<(Socket, Peer)> {
        let mut queued = self.0.queued.borrow_mut();
        let place = queued.iter().position(|it| it.listener == listener)?;
        let Queued { end, peer, .. } = queued.remove(place)?;
        Some((Socket(end), peer))
    }

    fn unsent(&mut self, socket: &Socket) -> Option<usize> {
        Some(socket.0.outgoing())
    }
}
