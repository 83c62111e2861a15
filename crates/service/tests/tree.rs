//! Services in order, in reverse, together, and how they end.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Net, Protocol, Timeout, Transport, factory};
use torsade_deferred::{Deferred, Resolver};
use torsade_service::{
    Backoff, Drained, MultiService, ServerService, Service, ServiceError, TimerService,
};
use torsade_testing::MemoryReactor;

const SECOND: Duration = Duration::from_secs(1);

type Log = Rc<RefCell<Vec<String>>>;

/// A service whose start and stop are the test's to settle.
#[derive(Clone)]
struct Part(Rc<Inside>);

struct Inside {
    name: &'static str,
    log: Log,
    starting: Cell<Option<Resolver<(), ServiceError>>>,
    stopping: Cell<Option<Resolver<(), Infallible>>>,
    panics: Cell<bool>,
}

impl Part {
    fn new(name: &'static str, log: &Log) -> Self {
        Self(Rc::new(Inside {
            name,
            log: Rc::clone(log),
            starting: Cell::default(),
            stopping: Cell::default(),
            panics: Cell::new(false),
        }))
    }

    fn note(&self, what: &str) {
        self.0
            .log
            .borrow_mut()
            .push(format!("{what} {}", self.0.name));
    }

    #[track_caller]
    fn started(&self) {
        self.0.starting.take().unwrap().resolve(());
    }

    #[track_caller]
    fn stopped(&self) {
        self.0.stopping.take().unwrap().resolve(());
    }
}

impl Service for Part {
    fn start(&self, _: &Net) -> Deferred<(), ServiceError> {
        self.note("start");
        assert!(!self.0.panics.get(), "as it was told");
        let (resolver, started) = Deferred::new();
        let part = self.clone();
        resolver.on_cancel(move || part.note("cancel"));
        self.0.starting.set(Some(resolver));
        started
    }

    fn stop(&self) -> Deferred<(), Infallible> {
        self.note("stop");
        let (resolver, stopped) = Deferred::new();
        self.0.stopping.set(Some(resolver));
        stopped
    }
}

fn three() -> (MultiService, [Part; 3], Log, MemoryReactor) {
    let log = Log::default();
    let parts = ["a", "b", "c"].map(|name| Part::new(name, &log));
    let all = MultiService::new();
    for part in &parts {
        all.add(part.clone()).detach();
    }
    (all, parts, log, MemoryReactor::new())
}

fn words<T: 'static, E: std::fmt::Display + 'static>(deferred: Deferred<T, E>) -> String {
    match deferred.try_take() {
        Err(unsettled) => {
            unsettled.detach();
            "waits".into()
        }
        Ok(Ok(_)) => "done".into(),
        Ok(Err(failure)) => failure.to_string(),
    }
}

#[test]
fn each_starts_when_the_one_before_has_and_stops_when_the_one_after_has() {
    let (all, [a, b, c], log, reactor) = three();
    let started = all.start(reactor.net());
    assert_eq!(log.take(), ["start a"]);
    a.started();
    assert_eq!(log.take(), ["start b"]);
    b.started();
    assert_eq!(log.take(), ["start c"]);
    assert!(!started.is_settled() && !all.is_running());
    c.started();
    assert!(started.try_take().unwrap().is_ok() && all.is_running());
    assert_eq!(words(all.start(reactor.net())), "the service runs already");

    let stopped = all.stop();
    let also = all.stop();
    assert_eq!(log.take(), ["stop c"]);
    assert_eq!(
        words(all.start(reactor.net())),
        "the service is being stopped"
    );
    c.stopped();
    b.stopped();
    assert_eq!(log.take(), ["stop b", "stop a"]);
    assert!(!stopped.is_settled() && !also.is_settled());
    a.stopped();
    assert!(stopped.is_settled() && also.is_settled());
    assert_eq!(words(all.stop()), "done");
    let again = all.start(reactor.net());
    assert_eq!(log.take(), ["start a"], "it can be started again");
    all.stop().detach();
    assert_eq!(
        words(again),
        "the service was stopped before it had started"
    );
}

