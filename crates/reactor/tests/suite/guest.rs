use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use torsade_core::{Limits, Time};
use torsade_reactor::Reactor;

use crate::support::{Client, echo, is_readable, settle};

#[test]
fn work_made_outside_a_turn_wakes_the_host_loop_once() {
    let mut reactor = Reactor::new().unwrap();
    assert!(!is_readable(&reactor));
    reactor.net().call_later(Duration::from_secs(3600), |_| ());
    assert!(is_readable(&reactor), "the deadline is news");
    settle(&mut reactor);

    let rang = Arc::new(AtomicUsize::new(0));
    let bell = Arc::clone(&rang);
    let ring = move |_: &torsade_core::Net| {
        bell.fetch_add(1, Ordering::Relaxed);
    };
    reactor.remote().post(ring).unwrap();
    assert!(is_readable(&reactor), "a posted call is work");
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(rang.load(Ordering::Relaxed), 1);
    assert!(!is_readable(&reactor), "once");
}

#[test]
fn a_peers_bytes_wake_the_host_loop() {
    let mut reactor = Reactor::new().unwrap();
    let listener = echo(reactor.net());
    settle(&mut reactor);
    let mut client = Client::connect(listener.address());
    settle(&mut reactor);
    client.write(b"hello");
    assert!(is_readable(&reactor));
    settle(&mut reactor);
    assert_eq!(client.try_read(9).unwrap().as_deref(), Some(&b"hello"[..]));
}

#[test]
fn work_left_over_is_due_at_once() {
    let mut limits = Limits::default();
    limits.turn_posts = 1;
    let mut reactor = Reactor::builder()
        .limits(limits)
        .clock(|| Time::from_nanos(7))
        .build()
        .unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let count = Arc::clone(&count);
        let call = move |_: &torsade_core::Net| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        reactor.remote().post(call).unwrap();
    }
    for done in 1..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), done);
        assert!(is_readable(&reactor));
        assert_eq!(reactor.next_deadline(), Some(Time::from_nanos(7)));
    }
    reactor.turn(None).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 3);
    assert!(!is_readable(&reactor));
    assert_eq!(reactor.next_deadline(), None);
}
