//! torsade's echo, as on its front page.

use std::io;
use std::net::SocketAddr;

use torsade::{Protocol, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let listener = reactor
        .net()
        .listen(addr, factory(|_| Echo))
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
