use std::io;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};
use torsade_core::driver::{Engine, Interest};

use crate::event_loop::{Registrar, Registration};
use crate::token::Token;

/// SIGINT and SIGTERM, as bytes in a pipe of this reactor's own: any number of reactors in a
/// process hears every signal.
#[derive(Debug)]
pub(crate) struct Signals {
    reader: Box<dyn Registration>,
    handlers: Vec<SigId>,
    heard: usize,
}

impl Signals {
    pub(crate) fn listen(registrar: &dyn Registrar) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let readable = Interest {
            readable: true,
            writable: false,
        };
        let reader = registrar.register(OwnedFd::from(reader), Token::Signals, readable)?;
        // Built up in place, so that a failure half-way takes back what was installed.
        let mut signals = Self {
            reader,
            handlers: Vec::new(),
            heard: 0,
        };
        for signal in [SIGINT, SIGTERM] {
            let handler = pipe::register(signal, writer.try_clone()?)?;
            signals.handlers.push(handler);
        }
        Ok(signals)
    }

    /// Tell an engine: the first signal stops the reactor, the second one ends its patience.
    pub(crate) fn tell<S>(&mut self, engine: &Engine<S>) {
        let heard = self.heard();
        if heard > 0 {
            engine.net().stop();
        }
        if heard > 1 {
            engine.abort_all();
        }
    }

    /// How many signals came since the reactor listens for them, or was last stopped.
    fn heard(&mut self) -> usize {
        let mut bytes = [0; 16];
        loop {
            match self.reader.socket().read(&mut bytes) {
                Ok(n) if n > 0 => self.heard = self.heard.saturating_add(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return self.heard,
            }
        }
    }
}

impl Signals {
    /// Begin to count anew.
    pub(crate) fn forget(&mut self) {
        self.heard = 0;
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
    }
}
