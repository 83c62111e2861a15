use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;
use torsade_core::{Connection, Disconnect, Peer};

use super::error::lost;
use super::pipe::Pipe;
use crate::sync::Wait;

/// Bytes out, of a connection that is used by coroutines. Dropping it closes the connection, as
/// [`close`](Self::close) does.
///
/// `write` never waits; [`drain`](Self::drain) does, if the peer is behind: say it after each
/// larger piece, or memory fills up to `Limits::write_cap`, where the connection ends. What is
/// written leaves by itself; there is nothing to flush.
///
/// It is also `futures_io`'s [`AsyncWrite`].
///
/// ```
/// use torsade_core::Disconnect;
/// use torsade_futures::start_server;
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// start_server(reactor.net(), "127.0.0.1:8007", async |_reader, writer| {
///     for number in 0..3 {
///         writer.write(format!("{number} "));
///         writer.drain().await?;
///     }
///     Ok::<(), Disconnect>(())
/// })?;
/// assert_eq!(reactor.dial("127.0.0.1:8007").take_sent(), b"0 1 2 ");
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
pub struct StreamWriter {
    pipe: Rc<Pipe>,
    connection: Connection,
    /// Somebody waits for room by polling.
    waiting: Option<Drained>,
}

impl StreamWriter {
    pub(super) fn new(pipe: Rc<Pipe>, connection: Connection) -> Self {
        Self {
            pipe,
            connection,
            waiting: None,
        }
    }

    pub(super) fn pipe(&self) -> &Rc<Pipe> {
        &self.pipe
    }

    /// Send these bytes, after everything written before. After a close or the loss they are
    /// dropped; `drain` says so.
    pub fn write(&self, data: impl AsRef<[u8]>) {
        self.connection.write(data);
    }

    /// Send these pieces one after the other, as if they were one.
    #[doc(alias = "writelines")]
    pub fn write_parts(&self, parts: &[impl AsRef<[u8]>]) {
        self.connection.write_parts(parts);
    }

    /// Wait until more output is welcome: until what waits has fallen to the low mark, if it had
    /// passed the high one. Several may wait.
    ///
    /// Cancel safe: nothing is lost but the wait.
    ///
    /// # Errors
    /// The reason, if the connection was lost, however that came. [`Disconnect::Closed`] if it is
    /// being closed here.
    pub async fn drain(&self) -> Result<(), Disconnect> {
        if self.connection.wants_output() {
            return Ok(());
        }
        drained(&self.pipe, &self.connection).await
    }

    /// Wait until everything written so far was handed to the system. `drain` is what programs
    /// need; this is for those who must know.
    ///
    /// Cancel safe: nothing is lost but the wait.
    ///
    /// # Errors
    /// The reason, if the connection was lost before.
    pub async fn flushed(&self) -> Result<(), Disconnect> {
        let flushed = self.connection.flushed().await;
        flushed.map_err(|failure| failure.error().unwrap_or(Disconnect::ReactorGone))
    }

    /// End our side after what was written; the reader goes on until the peer ends.
    pub fn write_eof(&self) {
        self.connection.close_write();
    }

    /// Close the connection after what was written. The reader gets no more from now on.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Whether it was closed, or lost.
    pub fn is_closing(&self) -> bool {
        !self.connection.is_open()
    }

    /// Wait until the connection is over: closed here, and what was written has left, or lost.
    ///
    /// The peer's end alone is not the end of the connection: the reader tells of that. A loss is
    /// noticed when everything before it was read, so either read on, or drop the reader.
    ///
    /// Cancel safe: nothing is lost but the wait.
    ///
    /// # Errors
    /// The reason, if that was not in good order.
    pub async fn wait_closed(&self) -> Result<(), Disconnect> {
        let reason = self.connection.closed().await;
        match reason.unwrap_or(Disconnect::ReactorGone) {
            reason if reason.is_clean() => Ok(()),
            reason => Err(reason),
        }
    }

    /// The addresses of both ends.
    #[doc(alias = "get_extra_info")]
    pub fn peer(&self) -> &Peer {
        self.connection.peer()
    }

    /// The connection itself: counters, `abort`, limits, filters. Holding it keeps nothing open.
    #[doc(alias = "get_extra_info")]
    #[doc(alias = "transport")]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Why nothing more arrives, if the connection was lost otherwise than in good order.
    pub(super) fn failure(&self) -> Option<Disconnect> {
        self.pipe.lost().filter(|reason| !reason.is_clean())
    }

    pub(super) fn poll_drained(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Disconnect>> {
        if self.waiting.is_none() && self.connection.wants_output() {
            return Poll::Ready(Ok(()));
        }
        let waiting = self.waiting.get_or_insert_with(|| {
            let (pipe, connection) = (Rc::clone(&self.pipe), self.connection.clone());
            Box::pin(async move { drained(&pipe, &connection).await })
        });
        let result = waiting.as_mut().poll(context);
        if result.is_ready() {
            self.waiting = None;
        }
        result
    }
}

/// A wait for room, on its own.
type Drained = Pin<Box<dyn Future<Output = Result<(), Disconnect>>>>;

async fn drained(pipe: &Pipe, connection: &Connection) -> Result<(), Disconnect> {
    loop {
        if let Some(reason) = pipe.lost() {
            return Err(reason);
        }
        if !connection.is_open() {
            return Err(Disconnect::Closed);
        }
        if connection.wants_output() {
            return Ok(());
        }
        let mut wait = Wait::new(&pipe.drains, || ());
        poll_fn(|context| wait.poll(context)).await;
    }
}

/// `poll_flush` has nothing to do, because what was written leaves by itself; `poll_close` ends our
/// side, as [`write_eof`](StreamWriter::write_eof) does.
impl AsyncWrite for StreamWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.poll_drained(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(reason)) => Poll::Ready(Err(lost(reason))),
            Poll::Ready(Ok(())) => {
                self.connection.write(buffer);
                Poll::Ready(Ok(buffer.len()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.failure().map_or(Ok(()), |reason| Err(lost(reason))))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.close_write();
        AsyncWrite::poll_flush(self, context)
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.pipe.writer_gone();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamWriter")
            .field(&self.connection)
            .finish()
    }
}
