use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Limits, Transport, factory};
use torsade_reactor::{Driver, Reactor};

use crate::support::{Client, Log, Script, drive, echo, serve, settle};

#[test]
fn accepts_of_one_turn_are_bounded() {
    let mut limits = Limits::default();
    limits.turn_accepts = 3;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    let listener = echo(reactor.net());
    let clients: Vec<_> = (0..8)
        .map(|_| Client::connect(listener.address().inet().unwrap()))
        .collect();
    let mut seen = Vec::new();
    while seen.last() != Some(&clients.len()) {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        seen.push(reactor.net().connections());
    }
    // One at first, because being ready means no more than that.
    let expected: &[_] = match reactor.driver() {
        // A ring has accepted them already.
        Driver::IoUring => &[3, 6, 8],
        _ => &[1, 3, 6, 8],
    };
    assert_eq!(seen, expected);
}

#[test]
fn a_listener_that_is_closed_in_a_callback_accepts_no_more() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let listener: Rc<RefCell<Option<torsade_core::Listener>>> = Rc::default();
    let own = Rc::clone(&listener);
    let made = reactor.net().listen(
        "127.0.0.1:0",
        factory(move |_| {
            let own = Rc::clone(&own);
            Script::new("server", &server).made(move |_| {
                if let Some(listener) = own.take() {
                    listener.close();
                }
            })
        }),
    );
    let made = made.unwrap();
    let address = made.address().inet().unwrap();
    *listener.borrow_mut() = Some(made);
    let clients: Vec<_> = (0..3).map(|_| Client::connect(address)).collect();
    settle(&mut reactor);
    assert_eq!(log.lines(), ["server made"]);
    assert!(std::net::TcpStream::connect(address).is_err());
    drop(clients);
}

#[test]
fn an_event_of_a_connection_that_is_gone_reaches_nobody() {
    let mut limits = Limits::default();
    // One read a turn: the rest of a batch is told later, when the world has changed.
    limits.turn_bytes = 1;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    let log = Log::default();
    let notes = log.clone();
    let all: Rc<RefCell<Vec<Transport<Script>>>> = Rc::default();
    let list = Rc::clone(&all);
    let number = Cell::new(0);
    let address = serve(reactor.net(), move || {
        number.set(number.get() + 1);
        let name = ["", "first", "second", "third"][number.get()];
        let notes = notes.clone();
        let (list, others) = (Rc::clone(&list), Rc::clone(&list));
        Script::new(name, &notes.clone())
            .made(move |transport| list.borrow_mut().push(transport.clone()))
            .data(move |_, data| {
                notes.note(format!("{name} heard {}", String::from_utf8_lossy(data)));
                if name == "first" {
                    others.borrow()[1].abort();
                }
            })
    });
    let mut first = Client::connect(address);
    drive(&mut reactor, || log.has("first made"));
    let mut second = Client::connect(address);
    drive(&mut reactor, || log.has("second made"));

    settle(&mut reactor);

    // Ready in this order; the third takes the place of the second before its event is told.
    first.write(b"one");
    let mut third = Client::connect(address);
    second.write(b"two");
    drive(&mut reactor, || log.has("third made"));
    settle(&mut reactor);
    // A ring lets go of the second in the next turn.
    let mut lines = log.lines();
    lines[3..].sort();
    assert_eq!(
        lines[2..],
        ["first heard one", "second lost: aborted here", "third made"]
    );
    third.write(b"three");
    drive(&mut reactor, || log.has("third heard three"));
}

#[test]
fn the_counters_tell_what_happened() {
    let mut reactor = Reactor::new().unwrap();
    let listener = echo(reactor.net());
    let mut clients: Vec<_> = (0..3)
        .map(|_| Client::connect(listener.address().inet().unwrap()))
        .collect();
    settle(&mut reactor);
    let first = reactor.counters();
    assert_eq!((first.accepts, first.connections, first.shed), (3, 3, 0));
    // A ring tells each connection, and each end of a send.
    let (calls, arrivals, echo) = match reactor.driver() {
        Driver::IoUring => (4, 3, 2),
        _ => (3, 2, 1),
    };
    assert_eq!((first.accept_calls, first.events), (calls, arrivals));

    for client in &mut clients {
        client.write(b"x");
    }
    settle(&mut reactor);
    let second = reactor.counters();
    assert_eq!(second.events, first.events + 3 * echo);
    let idle = Duration::ZERO;
    reactor.turn(Some(idle)).unwrap();
    let third = reactor.counters();
    assert_eq!(
        (third.turns, third.events),
        (second.turns + 1, second.events)
    );
    assert_eq!(
        (third.dropped_writes, third.buffered, third.lingering),
        (0, 0, 0)
    );
}

#[test]
fn a_write_after_the_close_is_counted() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        Script::new("server", &server).made(|transport| {
            transport.close();
            transport.write(b"too late");
        })
    });
    let _client = Client::connect(address);
    drive(&mut reactor, || log.has("server lost: closed here"));
    let counters = reactor.counters();
    assert_eq!((counters.dropped_writes, counters.lingering), (1, 1));
}
