//! torsade's echo on reactors that share a port, one or two of them.

use std::io;
use std::net::SocketAddr;

use torsade::{Protocol, Reactors, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

pub(super) fn one(addr: SocketAddr) -> io::Result<()> {
    serve(addr, 1)
}

pub(super) fn two(addr: SocketAddr) -> io::Result<()> {
    serve(addr, 2)
}

fn serve(addr: SocketAddr, threads: usize) -> io::Result<()> {
    let reactors = Reactors::new(threads)
        .start(move |net| Ok(net.listen(addr, factory(|_| Echo))?.address()))
        .map_err(io::Error::other)?;
    super::announce(&reactors.results()[0]);
    reactors.join().map_err(io::Error::other)
}
