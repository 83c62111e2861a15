use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use torsade_core::{Limits, Net, Time, Transport};
use torsade_deferred::Deferred;
use torsade_reactor::Reactor;

use crate::support::{Client, Log, Script, drive, echo, is_readable, serve, settle};

#[test]
fn work_made_outside_a_turn_wakes_the_host_loop_once() {
    let mut reactor = Reactor::new().unwrap();
    assert!(!is_readable(&reactor));
    reactor.net().call_later(Duration::from_secs(3600), |_| ());
    assert!(is_readable(&reactor), "the deadline is news");
    settle(&mut reactor);

    let rang = Arc::new(AtomicUsize::new(0));
    let bell = Arc::clone(&rang);
    let ring = move |_: &Net| {
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
    let mut client = Client::connect(listener.address().inet().unwrap());
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
        let call = move |_: &Net| {
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

/// A program's own loop, which knows of a reactor only its descriptor and its next deadline. Time
/// is the test's: where the loop would sleep until the deadline, the deadline is now.
struct HostLoop {
    reactor: Reactor,
    hand: Rc<Cell<Time>>,
}

impl HostLoop {
    fn new() -> Self {
        let hand = Rc::new(Cell::new(Time::ZERO));
        let read = Rc::clone(&hand);
        let reactor = Reactor::builder().clock(move || read.get());
        Self {
            reactor: reactor.build().unwrap(),
            hand,
        }
    }

    /// What the loop does until nothing but time would wake it.
    fn rest(&mut self) {
        settle(&mut self.reactor);
    }

    /// Sleep, which ends with the descriptor or at the deadline, and turn.
    fn sleep(&mut self) {
        if !is_readable(&self.reactor) {
            let deadline = self.reactor.next_deadline();
            self.hand.set(deadline.unwrap());
        }
        assert!(self.reactor.turn(Some(Duration::ZERO)).unwrap());
    }

    /// Make work outside a turn: it must wake a loop that sleeps, once, and be done then.
    fn is_woken_by(&mut self, what: &str, work: impl FnOnce(&Net)) {
        self.rest();
        work(&self.reactor.net().clone());
        assert!(is_readable(&self.reactor), "{what} wakes nobody");
        self.rest();
    }
}

#[test]
fn whatever_is_done_outside_a_turn_wakes_the_host_loop() {
    let mut host = HostLoop::new();
    let log = Log::default();
    let listening = Rc::new(RefCell::new(None));
    let place = Rc::clone(&listening);
    host.is_woken_by("a listen", move |net| *place.borrow_mut() = Some(echo(net)));
    let listener = listening.take().unwrap();

    let seat: Rc<RefCell<Option<Transport<Script>>>> = Rc::default();
    let (own, heard) = (Rc::clone(&seat), log.clone());
    let script = Script::new("a", &log)
        .made(move |transport| *own.borrow_mut() = Some(transport.clone()))
        .data(move |_, data| heard.note(String::from_utf8_lossy(data)));
    host.is_woken_by("a connect", |net| {
        net.connect(listener.address().inet().unwrap(), script)
            .detach();
    });
    drive(&mut host.reactor, || log.has("a made"));
    let transport = seat.take().unwrap();

    let t = transport.clone();
    host.is_woken_by("a write", |_| t.write(b"echo"));
    drive(&mut host.reactor, || log.has("echo"));
    let (t, notes) = (transport.clone(), log.clone());
    host.is_woken_by("a call", |_| t.call(move |_, _| notes.note("called")));
    assert!(log.has("called"));
    let t = transport.clone();
    host.is_woken_by("a pause", |_| t.pause_reading());
    let t = transport.clone();
    host.is_woken_by("a resume", |_| t.resume_reading());

    let (resolver, result) = Deferred::<(), ()>::new();
    let (t, notes) = (transport.clone(), log.clone());
    t.then(result, move |_, _, _| notes.note("then"));
    host.is_woken_by("a result", |_| resolver.resolve(()));
    assert!(log.has("then"));
    let posted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&posted);
    host.is_woken_by("a post", |net| {
        let call = move |_: &Net| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        net.remote().post(call).unwrap();
    });
    assert_eq!(posted.load(Ordering::Relaxed), 1);
    let t = transport.clone();
    host.is_woken_by("a close", |_| t.close());
    assert!(log.has("a lost: closed here"));
}

#[test]
fn a_host_loop_sees_a_stop_through() {
    let mut host = HostLoop::new();
    let log = Log::default();
    let address = serve(host.reactor.net(), {
        let log = log.clone();
        move || Script::new("a", &log)
    });
    let _client = Client::connect(address);
    drive(&mut host.reactor, || log.has("a made"));
    let (resolver, waited) = Deferred::<(), String>::new();
    host.reactor.net().before_stop(|| waited);
    host.is_woken_by("a stop", Net::stop);
    assert_eq!(log.lines(), ["a made"]);
    resolver.resolve(());
    assert!(is_readable(&host.reactor), "the hook's result wakes nobody");
    let mut turns = 1;
    while host.reactor.turn(Some(Duration::ZERO)).unwrap() {
        turns += 1;
        assert!(turns < 10, "the stop does not come to its end");
    }
    assert_eq!(log.lines(), ["a made", "a lost: closed here"]);
}

#[test]
fn a_host_loop_wakes_in_time_for_timers() {
    let mut host = HostLoop::new();
    let log = Log::default();
    let notes = log.clone();
    host.is_woken_by("a timer", |net| {
        for seconds in [3, 1, 2] {
            let notes = notes.clone();
            net.call_later(Duration::from_secs(seconds), move |net| {
                notes.note(format!("{seconds} at {:?}", net.now() - Time::ZERO));
            });
        }
    });
    assert_eq!(log.lines(), [""; 0]);
    for seconds in 1..=3_u64 {
        host.sleep();
        let line = format!("{seconds} at {:?}", Duration::from_secs(seconds));
        assert_eq!(log.lines().last(), Some(&line));
        assert!(!is_readable(&host.reactor));
    }
    assert_eq!(host.reactor.next_deadline(), None);
}

#[test]
fn what_one_reactor_does_to_another_wakes_its_host_loop() {
    let mut host = HostLoop::new();
    let mut other = Reactor::new().unwrap();
    let log = Log::default();
    let seat: Rc<RefCell<Option<Transport<Script>>>> = Rc::default();
    let own = Rc::clone(&seat);
    let script = Script::new("a", &log).made(move |t| *own.borrow_mut() = Some(t.clone()));
    let listener = echo(host.reactor.net());
    host.reactor
        .net()
        .connect(listener.address().inet().unwrap(), script)
        .detach();
    drive(&mut host.reactor, || log.has("a made"));
    host.rest();
    let transport = seat.take().unwrap();
    other.net().call_later(Duration::ZERO, move |_| {
        transport.write(b"x");
        transport.close();
    });
    drive(&mut other, || is_readable(&host.reactor));
    host.rest();
    assert!(log.has("a lost: closed here"));
}
