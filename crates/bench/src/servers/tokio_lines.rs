//! A server that answers each line with that line, by tokio-util's codec.

use std::io;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(addr).await?;
        super::announce(listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(answer(socket));
        }
    })
}

async fn answer(socket: TcpStream) -> Result<(), LinesCodecError> {
    let codec = LinesCodec::new_with_max_length(16 * 1024);
    let mut lines = Framed::new(socket, codec);
    while let Some(line) = lines.next().await {
        lines.send(line?).await?;
    }
    Ok(())
}
