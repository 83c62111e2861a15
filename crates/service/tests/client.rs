//! The client service: every state and what may happen in it, and outages in virtual time.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport, factory};
use torsade_deferred::{Deferred, Failure, Resolver};
use torsade_service::{Backoff, ClientError, ClientFailure, ClientService, Service, ServiceError};
use torsade_testing::sim::Sim;
use torsade_testing::{FarEnd, MemoryReactor};

const SECOND: Duration = Duration::from_secs(1);

/// Notes what it is told.
struct Noting(Rc<RefCell<Vec<String>>>, Farewell);

#[derive(Clone, Copy, PartialEq)]
enum Farewell {
    Close,
    Never,
}

impl Protocol for Noting {
    fn connection_made(&mut self, _: &Transport<Self>) {
        self.0.borrow_mut().push("made".into());
    }
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    fn stopping(&mut self, transport: &Transport<Self>) {
        self.0.borrow_mut().push("stopping".into());
        if self.1 == Farewell::Close {
            transport.close();
        }
    }
    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.borrow_mut().push(format!("lost: {reason}"));
    }
}

struct Test {
    reactor: MemoryReactor,
    service: ClientService<Noting>,
    log: Rc<RefCell<Vec<String>>>,
}

/// A service that waits 1, 2, 4, 8 seconds, and no more.
fn test() -> Test {
    test_with(Farewell::Close)
}

fn test_with(farewell: Farewell) -> Test {
    let log = Rc::<RefCell<Vec<String>>>::default();
    let notes = Rc::clone(&log);
    let backoff = Backoff::default()
        .factor(2.0)
        .most(8 * SECOND)
        .jitter(Duration::ZERO);
    let make = move || Noting(Rc::clone(&notes), farewell);
    let service = ClientService::new("192.0.2.1:7", make).backoff(backoff);
    Test {
        reactor: MemoryReactor::new(),
        service,
        log,
    }
}

impl Test {
    fn start(&self) {
        assert_eq!(state(self.service.start(self.reactor.net())), "done");
    }

    /// The attempt that is under way succeeds.
    #[track_caller]
    fn accept(&self) -> FarEnd {
        self.reactor.next_connect().succeed()
    }

    #[track_caller]
    fn refuse(&self) {
        self.reactor
            .next_connect()
            .fail(ErrorKind::ConnectionRefused);
    }

    fn attempts(&self) -> usize {
        self.reactor.pending_connects().len()
    }

    /// The next attempt comes after so many seconds, and not before.
    #[track_caller]
    fn next_after(&mut self, seconds: u32) {
        self.reactor
            .advance(seconds * SECOND - Duration::from_nanos(1));
        assert_eq!(self.attempts(), 0, "too early");
        self.reactor.advance(Duration::from_nanos(1));
        assert_eq!(self.attempts(), 1, "too late");
    }

    fn log(&self) -> Vec<String> {
        self.reactor.settle();
        self.log.take()
    }
}

/// What became of it: not yet, done, or the failure in words.
fn state<T: 'static, E: std::fmt::Display + 'static>(deferred: Deferred<T, E>) -> String {
    match deferred.try_take() {
        Err(unsettled) => {
            unsettled.detach();
            "waits".into()
        }
        Ok(Ok(_)) => "done".into(),
        Ok(Err(failure)) => failure.to_string(),
    }
}

fn is_settled<T: 'static, E: 'static>(deferred: &Deferred<T, E>) -> bool {
    deferred.is_settled()
}

#[test]
fn it_begins_with_the_initial_wait_and_waits_longer_each_time() {
    let mut t = test();
    t.start();
    for seconds in [1, 2, 4, 8, 8] {
        assert_eq!(t.attempts(), 1);
        t.refuse();
        t.next_after(seconds);
    }
    assert_eq!(t.service.failures(), 5);
    t.service.stop().detach();
    assert_eq!(t.attempts(), 0, "the attempt was given up");
}

#[test]
fn jitter_comes_from_the_nets_randomness() {
    let delays = || {
        let mut reactor = MemoryReactor::new();
        let service = ClientService::new("192.0.2.1:7", || Noting(Rc::default(), Farewell::Close));
        service.start(reactor.net()).detach();
        let mut delays = Vec::new();
        for _ in 0..4 {
            reactor.next_connect().fail(ErrorKind::ConnectionRefused);
            let mut waited = Duration::ZERO;
            while reactor.pending_connects().is_empty() {
                reactor.advance(Duration::from_millis(1));
                waited += Duration::from_millis(1);
            }
            delays.push(waited);
        }
        service.stop().detach();
        delays
    };
    let waited = delays();
    for (wait, least) in waited.iter().zip([1000, 1500, 2250, 3375]) {
        let least = Duration::from_millis(least);
        assert!(
            (least..=least + SECOND + SECOND / 1000).contains(wait),
            "{waited:?}"
        );
    }
    let jitter: Vec<_> = waited.iter().map(Duration::subsec_micros).collect();
    assert!(jitter.iter().any(|one| *one != jitter[0]));
    assert_eq!(waited, delays(), "the same in every run");
}

