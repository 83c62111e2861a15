//! Signals are the process's, so these tests have one for themselves and go one after the other.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::RefCell;
use std::fs::File;
use std::io::{ErrorKind, pipe};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::low_level::raise;
use torsade_core::{Adopted, Disconnect, Net, Protocol, Signal, Transport, factory};
use torsade_deferred::Deferred;
use torsade_reactor::{Driver, Reactor};

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static SIGNALS: Mutex<()> = Mutex::new(());
    SIGNALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does not close when it is told that the reactor stops.
struct Stubborn(Rc<RefCell<Vec<String>>>);

impl Protocol for Stubborn {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}

    fn stopping(&mut self, _: &Transport<Self>) {
        self.0.borrow_mut().push("stopping".to_owned());
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.borrow_mut().push(format!("lost: {reason}"));
    }
}

/// Listen, and have one connection.
fn serve(reactor: &mut Reactor, log: &Rc<RefCell<Vec<String>>>) -> TcpStream {
    let log = Rc::clone(log);
    let stubborn = factory(move |_| Stubborn(Rc::clone(&log)));
    let listener = reactor.net().listen("127.0.0.1:0", stubborn).unwrap();
    let client = TcpStream::connect(listener.address()).unwrap();
    while reactor.net().connections() == 0 {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    client
}

#[test]
fn every_reactor_that_asked_hears_a_signal() {
    let _lock = one_at_a_time();
    let mut one = Reactor::new().unwrap();
    let mut two = Reactor::new().unwrap();
    for signal in [SIGTERM, SIGINT] {
        one.stop_on_signals().unwrap();
        two.stop_on_signals().unwrap();
        raise(signal).unwrap();
        one.run().unwrap();
        two.run().unwrap();
    }
    // One that is gone does not disturb the others.
    drop(one);
    raise(SIGINT).unwrap();
    two.run().unwrap();
}

#[test]
fn the_second_signal_of_a_stop_aborts() {
    let _lock = one_at_a_time();
    let mut reactor = Reactor::new().unwrap();
    reactor.stop_on_signals().unwrap();
    // Again after the first stop: then the next signal is a first one.
    for _ in 0..2 {
        let log = Rc::default();
        let _client = serve(&mut reactor, &log);
        raise(SIGINT).unwrap();
        assert!(reactor.turn(None).unwrap());
        assert_eq!(*log.borrow(), ["stopping"]);
        raise(SIGINT).unwrap();
        reactor.run().unwrap();
        assert_eq!(*log.borrow(), ["stopping", "lost: aborted here"]);
    }
}

#[test]
fn the_second_signal_does_not_wait_for_what_the_first_one_waits_for() {
    let _lock = one_at_a_time();
    let mut reactor = Reactor::new().unwrap();
    reactor.stop_on_signals().unwrap();
    // One after the other, and both at once.
    for turns_between in [1, 0] {
        let log: Rc<RefCell<Vec<String>>> = Rc::default();
        let _client = serve(&mut reactor, &log);
        let (resolver, never) = Deferred::<(), String>::new();
        let notes = Rc::clone(&log);
        resolver.on_cancel(move || notes.borrow_mut().push("hook cancelled".to_owned()));
        let notes = Rc::clone(&log);
        reactor.net().before_stop(move || {
            notes.borrow_mut().push("hook".to_owned());
            never
        });
        raise(SIGINT).unwrap();
        for _ in 0..turns_between {
            assert!(reactor.turn(None).unwrap());
            assert_eq!(*log.borrow(), ["hook"]);
        }
        raise(SIGINT).unwrap();
        reactor.run().unwrap();
        let told = ["hook", "hook cancelled", "lost: aborted here"];
        assert_eq!(*log.borrow(), told);
    }
}

#[test]
fn a_signal_wakes_a_reactor_that_sleeps() {
    let _lock = one_at_a_time();
    let mut reactor = Reactor::new().unwrap();
    reactor.stop_on_signals().unwrap();
    let (asleep, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        told.recv().unwrap();
        raise(SIGTERM).unwrap();
    });
    reactor
        .net()
        .call_later(Duration::ZERO, move |_| asleep.send(()).unwrap());
    reactor.run().unwrap();
    other.join().unwrap();
}

/// Notes in a log that it was called.
fn note(log: &Rc<RefCell<Vec<String>>>, what: &str) -> impl FnMut(&Net) + use<> {
    let (log, what) = (Rc::clone(log), what.to_owned());
    move |_| log.borrow_mut().push(what.clone())
}

/// Turn the reactors until nothing is left to do.
fn settle(reactors: &mut [Reactor]) {
    for reactor in reactors {
        for _ in 0..5 {
            assert!(reactor.turn(Some(Duration::ZERO)).unwrap());
        }
    }
}

#[test]
fn a_signal_is_an_event_of_every_reactor_that_hears_it() {
    let _lock = one_at_a_time();
    let log = Rc::default();
    let mut reactors = [Reactor::new().unwrap(), Reactor::new().unwrap()];
    let [one, two] = &reactors;
    let hears = one.net().on_signal(Signal::Hup, note(&log, "one")).unwrap();
    let also = one.net().on_signal(Signal::Hup, note(&log, "one, too"));
    let _other = one.net().on_signal(Signal::Usr1, note(&log, "other"));
    let _two = two.net().on_signal(Signal::Hup, note(&log, "two")).unwrap();
    raise(SIGHUP).unwrap();
    settle(&mut reactors);
    assert_eq!(log.take(), ["one", "one, too", "two"]);
    // What is left of one is not disturbed by what goes.
    drop(hears);
    raise(SIGHUP).unwrap();
    raise(SIGHUP).unwrap();
    settle(&mut reactors);
    assert_eq!(log.take(), ["one, too", "two"]);
    drop(also);
    raise(SIGHUP).unwrap();
    settle(&mut reactors);
    assert_eq!(log.take(), ["two"]);
}

