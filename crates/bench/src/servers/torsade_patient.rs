//! torsade's echo below its policy of timeouts: who is silent for a minute has to go.

use std::io;
use std::net::SocketAddr;

use torsade::wire::Timeouts;
use torsade::{Protocol, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let patient = factory(|_| Timeouts::new(Echo).idle(super::PATIENCE));
    let listener = reactor
        .net()
        .listen(addr, patient)
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
