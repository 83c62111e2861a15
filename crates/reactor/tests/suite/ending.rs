use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport, factory};
use torsade_deferred::Failure;
use torsade_reactor::Reactor;

use crate::support::{Client, Log, Script, drive, serve};

fn with_a_connection(log: &Log) -> (Reactor, Client) {
    let mut reactor = Reactor::new().unwrap();
    let server = log.clone();
    let address = serve(reactor.net(), move || Script::new("server", &server));
    let client = Client::connect(address);
    drive(&mut reactor, || log.has("server made"));
    (reactor, client)
}

#[test]
fn dropping_a_reactor_delivers_the_losses() {
    let log = Log::default();
    let (reactor, mut client) = with_a_connection(&log);
    let net = reactor.net().clone();
    let address = client.0.peer_addr().unwrap();
    let pending = net.connect(address, Script::new("client", &log));
    let result = Rc::new(RefCell::new(None));
    let place = Rc::clone(&result);
    pending.finish(move |outcome| *place.borrow_mut() = Some(outcome.map(drop)));

    drop(reactor);
    assert_eq!(
        log.lines(),
        ["server made", "server lost: the reactor is gone"]
    );
    assert!(matches!(&*result.borrow(), Some(Err(Failure::Abandoned))));
    assert!(!net.is_alive());
    assert!(client.try_read(1).is_err(), "an abort");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn dropping_a_reactor_inside_a_callback_waits_for_its_end() {
    let log = Log::default();
    let (inner, _client) = with_a_connection(&log);
    let inner = Cell::new(Some(inner));
    let mut outer = Reactor::new().unwrap();
    let notes = log.clone();
    outer.net().call_later(Duration::ZERO, move |net| {
        notes.note("callback begins");
        drop(inner.take());
        notes.note("callback ends");
        net.stop();
    });
    outer.run().unwrap();
    assert_eq!(
        log.lines()[1..],
        [
            "callback begins",
            "callback ends",
            "server lost: the reactor is gone"
        ]
    );
}

/// Calls the others when it is lost.
struct Orphan {
    log: Log,
    all: Rc<RefCell<Vec<Transport<Self>>>>,
}

impl Protocol for Orphan {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.all.borrow_mut().push(transport.clone());
        self.log.note(format!("{} made", self.all.borrow().len()));
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        self.log.note("lost");
        for other in self.all.borrow().iter().filter(|it| *it != transport) {
            other.call(|me, _| me.log.note("called"));
        }
    }
}

/// Its places in the queue are the outer reactor's to run, which is in the middle of a callback.
#[test]
fn what_is_queued_while_a_reactor_is_dropped_in_a_callback_comes_before_the_loss() {
    let log = Log::default();
    let mut inner = Reactor::new().unwrap();
    let (notes, all) = (log.clone(), Rc::default());
    let orphan = factory(move |_| Orphan {
        log: notes.clone(),
        all: Rc::clone(&all),
    });
    let listener = inner.net().listen("127.0.0.1:0", orphan).unwrap();
    let _clients = [(); 2].map(|()| Client::connect(listener.address().inet().unwrap()));
    drive(&mut inner, || log.has("2 made"));
    let inner = Cell::new(Some(inner));
    let mut outer = Reactor::new().unwrap();
    outer.net().call_later(Duration::ZERO, move |net| {
        drop(inner.take());
        net.stop();
    });
    outer.run().unwrap();
    assert_eq!(log.lines()[2..], ["lost", "called", "lost"]);
}

#[test]
fn a_timer_that_is_dropped_with_the_reactor_may_settle_deferreds() {
    let reactor = Reactor::new().unwrap();
    let (resolver, deferred) = torsade_deferred::Deferred::<(), ()>::new();
    let told = Rc::new(Cell::new(false));
    let tell = Rc::clone(&told);
    deferred.finish(move |result| tell.set(result == Err(Failure::Abandoned)));
    reactor
        .net()
        .call_later(Duration::from_secs(9), move |_| resolver.resolve(()));
    drop(reactor);
    assert!(told.get());
}

#[test]
fn a_reactor_whose_clock_panicked_still_ends_in_order() {
    let log = Log::default();
    let broken = Rc::new(Cell::new(false));
    let read = Rc::clone(&broken);
    let mut reactor = Reactor::builder()
        .clock(move || {
            assert!(!read.get(), "the clock broke");
            torsade_core::Time::ZERO
        })
        .build()
        .unwrap();
    let server = log.clone();
    let address = serve(reactor.net(), move || Script::new("server", &server));
    let _client = Client::connect(address);
    drive(&mut reactor, || log.has("server made"));
    reactor.net().call_later(Duration::ZERO, |_| ());
    reactor.turn(None).unwrap();
    let late = Rc::clone(&broken);
    reactor.net().call_later(Duration::ZERO, move |net| {
        // Read at the end of this turn, where no user's code is expected to run.
        late.set(true);
        net.call_later(Duration::ZERO, |_| ());
    });
    let run = catch_unwind(AssertUnwindSafe(|| reactor.run()));
    assert!(run.is_err());
    broken.set(false);
    drop(reactor);
    assert!(log.has("server lost: the reactor is gone"));
    // The thread's queue runs again.
    torsade_deferred::Deferred::<_, ()>::succeed(()).finish(move |_| log.note("runs"));
    assert!(Reactor::new().unwrap().turn(Some(Duration::ZERO)).unwrap());
}
