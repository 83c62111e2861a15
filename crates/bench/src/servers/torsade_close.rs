//! A server on torsade that sends back what comes first and ends the
//! connection.

use std::io;
use std::net::SocketAddr;

use torsade::{Protocol, Transport, factory};

struct Once;

impl Protocol for Once {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
        transport.close();
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let listener = reactor
        .net()
        .listen(addr, factory(|_| Once))
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
