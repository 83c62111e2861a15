use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;

use super::port::Port;
use super::{DatagramAddress, DatagramError, DatagramProtocol, DatagramTransport, address};
use crate::Address;

/// A datagram protocol whose type is forgotten.
pub(crate) trait Talk {
    fn started(&mut self, port: &Rc<Port>);
    fn datagram(&mut self, port: &Rc<Port>, data: &[u8], from: &Address);
    fn error(&mut self, port: &Rc<Port>, error: &DatagramError);
    fn stopping(&mut self, port: &Rc<Port>);
    fn stopped(&mut self, port: &Rc<Port>);

    /// The protocol itself.
    fn protocol(&mut self) -> &mut dyn Any;
}

/// A protocol, and of what kind its addresses are.
pub(super) struct Talking<P, A> {
    protocol: P,
    addresses: PhantomData<fn(A)>,
}

impl<P, A> Talking<P, A> {
    pub(super) fn new(protocol: P) -> Self {
        Self {
            protocol,
            addresses: PhantomData,
        }
    }
}

fn transport<P, A>(port: &Rc<Port>) -> DatagramTransport<P, A> {
    DatagramTransport::new(Rc::clone(port))
}

impl<P: DatagramProtocol<A>, A: DatagramAddress> Talk for Talking<P, A> {
    fn started(&mut self, port: &Rc<Port>) {
        self.protocol.started(&transport(port));
    }

    fn datagram(&mut self, port: &Rc<Port>, data: &[u8], from: &Address) {
        let from = address::typed(from);
        self.protocol
            .datagram_received(&transport(port), data, from);
    }

    fn error(&mut self, port: &Rc<Port>, error: &DatagramError) {
        self.protocol.error_received(&transport(port), error);
    }

    fn stopping(&mut self, port: &Rc<Port>) {
        self.protocol.stopping(&transport(port));
    }

    fn stopped(&mut self, port: &Rc<Port>) {
        self.protocol.stopped(&transport(port));
    }

    fn protocol(&mut self) -> &mut dyn Any {
        &mut self.protocol
    }
}