#[test]
fn a_signal_that_is_heard_wakes_a_reactor_that_sleeps_and_may_stop_it() {
    let _lock = one_at_a_time();
    let mut reactor = Reactor::new().unwrap();
    reactor.stop_on_signals().unwrap();
    let log = Rc::default();
    let _watch = reactor.net().on_signal(Signal::Term, note(&log, "heard"));
    let (asleep, told) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        told.recv().unwrap();
        raise(SIGTERM).unwrap();
    });
    reactor
        .net()
        .call_later(Duration::ZERO, move |_| asleep.send(()).unwrap());
    reactor.run().unwrap();
    other.join().unwrap();
    settle(&mut [reactor]);
    assert_eq!(log.take(), ["heard"]);
}

#[test]
fn of_a_storm_of_signals_the_last_one_is_heard_and_many_are_one() {
    const STORM: usize = 100_000;
    let _lock = one_at_a_time();
    let mut reactor = Reactor::new().unwrap();
    let calls: Rc<RefCell<Vec<String>>> = Rc::default();
    let net = reactor.net().clone();
    let _watch = net.on_signal(Signal::Hup, note(&calls, "called")).unwrap();
    for _ in 0..STORM {
        raise(SIGHUP).unwrap();
    }
    settle(std::slice::from_mut(&mut reactor));
    assert_eq!(calls.take(), ["called"]);
    // And beside turns.
    let storm = std::thread::spawn(|| {
        for _ in 0..STORM {
            raise(SIGHUP).unwrap();
        }
    });
    while !storm.is_finished() {
        assert!(reactor.turn(Some(Duration::ZERO)).unwrap());
    }
    storm.join().unwrap();
    calls.take();
    raise(SIGHUP).unwrap();
    settle(std::slice::from_mut(&mut reactor));
    assert!(!calls.take().is_empty());
}

#[test]
fn what_cannot_be_heard_is_an_error() {
    let _lock = one_at_a_time();
    let reactor = Reactor::new().unwrap();
    for signal in [Signal::Kill, Signal::Segv, Signal::Number(4000)] {
        let refused = reactor.net().on_signal(signal, |_| ()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{signal}");
    }
}

#[test]
fn a_reactor_takes_its_handlers_and_descriptors_with_it() {
    let _lock = one_at_a_time();
    // The system hands out the lowest descriptors that are free, so the last of many is a higher
    // one if some in between stay in use.
    let last_of_many = || {
        let many: Vec<_> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        many[49].as_raw_fd()
    };
    let before = last_of_many();
    for _ in 0..10 {
        let mut reactor = Reactor::new().unwrap();
        reactor.stop_on_signals().unwrap();
        let net = reactor.net().clone();
        for _ in 0..2 {
            drop(net.on_signal(Signal::Hup, |_| ()).unwrap());
        }
        let left = net.on_signal(Signal::Usr1, |_| ()).unwrap();
        drop(reactor);
        drop(left);
    }
    assert_eq!(last_of_many(), before);
}

/// Not even to a program that hears it: the system is asked for an error and no signal.
#[test]
fn writes_to_sockets_whose_peer_is_gone_raise_no_signal() {
    let _lock = one_at_a_time();
    let raised = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGPIPE, Arc::clone(&raised)).unwrap();
    let drivers = [
        Driver::Polling,
        #[cfg(target_os = "linux")]
        Driver::Epoll,
        #[cfg(all(target_os = "linux", feature = "io-uring"))]
        Driver::IoUring,
    ];
    for driver in drivers {
        let mut reactor = Reactor::builder().driver(driver).build().unwrap();
        for is_shut in [false, true] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            if is_shut {
                // The reactor cannot know: its own half is what is closed.
                ours.shutdown(Shutdown::Write).unwrap();
            }
            let log: Rc<RefCell<Vec<String>>> = Rc::default();
            let stubborn = Stubborn(Rc::clone(&log));
            let adopted = Adopted::new(OwnedFd::from(ours));
            let made = reactor.net().connect(adopted, stubborn);
            let transport = reactor.run_until(made).unwrap().unwrap();
            transport.pause_reading();
            if !is_shut {
                drop(theirs);
            }
            transport.write("is anybody there?");
            while log.borrow().is_empty() {
                reactor.turn(Some(Duration::from_millis(1))).unwrap();
            }
            assert_eq!(*log.borrow(), ["lost: reset by the peer"]);
        }
    }
    assert!(!raised.load(Ordering::SeqCst));
}

/// A pipe has no way to ask for that. That the signal is ignored, or heard, is what keeps it from
/// being the end of the process.
#[test]
fn writes_to_pipes_whose_reader_is_gone_are_survived() {
    let _lock = one_at_a_time();
    let mut reactor = Reactor::new().unwrap();
    let (theirs, output) = pipe().unwrap();
    let (input, _held) = pipe().unwrap();
    let log: Rc<RefCell<Vec<String>>> = Rc::default();
    let adopted = Adopted::pipes(Some(input.into()), Some(output.into()));
    let made = reactor.net().connect(adopted, Stubborn(Rc::clone(&log)));
    let transport = reactor.run_until(made).unwrap().unwrap();
    drop(theirs);
    transport.write("is anybody there?");
    while log.borrow().is_empty() {
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    assert_eq!(*log.borrow(), ["lost: reset by the peer"]);
}