#[test]
fn one_that_does_not_start_stops_those_that_did() {
    let (all, [a, b, c], log, reactor) = three();
    let started = all.start(reactor.net());
    a.started();
    b.started();
    let starting = c.0.starting.take().unwrap();
    starting.reject(ServiceError::other("no such disk"));
    assert_eq!(log.take(), ["start a", "start b", "start c", "stop b"]);
    assert!(!started.is_settled(), "it waits for them");
    b.stopped();
    a.stopped();
    assert_eq!(words(started), "no such disk");
    assert_eq!(log.take(), ["stop a"]);
    assert_eq!(words(all.stop()), "done");
}

#[test]
fn a_panic_in_a_start_is_a_failed_start() {
    let (all, [a, b, _c], log, reactor) = three();
    b.0.panics.set(true);
    let started = all.start(reactor.net());
    a.started();
    a.stopped();
    assert!(words(started).contains("as it was told"));
    assert_eq!(log.take(), ["start a", "start b", "stop a"]);
}

#[test]
fn stopped_while_it_starts_it_gives_up_and_undoes() {
    for cancelled in [false, true] {
        let (all, [a, b, _c], log, reactor) = three();
        let started = all.start(reactor.net());
        a.started();
        assert_eq!(log.take(), ["start a", "start b"]);
        let stopped = if cancelled {
            started.canceller().cancel();
            all.stop()
        } else {
            all.stop()
        };
        assert_eq!(log.take(), ["cancel b", "stop a"]);
        assert!(!stopped.is_settled());
        a.stopped();
        assert!(stopped.is_settled());
        let expected = match cancelled {
            true => "cancelled",
            false => "the service was stopped before it had started",
        };
        assert_eq!(words(started), expected);
        drop(b);
    }
}

#[test]
fn one_that_is_added_to_those_that_run_is_started_and_one_taken_out_is_stopped() {
    let (all, [a, b, c], log, reactor) = three();
    all.start(reactor.net()).detach();
    for part in [&a, &b, &c] {
        part.started();
    }
    log.take();
    let late = Part::new("late", &log);
    let added = all.add_named("late", late.clone());
    assert_eq!(log.take(), ["start late"]);
    late.started();
    assert_eq!((words(added), all.len()), ("done".into(), 4));
    let twice = all.add_named("late", Part::new("other", &log));
    assert_eq!(words(twice), "there is a service \"late\" already");
    let removed = all.remove("late");
    assert_eq!((log.take(), all.len()), (vec!["stop late".into()], 3));
    assert!(!removed.is_settled());
    late.stopped();
    assert!(removed.is_settled());
    assert_eq!(words(all.remove("late")), "done");

    let broken = Part::new("broken", &log);
    let added = all.add(broken.clone());
    let starting = broken.0.starting.take().unwrap();
    starting.reject(ServiceError::other("it is"));
    assert_eq!((words(added), all.len()), ("it is".into(), 3));
    log.take();
    all.stop().detach();
    assert_eq!(log.take(), ["stop c"]);
}

#[test]
fn trees_may_be_as_deep_as_one_likes() {
    let (inner, [a, b, c], log, reactor) = three();
    let last = Part::new("last", &log);
    let outer = MultiService::new();
    outer.add(inner).detach();
    outer.add(last.clone()).detach();
    let started = outer.start(reactor.net());
    for part in [&a, &b, &c, &last] {
        part.started();
    }
    assert!(started.is_settled());
    log.take();
    outer.stop().detach();
    for part in [&last, &c, &b, &a] {
        part.stopped();
    }
    assert_eq!(log.take(), ["stop last", "stop c", "stop b", "stop a"]);
}

#[test]
fn many_services_need_no_deep_stack() {
    struct Nothing;
    impl Service for Nothing {
        fn start(&self, _: &Net) -> Deferred<(), ServiceError> {
            Deferred::succeed(())
        }
        fn stop(&self) -> Deferred<(), Infallible> {
            Deferred::succeed(())
        }
    }
    let all = MultiService::new();
    for _ in 0..2_000 {
        all.add(Nothing).detach();
    }
    let reactor = MemoryReactor::new();
    assert_eq!(words(all.start(reactor.net())), "done");
    assert_eq!(words(all.stop()), "done");
}

