use std::any::{Any, type_name};
use std::rc::Rc;

use crate::layer::Place;
use crate::link::Link;
use crate::{Disconnect, Protocol, Transport};

/// A protocol of any type, with the transport that its callbacks are given. The engine's slot
/// owns it, so handles make no cycle with it and a callback needs no borrow check.
pub(crate) trait Stack {
    fn made(&mut self);
    fn data(&mut self, data: &[u8]);
    fn eof(&mut self);
    fn pause(&mut self);
    fn resume(&mut self);
    fn stopping(&mut self);
    fn lost(&mut self, reason: &Disconnect);

    /// The outermost protocol.
    fn outermost(&mut self) -> &mut dyn Any;

    /// The same, to look at.
    fn protocol(&self) -> &dyn Any;

    /// Of which type it is, for people.
    fn name(&self) -> &'static str;
}

struct Typed<P> {
    protocol: P,
    transport: Transport<P>,
}

/// `protocol` as a stack in this place of a connection.
pub(crate) fn stack<P: Protocol>(protocol: P, link: &Rc<Link>, place: Place) -> Box<dyn Stack> {
    Box::new(Typed {
        protocol,
        transport: Transport::new(Rc::clone(link), place),
    })
}

/// A protocol of any type that has no connection yet.
pub(crate) trait Unplaced {
    fn place(self: Box<Self>, link: &Rc<Link>, place: Place) -> Box<dyn Stack>;

    fn protocol(&self) -> &dyn Any;

    fn protocol_mut(&mut self) -> &mut dyn Any;
}

impl<P: Protocol> Unplaced for P {
    fn place(self: Box<Self>, link: &Rc<Link>, place: Place) -> Box<dyn Stack> {
        stack(*self, link, place)
    }

    fn protocol(&self) -> &dyn Any {
        self
    }

    fn protocol_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl<P: Protocol> Stack for Typed<P> {
    fn made(&mut self) {
        self.protocol.connection_made(&self.transport);
    }

    fn data(&mut self, data: &[u8]) {
        self.protocol.data_received(&self.transport, data);
    }

    fn eof(&mut self) {
        self.protocol.eof_received(&self.transport);
    }

    fn pause(&mut self) {
        self.protocol.pause_writing(&self.transport);
    }

    fn resume(&mut self) {
        self.protocol.resume_writing(&self.transport);
    }

    fn stopping(&mut self) {
        self.protocol.stopping(&self.transport);
    }

    fn lost(&mut self, reason: &Disconnect) {
        self.protocol.connection_lost(&self.transport, reason);
    }

    fn outermost(&mut self) -> &mut dyn Any {
        &mut self.protocol
    }

    fn protocol(&self) -> &dyn Any {
        &self.protocol
    }

    fn name(&self) -> &'static str {
        type_name::<P>()
    }
}
