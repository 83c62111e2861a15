use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use torsade_core::Net;
use torsade_core::driver::Interest;
use torsade_deferred::Panic;
use torsade_deferred::queue::{self, Job};

use crate::event_loop::{Registrar, Registration};
use crate::token::Token;

/// Descriptors of others in the reactor. Programs reach it in the middle of their
/// callbacks, so it is never left borrowed.
pub(crate) struct Watches {
    table: RefCell<HashMap<u64, Rc<Watched>>>,
    /// The next number. None is given twice, so that an event that is late finds nothing.
    next: Cell<u64>,
    registrar: Box<dyn Registrar>,
}

pub(crate) type Callback = Box<dyn FnMut(&Net)>;

/// One descriptor, and what is called when it is ready.
///
/// ```text
///              ready              its turn comes
///   watching --------> to be told --------------> told: watching again, or removed by itself or
///      |                    |                     by a panic
///      +------ removed -----+
/// ```
struct Watched {
    number: u64,
    /// A duplicate of the descriptor, our own, so that nobody else can close it. None once removed.
    descriptor: RefCell<Option<Box<dyn Registration>>>,
    /// Not here while it is running, and not after the removal.
    callback: Cell<Option<Callback>>,
    /// Whether it is in the thread's queue.
    queued: Cell<bool>,
    net: Net,
    watches: Weak<Watches>,
}

impl Watches {
    pub(crate) fn new(registrar: Box<dyn Registrar>) -> Rc<Self> {
        Rc::new(Self {
            table: RefCell::default(),
            next: Cell::new(0),
            registrar,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.table.borrow().len()
    }

    /// Call back whenever a descriptor is ready for what is of interest. Returns its number.
    pub(crate) fn add(
        self: &Rc<Self>,
        descriptor: OwnedFd,
        interest: Interest,
        net: &Net,
        callback: Callback,
    ) -> io::Result<u64> {
        let number = self.next.get();
        let token = Token::Watched(number);
        let descriptor = self.registrar.register(descriptor, token, interest)?;
        self.next.set(number + 1);
        let watched = Watched {
            number,
            descriptor: RefCell::new(Some(descriptor)),
            callback: Cell::new(Some(callback)),
            queued: Cell::new(false),
            net: net.clone(),
            watches: Rc::downgrade(self),
        };
        self.table.borrow_mut().insert(number, Rc::new(watched));
        Ok(number)
    }

    /// Watch it no more. What its callback holds is dropped, after the callback that is running.
    pub(crate) fn remove(&self, number: u64) {
        let removed = self.table.borrow_mut().remove(&number);
        if let Some(watched) = removed {
            watched.end();
        }
    }

    pub(crate) fn is_watched(&self, number: u64) -> bool {
        self.table.borrow().contains_key(&number)
    }

    /// A descriptor is ready: its callback runs when its turn comes, and that is in this one.
    pub(crate) fn tell(&self, number: u64) {
        let found = self.table.borrow().get(&number).cloned();
        if let Some(watched) = found
            && !watched.queued.replace(true)
        {
            queue::push(watched);
        }
    }

    /// The reactor goes: nobody will be called any more.
    pub(crate) fn clear(&self) {
        let table = self.table.take();
        for watched in table.into_values() {
            watched.end();
        }
    }
}

impl Watched {
    /// Out of the poller, at once; the callback goes when no other one runs.
    fn end(&self) {
        self.descriptor.take();
        if let Some(callback) = self.callback.take() {
            queue::push(Rc::new(Dropping(Cell::new(Some(callback)))));
        }
    }

    fn is_over(&self) -> bool {
        self.descriptor.borrow().is_none()
    }
}

impl Job for Watched {
    fn run(self: Rc<Self>) {
        self.queued.set(false);
        let Some(mut callback) = self.callback.take() else {
            return;
        };
        match catch_unwind(AssertUnwindSafe(|| callback(&self.net))) {
            Ok(()) if self.is_over() => drop(callback),
            Ok(()) => self.callback.set(Some(callback)),
            Err(payload) => {
                let panic = Panic::from_payload(payload);
                log::error!(
                    "panic in the callback of a watched descriptor, which is watched no more: {}",
                    panic.message()
                );
                if let Some(watches) = self.watches.upgrade() {
                    watches.remove(self.number);
                }
                drop(callback);
            }
        }
    }
}

/// What a removed callback holds, on its way to its end between two callbacks.
struct Dropping(Cell<Option<Callback>>);

impl Job for Dropping {
    fn run(self: Rc<Self>) {
        drop(self.0.take());
    }
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watches").field("len", &self.len()).finish()
    }
}