/// Goes when it is asked to, after what it was told.
struct Guest(Option<Duration>);

impl Protocol for Guest {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        if let Some(patience) = self.0 {
            transport.call_later(patience, |_, transport| transport.close());
        }
    }
}

/// The seconds that each guest takes to go; one after 9 never does.
fn server() -> ServerService {
    let mut guests = (1..=9).map(|seconds| Some(seconds * SECOND));
    ServerService::new(
        "192.0.2.1:7",
        factory(move |_| Guest(guests.next().flatten())),
    )
}

#[test]
fn a_server_listens_from_its_start_until_its_stop() {
    let reactor = MemoryReactor::new();
    let server = server();
    assert_eq!(
        (words(server.stop()), server.address()),
        ("done".into(), None)
    );
    server.start(reactor.net()).detach();
    assert_eq!(server.address(), Some("192.0.2.1:7".parse().unwrap()));
    assert_eq!(
        words(server.start(reactor.net())),
        "the service runs already"
    );
    assert_eq!(words(server.stop()), "done");
    assert!(reactor.listening().is_empty());
    server.start(reactor.net()).detach();
    assert_eq!(reactor.listening().len(), 1, "it can be started again");
    let other = ServerService::new("192.0.2.1:7", factory(|_| Guest(None)));
    let refused = words(other.start(reactor.net()));
    assert!(
        refused.starts_with("cannot listen on 192.0.2.1:7"),
        "{refused}"
    );
    server.stop().detach();
}

#[test]
fn a_drain_waits_for_those_who_go_and_cuts_and_names_the_others() {
    let mut reactor = MemoryReactor::new();
    let server = server().grace(3 * SECOND);
    server.start(reactor.net()).detach();
    let mut ends: Vec<_> = (1..=5)
        .map(|host| {
            let from: torsade_core::Address = format!("10.0.0.{host}:1").parse().unwrap();
            reactor.dial_from(from, "192.0.2.1:7")
        })
        .collect();
    reactor.advance(SECOND);
    ends[4].set_window(0);
    ends[4].feed("hello");
    assert_eq!(server.connections(), 5);
    let stopped = server.stop();
    assert!(reactor.listening().is_empty());
    ends[1].feed("still served");
    assert_eq!(ends[1].take_sent(), b"still served");
    assert_eq!(
        words(server.start(reactor.net())),
        "the service is being stopped"
    );
    ends[3].reset(); // who goes by itself has gone, too
    reactor.advance(2 * SECOND);
    assert_eq!((server.connections(), stopped.is_settled()), (2, false));
    reactor.advance(SECOND);
    assert!(stopped.is_settled());
    let Drained { ended, cut } = server.last_drain().unwrap();
    // The third goes in the very moment of the deadline, in the order of the timers.
    let names: Vec<_> = cut.iter().map(|cut| cut.peer.to_string()).collect();
    assert_eq!(
        (ended, &names[..]),
        (3, &["10.0.0.3:1".to_owned(), "10.0.0.5:1".to_owned()][..])
    );
    assert_eq!((cut[1].age, cut[1].unsent), (4 * SECOND, 5));
    assert!(ends[4].has_reset());
    assert_eq!(reactor.net().connections(), 0);
}

#[test]
fn a_cut_connection_is_told_so() {
    struct Told(Rc<RefCell<Option<Disconnect>>>);
    impl Protocol for Told {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
        fn stopping(&mut self, _: &Transport<Self>) {}
        fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
            self.0.replace(Some(reason.clone()));
        }
    }
    let mut reactor = MemoryReactor::new();
    let told = Rc::<RefCell<_>>::default();
    let log = Rc::clone(&told);
    let server = ServerService::new("192.0.2.1:7", factory(move |_| Told(Rc::clone(&log))));
    server.start(reactor.net()).detach();
    let _end = reactor.dial("192.0.2.1:7");
    server.stop().detach();
    reactor.advance(5 * SECOND); // as for a reactor, if nothing else was said
    assert_eq!(told.take(), Some(Disconnect::TimedOut(Timeout::Stop)));
}

