use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use signal_hook::SigId;
use signal_hook::consts::FORBIDDEN;
use signal_hook::low_level::{pipe, unregister};
use torsade_core::driver::{Interest, signalled};
use torsade_core::{Net, Signal};

use crate::processes::number;
use crate::watches::Watches;

/// The signals that programs of this reactor hear, each as bytes in a pipe of its own. Those that
/// stop the reactor are [others](crate::signals::Signals).
pub(crate) struct Hearing {
    watches: Rc<Watches>,
    heard: RefCell<HashMap<Signal, Heard>>,
}

struct Heard {
    watch: u64,
    handler: SigId,
}

impl Hearing {
    pub(crate) fn new(watches: &Rc<Watches>) -> Self {
        Self {
            watches: Rc::clone(watches),
            heard: RefCell::default(),
        }
    }

    /// Tell `net` from now on.
    pub(crate) fn begin(&self, net: &Net, signal: Signal) -> io::Result<()> {
        let number = number(signal)?.as_raw();
        if FORBIDDEN.contains(&number) {
            let text = format!("{signal} cannot be heard");
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let (mut reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let readable = Interest {
            readable: true,
            writable: false,
        };
        let own = OwnedFd::from(reader.try_clone()?);
        let tell = Box::new(move |net: &Net| {
            if drain(&mut reader) {
                signalled(net, signal);
            }
        });
        let watch = self.watches.add(own, readable, net, tell)?;
        let handler = pipe::register(number, writer).inspect_err(|_| self.watches.remove(watch))?;
        let heard = Heard { watch, handler };
        if let Some(before) = self.heard.borrow_mut().insert(signal, heard) {
            self.undo(&before);
        }
        Ok(())
    }

    pub(crate) fn end(&self, signal: Signal) {
        let heard = self.heard.borrow_mut().remove(&signal);
        if let Some(heard) = heard {
            self.undo(&heard);
        }
    }

    fn undo(&self, heard: &Heard) {
        unregister(heard.handler);
        self.watches.remove(heard.watch);
    }
}

/// Read what there is, and say whether that was anything.
fn drain(reader: &mut UnixStream) -> bool {
    let mut any = false;
    loop {
        match reader.read(&mut [0; 64]) {
            Ok(n) if n > 0 => any = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => return any,
        }
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        for heard in self.heard.take().into_values() {
            self.undo(&heard);
        }
    }
}

impl fmt::Debug for Hearing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heard = self.heard.borrow();
        f.debug_set().entries(heard.keys()).finish()
    }
}
