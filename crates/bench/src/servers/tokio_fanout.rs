//! A room on tokio: its broadcast channel, and a task a member that waits for
//! the socket and for the channel at once.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(addr).await?;
        super::announce(listener.local_addr()?);
        let (room, _) = broadcast::channel(1024);
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(member(socket, room.clone(), room.subscribe()));
        }
    })
}

async fn member(
    mut socket: TcpStream,
    room: Sender<Bytes>,
    mut heard: Receiver<Bytes>,
) -> io::Result<()> {
    let (reader, mut writer) = socket.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        tokio::select! {
            read = reader.read_until(b'\n', &mut line) => {
                if read? == 0 {
                    return Ok(());
                }
                // It fails only if nobody is there, and we are.
                let _ = room.send(Bytes::copy_from_slice(&line));
                line.clear();
            }
            said = heard.recv() => match said {
                Ok(said) => writer.write_all(&said).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}
