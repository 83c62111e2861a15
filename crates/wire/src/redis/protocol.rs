use std::fmt;
use std::mem;
use std::rc::Rc;

use torsade_core::{Disconnect, Protocol, Transport};

use super::client::Client;
use super::{Reader, RedisError};

/// The connection of a [`Redis`](super::Redis): what goes into `connect`, into a fake, or into a
/// layer that carries it.
///
/// Made by [`Redis::new`](super::Redis::new) and [`Redis::protocol`](super::Redis::protocol). All
/// that there is to call is on the [`Redis`](super::Redis) beside it.
pub struct RedisProtocol {
    state: State,
    reader: Reader,
}

/// `Made, Expected --connection_made--> Attached --connection_lost--> Over`; a client that has
/// another connection goes to `Over` at once.
enum State {
    /// Whoever connects it, the client will not hear of a failure.
    Made(Rc<Client>),
    /// Who connects it tells the client why it failed.
    Expected(Rc<Client>),
    Attached(Rc<Client>),
    Over,
}

impl RedisProtocol {
    pub(super) fn new(client: Rc<Client>) -> Self {
        Self {
            reader: Reader::new(client.settings.limits.clone()),
            state: State::Made(client),
        }
    }

    /// The same, for somebody who tells the client when there is no connection.
    pub(super) fn expected(client: Rc<Client>) -> Self {
        Self {
            reader: Reader::new(client.settings.limits.clone()),
            state: State::Expected(client),
        }
    }
}

impl Protocol for RedisProtocol {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let (State::Made(client) | State::Expected(client)) =
            mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        super::make_room(transport, &client.settings.limits);
        if client.begin(transport) {
            self.state = State::Attached(client);
        } else {
            transport.close();
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let State::Attached(client) = &self.state else {
            return;
        };
        let mut rest = data;
        while transport.wants_input() {
            let received = match self.reader.read(&mut rest) {
                Ok(Some(value)) => client.received(value),
                Ok(None) => break,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = received {
                transport.fail(reason);
            }
        }
        transport.unread(rest.len());
        client.wake();
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        if self.reader.is_between() && transport.with_unread(<[u8]>::is_empty) {
            transport.close();
        } else {
            transport.fail(Disconnect::protocol("the end came inside a reply"));
        }
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        if let State::Attached(client) = &self.state {
            client.wake();
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        if let State::Attached(client) = mem::replace(&mut self.state, State::Over) {
            client.lost(reason);
        }
    }
}

/// What waits does not wait for ever when the protocol was never connected, or another was put in
/// its place.
impl Drop for RedisProtocol {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, State::Over) {
            State::Made(client) | State::Attached(client) => {
                let reason = Disconnect::application("there is no connection to the Redis server");
                client.away(RedisError::Lost(reason));
            }
            State::Expected(_) | State::Over => {}
        }
    }
}

impl fmt::Debug for RedisProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Made(_) | State::Expected(_) => "not connected yet",
            State::Attached(_) => "connected",
            State::Over => "over",
        };
        write!(f, "RedisProtocol({state})")
    }
}