#[test]
fn a_steady_connection_sets_the_count_back_and_a_short_one_does_not() {
    let mut t = test();
    t.start();
    t.refuse();
    t.next_after(1);
    let mut end = t.accept();
    t.reactor.advance(10 * SECOND - Duration::from_nanos(1));
    end.reset();
    assert_eq!(t.service.failures(), 2);
    t.next_after(2);
    let mut end = t.accept();
    t.reactor.advance(10 * SECOND);
    assert_eq!(t.service.failures(), 2);
    end.end();
    t.next_after(1);
    t.service.stop().detach();
}

#[test]
fn whoever_waits_gets_the_connection_now_or_when_there_is_one() {
    let t = test();
    let early = t.service.when_connected();
    t.start();
    let later = t.service.when_connected();
    assert!(!is_settled(&early) && !is_settled(&later));
    let _end = t.accept();
    let early = early.try_take().unwrap().unwrap();
    assert_eq!(later.try_take().unwrap().unwrap(), early);
    assert_eq!(t.service.transport(), Some(early.clone()));
    assert_eq!(
        t.service.when_connected().try_take().unwrap().unwrap(),
        early
    );
    t.service.stop().detach();
    assert_eq!(t.service.transport(), None);
}

#[test]
fn patience_is_counted_in_failures_from_when_it_was_asked() {
    let mut t = test();
    t.start();
    t.refuse();
    let two = t.service.when_connected_within(2);
    let none = t.service.when_connected_within(0);
    let ever = t.service.when_connected();
    t.next_after(1);
    t.refuse();
    let Err(Failure::Error(ClientError::Failed(error))) = none.try_take().unwrap() else {
        panic!("not the attempt's error");
    };
    assert!(matches!(*error, ClientFailure::Connect(_)), "{error}");
    assert!(!is_settled(&two));
    t.next_after(2);
    t.refuse();
    assert!(matches!(
        two.try_take().unwrap(),
        Err(Failure::Error(ClientError::Failed(_)))
    ));
    assert!(!is_settled(&ever));
    t.next_after(4);
    let _end = t.accept();
    assert!(ever.try_take().unwrap().is_ok());
    t.service.stop().detach();
}

#[test]
fn stopping_gives_up_an_attempt_and_those_who_wait() {
    let t = test();
    let waiting = t.service.when_connected();
    t.start();
    assert_eq!(state(t.service.stop()), "done");
    assert_eq!(t.attempts(), 0);
    assert_eq!(state(waiting), "the client service was stopped");
    assert_eq!(t.log(), [""; 0]);
}

#[test]
fn stopping_disarms_the_wait() {
    let mut t = test();
    t.start();
    t.refuse();
    assert_eq!(t.reactor.net().free_timers().len(), 1);
    assert_eq!(state(t.service.stop()), "done");
    assert!(t.reactor.net().free_timers().is_empty());
    t.reactor.advance(100 * SECOND);
    assert_eq!(t.attempts(), 0);
}

#[test]
fn stopping_a_connection_asks_it_and_waits_for_its_loss() {
    let mut t = test_with(Farewell::Never);
    t.start();
    let mut end = t.accept();
    let stopped = t.service.stop();
    let again = t.service.stop();
    assert_eq!(t.log(), ["made", "stopping"]);
    t.reactor.advance(SECOND);
    assert!(!is_settled(&stopped) && !is_settled(&again));
    end.reset();
    assert!(is_settled(&stopped) && is_settled(&again));
    assert!(t.reactor.net().free_timers().is_empty());
    assert_eq!(state(t.service.stop()), "done", "it is stopped already");

    // One that does not go is aborted.
    let mut t = test_with(Farewell::Never);
    t.start();
    let end = t.accept();
    let stopped = t.service.stop();
    t.reactor.advance(5 * SECOND);
    assert!(is_settled(&stopped) && end.has_reset());
}

#[test]
fn started_again_while_it_stops_it_connects_when_the_old_one_is_lost() {
    let mut t = test_with(Farewell::Never);
    t.start();
    let mut end = t.accept();
    let stopped = t.service.stop();
    t.start();
    let twice = t.service.start(t.reactor.net());
    assert_eq!(state(twice), "the service runs already");
    let waiting = t.service.when_connected();
    assert_eq!(t.attempts(), 0);
    end.reset();
    assert!(is_settled(&stopped));
    assert_eq!(t.attempts(), 1);
    let mut end = t.accept();
    assert!(waiting.try_take().unwrap().is_ok());

    // Stopped once more before the loss, it does not.
    t.service.stop().detach();
    t.start();
    let stopped = t.service.stop();
    end.reset();
    assert!(is_settled(&stopped));
    t.reactor.advance(100 * SECOND);
    assert_eq!(t.attempts(), 0);
}

