//! Connections over pipes: the ring says when one is ready, and it is read and written without it.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use socket2::Socket;
use torsade_core::driver::{Chunk, Sending, Ways};

use super::super::file::File;
use super::super::stream::{Output, Owner, Piped, Polling, Stream};
use super::Streams;
use crate::pipes::{self, Pipes};
use crate::stdio::Outlet;

/// Pipes that nothing was asked of yet.
#[derive(Debug)]
pub(crate) struct NewPipes {
    /// What is read from; without that, what is written to.
    front: Rc<File>,
    output: Option<Rc<File>>,
    pipes: Pipes,
}

impl NewPipes {
    /// None of neither an input nor an output.
    pub(crate) fn new(
        (input, output): (Option<Socket>, Option<Socket>),
        outlet: Option<Arc<Outlet>>,
    ) -> Option<Self> {
        let pipes = Pipes::of(input.is_some(), output.is_some(), outlet)?;
        let (front, output) = match (input, output) {
            (Some(input), output) => (input, output),
            (None, output) => (output?, None),
        };
        let file = |end| Rc::new(File::Descriptor(end));
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
        Stream {
            passes: true,
            piped: Some(Box::new(piped)),
            ..Stream::new(self.front, owner)
        }
    }
}

impl Streams {
    pub(crate) fn ways(&self, place: usize) -> Ways {
        let piped = self.table.get(place).and_then(|it| it.piped.as_ref());
        piped.map_or(Ways::Both, |piped| piped.pipes.ways())
    }

    /// Read once from pipes, if they are some.
    pub(crate) fn receive_from_pipe(
        &mut self,
        place: usize,
        buffer: &mut [u8],
    ) -> Option<io::Result<usize>> {
        let stream = self.table.get_mut(place)?;
        let (piped, file) = (stream.piped.as_mut()?, stream.file.as_ref()?);
        Some(piped.pipes.receive(file.descriptor()?, buffer))
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
                if let (Some(piped), Some(file)) = (&mut stream.piped, &stream.file)
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
        if let Polling::UnderWay(op) = stream.polling {
            self.ring.cancel(op);
            stream.polling = Polling::Cancelled;
        }
        if let Some(piped) = &mut stream.piped {
            piped.output = None;
        }
        true
    }
}
