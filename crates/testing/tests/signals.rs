//! `Net::on_signal`, without a signal: what of it is the engine's.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;

use torsade_core::{Gone, Net, Protocol, Signal, SignalWatch, Transport};
use torsade_testing::{MemoryReactor, StringTransport};

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) -> impl FnMut(&Net) + 'static {
        let log = self.clone();
        move |_| log.0.borrow_mut().push(what)
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

#[test]
fn all_that_asked_hear_it_in_the_order_in_which_they_asked() {
    let reactor = MemoryReactor::new();
    let (net, log) = (reactor.net(), Log::default());
    let one = net.on_signal(Signal::Hup, log.note("one")).unwrap();
    let _other = net.on_signal(Signal::Usr1, log.note("other")).unwrap();
    let _two = net.on_signal(Signal::Hup, log.note("two")).unwrap();
    assert!(reactor.raise(Signal::Hup));
    assert_eq!(log.take(), ["one", "two"]);
    one.remove();
    let _three = net.on_signal(Signal::Hup, log.note("three")).unwrap();
    assert!(reactor.raise(Signal::Hup));
    assert_eq!(log.take(), ["two", "three"]);
    assert!(!reactor.raise(Signal::Usr2));
    assert_eq!(log.take(), [""; 0]);
}

/// Raises a signal at itself, twice, and says when it was called for it.
struct Raiser(Option<SignalWatch>, Log);

impl Protocol for Raiser {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let hear = self.1.note("heard");
        self.0 = Some(transport.net().on_signal(Signal::Hup, hear).unwrap());
    }

    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        let net = transport.net();
        for _ in 0..2 {
            assert!(torsade_core::driver::signalled(&net, Signal::Hup));
        }
        self.1.0.borrow_mut().push("returned");
    }
}

#[test]
fn nobody_is_nested_and_what_comes_again_before_it_is_heard_is_one() {
    let log = Log::default();
    let mut t = StringTransport::serve(Raiser(None, log.clone()));
    t.feed("x");
    assert_eq!(log.take(), ["returned", "heard"]);
    t.feed("x");
    assert_eq!(log.take(), ["returned", "heard"]);
}

#[test]
fn a_callback_may_remove_itself_and_what_it_holds_is_dropped() {
    let reactor = MemoryReactor::new();
    let held = Rc::new(());
    let place: Rc<Cell<Option<SignalWatch>>> = Rc::default();
    let (mine, kept) = (Rc::clone(&place), Rc::clone(&held));
    let watch = reactor.net().on_signal(Signal::Hup, move |_| {
        drop(mine.take());
        let _ = &kept;
    });
    place.set(Some(watch.unwrap()));
    assert!(reactor.raise(Signal::Hup));
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(!reactor.raise(Signal::Hup));
}

#[test]
fn one_that_is_removed_while_it_is_queued_is_not_called() {
    let reactor = MemoryReactor::new();
    let log = Log::default();
    let place: Rc<Cell<Option<SignalWatch>>> = Rc::default();
    let mine = Rc::clone(&place);
    let first = reactor
        .net()
        .on_signal(Signal::Hup, move |_| drop(mine.take()));
    let _first = first.unwrap();
    let second = reactor.net().on_signal(Signal::Hup, log.note("second"));
    place.set(Some(second.unwrap()));
    assert!(reactor.raise(Signal::Hup));
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn a_panic_is_its_last_call_and_nobody_elses() {
    let mut reactor = MemoryReactor::new();
    let log = Log::default();
    let net = reactor.net().clone();
    let _bad = net.on_signal(Signal::Hup, |_| panic!("no config")).unwrap();
    let _good = net.on_signal(Signal::Hup, log.note("good")).unwrap();
    reactor.expect_panic("no config");
    assert!(reactor.raise(Signal::Hup));
    assert!(reactor.raise(Signal::Hup)); // and does not panic again
    assert_eq!(log.take(), ["good", "good"]);
}

#[test]
fn what_no_process_can_hear_is_refused() {
    let reactor = MemoryReactor::new();
    for signal in [Signal::Kill, Signal::Stop, Signal::Segv] {
        let refused = reactor.net().on_signal(signal, |_| ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn the_end_of_the_reactor_drops_the_callback() {
    let reactor = MemoryReactor::new();
    let held = Rc::new(());
    let kept = Rc::clone(&held);
    let net = reactor.net().clone();
    let watch = net.on_signal(Signal::Hup, move |_| {
        let _ = &kept;
    });
    drop(reactor);
    assert_eq!(Rc::strong_count(&held), 1);
    drop(watch.unwrap());
    let refused = net.on_signal(Signal::Hup, |_| ()).unwrap_err();
    assert!(refused.get_ref().unwrap().is::<Gone>());
}
