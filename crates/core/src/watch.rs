use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;

use torsade_deferred::{Deferred, Resolver};

use crate::Disconnect;

/// The reason a connection ended, and who wants to know of that or of a flush.
///
/// Rare enough to be kept apart: a connection that nobody watches pays one pointer.
#[derive(Default)]
pub(crate) struct Watches {
    any: Cell<bool>,
    rare: RefCell<Option<Box<Rare>>>,
}

#[derive(Default)]
struct Rare {
    reason: Option<Disconnect>,
    /// Whether output was given up that nobody will ever send.
    gave_up: bool,
    /// By the number of bytes that must have been sent.
    flushes: VecDeque<(u64, Resolver<(), Disconnect>)>,
    closes: Vec<Resolver<Disconnect, Infallible>>,
}

impl Watches {
    fn with<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        f(self.rare.borrow_mut().get_or_insert_default())
    }

    pub(crate) fn set_reason(&self, reason: Disconnect) {
        self.with(|rare| rare.reason = Some(reason));
    }

    pub(crate) fn reason(&self) -> Option<Disconnect> {
        self.rare.borrow().as_ref()?.reason.clone()
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
        self.with(|rare| rare.gave_up = true);
    }

    pub(crate) fn gave_up_output(&self) -> bool {
        self.rare.borrow().as_ref().is_some_and(|rare| rare.gave_up)
    }

    /// The connection is over: nothing more is flushed, and it is closed.
    pub(crate) fn lost(&self, reason: &Disconnect) {
        let Some(rare) = self.rare.take() else {
            return;
        };
        // The reason stays readable for whoever asks afterwards.
        self.with(|left| {
            left.reason = Some(reason.clone());
            left.gave_up = rare.gave_up;
        });
        for (_, resolver) in rare.flushes {
            resolver.reject(reason.clone());
        }
        for resolver in rare.closes {
            resolver.resolve(reason.clone());
        }
    }
}
