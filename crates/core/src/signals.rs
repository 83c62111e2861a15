use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::{Rc, Weak};

use torsade_deferred::queue::{self, Job};

use crate::guard;
use crate::shared::{Ready, Shared};
use crate::{Gone, Net, Signal};

/// Hears signals of the process, until this is dropped. From [`Net::on_signal`].
#[must_use = "signals are heard as long as their SignalWatch is kept"]
pub struct SignalWatch {
    shared: Weak<Shared>,
    number: u64,
    signal: Signal,
}

impl SignalWatch {
    /// Which one it hears.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Hear it no more: the same as dropping this. In its own callback, too.
    #[doc(alias = "remove_signal_handler")]
    pub fn remove(self) {
        drop(self);
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            end(&shared, self.number);
        }
    }
}

impl fmt::Debug for SignalWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalWatch")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

/// Who hears which signal, in the order in which they asked.
#[derive(Default)]
pub(crate) struct Signals {
    hearings: RefCell<Vec<Rc<Hearing>>>,
    /// The next number. None is given twice.
    next: Cell<u64>,
}

impl Signals {
    fn of(&self, signal: Signal) -> Vec<Rc<Hearing>> {
        let mut hearings = self.hearings.borrow().clone();
        hearings.retain(|hearing| hearing.signal == signal);
        hearings
    }

    fn are_heard(&self, signal: Signal) -> bool {
        let hearings = self.hearings.borrow();
        hearings.iter().any(|hearing| hearing.signal == signal)
    }

    fn add(&self, hearing: Hearing) {
        self.next.set(hearing.number + 1);
        self.hearings.borrow_mut().push(Rc::new(hearing));
    }

    fn has(&self, number: u64) -> bool {
        let hearings = self.hearings.borrow();
        hearings.iter().any(|hearing| hearing.number == number)
    }

    fn remove(&self, number: u64) -> Option<Rc<Hearing>> {
        let mut hearings = self.hearings.borrow_mut();
        let place = hearings.iter().position(|hearing| hearing.number == number);
        place.map(|place| hearings.remove(place))
    }
}

type Callback = Box<dyn FnMut(&Net)>;

/// One callback for one signal.
///
/// ```text
///              the signal            its turn comes
///   listening -----------> to be told --------------> told: listening again, or removed by itself
///      |                        |                     or by a panic
///      +-------- removed -------+
/// ```
struct Hearing {
    signal: Signal,
    number: u64,
    /// Not here while it runs, and not after the removal.
    callback: Cell<Option<Callback>>,
    /// Whether it is queued: of what comes meanwhile it need not be told apart.
    queued: Cell<bool>,
    net: Net,
}

impl Net {
    /// Whenever this signal comes to the process, call `f`, in a turn and with nobody nested in it
    /// (contract C1): to read the configuration anew (`Hup`), to show what is open (`Usr1`).
    ///
    /// A signal that comes again before `f` was called is one with the first, as the system has
    /// it. Several may hear the same signal: other reactors of the process, and other callbacks of
    /// this one, in the order in which they asked. A panic of `f` is caught and logged, and `f`
    /// hears no more (contract C8). A stop of the reactor leaves it alone.
    ///
    /// Once somebody has asked for a signal, what it does to a process by itself, to end it
    /// perhaps, it does no more, not even when nobody hears it any longer. To stop at a signal
    /// there is the reactor's `stop_on_signals`.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use torsade_core::Signal;
    /// use torsade_testing::MemoryReactor;
    ///
    /// let reactor = MemoryReactor::new();
    /// let reloads = Rc::new(Cell::new(0));
    /// let count = Rc::clone(&reloads);
    /// let watch = reactor
    ///     .net()
    ///     .on_signal(Signal::Hup, move |_| count.set(count.get() + 1))?;
    /// assert!(reactor.raise(Signal::Hup));
    /// assert_eq!(reloads.get(), 1);
    /// drop(watch);
    /// assert!(!reactor.raise(Signal::Hup)); // nobody hears it
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's: of a signal that nobody may catch, as `Kill` is, or that says that the
    /// process is broken, as `Segv` does, `InvalidInput`. `Unsupported` where there are no signals.
    /// [`Gone`] inside of an error of kind `Other` if the reactor does not exist any more.
    #[doc(alias = "add_signal_handler")]
    #[doc(alias = "installHandler")]
    pub fn on_signal(
        &self,
        signal: Signal,
        f: impl FnMut(&Self) + 'static,
    ) -> io::Result<SignalWatch> {
        let shared = &self.0;
        if !shared.is_alive() {
            return Err(io::Error::other(Gone));
        }
        if !shared.signals.are_heard(signal) {
            shared.host().watch_signal(self, signal)?;
        }
        let number = shared.signals.next.get();
        shared.signals.add(Hearing {
            signal,
            number,
            callback: Cell::new(Some(Box::new(f))),
            queued: Cell::new(false),
            net: self.clone(),
        });
        Ok(SignalWatch {
            shared: Rc::downgrade(shared),
            number,
            signal,
        })
    }
}

/// A fact: this signal came. Returns whether anybody hears it.
///
/// A driver that finds it out in a callback of its own needs no engine to tell it.
pub fn signalled(net: &Net, signal: Signal) -> bool {
    let shared = &net.0;
    let hearings = shared.signals.of(signal);
    for hearing in &hearings {
        if !hearing.queued.replace(true) {
            shared.push_ready(Ready::Job(Rc::<Hearing>::clone(hearing)));
        }
    }
    !hearings.is_empty()
}

/// The engine is at its end. What was to be called is given back, for its drop is user code.
pub(crate) fn forget(shared: &Shared) -> Vec<impl Sized> {
    let hearings = shared.signals.hearings.take();
    hearings
        .into_iter()
        .filter_map(|hearing| {
            shared.host().unwatch_signal(hearing.signal);
            hearing.callback.take()
        })
        .collect()
}

/// This one hears no more. What its callback holds goes when no callback runs.
fn end(shared: &Shared, number: u64) {
    let Some(hearing) = shared.signals.remove(number) else {
        return;
    };
    if !shared.signals.are_heard(hearing.signal) {
        shared.host().unwatch_signal(hearing.signal);
    }
    if let Some(callback) = hearing.callback.take() {
        queue::push(Rc::new(Dropping(Cell::new(Some(callback)))));
    }
}

impl Job for Hearing {
    fn run(self: Rc<Self>) {
        self.queued.set(false);
        let Some(mut callback) = self.callback.take() else {
            return;
        };
        let shared = &self.net.0;
        let outcome = guard::run(|| callback(&self.net));
        if let Err(panic) = &outcome {
            let caught = guard::Caught::elsewhere("the callback of a signal", panic.clone());
            shared.host().caught(&caught);
            end(shared, self.number);
        }
        if shared.signals.has(self.number) {
            self.callback.set(Some(callback));
        } else {
            drop(callback);
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
