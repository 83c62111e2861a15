//! What must make a test fail though no assertion of its own did: caught panics, Deferred errors
//! that nobody took, timers left armed.

use std::cell::{Cell, RefCell};
use std::panic;
use std::rc::Rc;
use std::sync::Once;

use torsade_deferred::report::{self, Report, Sink};

thread_local! {
    static LEDGER: Ledger = const { Ledger::new() };
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

struct Ledger {
    failures: RefCell<Vec<String>>,
    expected: RefCell<Vec<String>>,
    users: Cell<usize>,
    sink_before: RefCell<Option<Sink>>,
}

impl Ledger {
    const fn new() -> Self {
        Self {
            failures: RefCell::new(Vec::new()),
            expected: RefCell::new(Vec::new()),
            users: Cell::new(0),
            sink_before: RefCell::new(None),
        }
    }
}

/// Something that uses the ledger lives on this thread. While any does, unhandled Deferred errors
/// are written there.
#[derive(Debug)]
pub(crate) struct Entry(());

impl Entry {
    pub(crate) fn open() -> Self {
        note_panics();
        LEDGER.with(|ledger| {
            let users = ledger.users.get();
            ledger.users.set(users + 1);
            if users == 0 {
                let before = report::set_sink(Some(Rc::new(|report: &Report| {
                    // Both ends let go: what happens at the end of every other test.
                    if !report.is_abandoned() {
                        fail(report.to_string());
                    }
                })));
                ledger.sink_before.replace(before);
            }
        });
        Self(())
    }

    /// What there is to complain about. Expectations that were not met count once the last user
    /// of this thread asks.
    pub(crate) fn complaints(&self) -> Vec<String> {
        LEDGER.with(|ledger| {
            let mut failures = ledger.failures.take();
            let mut expected = ledger.expected.take();
            failures.retain(|failure| {
                let met = expected
                    .iter()
                    .position(|text| failure.contains(text.as_str()));
                match met {
                    Some(index) => {
                        expected.remove(index);
                        false
                    }
                    None => true,
                }
            });
            if ledger.users.get() > 1 {
                ledger.expected.replace(expected);
            } else {
                failures.extend(
                    expected
                        .iter()
                        .map(|text| format!("expected, and did not happen: {text}")),
                );
            }
            failures
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let _ = LEDGER.try_with(|ledger| {
            let users = ledger.users.get() - 1;
            ledger.users.set(users);
            if users == 0 {
                report::set_sink(ledger.sink_before.take());
                ledger.failures.take();
                ledger.expected.take();
            }
        });
    }
}

/// Whether nothing that uses the ledger lives on this thread.
pub(crate) fn is_unused() -> bool {
    LEDGER.with(|ledger| ledger.users.get() == 0)
}

/// Whether who asks is the last.
pub(crate) fn has_one_user() -> bool {
    LEDGER.with(|ledger| ledger.users.get() == 1)
}

/// The test is to fail, for this.
pub(crate) fn fail(text: String) {
    LEDGER.with(|ledger| ledger.failures.borrow_mut().push(text));
}

/// Something whose text contains this is to happen, and is no failure then.
pub(crate) fn expect(text: &str) {
    LEDGER.with(|ledger| ledger.expected.borrow_mut().push(text.to_owned()));
}

/// Where the last panic of this thread happened: a caught panic's payload does not say.
pub(crate) fn last_panic() -> Option<String> {
    LAST_PANIC.take()
}

/// Do something whose panics are known already, so that nothing is printed of them.
pub(crate) fn quietly<R>(work: impl FnOnce() -> R) -> R {
    let before = QUIET.replace(true);
    let result = work();
    QUIET.set(before);
    result
}

/// From now on [`last_panic`] knows.
pub(crate) fn note_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(note_where_panics_happen);
}

fn note_where_panics_happen() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string);
        let _ = LAST_PANIC.try_with(|last| *last.borrow_mut() = place);
        if !QUIET.try_with(Cell::get).unwrap_or(false) {
            before(info);
        }
    }));
}