#[test]
fn started_twice_is_an_error_in_every_state() {
    let t = test();
    t.start();
    let refused = || state(t.service.start(t.reactor.net()));
    assert_eq!(refused(), "the service runs already");
    t.refuse();
    assert_eq!(refused(), "the service runs already");
    t.service.stop().detach();
    t.start();
    let _end = t.accept();
    assert_eq!(refused(), "the service runs already");
    t.service.stop().detach();
}

/// Prepare steps that are under way.
type Steps = Rc<RefCell<Vec<Resolver<(), ServiceError>>>>;

/// A service whose prepare step is the test.
fn preparing() -> (Test, Steps) {
    let mut t = test();
    let steps = Rc::<RefCell<Vec<_>>>::default();
    let asked = Rc::clone(&steps);
    t.service = t.service.prepare(move |_| {
        let (resolver, prepared) = Deferred::new();
        asked.borrow_mut().push(resolver);
        prepared
    });
    (t, steps)
}

#[test]
fn a_connection_is_given_out_when_it_is_prepared() {
    let (t, steps) = preparing();
    let waiting = t.service.when_connected();
    t.start();
    let _end = t.accept();
    assert!(!is_settled(&waiting));
    assert_eq!(t.service.transport(), None);
    steps.borrow_mut().remove(0).resolve(());
    assert!(waiting.try_take().unwrap().is_ok());
    t.service.stop().detach();
}

#[test]
fn a_prepare_step_that_fails_is_a_failed_attempt() {
    let (mut t, steps) = preparing();
    t.start();
    let waiting = t.service.when_connected_within(1);
    let end = t.accept();
    steps
        .borrow_mut()
        .remove(0)
        .reject(ServiceError::other("wrong password"));
    assert!(end.has_ended());
    assert_eq!(state(waiting), "could not be prepared: wrong password");
    t.next_after(1);
    let _end = t.accept();
    // A panic in it is a failure, too.
    drop(steps.borrow_mut().remove(0));
    t.next_after(2);
    t.service.stop().detach();
}

#[test]
fn a_connection_that_is_lost_while_it_is_prepared_is_a_failed_attempt() {
    let (mut t, steps) = preparing();
    t.start();
    let waiting = t.service.when_connected_within(1);
    let mut end = t.accept();
    end.reset();
    assert!(state(waiting).starts_with("lost before it was prepared"));
    let resolver = steps.borrow_mut().remove(0);
    assert!(resolver.is_cancelled());
    resolver.resolve(()); // too late
    assert_eq!(t.service.transport(), None);
    t.next_after(1);
    t.service.stop().detach();
}

#[test]
fn stopping_gives_up_the_prepare_step() {
    let (mut t, steps) = preparing();
    t.start();
    let end = t.accept();
    let stopped = t.service.stop();
    assert!(steps.borrow()[0].is_cancelled());
    assert!(end.has_ended() && is_settled(&stopped));
    steps.borrow_mut().remove(0).resolve(());
    t.reactor.advance(100 * SECOND);
    assert_eq!(t.attempts(), 0);
}

#[test]
fn it_ends_with_the_reactor() {
    let mut t = test();
    let waiting = t.service.when_connected();
    t.start();
    t.reactor.net().stop();
    t.reactor.settle();
    assert_eq!(state(waiting), "the client service was stopped");
    t.reactor.advance(100 * SECOND);
    assert_eq!(t.attempts(), 0);

    let t = test();
    t.start();
    t.refuse();
    t.reactor.net().stop();
    t.reactor.settle();
    assert!(t.reactor.has_stopped());
}

/// Greets whoever comes.
struct Greeter;

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("hello");
    }
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// Counts connections.
struct Counting(Rc<Cell<u32>>);

impl Protocol for Counting {
    fn connection_made(&mut self, _: &Transport<Self>) {
        self.0.set(self.0.get() + 1);
    }
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

#[test]
fn a_swarm_comes_back_after_its_server_did_and_not_all_at_once() {
    let mut net = Sim::new(7);
    let server = net.host("server");
    server.boot(|net| {
        let listening = net.listen("0.0.0.0:7", factory(|_| Greeter));
        assert!(listening.is_ok());
    });
    let mut counts = Vec::new();
    for number in 0..20 {
        let count = Rc::new(Cell::new(0));
        let made = Rc::clone(&count);
        let service = ClientService::new("server:7", move || Counting(Rc::clone(&made)));
        let client = net.host(&format!("client{number}"));
        client.run(|net| service.start(net).detach());
        counts.push(count);
    }
    net.advance(20 * SECOND);
    assert!(counts.iter().all(|count| count.get() == 1));
    let killed = net.kill("server");
    net.advance(10 * SECOND);
    killed.heal();
    let mut waves = Vec::new();
    for _ in 0..60 {
        net.advance(SECOND / 2);
        waves.push(counts.iter().filter(|count| count.get() == 2).count());
    }
    assert_eq!(waves.last(), Some(&20), "{waves:?}");
    let part = waves.iter().filter(|back| (1..20).contains(*back)).count();
    assert!(part > 0, "all at once: {waves:?}");
}
