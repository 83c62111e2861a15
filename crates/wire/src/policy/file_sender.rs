use std::fmt;
use std::io::{self, Read};

use torsade_deferred::{Deferred, Resolver};

use super::consumer::{AlreadyRegistered, Consumer};
use super::producer::PullProducer;

/// Sends all that a reader gives, in pieces of 16 KiB, each when the last one has left: Twisted's
/// `FileSender`.
///
/// However large the file and slow the peer, one piece is in memory.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Consumer, Consuming, FileSender};
///
/// struct Gopher(Consumer);
/// impl Protocol for Gopher {
///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
///         let file: &[u8] = &[b'x'; 100_000]; // or a `File::open(..)`
///         let sent = FileSender::begin_file_transfer(file, &self.0).unwrap();
///         transport.then(sent, |_, transport, sent| {
///             transport.write(format!("\n{} bytes\n", sent.unwrap().bytes));
///             transport.close();
///         });
///     }
/// }
///
/// let mut t = StringTransport::serve(Consuming::new(Gopher));
/// t.feed(b"the file, please");
/// assert!(t.take_sent().ends_with(b"xxx\n100000 bytes\n"));
/// ```
///
/// The reader is read within callbacks: one that blocks for long, a pipe for instance, blocks all
/// connections of the thread.
#[doc(alias = "CHUNK_SIZE")]
#[doc(alias = "sendfile")]
pub struct FileSender<R> {
    reader: R,
    piece: Vec<u8>,
    sent: Transferred,
    /// Until it is through.
    done: Option<Resolver<Transferred, TransferError>>,
}

/// What a [`FileSender`] has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "lastSent")]
pub struct Transferred {
    /// How many bytes.
    pub bytes: u64,
    /// The last of them, which is all that Twisted tells; a line ending of it may be missing.
    pub last: Option<u8>,
}

/// Why a [`FileSender`] did not send all.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The connection ended before.
    #[error("the transfer was stopped after {} bytes: the connection ended", .0.bytes)]
    Stopped(Transferred),
    /// The reader failed. What was read before is sent; the connection is not closed.
    #[error("the transfer was stopped after {} bytes: reading failed", .sent.bytes)]
    Read {
        /// What was sent before.
        sent: Transferred,
        /// What the reader said.
        source: io::Error,
    },
}

impl<R: Read + 'static> FileSender<R> {
    /// How many bytes are read and sent at once.
    const PIECE: usize = 16 * 1024;

    /// Send what `reader` gives. Resolves when the last byte has been handed to the kernel, and
    /// the consumer is free for another producer.
    ///
    /// Cancelling it ends the transfer after the piece that is on its way. It is
    /// [unregistered](Consumer::unregister_producer) by itself; who does so before gets
    /// `Failure::Abandoned`.
    ///
    /// # Errors
    /// There is a producer already; nothing is read.
    #[doc(alias = "beginFileTransfer")]
    pub fn begin_file_transfer(
        reader: R,
        consumer: &Consumer,
    ) -> Result<Deferred<Transferred, TransferError>, AlreadyRegistered> {
        if consumer.has_producer() {
            return Err(AlreadyRegistered);
        }
        let (done, deferred) = Deferred::new();
        consumer.register_pull_producer(Self {
            reader,
            piece: Vec::new(),
            sent: Transferred::default(),
            done: Some(done),
        })?;
        Ok(deferred)
    }

    fn read(&mut self) -> io::Result<usize> {
        self.piece.resize(Self::PIECE, 0);
        loop {
            match self.reader.read(&mut self.piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl<R: Read + 'static> PullProducer for FileSender<R> {
    fn resume_producing(&mut self, consumer: &Consumer) {
        let is_cancelled = self.done.as_ref().is_none_or(Resolver::is_cancelled);
        let read = if is_cancelled { Ok(0) } else { self.read() };
        match read {
            Ok(0) => {
                consumer.unregister_producer();
                if let Some(done) = self.done.take() {
                    done.resolve(self.sent);
                }
            }
            Ok(len) => {
                let piece = &self.piece[..len];
                self.sent.bytes += len as u64;
                self.sent.last = piece.last().copied();
                consumer.write(piece);
            }
            Err(source) => {
                consumer.unregister_producer();
                if let Some(done) = self.done.take() {
                    let sent = self.sent;
                    done.reject(TransferError::Read { sent, source });
                }
            }
        }
    }

    fn stop_producing(&mut self) {
        if let Some(done) = self.done.take() {
            done.reject(TransferError::Stopped(self.sent));
        }
    }
}

impl<R> fmt::Debug for FileSender<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSender")
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
