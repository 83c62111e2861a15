//! Bytes between pipes and memory, and what two pipes that are one connection share in every
//! driver.
//!
//! A send to a socket can say that a peer that is gone is an error and no signal. A write to a pipe
//! cannot: what keeps SIGPIPE from ending the process is that Rust's programs ignore it.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use socket2::Socket;
use torsade_core::driver::{Chunk, Close, Ways};

use crate::stdio::Outlet;
use crate::transfer;

/// What is known of a connection over pipes but the pipes themselves, which drivers hold.
///
/// ```text
///              a write failed                          they are read, or nothing is left
///   (whole) -----------------> last words may be read -----------------------------------> over
/// ```
#[derive(Debug)]
pub(crate) struct Pipes {
    ways: Ways,
    /// How many bytes had come when a write failed and may still be read.
    last_words: Option<usize>,
    /// Who moves what is written on to where it belongs.
    outlet: Option<Arc<Outlet>>,
}

impl Pipes {
    /// None of neither an input nor an output.
    pub(crate) fn of(
        has_input: bool,
        has_output: bool,
        outlet: Option<Arc<Outlet>>,
    ) -> Option<Self> {
        let ways = match (has_input, has_output) {
            (true, true) => Ways::Both,
            (true, false) => Ways::In,
            (false, true) => Ways::Out,
            (false, false) => return None,
        };
        Some(Self {
            ways,
            last_words: None,
            outlet,
        })
    }

    pub(crate) fn ways(&self) -> Ways {
        self.ways
    }

    /// Whether a write failed, so that input is over when what had come is read.
    pub(crate) fn is_broken(&self) -> bool {
        self.last_words.is_some()
    }

    /// A write to the output failed with this, or, as far as it was only passed on, with what is
    /// returned. What came by now may still be read, and nothing else: who reads no more may go on
    /// to write for ever.
    pub(crate) fn broke(&mut self, input: &Socket, error: io::Error) -> io::Error {
        if self.last_words.is_none() {
            self.last_words = Some(match self.ways {
                Ways::Both => waiting(input),
                Ways::In | Ways::Out => 0,
            });
        }
        let behind = self.outlet.as_ref().and_then(|outlet| outlet.error());
        behind.unwrap_or(error)
    }

    /// The connection is over; its descriptors are closed now.
    pub(crate) fn close(&self, how: Close) {
        if let Some(outlet) = &self.outlet {
            outlet.close(how == Close::Reset);
        }
    }

    /// Nothing more is to be read.
    pub(crate) fn give_up(&mut self) {
        self.last_words = Some(0);
    }

    /// Read once.
    pub(crate) fn receive(&mut self, input: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ways == Ways::Out {
            // It is told about for one reason only.
            return Err(ErrorKind::BrokenPipe.into());
        }
        let Some(left) = &mut self.last_words else {
            return read(input, buffer);
        };
        if *left == 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let most = buffer.len().min(*left);
        match read(input, &mut buffer[..most]) {
            Ok(n) => {
                *left -= n;
                Ok(n)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(_) => Err(ErrorKind::BrokenPipe.into()),
        }
    }
}

fn read(input: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(input, buffer) {
        Ok(n) => Ok(n),
        // A pseudo-terminal says so when nobody has its other side.
        Err(rustix::io::Errno::IO) if rustix::termios::isatty(input) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// How many bytes could be read now.
fn waiting(input: &Socket) -> usize {
    let waiting = rustix::io::ioctl_fionread(input).unwrap_or(0);
    usize::try_from(waiting).unwrap_or(usize::MAX)
}

/// Pieces that are written at once.
const PIECES: usize = 64;

/// Write what the pipe takes: all, or until it has no room.
pub(crate) fn write(output: Option<&Socket>, chunk: &mut Chunk) -> io::Result<()> {
    let output = output.ok_or(ErrorKind::BrokenPipe)?;
    while !chunk.is_empty() {
        match write_once(output, chunk) {
            Ok(written) => chunk.advance(written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if transfer::is_for_later(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn write_once(output: &Socket, chunk: &Chunk) -> io::Result<usize> {
    if let Some(slice) = chunk.as_slice() {
        return Ok(rustix::io::write(output, slice)?);
    }
    let mut slices = [IoSlice::new(&[]); PIECES];
    let filled = chunk.slices(&mut slices);
    Ok(rustix::io::writev(output, &slices[..filled])?)
}

/// A connection that was never made, or whose engine went without a close, waits for nobody.
impl Drop for Pipes {
    fn drop(&mut self) {
        if let Some(outlet) = &self.outlet {
            outlet.abandon();
        }
    }
}
