//! torsade's echo of datagrams.

use std::io;
use std::net::SocketAddr;

use torsade::{DatagramProtocol, DatagramTransport};

struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        from: &SocketAddr,
    ) {
        transport.send_to(data, from);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let port = reactor.net().bind(addr, Echo).map_err(io::Error::other)?;
    super::announce(port.local());
    reactor.run()
}
