use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use torsade_core::{Disconnect, Limit};
use torsade_wire::{Decoded, Decoder, Encoder, TooLong};

use super::pipe::More;
use super::{StreamReader, StreamWriter};

/// The messages of a reader, by any framing of `torsade_wire`, one after the other: a [`Stream`].
///
/// What a message is taken as, a closure says, because a message of a framing lies in the reader's
/// buffer and is gone when the next one is asked for.
///
/// An item is a message or what went wrong. After a message that is too long, the stream goes on if
/// the framing can skip it; after any other error it ends. The peer's end inside a message is
/// [`Disconnect::Protocol`]. Cancel safe: a message is taken whole or not at all.
///
/// ```
/// use futures_util::{SinkExt, StreamExt};
/// use torsade_core::Disconnect;
/// use torsade_futures::{FrameWriter, Frames, start_server};
/// use torsade_wire::Netstring;
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// start_server(reactor.net(), "127.0.0.1:8007", async |reader, writer| {
///     let mut words = Frames::new(reader, Netstring::default(), <[u8]>::to_vec);
///     let mut answers = FrameWriter::<Netstring>::new(writer);
///     while let Some(word) = words.next().await {
///         let answer = word?.to_ascii_uppercase();
///         let sent = answers.send(answer).await;
///         sent.map_err(|error| Disconnect::application(error.to_string()))?;
///     }
///     Ok::<(), Disconnect>(())
/// })?;
/// let mut ann = reactor.dial("127.0.0.1:8007");
/// ann.feed("3:one,5:th");
/// ann.feed("ree,");
/// assert_eq!(ann.take_sent(), b"3:ONE,5:THREE,");
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
#[doc(alias = "FramedRead")]
pub struct Frames<D, F> {
    reader: StreamReader,
    framing: D,
    take: F,
    max_length: usize,
    phase: Phase,
}

/// ```text
///            too long, of a known length
///   Reading ----------------------------> Skipping(n)
///     |  ^-------- all skipped --------------|
///     | the end, an error                    |
///     v                                      v
///   Ended <----------------------------------+
/// ```
#[derive(Clone, Copy)]
enum Phase {
    Reading,
    /// So many bytes of a message that was too long, here or still to come.
    Skipping(u64),
    Ended,
}

impl<D: Decoder, T, F: FnMut(D::Message<'_>) -> T> Frames<D, F> {
    /// Messages of at most [`Decoder::MAX_LENGTH`] bytes, each given to `take`.
    pub fn new(reader: StreamReader, framing: D, take: F) -> Self {
        Self {
            reader,
            framing,
            take,
            max_length: 0,
            phase: Phase::Reading,
        }
        .max_length(D::MAX_LENGTH)
    }

    /// Allow messages of at most so many bytes, what is around them not counted. So much, and what
    /// is around it, is read ahead at most, if that is more than the reader's limit.
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        let room = self.framing.room(bytes).saturating_add(1);
        let limit = self.reader.limit().max(room);
        self.reader.set_limit(limit);
        self
    }

    /// The reader, with everything that is in no message that was taken.
    pub fn into_reader(self) -> StreamReader {
        self.reader
    }

    /// What can be said of what is in the reader's hands; `None` if that needs more.
    fn step(&mut self) -> Option<Result<T, Disconnect>> {
        loop {
            let ready = self.reader.ready();
            if ready.is_empty() {
                return None;
            }
            if let Phase::Skipping(left) = self.phase {
                let len = usize::try_from(left).map_or(ready.len(), |left| left.min(ready.len()));
                self.phase = match left - len as u64 {
                    0 => Phase::Reading,
                    left => Phase::Skipping(left),
                };
                self.reader.consumed(len);
                continue;
            }
            let is_full = ready.len() >= self.reader.limit();
            let decoded = self.framing.decode(ready, self.max_length);
            match taken(decoded, &mut self.take) {
                Decoded::Message { message, used } => {
                    self.reader.consumed(used);
                    return Some(Ok(message));
                }
                Decoded::Nothing(used) => self.reader.consumed(used),
                // More will not be read than the decoder said that it needs at most.
                Decoded::More if !is_full => return None,
                Decoded::More => return self.fail(Disconnect::LimitPassed(Limit::Unread)),
                Decoded::TooLong { skip, .. } => {
                    self.phase = skip.map_or(Phase::Ended, |bytes| Phase::Skipping(bytes.max(1)));
                    return Some(Err(Disconnect::LimitPassed(Limit::Message)));
                }
                Decoded::Fail(reason) => return self.fail(reason),
            }
        }
    }

    fn fail(&mut self, reason: Disconnect) -> Option<Result<T, Disconnect>> {
        self.phase = Phase::Ended;
        Some(Err(reason))
    }
}

