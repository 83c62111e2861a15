use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Deferred, Resolver};

use crate::guard;
use crate::held::Held;
use crate::outbox::{Outbox, Pool};
use crate::{Descriptor, Disconnect, Filter, Time};

/// The reason a connection ended, and who wants to know of that or of a flush.
///
/// All but the reason is rare enough to be kept apart: a connection without pays a pointer.
#[derive(Default)]
pub(crate) struct Watches {
    /// Whether anybody minds that input is held back.
    minds_input: Cell<bool>,
    /// Whether descriptors that come along are wanted.
    passes: Cell<bool>,
    /// Whether output was given up that nobody will ever send.
    gave_up: Cell<bool>,
    reason: RefCell<Option<Disconnect>>,
    rare: RefCell<Option<Box<Rare>>>,
}

#[derive(Default)]
struct Rare {
    /// By the number of bytes that must have been sent.
    flushes: VecDeque<(u64, Resolver<(), Disconnect>)>,
    closes: Vec<Resolver<Disconnect, Infallible>>,
    /// Filters to be put in place, and how many bytes are to be written in all before each.
    filters: VecDeque<(u64, Box<dyn Filter>)>,
    /// What was written before the first of them.
    unfiltered: Outbox,
    held: Held,
    /// Received, and not taken.
    descriptors: Vec<Descriptor>,
    /// What filters found out, one of a type.
    facts: Facts,
    /// Who waits for filters to be ready.
    readies: Vec<Resolver<(), Disconnect>>,
}

/// What filters found out, dropped one by one: that is user code.
#[derive(Default)]
struct Facts(Vec<Rc<dyn Any>>);

impl Drop for Facts {
    fn drop(&mut self) {
        for fact in self.0.drain(..) {
            if guard::run(|| drop(fact)).is_err() {
                log::error!("the drop of a filter's fact panicked");
            }
        }
    }
}

