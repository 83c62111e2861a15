//! A server on torsade that answers the same whatever comes.

use std::io;
use std::net::SocketAddr;

use torsade::{Protocol, Transport, factory};

use crate::load::CONSTANT;

struct Constant;

impl Protocol for Constant {
    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        transport.write(CONSTANT);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let listener = reactor
        .net()
        .listen(addr, factory(|_| Constant))
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
