//! An echo of datagrams as in the documentation of tokio's `UdpSocket`, on one thread.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let socket = UdpSocket::bind(addr).await?;
        super::announce(socket.local_addr()?);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], from).await?;
        }
    })
}
