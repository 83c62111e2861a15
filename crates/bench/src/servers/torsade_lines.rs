//! A server that answers each line with that line, by torsade's framing.

use std::io;
use std::net::SocketAddr;

use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{Transport, factory};

struct Answer;

impl LineProtocol for Answer {
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        transport.send_line(line);
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = super::driver::reactor()?;
    let listener = reactor
        .net()
        .listen(addr, factory(|_| Lines::new(Answer)))
        .map_err(io::Error::other)?;
    super::announce(listener.address());
    reactor.run()
}
