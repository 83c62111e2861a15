use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead};
use memchr::memmem;
use torsade_core::{Disconnect, Protocol};

use super::error::lost;
use super::pipe::{More, Pipe};
use super::{ReadError, StreamWriter};

/// Bytes in, of a connection that is used by coroutines.
///
/// At most [`limit`](Self::limit) bytes are read ahead; what is more waits with the peer, so a
/// reader that is slow slows its peer down and nothing grows. The peer's end is behind what waits,
/// and so is noticed when that was read.
///
/// Dropping it says that nobody wants what comes: it is read and thrown away, as by a protocol that
/// does nothing with it. So a peer that talks to a writer alone is never stuck, and its end is
/// noticed at once. Who wants no more of the connection drops, or closes, the writer.
///
/// Every method here is **cancel safe**: it takes bytes out when it has all that was asked for, and
/// not before; given up in the middle, by a [`timeout`](crate::timeout) say, nothing is lost, and
/// the next call finds everything. There is one reader, and its methods take `&mut self`, so two
/// coroutines cannot read at once.
///
/// It is also `futures_io`'s [`AsyncRead`] and [`AsyncBufRead`].
///
/// ```
/// use torsade_core::Net;
/// use torsade_futures::{ReadError, start_server};
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// start_server(reactor.net(), "127.0.0.1:8007", async |mut reader, writer| {
///     let name = reader.read_until(b"\r\n").await?;
///     writer.write_parts(&[b"hello, ", &*name]);
///     Ok::<(), ReadError>(())
/// })?;
/// let mut ann = reactor.dial("127.0.0.1:8007");
/// ann.feed("ann\r\n");
/// assert_eq!(ann.take_sent(), b"hello, ann\r\n");
/// assert!(ann.has_ended()); // the writer was dropped
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
pub struct StreamReader {
    pipe: Rc<Pipe>,
    /// What was taken over from the pipe; consumed up to `start`.
    held: Vec<u8>,
    start: usize,
}

impl StreamReader {
    pub(super) fn new(pipe: Rc<Pipe>) -> Self {
        Self {
            pipe,
            held: Vec::new(),
            start: 0,
        }
    }

    /// Some bytes, at least one and at most `max`, as soon as there are any. Empty at the peer's
    /// end, and from then on; empty at once if `max` is 0.
    ///
    /// Cancel safe: nothing is taken before this is ready.
    ///
    /// # Errors
    /// The reason, if the connection was lost otherwise than in good order and all that had come
    /// was read.
    pub async fn read(&mut self, max: usize) -> Result<Vec<u8>, Disconnect> {
        if max > 0 {
            self.some().await?;
        }
        let len = max.min(self.ready().len());
        Ok(self.take(len))
    }

