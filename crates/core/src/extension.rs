use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

use torsade_deferred::queue::{self, Job};

use crate::Net;
use crate::guard::{self, Caught};
use crate::shared::{Ready, State};

/// A part of a reactor that another crate brings: an executor of tasks, a pool. There is one of a
/// type for each reactor, made when it is first asked for; see [`Net::extension`].
pub trait Extension: 'static {
    /// The reactor has stopped, or is gone: let go of everything that belongs to users.
    ///
    /// Called once, in a turn, after every connection was told its loss. The reactor has forgotten
    /// the extension by then: who asks for one from now on gets another, for the next run.
    fn ended(self: Rc<Self>);
}

/// For those who write executors and the like.
impl Net {
    /// The part of type `X` of this reactor; `make` makes it when there is none.
    ///
    /// The reactor keeps it until a stop is complete, or until the reactor is gone; then it is
    /// [told](Extension::ended). Where the reactor is gone already it is not kept.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use torsade_core::driver::Extension;
    ///
    /// struct Counter(Cell<u32>);
    /// impl Extension for Counter {
    ///     fn ended(self: Rc<Self>) {}
    /// }
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// for _ in 0..2 {
    ///     let counter = reactor.net().extension(|_| Rc::new(Counter(Cell::new(0))));
    ///     counter.0.set(counter.0.get() + 1);
    /// }
    /// let counter = reactor.net().extension(|_| Rc::new(Counter(Cell::new(0))));
    /// assert_eq!(counter.0.get(), 2);
    /// ```
    pub fn extension<X: Extension>(&self, make: impl FnOnce(&Self) -> Rc<X>) -> Rc<X> {
        if let Some(found) = self.0.extensions.find() {
            return found;
        }
        let made = make(self);
        if self.is_alive() {
            self.0.extensions.add(Rc::<X>::clone(&made));
        }
        made
    }

    /// Leave a job at the end of this thread's queue and see to it that the reactor takes a turn
    /// that runs it.
    ///
    /// It is not run before this returns, but whoever runs the thread's queue next may run it,
    /// outside of a turn too; a job that must not run there [asks](Self::is_in_turn) and is
    /// [put off](Self::put_off). Costs no system call inside a turn.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use torsade_core::Net;
    /// use torsade_deferred::queue::Job;
    ///
    /// struct Work {
    ///     net: Net,
    ///     done: Cell<bool>,
    /// }
    /// impl Job for Work {
    ///     fn run(self: Rc<Self>) {
    ///         match self.net.is_in_turn() {
    ///             true => self.done.set(true),
    ///             false => self.net.clone().put_off(self),
    ///         }
    ///     }
    /// }
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// let net = reactor.net().clone();
    /// let work = Rc::new(Work { net: net.clone(), done: Cell::new(false) });
    /// net.enqueue(work.clone());
    /// assert!(!work.done.get());
    /// reactor.settle();
    /// assert!(work.done.get());
    /// ```
    pub fn enqueue(&self, job: Rc<dyn Job>) {
        queue::leave(job);
        self.0.work();
    }

    /// Run a job at once if it would be the next thing that runs in this turn, else
    /// [leave it](Self::enqueue) in the queue. Its panics are caught and reported either way.
    ///
    /// For the last thing that a callback of the framework's own does: nothing of the callback, and
    /// no borrow, may be left when this is called, so that nobody can tell whether the job ran
    /// here or right after. What the job writes on the callback's connection is then sent with what
    /// the callback wrote.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_deferred::queue::Job;
    ///
    /// struct Answer<P>(Transport<P>);
    /// impl<P> Job for Answer<P> {
    ///     fn run(self: Rc<Self>) {
    ///         self.0.write("at your service");
    ///     }
    /// }
    ///
    /// struct Butler;
    /// impl Protocol for Butler {
    ///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
    ///         transport.net().run_last(Rc::new(Answer(transport.clone())));
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Butler);
    /// t.feed("james!");
    /// assert_eq!(t.take_sent(), b"at your service");
    /// ```
    pub fn run_last(&self, job: Rc<dyn Job>) {
        if !self.is_in_turn() || self.0.has_ready() || !queue::is_empty() {
            return self.enqueue(job);
        }
        if let Err(panic) = guard::run(|| job.run()) {
            let caught = Caught::elsewhere("a queued job", panic);
            self.0.host().caught(&caught);
        }
    }

    /// Run a job in the next turn of this reactor, before everything that is in the thread's queue
    /// then. For a job that came up outside of a turn; dropped unrun if the reactor is gone.
    pub fn put_off(&self, job: Rc<dyn Job>) {
        if self.is_alive() {
            self.0.push_ready(Ready::Job(job));
        }
    }

    /// Whether a turn of this reactor is under way, so that what is queued now runs soon and is
    /// bounded by the turn's budget.
    ///
    /// ```
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// assert!(!reactor.net().is_in_turn());
    /// ```
    #[inline]
    pub fn is_in_turn(&self) -> bool {
        self.0.state() == State::InTurn
    }
}

/// What other crates added to a reactor: few, so a list.
#[derive(Default)]
pub(crate) struct Extensions(RefCell<Vec<Entry>>);

struct Entry {
    kind: TypeId,
    any: Rc<dyn Any>,
    extension: Rc<dyn Extension>,
}

impl Extensions {
    fn find<X: Extension>(&self) -> Option<Rc<X>> {
        let entries = self.0.borrow();
        let entry = entries.iter().find(|it| it.kind == TypeId::of::<X>())?;
        Rc::clone(&entry.any).downcast().ok()
    }

    fn add<X: Extension>(&self, extension: Rc<X>) {
        self.0.borrow_mut().push(Entry {
            kind: TypeId::of::<X>(),
            any: Rc::<X>::clone(&extension),
            extension,
        });
    }

    /// Forget them all; they are to be told by whoever takes them.
    pub(crate) fn take(&self) -> Vec<Rc<dyn Extension>> {
        let entries = self.0.take();
        entries.into_iter().map(|entry| entry.extension).collect()
    }
}
