use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
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
///
/// Grants go in the order of the tickets, so one number says who has one: all those before it who
/// are still here. The line holds those who wait, for the next grant to find the first of them.
#[derive(Default)]
pub(crate) struct Waiters {
    /// The next ticket.
    next: Cell<u64>,
    /// Who has a ticket below this was handed something, and who has a later one was not.
    granted_below: Cell<u64>,
    /// How many were handed something and have not looked yet.
    granted: Cell<usize>,
    /// By ticket, which ascends. Those who left have no waker; there are never more of them than
    /// of the others.
    line: RefCell<VecDeque<Entry>>,
    /// How many in the line have not left.
    waiting: Cell<usize>,
}

struct Entry {
    ticket: u64,
    waker: Option<Waker>,
}

impl Waiters {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were handed something and have not looked yet.
    pub(crate) fn granted(&self) -> usize {
        self.granted.get()
    }

    /// Hand something to the first who waits; false if nobody does.
    pub(crate) fn grant(&self) -> bool {
        match self.take_first() {
            Some(waker) => {
                queue::wake(waker);
                true
            }
            None => false,
        }
    }

    /// Hand something to everybody who waits now.
    pub(crate) fn grant_all(&self) {
        for _ in 0..self.len() {
            self.grant();
        }
    }

    fn take_first(&self) -> Option<Waker> {
        if self.is_empty() {
            return None;
        }
        let mut line = self.line.borrow_mut();
        while let Some(Entry { ticket, waker }) = line.pop_front() {
            if waker.is_some() {
                self.waiting.set(self.waiting.get() - 1);
                self.granted.set(self.granted.get() + 1);
                self.granted_below.set(ticket + 1);
                return waker;
            }
        }
        None
    }

    fn join(&self, waker: Waker) -> u64 {
        let ticket = self.next.get();
        self.next.set(ticket + 1);
        self.waiting.set(self.waiting.get() + 1);
        self.line.borrow_mut().push_back(Entry {
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
        let mut line = self.line.borrow_mut();
        if let Ok(place) = line.binary_search_by_key(&ticket, |entry| entry.ticket) {
            mem::swap(&mut line[place].waker, &mut waker);
        }
        drop(line);
        drop(waker);
        false
    }

    /// This one will not look again. Returns whether it had something in its hands.
    fn leave(&self, ticket: u64) -> bool {
        if self.take_grant(ticket) {
            return true;
        }
        let mut line = self.line.borrow_mut();
        let mut waker = None;
        if let Ok(place) = line.binary_search_by_key(&ticket, |entry| entry.ticket) {
            waker = line[place].waker.take();
            self.waiting.set(self.waiting.get() - 1);
            let left = line.len() - self.waiting.get();
            if left * 2 > line.len() {
                line.retain(|entry| entry.waker.is_some());
            }
        }
        drop(line);
        drop(waker);
        false
    }

    fn take_grant(&self, ticket: u64) -> bool {
        let has_it = ticket < self.granted_below.get();
        if has_it {
            self.granted.set(self.granted.get() - 1);
        }
        has_it
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
