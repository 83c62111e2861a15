use std::io;

use super::Engine;
use super::slot::Input;
use crate::wire::Wire;
use crate::{ConnectionId, Descriptor};

/// Facts of input, all of them in a turn.
impl<S> Engine<S> {
    /// The socket of a connection can be read: `read` it once into `buffer`, and take what comes
    /// of it. Returns how many bytes that was, and nothing if the connection has no socket any more.
    ///
    /// For readiness drivers, so that they need no look-up of their own. Nothing is read unless
    /// input is wanted, because an event may be older than the last pause. A buffer that was
    /// filled counts as [`input_left`](Self::input_left); `WouldBlock` and `Interrupted` are no
    /// failures.
    // A part of the driver's loop over events, so that what that has in registers stays there.
    #[inline(always)]
    pub fn readable<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        buffer: &mut [u8],
        read: impl FnOnce(&mut S, &mut [u8]) -> io::Result<usize>,
    ) -> Option<usize> {
        debug_assert!(self.is_in_turn(), "a fact was told outside a turn");
        let slot = self.slots.get_mut(id.0)?;
        let socket = slot.socket.as_mut()?;
        if !slot.link.is_calm() {
            return Some(self.readable_long(wire, id, buffer, read));
        }
        // From here on the connection's own word for who it is: what was told need not be kept.
        let len = match read(socket, buffer) {
            Ok(0) => {
                let id = slot.link.id();
                return Some(self.not_read(wire, id, None));
            }
            Ok(len) => len,
            Err(error) => {
                let id = slot.link.id();
                return Some(self.not_read(wire, id, Some(error)));
            }
        };
        let data = match buffer.get(..len) {
            Some(data) if len < buffer.len() => data,
            _ => {
                slot.more = self.number;
                self.stirred = true;
                buffer
            }
        };
        if !slot.take_calm(wire, &self.shared, &self.queue, &mut self.spare, data) {
            let id = slot.link.id();
            self.after_fact(wire, id);
        }
        Some(len)
    }

    /// The same for a connection that needs more than to be told and its answer sent.
    #[inline(never)]
    fn readable_long<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        buffer: &mut [u8],
        read: impl FnOnce(&mut S, &mut [u8]) -> io::Result<usize>,
    ) -> usize {
        self.in_turn();
        let Some(slot) = self.slots.get_mut(id.0) else {
            return 0;
        };
        let Some(socket) = slot.socket.as_mut().filter(|_| slot.interest.readable) else {
            return 0;
        };
        let mut descriptors = Vec::new();
        let read = if slot.link.watches.passes() || !wire.takes_short_way(socket) {
            wire.receive(socket, buffer, &mut descriptors)
        } else {
            read(socket, buffer)
        };
        let len = match read {
            Ok(0) => return self.not_read(wire, id, None),
            Ok(len) => len,
            Err(error) => return self.not_read(wire, id, Some(error)),
        };
        slot.link.hold_descriptors(descriptors);
        slot.take(&self.shared, &mut self.spare, &buffer[..len]);
        self.after_fact(wire, id);
        if len == buffer.len() {
            self.input_left(id);
        }
        len
    }

    /// Nothing was read: the peer's end, or an error.
    #[cold]
    fn not_read<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        error: Option<io::Error>,
    ) -> usize {
        match error {
            None => self.input_ended(wire, id),
            Some(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => self.failed(wire, id, error),
            },
        }
        0
    }

    /// These descriptors came with the bytes that are told next, for drivers that do not read when
    /// the engine says. They are closed if nobody wants them.
    pub fn descriptors_received(&mut self, id: ConnectionId, descriptors: Vec<Descriptor>) {
        self.in_turn();
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.link.hold_descriptors(descriptors);
        }
    }

    /// Bytes arrived.
    #[inline]
    pub fn received<W: Wire<S>>(&mut self, wire: &mut W, id: ConnectionId, data: &[u8]) {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        if !slot.link.is_calm() {
            slot.take(&self.shared, &mut self.spare, data);
            self.after_fact(wire, id);
        } else if !slot.take_calm(wire, &self.shared, &self.queue, &mut self.spare, data) {
            self.after_fact(wire, id);
        }
    }

    /// This turn's budget ended before the connection's input did, as far as the driver can see.
    /// Timers of the connection wait for the rest until the next turn, which tells it or not.
    pub fn input_left(&mut self, id: ConnectionId) {
        self.stirred = true;
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.more = self.number;
        }
    }

    /// There are events that this turn's budget did not allow to tell. Timers of connections wait
    /// for them, for some turns: a load that fills every turn must not hold them for ever.
    pub fn facts_left(&mut self) {
        self.facts_left = self.crowded.at(self.number);
    }

    /// The peer ended its side in good order.
    #[inline(never)]
    pub fn input_ended<W: Wire<S>>(&mut self, wire: &mut W, id: ConnectionId) {
        self.in_turn();
        if let Some(slot) = self.slots.get_mut(id.0)
            && matches!(slot.input, Input::Open)
        {
            slot.more = 0;
            if slot.filters.is_some() {
                slot.end_encoded(&self.shared, &mut self.spare);
            } else {
                slot.input = Input::Ended;
            }
            self.after_fact(wire, id);
        }
    }

    /// Reading failed: the peer reset the connection, or worse.
    #[inline(never)]
    pub fn failed<W: Wire<S>>(&mut self, wire: &mut W, id: ConnectionId, error: io::Error) {
        self.in_turn();
        if let Some(slot) = self.slots.get_mut(id.0)
            && matches!(slot.input, Input::Open)
        {
            slot.more = 0;
            slot.input = Input::Failed(Box::new(error.into()));
            self.after_fact(wire, id);
        }
    }
}