    /// Like [`read`](Self::read), into a buffer of the caller's: no allocation. Returns how many
    /// bytes it wrote to the front of it.
    ///
    /// Cancel safe: nothing is taken before this is ready.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_into(&mut self, buffer: &mut [u8]) -> Result<usize, Disconnect> {
        if !buffer.is_empty() {
            self.some().await?;
        }
        Ok(self.copy_out(buffer))
    }

    /// Everything up to the peer's end, if that is at most `max` bytes.
    ///
    /// Cancel safe: nothing is taken before this is ready.
    ///
    /// # Errors
    /// [`ReadError::LimitOverrun`] if it is more, with everything left to be read; or the loss.
    #[doc(alias = "read(-1)")]
    pub async fn read_to_end(&mut self, max: usize) -> Result<Vec<u8>, ReadError> {
        loop {
            if self.ready().len() > max {
                return Err(ReadError::LimitOverrun { limit: max });
            }
            if self.more(max.saturating_add(1)).await? == More::End {
                let len = self.ready().len();
                return Ok(self.take(len));
            }
        }
    }

    /// Exactly `len` bytes. They may be more than the limit: that is not about what was asked for
    /// by number. Memory grows as they come, so a number that a peer sent costs nothing by itself;
    /// bound it all the same.
    ///
    /// Cancel safe: nothing is taken before this is ready.
    ///
    /// # Errors
    /// [`ReadError::Incomplete`] with what there was if the peer ends before; or the loss.
    #[doc(alias = "readexactly")]
    pub async fn read_exactly(&mut self, len: usize) -> Result<Vec<u8>, ReadError> {
        while self.ready().len() < len {
            if self.more(len).await? == More::End {
                return Err(self.incomplete());
            }
        }
        Ok(self.take(len))
    }

    /// Everything up to the first occurrence of `separator`, and that too.
    ///
    /// Cancel safe: nothing is taken before this is ready.
    ///
    /// # Errors
    /// [`ReadError::Incomplete`] with what there was if the peer ends before;
    /// [`ReadError::LimitOverrun`] if the limit is full of bytes without a separator, with
    /// everything left to be read; or the loss.
    ///
    /// # Panics
    /// If `separator` is empty.
    #[doc(alias = "readuntil")]
    pub async fn read_until(&mut self, separator: impl AsRef<[u8]>) -> Result<Vec<u8>, ReadError> {
        let separator = separator.as_ref();
        assert!(!separator.is_empty(), "a separator has at least one byte");
        // Where the search goes on: every byte is looked at once.
        let mut searched = 0;
        loop {
            let ready = self.ready();
            if let Some(found) = memmem::find(&ready[searched..], separator) {
                return Ok(self.take(searched + found + separator.len()));
            }
            searched = (ready.len() + 1).saturating_sub(separator.len());
            let limit = self.pipe.limit();
            if ready.len() >= limit {
                return Err(ReadError::LimitOverrun { limit });
            }
            if self.more(limit).await? == More::End {
                return Err(self.incomplete());
            }
        }
    }

    /// One line with its `\n`. The last one may lack it; after that, empty.
    ///
    /// Cancel safe: nothing is taken before this is ready.
    ///
    /// # Errors
    /// [`ReadError::LimitOverrun`] if the line is longer than the limit, with everything left to
    /// be read; or the loss.
    #[doc(alias = "readline")]
    pub async fn read_line(&mut self) -> Result<Vec<u8>, ReadError> {
        match self.read_until(b"\n").await {
            Err(ReadError::Incomplete { partial }) => Ok(partial),
            other => other,
        }
    }

    /// Go on with this connection in callbacks: `protocol` takes it over, both ends are used up.
    ///
    /// What was read ahead and not taken is the first that it is given, and if the peer has ended,
    /// it is told that, too. It is a [`switch`](torsade_core::Transport::switch), and so happens
    /// when this task waits next. Nothing happens if the connection is closed or lost by then; the
    /// protocol is dropped.
    ///
    /// # Panics
    /// If `writer` is another connection's.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_futures::{ReadError, start_server};
    ///
    /// struct Echo;
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// start_server(reactor.net(), "127.0.0.1:8007", async |mut reader, writer| {
    ///     writer.write("password: ");
    ///     if reader.read_line().await? == b"sesame\n" {
    ///         reader.switch(writer, Echo);
    ///     }
    ///     Ok::<(), ReadError>(())
    /// })?;
    /// let mut ann = reactor.dial("127.0.0.1:8007");
    /// ann.feed("sesame\nhel");
    /// ann.feed("lo");
    /// assert_eq!(ann.take_sent(), b"password: hello");
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    #[doc(alias = "set_protocol")]
    pub fn switch(self, writer: StreamWriter, protocol: impl Protocol) {
        assert!(
            Rc::ptr_eq(&self.pipe, writer.pipe()),
            "reader and writer are of two connections"
        );
        self.pipe.hand_over(self.ready(), protocol);
    }

    /// How many bytes are read ahead at most, and how long a line or what ends with a separator may
    /// be; 64 KiB unless it was set.
    pub fn limit(&self) -> usize {
        self.pipe.limit()
    }

    /// Read so many bytes ahead at most; at least one.
    pub fn set_limit(&mut self, bytes: usize) {
        self.pipe.set_limit(bytes);
    }

    /// How many bytes have come and were not read.
    pub fn buffered(&self) -> usize {
        self.pipe.buffered()
    }

    /// Whether the peer has ended and everything was read.
    #[doc(alias = "at_eof")]
    pub fn is_at_end(&self) -> bool {
        self.pipe.is_at_end()
    }

    pub(super) fn ready(&self) -> &[u8] {
        &self.held[self.start..]
    }

    /// Wait until anything is ready, or the end.
    async fn some(&mut self) -> Result<(), Disconnect> {
        if self.ready().is_empty() {
            poll_fn(|context| self.poll_more(context)).await?;
        }
        Ok(())
    }

    /// Wait for more than there is, reading ahead as far as `wanted` for the time being.
    async fn more(&mut self, wanted: usize) -> Result<More, Disconnect> {
        let limit = self.pipe.limit();
        if wanted <= limit {
            return poll_fn(|context| self.poll_more(context)).await;
        }
        self.pipe.set_limit(wanted);
        let _restore = Restore {
            pipe: Rc::clone(&self.pipe),
            limit,
        };
        poll_fn(|context| self.poll_more(context)).await
    }

    pub(super) fn poll_more(&mut self, context: &Context<'_>) -> Poll<Result<More, Disconnect>> {
        self.pipe
            .poll_more(&mut self.held, &mut self.start, context)
    }

    /// Put some bytes into `buffer`, as many as it has room for; none at the end.
    #[cfg(any(feature = "hyper", feature = "tokio"))]
    pub(super) fn poll_fill(
        &mut self,
        context: &Context<'_>,
        buffer: impl super::runtimes::Buffer,
    ) -> Poll<io::Result<()>> {
        let room = buffer.room();
        ready!(self.poll_some(context, room))?;
        let len = room.min(self.ready().len());
        buffer.put(&self.ready()[..len]);
        self.consumed(len);
        Poll::Ready(Ok(()))
    }

    /// Wait until anything is ready, or the end, for who has so much room.
    fn poll_some(&mut self, context: &Context<'_>, room: usize) -> Poll<io::Result<()>> {
        if room > 0 && self.ready().is_empty() {
            return self
                .poll_more(context)
                .map(|more| more.map(drop).map_err(lost));
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let taken = self.ready()[..len].to_vec();
        self.consumed(len);
        taken
    }

    fn copy_out(&mut self, buffer: &mut [u8]) -> usize {
        let ready = self.ready();
        let len = buffer.len().min(ready.len());
        buffer[..len].copy_from_slice(&ready[..len]);
        self.consumed(len);
        len
    }

    pub(super) fn consumed(&mut self, len: usize) {
        if len > 0 {
            self.pipe.consumed(len, &mut self.held, &mut self.start);
        }
    }

    fn incomplete(&mut self) -> ReadError {
        let len = self.ready().len();
        ReadError::Incomplete {
            partial: self.take(len),
        }
    }
}

/// Sets the limit back, also if the wait is given up.
struct Restore {
    pipe: Rc<Pipe>,
    limit: usize,
}

impl Drop for Restore {
    fn drop(&mut self) {
        self.pipe.set_limit(self.limit);
    }
}

impl AsyncRead for StreamReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_some(context, buffer.len()))?;
        Poll::Ready(Ok(self.copy_out(buffer)))
    }
}

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.get_mut();
        ready!(me.poll_some(context, usize::MAX))?;
        Poll::Ready(Ok(me.ready()))
    }

    fn consume(mut self: Pin<&mut Self>, len: usize) {
        self.consumed(len);
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.pipe.reader_gone();
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("buffered", &self.buffered())
            .field("at_end", &self.is_at_end())
            .finish()
    }
}
