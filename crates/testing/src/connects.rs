use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use torsade_core::{Address, AttemptId};

use crate::end::End;

/// What the connects of a world come to.
///
/// ```text
///                     +-- Refused --> refused
///   a connect --------+-- Waiting --> waits --the test--> made, failed, joined
///                     |                 \---- cancelled, its time is over --> forgotten
///                     +-- Joined ---> joined with who listens there, or refused
/// ```
#[derive(Debug)]
pub(crate) struct Connects {
    policy: Cell<Policy>,
    /// Every address that was tried, in order.
    tried: RefCell<Vec<Address>>,
    waiting: RefCell<Vec<Waiting>>,
    /// Addresses at which an end waits for one connection, whatever the policy.
    doors: RefCell<Vec<(SocketAddr, Rc<End>)>>,
    /// Of those that are joined: what each queue holds, and what is moved at once.
    queue: Cell<usize>,
    segment: Cell<usize>,
}

impl Default for Connects {
    fn default() -> Self {
        Self {
            policy: Cell::default(),
            tried: RefCell::default(),
            waiting: RefCell::default(),
            doors: RefCell::default(),
            queue: Cell::new(QUEUE),
            segment: Cell::new(QUEUE),
        }
    }
}

/// What each queue of a joint holds unless the test says otherwise.
pub(crate) const QUEUE: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Nobody is there.
    #[default]
    Refused,
    /// The test decides.
    Waiting,
    /// They go to who listens there.
    Joined,
}

/// A connect that was not answered.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) attempt: AttemptId,
    pub(crate) address: Address,
    /// Where from, if the program said so.
    pub(crate) local: Option<Address>,
}

impl Connects {
    pub(crate) fn policy(&self) -> Policy {
        self.policy.get()
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        self.policy.set(policy);
    }

    pub(crate) fn queue(&self) -> usize {
        self.queue.get()
    }

    pub(crate) fn set_queue(&self, bytes: usize) {
        self.queue.set(bytes);
    }

    pub(crate) fn segment(&self) -> usize {
        self.segment.get()
    }

    pub(crate) fn set_segment(&self, bytes: usize) {
        self.segment.set(bytes);
    }

    /// Somebody wants to connect.
    pub(crate) fn note(&self, address: Address) {
        self.tried.borrow_mut().push(address);
    }

    pub(crate) fn tried(&self) -> Vec<Address> {
        self.tried.borrow().clone()
    }

    pub(crate) fn wait(&self, waiting: Waiting) {
        self.waiting.borrow_mut().push(waiting);
    }

    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        self.waiting.borrow().clone()
    }

    /// It is answered, or nobody waits for the answer. Says whether it was there.
    pub(crate) fn take(&self, attempt: AttemptId) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        waiting.retain(|it| it.attempt != attempt);
        waiting.len() < before
    }

    /// Let `end` wait for a connection at `address`.
    pub(crate) fn add_door(&self, address: SocketAddr, end: &Rc<End>) {
        self.doors.borrow_mut().push((address, Rc::clone(end)));
    }

    /// The greatest port of a door.
    pub(crate) fn last_door(&self) -> Option<u16> {
        let doors = self.doors.borrow();
        doors.iter().map(|(address, _)| address.port()).max()
    }

    pub(crate) fn take_door(&self, address: &Address) -> Option<Rc<End>> {
        let mut doors = self.doors.borrow_mut();
        let place = doors.iter().position(|(at, _)| address == at)?;
        Some(doors.remove(place).1)
    }
}
