use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::{StreamReader, StreamWriter};

/// Both directions of a connection as one value, for those who want that: hyper, TLS, proxies.
///
/// It is `futures_io`'s `AsyncRead` and `AsyncWrite`, with the feature `hyper` also hyper's `Read`
/// and `Write`, with the feature `tokio` also tokio's `AsyncRead` and `AsyncWrite`; the reader and
/// the writer are, each for itself, too.
///
/// ```
/// use futures_util::{AsyncReadExt, AsyncWriteExt};
/// use torsade_futures::{Duplex, start_server};
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// start_server(reactor.net(), "127.0.0.1:8007", async |reader, writer| {
///     let mut both = Duplex::new(reader, writer);
///     let mut name = [0; 3];
///     both.read_exact(&mut name).await?;
///     both.write_all(&name).await
/// })?;
/// let mut ann = reactor.dial("127.0.0.1:8007");
/// ann.feed("ann");
/// assert_eq!(ann.take_sent(), b"ann");
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
#[derive(Debug)]
pub struct Duplex {
    pub(super) reader: StreamReader,
    pub(super) writer: StreamWriter,
}

impl Duplex {
    /// The two of a connection, or of two.
    pub fn new(reader: StreamReader, writer: StreamWriter) -> Self {
        Self { reader, writer }
    }

    /// The two again.
    pub fn into_parts(self) -> (StreamReader, StreamWriter) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(context)
    }
}
