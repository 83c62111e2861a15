//! What many cells need.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::{Disconnect, Transport};
use torsade_deferred::{Deferred, Resolver};

use super::harness::{Harness, Stage};
use super::{End, Log, Probe, Role};

/// Open a connection and say where its other end and its transport are.
pub(super) fn open(harness: &mut dyn Harness, role: Role, probe: Probe) -> (End, Transport<Probe>) {
    let seat = probe.seat();
    let end = harness.open(role, probe);
    let Some(transport) = seat.take() else {
        panic!("a harness opened a connection and its probe was not told");
    };
    (end, transport)
}

/// One connection in the accepted role, its `connection_made` noted and forgotten.
pub(super) fn accepted(
    harness: &mut dyn Harness,
    log: &Log,
    probe: Probe,
) -> (End, Transport<Probe>) {
    let opened = open(harness, Role::Accepted, probe);
    log.take();
    opened
}

/// Do this in a callback of the connection, and let happen what it leads to.
pub(super) fn act(
    harness: &mut dyn Harness,
    transport: &Transport<Probe>,
    f: impl FnOnce(&mut Probe, &Transport<Probe>) + 'static,
) {
    transport.call(f);
    harness.settle();
}

/// Run a cell's body in both roles, each on a harness of its own.
pub(super) fn in_both_roles(stage: Stage, body: impl Fn(&mut dyn Harness, Role)) {
    for role in Role::ALL {
        body(&mut *stage.harness(), role);
    }
}

/// A Deferred and, in a cell for whoever comes first, its resolver.
pub(super) type Held<T> = Rc<RefCell<Option<Resolver<T, ()>>>>;

pub(super) fn deferred<T: 'static>() -> (Held<T>, Deferred<T, ()>) {
    let (resolver, deferred) = Deferred::new();
    (Rc::new(RefCell::new(Some(resolver))), deferred)
}

pub(super) fn resolve<T: 'static>(held: &Held<T>, value: T) {
    let resolver = held.borrow_mut().take();
    match resolver {
        Some(resolver) => resolver.resolve(value),
        None => panic!("a Deferred of a cell was resolved twice"),
    }
}

/// Writes a line when it is dropped.
pub(super) struct Dropped(pub(super) Log, pub(super) &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Panics when it is dropped.
pub(super) struct Bomb(pub(super) &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Keep a value alive inside a closure.
pub(super) fn keep<T>(_: &T) {}

/// A reason that a cell can recognise.
pub(super) fn reason(text: &'static str) -> Disconnect {
    Disconnect::application(text)
}

/// So many bytes, no two neighbouring blocks alike.
pub(super) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 251 + at) as u8).collect()
}

/// Compare much data without printing it.
#[track_caller]
pub(super) fn same(got: &[u8], wanted: &[u8]) {
    assert_eq!(got.len(), wanted.len(), "how many bytes came");
    let differs = got
        .iter()
        .zip(wanted)
        .position(|(got, wanted)| got != wanted);
    assert_eq!(differs, None, "where the bytes differ");
}

thread_local! {
    static ON_DROP: RefCell<Rc<dyn Fn()>> = RefCell::new(Rc::new(|| ()));
}

/// What the drop of every [`User`] of this thread does from now on.
pub(super) fn on_drop_of_users(f: impl Fn() + 'static) {
    let before = ON_DROP.replace(Rc::new(f));
    drop(before);
}

/// A value with a `Drop` of its own, which may travel inside shared bytes.
pub(super) struct User(pub(super) [u8; 2000]);

pub(super) fn user() -> User {
    User([0; 2000])
}

impl AsRef<[u8]> for User {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let act = ON_DROP.with_borrow(Rc::clone);
        act();
    }
}