/// The same with a message that borrows nothing.
fn taken<M, T>(decoded: Decoded<M>, take: impl FnOnce(M) -> T) -> Decoded<T> {
    match decoded {
        Decoded::Message { message, used } => Decoded::Message {
            message: take(message),
            used,
        },
        Decoded::Nothing(used) => Decoded::Nothing(used),
        Decoded::More => Decoded::More,
        Decoded::TooLong { length, skip } => Decoded::TooLong { length, skip },
        Decoded::Fail(reason) => Decoded::Fail(reason),
    }
}

impl<D, T, F> Stream for Frames<D, F>
where
    D: Decoder + Unpin,
    F: FnMut(D::Message<'_>) -> T + Unpin,
{
    type Item = Result<T, Disconnect>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let me = self.get_mut();
        loop {
            if let Phase::Ended = me.phase {
                return Poll::Ready(None);
            }
            if let Some(item) = me.step() {
                return Poll::Ready(Some(item));
            }
            match ready!(me.reader.poll_more(context)) {
                Ok(More::Bytes) => {}
                Ok(More::End) if me.reader.ready().is_empty() => me.phase = Phase::Ended,
                Ok(More::End) => {
                    let cut = Disconnect::protocol("the end came inside a message");
                    return Poll::Ready(me.fail(cut));
                }
                Err(reason) => return Poll::Ready(me.fail(reason)),
            }
        }
    }
}

impl<D, F> fmt::Debug for Frames<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frames").field(&self.reader).finish()
    }
}

/// Messages out, by any framing of `torsade_wire`: a [`Sink`].
///
/// It is ready while the writer's output is welcome; what was sent leaves by itself. Closing it
/// ends our side, as [`StreamWriter::write_eof`] does. See [`Frames`] for an example.
#[doc(alias = "FramedWrite")]
pub struct FrameWriter<D> {
    writer: StreamWriter,
    framing: std::marker::PhantomData<fn(D)>,
}

impl<D> FrameWriter<D> {
    /// Write by the framing `D`.
    pub fn new(writer: StreamWriter) -> Self {
        Self {
            writer,
            framing: std::marker::PhantomData,
        }
    }

    /// The writer. Bytes written to it go between two messages.
    pub fn get_ref(&self) -> &StreamWriter {
        &self.writer
    }

    /// The writer, and no framing any more.
    pub fn into_writer(self) -> StreamWriter {
        self.writer
    }
}

impl<D: Encoder<M>, M> Sink<M> for FrameWriter<D> {
    type Error = SendError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        self.writer.poll_drained(context).map_err(SendError::Lost)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), SendError> {
        D::encode(message, |pieces| self.writer.write_parts(pieces))?;
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(
            self.writer
                .failure()
                .map_or(Ok(()), |reason| Err(SendError::Lost(reason))),
        )
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.writer.write_eof();
        Sink::<M>::poll_flush(self, context)
    }
}

impl<D> fmt::Debug for FrameWriter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FrameWriter").field(&self.writer).finish()
    }
}

/// Why a [`FrameWriter`] did not send a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The framing cannot express it. Nothing of it was sent, and the connection lives.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// The connection was lost, or is being closed.
    #[error("the connection was lost: {0}")]
    Lost(Disconnect),
}
