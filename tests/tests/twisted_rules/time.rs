//! The reactor and its time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use torsade_core::{Disconnect, Time, Timer};
use torsade_deferred::Deferred;
use torsade_reactor::Reactor;
use torsade_testing::StringTransport;

use crate::support::{Log, Script};

#[test]
fn r51_calls_posted_before_the_start_run_after_it_in_order() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let (told, ran) = mpsc::channel();
    let poster = std::thread::spawn(move || {
        for number in 0..3 {
            let told = told.clone();
            remote.post(move |_| told.send(number).unwrap()).unwrap();
        }
        remote.post(|net| net.stop()).unwrap();
    });
    poster.join().unwrap();
    assert_eq!(ran.try_recv(), Err(mpsc::TryRecvError::Empty));
    reactor.run().unwrap();
    assert_eq!(ran.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

/// A reactor whose time is turned by hand.
fn by_hand() -> (Reactor, Rc<Cell<Time>>) {
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let reactor = Reactor::builder().clock(move || read.get()).build();
    (reactor.unwrap(), hand)
}

#[test]
fn r53_a_cancel_that_comes_too_late_says_so() {
    let (mut reactor, hand) = by_hand();
    let log = Log::default();
    let own: Rc<RefCell<Option<Timer>>> = Rc::default();
    let (told, inside) = (log.clone(), Rc::clone(&own));
    let timer = reactor.net().call_later(Duration::from_secs(1), move |_| {
        let timer = inside.take().unwrap();
        told.note(format!("active {}", timer.is_active()));
        told.note(format!("cancelled {}", timer.cancel()));
        told.note(format!("reset {}", timer.reset(Duration::ZERO)));
        told.note(format!("delayed {}", timer.delay(Duration::ZERO)));
    });
    own.replace(Some(timer.clone()));
    hand.set(Time::ZERO + Duration::from_secs(1));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let too_late = [
        "active false",
        "cancelled false",
        "reset false",
        "delayed false",
    ];
    assert_eq!(log.take(), too_late);
    assert!(!timer.cancel());

    let twice = reactor.net().call_later(Duration::from_secs(1), |_| ());
    assert!(twice.cancel());
    assert!(!twice.cancel());
    hand.set(Time::ZERO + Duration::from_secs(9));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(log.take(), Vec::<String>::new());
}

#[test]
fn r55_the_wait_is_for_the_next_live_timer_or_for_ever() {
    let (reactor, _hand) = by_hand();
    let set = |seconds| {
        let net = reactor.net();
        net.call_later(Duration::from_secs(seconds), |_| ())
    };
    let at = |seconds| Some(Time::ZERO + Duration::from_secs(seconds));
    assert_eq!(reactor.next_deadline(), None);
    let (late, soon) = (set(7), set(3));
    assert_eq!(reactor.next_deadline(), at(3));
    assert!(soon.cancel());
    assert_eq!(reactor.next_deadline(), at(7));
    assert!(late.cancel());
    assert_eq!(reactor.next_deadline(), None);
}

#[test]
fn r56_a_stop_waits_for_its_hooks_and_an_error_of_one_stops_no_other() {
    let log = Log::default();
    let mut t = StringTransport::serve(Script::new("server", &log));
    log.take();
    let (saved, waits) = Deferred::<(), String>::new();
    let (first, third) = (log.clone(), log.clone());
    t.net().before_stop(move || {
        first.note("first");
        Deferred::<(), String>::fail("no registry".into())
    });
    t.net()
        .before_stop(|| -> Deferred<(), String> { panic!("no second") });
    t.net().before_stop(move || {
        third.note("third");
        waits
    });
    t.expect_unhandled("no registry");
    t.expect_panic("no second");
    t.net().stop();
    t.feed("still served");
    assert_eq!(log.take(), ["first", "third", "server data still served"]);
    assert_eq!(t.lost(), None);
    saved.resolve(());
    assert_eq!(t.lost(), Some(Disconnect::Closed));
    assert_eq!(log.take(), ["server lost: closed here"]);
}
