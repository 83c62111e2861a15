//! The byte streams of other runtimes: hyper's traits and tokio's, which have the same methods, but
//! for the buffer that a read fills. Nothing else of either is used.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Duplex, StreamReader, StreamWriter};

/// What a read may fill.
pub(super) trait Buffer {
    /// How many bytes it may put there.
    fn room(&self) -> usize;

    /// Put these there, which are not more.
    fn put(self, bytes: &[u8]);
}

#[cfg(feature = "hyper")]
impl Buffer for hyper::rt::ReadBufCursor<'_> {
    fn room(&self) -> usize {
        self.remaining()
    }

    fn put(mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

#[cfg(feature = "tokio")]
impl Buffer for &mut tokio::io::ReadBuf<'_> {
    fn room(&self) -> usize {
        self.remaining()
    }

    fn put(self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

/// The two traits of a runtime for reader, writer and both.
macro_rules! streams_of {
    ($Read:path, $Write:path, $Buffer:ty) => {
        impl $Read for StreamReader {
            fn poll_read(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: $Buffer,
            ) -> Poll<io::Result<()>> {
                self.poll_fill(context, buffer)
            }
        }

        impl $Read for Duplex {
            fn poll_read(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: $Buffer,
            ) -> Poll<io::Result<()>> {
                self.reader.poll_fill(context, buffer)
            }
        }

        streams_of!($Write, StreamWriter);
        streams_of!($Write, Duplex);
    };
    // Writing is the same as that of `futures_io`, but for a name.
    ($Write:path, $Type:ty) => {
        impl $Write for $Type {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write(self, context, buffer)
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(self, context)
            }

            fn poll_shutdown(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_close(self, context)
            }
        }
    };
}

#[cfg(feature = "hyper")]
streams_of!(
    hyper::rt::Read,
    hyper::rt::Write,
    hyper::rt::ReadBufCursor<'_>
);

#[cfg(feature = "tokio")]
streams_of!(
    tokio::io::AsyncRead,
    tokio::io::AsyncWrite,
    &mut tokio::io::ReadBuf<'_>
);
