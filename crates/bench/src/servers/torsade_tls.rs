//! torsade's echo, with TLS.

use std::io;
use std::net::SocketAddr;

use torsade::tls::TlsServer;
use torsade::tls::throw_away::Authority;
use torsade::{Protocol, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let identity = Authority::new("Bench").issue(["localhost"]).identity();
    let server = TlsServer::builder().identity(identity).build();
    let place = server.map_err(io::Error::other)?.endpoint(addr);
    let mut reactor = super::driver::reactor()?;
    let listener = reactor
        .net()
        .listen(place.map_err(io::Error::other)?, factory(|_| Echo))
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
