use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use torsade_core::{AttemptError, ConnectError, Time};
use torsade_deferred::Failure;
use torsade_reactor::Reactor;

use crate::support::{Log, Script, drive, echo, nobody, settle};

#[test]
fn several_addresses_are_tried_in_order() {
    let mut reactor = Reactor::new().unwrap();
    let first = echo(reactor.net()).address().inet().unwrap();
    let second = echo(reactor.net()).address().inet().unwrap();
    let log = Log::default();
    let to = [nobody(), nobody(), first, second];
    let connected = reactor.net().connect(&to[..], Script::new("client", &log));
    let transport = reactor.run_until(connected).unwrap().unwrap();
    assert_eq!(*transport.peer().remote(), first);
    assert_eq!(log.lines(), ["client made"]);
}

#[test]
fn a_refusal_by_all_tells_of_all() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let to = [nobody(), nobody()];
    let connected = reactor.net().connect(&to[..], Script::new("client", &log));
    match reactor.run_until(connected).unwrap() {
        Err(Failure::Error(error)) => {
            let tried: Vec<_> = error.attempts().iter().map(|it| it.place.clone()).collect();
            assert_eq!(tried, to);
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        other => panic!("{other:?}"),
    }
    assert!(log.lines().is_empty(), "a protocol without a connection");
    assert_eq!(reactor.net().connections(), 0);
}

#[test]
fn an_attempt_that_fails_at_once_is_an_error_too() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    // No system connects a stream to a multicast address, and it says so in the call.
    let multicast: SocketAddr = "224.0.0.1:9".parse().unwrap();
    let connected = reactor
        .net()
        .connect(multicast, Script::new("client", &log));
    let result = reactor.run_until(connected).unwrap();
    assert!(
        matches!(&result, Err(Failure::Error(ConnectError::Failed { .. }))),
        "{result:?}"
    );
}

/// A listener whose queue is full: who connects to it now gets no answer.
struct Silent {
    address: SocketAddr,
    _sockets: Vec<Socket>,
}

fn silent() -> Silent {
    let socket = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let listener = socket();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut sockets = vec![listener];
    for _ in 0..8 {
        let client = socket();
        // Some are let in and the rest wait: what matters is that the next one waits.
        let _ = client.connect(&address);
        sockets.push(client);
    }
    Silent {
        address: address.as_socket().unwrap(),
        _sockets: sockets,
    }
}

#[test]
fn a_cancelled_attempt_is_forgotten_with_its_socket() {
    let mut reactor = Reactor::new().unwrap();
    let silent = silent();
    let log = Log::default();
    let connected = reactor
        .net()
        .connect(silent.address, Script::new("client", &log));
    let canceller = connected.canceller();
    let outcome = Rc::new(RefCell::new(None));
    let place = Rc::clone(&outcome);
    connected.finish(move |result| *place.borrow_mut() = Some(result.map(drop)));

    drive(&mut reactor, || true);
    settle(&mut reactor);
    assert!(outcome.borrow().is_none());
    assert!(
        format!("{reactor:?}").contains("connecting: 1"),
        "{reactor:?}"
    );

    canceller.cancel();
    settle(&mut reactor);
    assert!(matches!(&*outcome.borrow(), Some(Err(Failure::Cancelled))));
    assert!(
        format!("{reactor:?}").contains("connecting: 0"),
        "{reactor:?}"
    );
    assert!(log.lines().is_empty());
}

#[test]
fn an_attempt_without_an_answer_times_out() {
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let mut reactor = Reactor::builder()
        .clock(move || read.get())
        .build()
        .unwrap();
    let silent = silent();
    let connected = reactor
        .net()
        .connect(silent.address, Script::new("client", &Log::default()));
    settle(&mut reactor);
    hand.set(hand.get() + Duration::from_secs(29));
    settle(&mut reactor);
    assert!(!connected.is_settled());
    hand.set(hand.get() + Duration::from_secs(1));
    match reactor.run_until(connected).unwrap() {
        Err(Failure::Error(ConnectError::TimedOut { attempts })) => {
            assert_eq!(attempts[0].place, silent.address);
            assert!(matches!(attempts[0].error, AttemptError::Unanswered));
        }
        other => panic!("{other:?}"),
    }
    settle(&mut reactor);
    assert!(
        format!("{reactor:?}").contains("connecting: 0"),
        "{reactor:?}"
    );
}

#[test]
fn a_connecting_end_that_begins_paused_is_at_rest() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let quiet = Script::new("client", &log).made(|transport| transport.pause_reading());
    let address = echo(reactor.net()).address().inet().unwrap();
    let connected = reactor.net().connect(address, quiet);
    let transport = reactor.run_until(connected).unwrap().unwrap();
    settle(&mut reactor);
    assert!(transport.is_open());
}
