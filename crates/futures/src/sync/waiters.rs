use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use torsade_deferred::queue;

/// Who waits for something, first come, first served.
///
/// What is handed over is handed to the first one, at once, whether it has run since or not: nobody
/// who comes later can take it away. One that leaves with something in its hands says so.
///
/// ```text
///          grant                       looks
///   waiting ------> granted (has it) ---------> gone
///      | leaves          | leaves: to be passed on
///      v                 v
///     gone              gone
/// ```
#[derive(Default)]
pub(crate) struct Waiters {
    next: Cell<u64>,
    /// By ticket, which ascends. Those who left have no waker; there are never more of them than
    /// of the others.
    waiting: RefCell<VecDeque<Entry>>,
    left: Cell<usize>,
    /// Tickets of those who were handed something and have not looked yet, ascending.
    granted: RefCell<VecDeque<u64>>,
}

struct Entry {
    ticket: u64,
    waker: Option<Waker>,
}

impl Waiters {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.borrow().len() - self.left.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were handed something and have not looked yet.
    pub(crate) fn granted(&self) -> usize {
        self.granted.borrow().len()
    }

    /// Hand something to the first who waits; false if nobody does.
    pub(crate) fn grant(&self) -> bool {
        loop {
            let first = self.waiting.borrow_mut().pop_front();
            let Some(Entry { ticket, waker }) = first else {
                return false;
            };
            match waker {
                Some(waker) => {
                    self.granted.borrow_mut().push_back(ticket);
                    queue::wake(waker);
                    return true;
                }
                None => self.left.set(self.left.get() - 1),
            }
        }
    }

    /// Hand something to everybody who waits now.
    pub(crate) fn grant_all(&self) {
        for _ in 0..self.len() {
            self.grant();
        }
    }

    fn join(&self, waker: Waker) -> u64 {
        let ticket = self.next.get();
        self.next.set(ticket + 1);
        self.waiting.borrow_mut().push_back(Entry {
            ticket,
            waker: Some(waker),
        });
        ticket
    }

    /// Whether this one was handed something; if not, it goes on waiting with this waker.
    fn look(&self, ticket: u64, waker: &Waker) -> bool {
        if self.take_grant(ticket) {
            return true;
        }
        // Cloning a waker is user code: not under the borrow.
        let mut waker = Some(waker.clone());
        let mut waiting = self.waiting.borrow_mut();
        if let Ok(place) = waiting.binary_search_by_key(&ticket, |entry| entry.ticket) {
            std::mem::swap(&mut waiting[place].waker, &mut waker);
        }
        drop(waiting);
        drop(waker);
        false
    }

    /// This one will not look again. Returns whether it had something in its hands.
    fn leave(&self, ticket: u64) -> bool {
        if self.take_grant(ticket) {
            return true;
        }
        let mut waiting = self.waiting.borrow_mut();
        let mut waker = None;
        if let Ok(place) = waiting.binary_search_by_key(&ticket, |entry| entry.ticket) {
            waker = waiting[place].waker.take();
            self.left.set(self.left.get() + 1);
            if self.left.get() * 2 > waiting.len() {
                waiting.retain(|entry| entry.waker.is_some());
                self.left.set(0);
            }
        }
        drop(waiting);
        drop(waker);
        false
    }

    fn take_grant(&self, ticket: u64) -> bool {
        let mut granted = self.granted.borrow_mut();
        if granted.front() == Some(&ticket) {
            granted.pop_front();
            return true;
        }
        let Ok(place) = granted.binary_search(&ticket) else {
            return false;
        };
        granted.remove(place);
        true
    }
}

/// One that waits, for as long as this exists.
pub(crate) struct Wait<'a, P: Fn()> {
    waiters: &'a Waiters,
    ticket: Option<u64>,
    /// What to do with what it was handed, should it leave without having looked.
    pass_on: P,
}

impl<'a, P: Fn()> Wait<'a, P> {
    pub(crate) fn new(waiters: &'a Waiters, pass_on: P) -> Self {
        Self {
            waiters,
            ticket: None,
            pass_on,
        }
    }

    /// Ready when something was handed over. The first poll takes the place at the end.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let Some(ticket) = self.ticket else {
            self.ticket = Some(self.waiters.join(context.waker().clone()));
            return Poll::Pending;
        };
        if self.waiters.look(ticket, context.waker()) {
            self.ticket = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Wait until something is handed over.
    pub(crate) async fn granted(mut self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }
}

impl<P: Fn()> Drop for Wait<'_, P> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take()
            && self.waiters.leave(ticket)
        {
            (self.pass_on)();
        }
    }
}
