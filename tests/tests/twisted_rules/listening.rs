//! Listening.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Write};
use std::rc::Rc;

use torsade_core::{Address, Factory, ListenError, Peer};
use torsade_reactor::Reactor;

use crate::support::{Log, Script, dial, drive, own_ip, read_to_end, serve};

#[test]
fn r43_port_0_tells_the_real_one_and_a_port_in_use_is_an_error() {
    let reactor = Reactor::new().unwrap();
    let script = || Script::new("server", &Log::default());
    let first = serve(reactor.net(), script);
    assert_ne!(first.address().port(), Some(0));

    let taken = first.address();
    let second = reactor
        .net()
        .listen(&taken, torsade_core::factory(move |_| script()));
    let Err(ListenError::System { address, error }) = second else {
        panic!("two listeners on one port: {second:?}");
    };
    assert_eq!((address, error.kind()), (taken, ErrorKind::AddrInUse));
    assert!(first.is_open());
}

#[test]
fn r44_the_port_is_free_when_close_returns_and_connections_live_on() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let served = log.clone();
    let echo = move || {
        Script::new("server", &served).data(|transport, data| {
            transport.write(data);
            transport.close();
        })
    };
    let listener = serve(reactor.net(), echo);
    let address = listener.address().inet().unwrap();
    let mut client = dial(address);
    drive(&mut reactor, || log.has("server made"));

    listener.close();
    // In the same breath, without a turn in between.
    let notes = log.clone();
    let again = torsade_core::factory(move |_| Script::new("again", &notes));
    let again = reactor.net().listen(address, again).unwrap();
    assert_eq!(again.address(), address);

    client.write_all(b"still here").unwrap();
    let heard = read_to_end(&mut reactor, &mut client);
    assert_eq!(heard, (b"still here".to_vec(), None));
    let _other = dial(address);
    drive(&mut reactor, || log.has("again made"));
}

/// Counts the listeners that share something, and is told of each.
struct Shared {
    open: Rc<Cell<i32>>,
    log: Log,
    sturdy: bool,
}

impl Shared {
    fn new(open: &Rc<Cell<i32>>, log: &Log) -> Self {
        Self {
            open: Rc::clone(open),
            log: log.clone(),
            sturdy: true,
        }
    }
}

impl Factory for Shared {
    type Protocol = Script;

    fn build(&mut self, _: &Peer) -> Option<Script> {
        None
    }

    fn started(&mut self, _: &Address) {
        self.open.set(self.open.get() + 1);
        self.log.note(format!("started {}", self.open.get()));
    }

    fn stopped(&mut self) {
        self.open.set(self.open.get() - 1);
        self.log.note(format!("stopped {}", self.open.get()));
        assert!(self.sturdy, "cannot even stop");
    }
}

#[test]
fn r45_a_factory_is_one_listeners_and_what_they_share_counts_for_itself() {
    let reactor = Reactor::new().unwrap();
    let (open, log) = (Rc::default(), Log::default());
    let listen = || {
        let shared = Shared::new(&open, &log);
        reactor.net().listen("127.0.0.1:0", shared).unwrap()
    };
    let (one, two) = (listen(), listen());
    one.close();
    one.close();
    two.close();
    assert_eq!(
        log.take(),
        ["started 1", "started 2", "stopped 1", "stopped 0"]
    );
}

#[test]
fn r46_a_panic_in_stopped_leaves_a_closed_listener_and_a_free_port() {
    let mut reactor = Reactor::new().unwrap();
    let (open, log) = (Rc::default(), Log::default());
    let mut fragile = Shared::new(&open, &log);
    fragile.sturdy = false;
    let listener = reactor.net().listen((own_ip(), 0), fragile).unwrap();
    let address = listener.address().inet().unwrap();
    listener.close();
    assert_eq!(log.take(), ["started 1", "stopped 0"]);
    assert!(!listener.is_open());

    let again = reactor.net().listen(address, Shared::new(&open, &log));
    assert_eq!(again.unwrap().address(), address);
    assert_eq!(log.take(), ["started 1"]);
    reactor.stop();
    reactor.run().unwrap();
    assert_eq!(log.take(), ["stopped 0"]);
}

#[test]
fn r47_a_refused_connection_is_closed_and_nothing_else_happens() {
    let mut reactor = Reactor::new().unwrap();
    let (open, log) = (Rc::default(), Log::default());
    let shared = Shared::new(&open, &log);
    let listener = reactor.net().listen("127.0.0.1:0", shared).unwrap();
    log.take();
    let kept = RefCell::new(Vec::new());
    for _ in 0..3 {
        let mut client = dial(listener.address().inet().unwrap());
        assert_eq!(read_to_end(&mut reactor, &mut client), (vec![], None));
        kept.borrow_mut().push(client);
    }
    assert_eq!(reactor.net().connections(), 0);
    assert_eq!(log.take(), Vec::<String>::new());
    assert!(listener.is_open());
}