impl Watches {
    fn with<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        f(self.rare.borrow_mut().get_or_insert_default())
    }

    pub(crate) fn set_reason(&self, reason: Disconnect) {
        let before = self.reason.replace(Some(reason));
        drop(before);
    }

    pub(crate) fn reason(&self) -> Option<Disconnect> {
        self.reason.borrow().clone()
    }

    /// Resolved when `sent` bytes have been sent in all.
    pub(crate) fn watch_flush(&self, sent: u64) -> Deferred<(), Disconnect> {
        let (resolver, deferred) = Deferred::new();
        self.with(|rare| rare.flushes.push_back((sent, resolver)));
        deferred
    }

    #[track_caller]
    pub(crate) fn watch_close(&self) -> Deferred<Disconnect, Infallible> {
        let (resolver, deferred) = Deferred::new();
        self.with(|rare| rare.closes.push(resolver));
        deferred
    }

    /// How long input has been held back since this was first asked; whether it is now is told.
    pub(crate) fn input_held(&self, now: Time, held: bool) -> Duration {
        self.minds_input.set(true);
        self.note_input(now, held);
        self.with(|rare| rare.held.total(now))
    }

    /// Resolved when input, which is held back now, no longer is.
    pub(crate) fn watch_input(&self, now: Time) -> Deferred<(), Disconnect> {
        self.minds_input.set(true);
        self.note_input(now, true);
        let (resolver, deferred) = Deferred::new();
        self.with(|rare| rare.held.wait(resolver));
        deferred
    }

    /// Whether [`note_input`](Self::note_input) is wanted.
    #[inline]
    pub(crate) fn minds_input(&self) -> bool {
        self.minds_input.get()
    }

    #[cold]
    pub(crate) fn note_input(&self, now: Time, held: bool) {
        for waiting in self.with(|rare| rare.held.note(now, held)) {
            waiting.resolve(());
        }
    }

    /// Whether descriptors that come along are wanted.
    #[inline]
    pub(crate) fn passes(&self) -> bool {
        self.passes.get()
    }

    /// Want them, or not any more: then those that nobody took are closed.
    pub(crate) fn set_passes(&self, passes: bool) {
        self.passes.set(passes);
        if !passes {
            drop(self.take_descriptors());
        }
    }

    /// Hold these until they are taken; false, and they are closed, if there would be too many.
    pub(crate) fn hold_descriptors(&self, mut new: Vec<Descriptor>, most: usize) -> bool {
        self.with(|rare| {
            let fits = rare.descriptors.len() + new.len() <= most;
            if fits {
                rare.descriptors.append(&mut new);
            }
            fits
        })
    }

    pub(crate) fn take_descriptors(&self) -> Vec<Descriptor> {
        let mut rare = self.rare.borrow_mut();
        rare.as_mut()
            .map_or_else(Vec::new, |rare| mem::take(&mut rare.descriptors))
    }

    pub(crate) fn set_unfiltered(&self, outbox: Outbox) {
        self.with(|rare| rare.unfiltered = outbox);
    }

    pub(crate) fn put_in_front_of_unfiltered(&self, pool: &Pool, bytes: &[u8]) {
        self.with(|rare| rare.unfiltered.put_in_front(pool, bytes));
    }

    pub(crate) fn take_unfiltered(&self) -> Outbox {
        self.with(|rare| mem::take(&mut rare.unfiltered))
    }

    pub(crate) fn push_filter(&self, written: u64, filter: Box<dyn Filter>) {
        self.with(|rare| rare.filters.push_back((written, filter)));
    }

    /// How many bytes are to be encoded in all before the next filter.
    pub(crate) fn next_filter(&self) -> Option<u64> {
        let rare = self.rare.borrow();
        let (written, _) = rare.as_ref()?.filters.front()?;
        Some(*written)
    }

    pub(crate) fn take_filter(&self) -> Option<Box<dyn Filter>> {
        let mut rare = self.rare.borrow_mut();
        let (_, filter) = rare.as_mut()?.filters.pop_front()?;
        Some(filter)
    }

    /// Whether a filter is still to be put in place.
    pub(crate) fn is_filter_due(&self) -> bool {
        self.next_filter().is_some()
    }

    /// A filter found something out, which takes the place of what was known of this type.
    pub(crate) fn learn(&self, fact: Rc<dyn Any>) {
        let known = (*fact).type_id();
        // Dropped when the borrow is over: it is the user's.
        let _before = self.with(|rare| {
            let facts = &mut rare.facts.0;
            let place = facts.iter().position(|it| (**it).type_id() == known);
            let before = Facts(place.map(|at| facts.remove(at)).into_iter().collect());
            facts.push(fact);
            before
        });
    }

    pub(crate) fn fact<T: Any>(&self) -> Option<Rc<T>> {
        let rare = self.rare.borrow();
        let mut facts = rare.as_ref()?.facts.0.iter();
        facts.find_map(|fact| Rc::clone(fact).downcast().ok())
    }

    /// Resolved when all filters are ready.
    #[track_caller]
    pub(crate) fn watch_filters(&self) -> Deferred<(), Disconnect> {
        let (resolver, deferred) = Deferred::new();
        self.with(|rare| rare.readies.push(resolver));
        deferred
    }

    /// All filters are ready.
    pub(crate) fn filters_ready(&self) {
        let waiting = match &mut *self.rare.borrow_mut() {
            Some(rare) => mem::take(&mut rare.readies),
            None => return,
        };
        for resolver in waiting {
            resolver.resolve(());
        }
    }

    /// `sent` bytes have been sent in all. Returns whether somebody waits for more.
    pub(crate) fn flushed(&self, sent: u64) -> bool {
        loop {
            let next = self.with(|rare| match rare.flushes.front() {
                Some((at, _)) if *at <= sent => Ok(rare.flushes.pop_front()),
                waits => Err(waits.is_some()),
            });
            match next {
                Ok(Some((_, resolver))) => resolver.resolve(()),
                Ok(None) => {}
                Err(more) => return more,
            }
        }
    }

    /// Output was given up: nothing that was written is certain to have gone.
    pub(crate) fn give_up_output(&self) {
        self.gave_up.set(true);
    }

    pub(crate) fn gave_up_output(&self) -> bool {
        self.gave_up.get()
    }

    /// The connection is over: nothing more is flushed, and it is closed.
    pub(crate) fn lost(&self, reason: &Disconnect) {
        // It stays readable for whoever asks afterwards.
        self.set_reason(reason.clone());
        let Some(rare) = self.rare.take() else {
            return;
        };
        let Rare {
            flushes,
            closes,
            held,
            facts,
            readies,
            ..
        } = *rare;
        if !facts.0.is_empty() {
            // They stay readable, too.
            self.with(|rare| rare.facts = facts);
        }
        for (_, resolver) in flushes {
            resolver.reject(reason.clone());
        }
        for resolver in held.into_waiting().into_iter().chain(readies) {
            resolver.reject(reason.clone());
        }
        for resolver in closes {
            resolver.resolve(reason.clone());
        }
    }
}
