//! Collecting what happened.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use torsade_deferred::report::{self, Sink};
use torsade_deferred::{Deferred, Failure};

/// A shared list of what was seen, in order.
pub(crate) struct Log<V>(Rc<RefCell<Vec<V>>>);

impl<V> Clone for Log<V> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<V: 'static> Log<V> {
    pub(crate) fn new() -> Self {
        Self(Rc::default())
    }

    pub(crate) fn push(&self, value: V) {
        self.0.borrow_mut().push(value);
    }

    /// Takes out what was seen so far.
    pub(crate) fn take(&self) -> Vec<V> {
        self.0.take()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Ends the chain in a list of results.
pub(crate) fn results<T: 'static, E: 'static>(
    deferred: Deferred<T, E>,
) -> Log<Result<T, Failure<E>>> {
    let log = Log::new();
    let end = log.clone();
    deferred.finish(move |result| end.push(result));
    log
}

/// The result, which must be there.
#[track_caller]
pub(crate) fn now<T: Debug + 'static, E: Debug + 'static>(
    deferred: Deferred<T, E>,
) -> Result<T, Failure<E>> {
    deferred.try_take().expect("the result is there")
}

/// Collects the reports of this thread until it is dropped; one that nobody took fails the test.
pub(crate) struct Reports {
    log: Log<String>,
    previous: Option<Sink>,
}

impl Reports {
    pub(crate) fn collect() -> Self {
        let log = Log::new();
        let sink = log.clone();
        let previous = report::set_sink(Some(Rc::new(move |report| sink.push(report.to_string()))));
        Self { log, previous }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.log.take()
    }

    /// The only report since the last look.
    #[track_caller]
    pub(crate) fn one(&self) -> String {
        let mut reports = self.take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0)
    }

    #[track_caller]
    pub(crate) fn none(&self) {
        assert_eq!(self.take(), Vec::<String>::new());
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        report::set_sink(self.previous.take());
        if !std::thread::panicking() {
            assert_eq!(
                self.log.take(),
                Vec::<String>::new(),
                "reports that no assertion took"
            );
        }
    }
}

/// Says when it is dropped.
pub(crate) struct Tell(pub(crate) &'static str, pub(crate) Log<&'static str>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.1.push(self.0);
    }
}

/// Panics when it is dropped.
#[derive(Debug)]
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb");
    }
}
