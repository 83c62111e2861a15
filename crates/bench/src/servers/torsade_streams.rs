//! torsade's echo as a coroutine: a reader and a writer, without a callback.

use std::io;
use std::net::SocketAddr;

use torsade::futures::{StreamReader, StreamWriter, start_server};
use torsade::{Disconnect, Reactor};

use super::announce;

async fn echo(mut reader: StreamReader, writer: StreamWriter) -> Result<(), Disconnect> {
    let mut buffer = [0; 8 * 1024];
    loop {
        match reader.read_into(&mut buffer).await? {
            0 => return Ok(()),
            len => writer.write(&buffer[..len]),
        }
        writer.drain().await?;
    }
}

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    let listener = start_server(reactor.net(), addr, echo).map_err(io::Error::other)?;
    announce(listener.address());
    reactor.run()
}
