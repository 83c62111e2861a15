//! Servers on compio: a task a connection, buffers that the ring owns while it works on them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use compio::buf::{BufResult, bytes::Bytes};
use compio::driver::DriverType;
use compio::io::framed::{Framed, codec::bytes::BytesCodec, frame::LineDelimited};
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::Runtime;
use futures_util::{SinkExt, StreamExt};

use crate::load::CONSTANT;

/// Sends back what comes.
pub(super) fn echo(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |mut socket| async move {
        let mut buffer = Vec::with_capacity(16 * 1024);
        loop {
            let BufResult(read, mut chunk) = socket.read(buffer).await;
            if read? == 0 {
                return Ok(());
            }
            let written;
            BufResult(written, chunk) = socket.write_all(chunk).await;
            written?;
            chunk.clear();
            buffer = chunk;
        }
    })
}

/// Answers the same whatever comes.
pub(super) fn constant(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |mut socket| async move {
        let mut buffer = Vec::with_capacity(16 * 1024);
        loop {
            let BufResult(read, chunk) = socket.read(buffer).await;
            if read? == 0 {
                return Ok(());
            }
            socket.write_all(CONSTANT.as_slice()).await.0?;
            buffer = chunk;
            buffer.clear();
        }
    })
}

/// Sends back what comes first and ends the connection.
pub(super) fn close(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |mut socket| async move {
        let BufResult(read, chunk) = socket.read(Vec::with_capacity(16 * 1024)).await;
        read?;
        socket.write_all(chunk).await.0
    })
}

/// Answers each line with that line, by compio's own framing.
pub(super) fn lines(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |socket| async move {
        let framed = Framed::symmetric::<Bytes>(BytesCodec::new(), LineDelimited::new());
        let mut lines = framed.with_duplex(socket);
        while let Some(line) = lines.next().await {
            lines.send(line?).await?;
        }
        Ok(())
    })
}

/// Accepts, and has each connection served by a task. Where there is no ring, compio would fall
/// back to `polling`, and that is not what its column says.
fn serve<F>(addr: SocketAddr, answer: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let runtime = Runtime::new()?;
    if runtime.driver_type() != DriverType::IoUring {
        let problem = "compio would not run on io_uring here";
        return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
    }
    runtime.block_on(async {
        let listener = TcpListener::bind(addr).await?;
        super::announce(listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            compio::runtime::spawn(answer(socket)).detach();
        }
    })
}
