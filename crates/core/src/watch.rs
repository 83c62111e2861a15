use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;

use torsade_deferred::{Deferred, Resolver};

use crate::Disconnect;
use crate::stack::Stack;

/// The reason a connection ended, who wants to know of that or of a flush, and the protocol that
/// is to be switched in.
///
/// All but the reason is rare enough to be kept apart: a connection without pays a pointer.
#[derive(Default)]
pub(crate) struct Watches {
    any: Cell<bool>,
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
    next: Option<Box<dyn Stack>>,
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
        self.any.set(true);
        self.with(|rare| rare.flushes.push_back((sent, resolver)));
        deferred
    }

    pub(crate) fn watch_close(&self) -> Deferred<Disconnect, Infallible> {
        let (resolver, deferred) = Deferred::new();
        self.with(|rare| rare.closes.push(resolver));
        deferred
    }

    /// Keep the stack that is to be switched in; returns one that will not be.
    pub(crate) fn set_next(&self, stack: Box<dyn Stack>) -> Option<Box<dyn Stack>> {
        self.with(|rare| rare.next.replace(stack))
    }

    pub(crate) fn take_next(&self) -> Option<Box<dyn Stack>> {
        self.with(|rare| rare.next.take())
    }

    /// `sent` bytes have been sent in all.
    #[inline]
    pub(crate) fn flushed(&self, sent: u64) {
        if self.any.get() {
            self.resolve_flushes(sent);
        }
    }

    #[cold]
    fn resolve_flushes(&self, sent: u64) {
        loop {
            let next = self.with(|rare| match rare.flushes.front() {
                Some((at, _)) if *at <= sent => rare.flushes.pop_front(),
                _ => None,
            });
            match next {
                Some((_, resolver)) => resolver.resolve(()),
                None => break,
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
        for (_, resolver) in rare.flushes {
            resolver.reject(reason.clone());
        }
        for resolver in rare.closes {
            resolver.resolve(reason.clone());
        }
    }
}
