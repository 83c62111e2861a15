use std::any::Any;
use std::net::SocketAddr;
use std::rc::Rc;

use super::port::Port;
use super::{DatagramError, DatagramProtocol, DatagramTransport};

/// A datagram protocol whose type is forgotten.
pub(crate) trait Talk {
    fn started(&mut self, port: &Rc<Port>);
    fn datagram(&mut self, port: &Rc<Port>, data: &[u8], from: &SocketAddr);
    fn error(&mut self, port: &Rc<Port>, error: &DatagramError);
    fn stopping(&mut self, port: &Rc<Port>);
    fn stopped(&mut self, port: &Rc<Port>);

    /// The protocol itself.
    fn protocol(&mut self) -> &mut dyn Any;
}

pub(super) struct Talking<P>(pub(super) P);

fn transport<P>(port: &Rc<Port>) -> DatagramTransport<P> {
    DatagramTransport::new(Rc::clone(port))
}

impl<P: DatagramProtocol> Talk for Talking<P> {
    fn started(&mut self, port: &Rc<Port>) {
        self.0.started(&transport(port));
    }

    fn datagram(&mut self, port: &Rc<Port>, data: &[u8], from: &SocketAddr) {
        self.0.datagram_received(&transport(port), data, from);
    }

    fn error(&mut self, port: &Rc<Port>, error: &DatagramError) {
        self.0.error_received(&transport(port), error);
    }

    fn stopping(&mut self, port: &Rc<Port>) {
        self.0.stopping(&transport(port));
    }

    fn stopped(&mut self, port: &Rc<Port>) {
        self.0.stopped(&transport(port));
    }

    fn protocol(&mut self) -> &mut dyn Any {
        &mut self.0
    }
}