#[test]
fn a_program_stops_with_its_reactor() {
    let mut reactor = MemoryReactor::new();
    let all = MultiService::new();
    let server = server();
    all.add(server.clone()).detach();
    all.start(reactor.net()).detach();
    let tree = all.clone();
    reactor.net().before_stop(move || tree.stop());
    let _end = reactor.dial("192.0.2.1:7");
    reactor.net().stop();
    reactor.settle();
    assert!(reactor.listening().is_empty() && !reactor.has_stopped());
    reactor.advance(SECOND);
    assert!(reactor.has_stopped() && !all.is_running());
    assert_eq!(
        server.last_drain(),
        Some(Drained {
            ended: 1,
            cut: vec![]
        })
    );
}

#[test]
fn a_timer_service_stops_after_the_call_that_is_under_way() {
    let mut reactor = MemoryReactor::new();
    let calls = Rc::new(RefCell::new(Vec::<Resolver<(), String>>::new()));
    let asked = Rc::clone(&calls);
    let beat = TimerService::new(SECOND, move |_, _| {
        let (resolver, done) = Deferred::new();
        asked.borrow_mut().push(resolver);
        done
    });
    beat.start(reactor.net()).detach();
    reactor.settle();
    assert_eq!(words(beat.start(reactor.net())), "the service runs already");
    let stopped = beat.stop();
    let also = beat.stop();
    assert!(!stopped.is_settled());
    assert_eq!(
        words(beat.start(reactor.net())),
        "the service is being stopped"
    );
    calls.borrow_mut().remove(0).resolve(());
    assert!(stopped.is_settled() && also.is_settled());
    reactor.advance(10 * SECOND);
    assert!(calls.borrow().is_empty());
    beat.start(reactor.net()).detach();
    reactor.settle();
    assert_eq!(calls.borrow().len(), 1, "it can be started again");
    calls.borrow_mut().remove(0).reject("it failed".into());
    reactor.advance(10 * SECOND);
    assert!(calls.borrow().is_empty());
    assert_eq!(words(beat.stop()), "done");
}

#[test]
fn a_timer_service_that_panicked_can_be_started_again() {
    let mut reactor = MemoryReactor::new();
    let calls = Rc::new(Cell::new(0));
    let counter = Rc::clone(&calls);
    let beat = TimerService::new(SECOND, move |_, _| {
        counter.set(counter.get() + 1);
        assert!(counter.get() != 2, "the second");
    });
    beat.start(reactor.net()).detach();
    reactor.advance(10 * SECOND);
    assert_eq!(calls.get(), 2);
    assert_eq!(words(beat.stop()), "done");
    beat.start(reactor.net()).detach();
    reactor.advance(SECOND);
    assert_eq!(calls.get(), 4);
    beat.stop().detach();
}

#[test]
fn waits_grow_to_their_bound_whatever_is_asked() {
    let backoff = Backoff::default().jitter(Duration::ZERO);
    assert_eq!(backoff.delay(u32::MAX, 0), 60 * SECOND);
    assert_eq!(backoff.factor(f64::NAN).delay(9, 0), SECOND);
    assert_eq!(backoff.factor(-3.0).delay(9, 0), SECOND);
    let vast = backoff
        .initial(Duration::MAX)
        .most(Duration::MAX)
        .jitter(Duration::MAX);
    assert_eq!(vast.delay(9, u64::MAX), Duration::MAX);
    let jittered = Backoff::constant(SECOND).jitter(SECOND);
    assert_eq!(jittered.delay(0, 0), SECOND);
    assert_eq!(jittered.delay(0, 1 << 63), SECOND + SECOND / 2);
    assert!(jittered.delay(0, u64::MAX) < 2 * SECOND);
}
