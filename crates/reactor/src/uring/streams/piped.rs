//! Connections over pipes: the ring says when one is ready, and it is read and written without it.

use std::io;
use std::sync::Arc;

use socket2::Socket;
use torsade_core::driver::{Chunk, Sending, Ways};

use super::super::file::{File, Files};
use super::super::stream::{Apart, Output, Owner, Piped, Stream};
use super::Streams;
use crate::pipes::{self, Pipes};
use crate::stdio::Outlet;

/// Pipes that nothing was asked of yet.
#[derive(Debug)]
pub(crate) struct NewPipes {
    /// What is read from; without that, what is written to.
    front: File,
    output: Option<File>,
    pipes: Pipes,
}

impl NewPipes {
    /// None of neither an input nor an output.
    pub(crate) fn new(
        (input, output): (Option<Socket>, Option<Socket>),
        outlet: Option<Arc<Outlet>>,
        files: &Files,
    ) -> Option<Self> {
        let pipes = Pipes::of(input.is_some(), output.is_some(), outlet)?;
        let (front, output) = match (input, output) {
            (Some(input), output) => (input, output),
            (None, output) => (output?, None),
        };
        let file = |end| File::new(end, files);
        Some(Self {
            front: file(front),
            output: output.map(file),
            pipes,
        })
    }

    pub(crate) fn ways(&self) -> Ways {
        self.pipes.ways()
    }

    pub(super) fn into_stream(self, owner: Owner) -> Stream {
        let piped = Piped {
            output: self.output,
            pipes: self.pipes,
        };
        let apart = Apart {
            piped: Some(piped),
            ..Apart::default()
        };
        Stream {
            passes: true,
            apart: Some(Box::new(apart)),
            ..Stream::new(self.front, owner)
        }
    }
}

impl Streams {
    pub(crate) fn ways(&self, place: usize) -> Ways {
        let piped = self.table.get(place).and_then(Stream::piped);
        piped.map_or(Ways::Both, |piped| piped.pipes.ways())
    }

    /// Read once from pipes, if they are some.
    pub(crate) fn receive_from_pipe(
        &mut self,
        place: usize,
        buffer: &mut [u8],
    ) -> Option<io::Result<usize>> {
        let stream = self.table.get_mut(place)?;
        let (apart, file) = (stream.apart.as_mut()?, stream.file.as_ref()?);
        let pipes = &mut apart.piped.as_mut()?.pipes;
        Some(pipes.receive(file.descriptor()?, buffer))
    }

    pub(super) fn send_to_pipe(&mut self, place: usize, mut chunk: Box<Chunk>) -> Sending {
        let Some(stream) = self.table.get_mut(place) else {
            return Sending::Failed(chunk, io::ErrorKind::NotConnected.into());
        };
        if stream.output == Output::Blocked {
            return Sending::Done(chunk);
        }
        let output = stream.output().and_then(|file| file.descriptor());
        match pipes::write(output, &mut chunk) {
            Ok(()) => {
                stream.output = match chunk.is_empty() {
                    true => Output::Flows,
                    false => Output::Blocked,
                };
                Sending::Done(chunk)
            }
            Err(mut error) => {
                if let (Some(apart), Some(file)) = (&mut stream.apart, &stream.file)
                    && let Some(piped) = &mut apart.piped
                    && let Some(input) = file.descriptor()
                {
                    error = piped.pipes.broke(input, error);
                }
                self.go_on(place);
                Sending::Failed(chunk, error)
            }
        }
    }

    /// Close what is written to, unless it is all there is: then it is to be closed as a whole.
    pub(super) fn shutdown_pipe(&mut self, place: usize) -> bool {
        let Some(stream) = self.table.get_mut(place) else {
            return false;
        };
        if let Some(apart) = &mut stream.apart {
            apart.end_polling(&self.ring);
        }
        if let Some(piped) = stream.piped_mut() {
            piped.output = None;
        }
        true
    }
}
