//! What only the io_uring driver has: buffers for everybody, and operations under way.
#![cfg(all(target_os = "linux", feature = "io-uring"))]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use torsade_core::{Protocol, Transport, factory};
use torsade_reactor::{Driver, DriverUnavailable, Reactor};

/// More than there are buffers.
const MANY: usize = 300;

/// Descriptors are the process's, and so are the counts of them.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn descriptors() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}

fn reactor() -> Reactor {
    Reactor::builder().driver(Driver::IoUring).build().unwrap()
}

/// With room for so many connections that have no descriptors.
fn direct(most: u32) -> Reactor {
    let builder = Reactor::builder().driver(Driver::IoUring);
    builder.direct_descriptors(most).build().unwrap()
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

/// Counts what it hears, and holds back the rest after the first byte.
struct Reluctant {
    all: Rc<RefCell<Vec<Transport<Self>>>>,
    heard: Rc<RefCell<usize>>,
}

impl Protocol for Reluctant {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.all.borrow_mut().push(transport.clone());
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        *self.heard.borrow_mut() += data.len();
        if data == b"x" {
            transport.pause_reading();
        }
    }
}

fn drive(reactor: &mut Reactor, mut until: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if until() {
            return;
        }
        assert!(reactor.turn(Some(Duration::from_millis(1))).unwrap());
    }
    panic!("it does not come");
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_nonblocking(true).unwrap();
    client
}

fn round_trip(reactor: &mut Reactor, client: &mut TcpStream, text: &[u8]) {
    client.write_all(text).unwrap();
    let mut answer = Vec::new();
    drive(reactor, || {
        let mut buffer = [0; 4096];
        if let Ok(n) = client.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..n]);
        }
        answer.len() >= text.len()
    });
    assert_eq!(answer, text);
}

#[test]
fn connections_that_hold_back_their_input_keep_no_buffers() {
    let _alone = alone();
    let mut reactor = reactor();
    let all: Rc<RefCell<Vec<Transport<Reluctant>>>> = Rc::default();
    let heard: Rc<RefCell<usize>> = Rc::default();
    let (list, count) = (Rc::clone(&all), Rc::clone(&heard));
    let reluctant = factory(move |_| Reluctant {
        all: Rc::clone(&list),
        heard: Rc::clone(&count),
    });
    let listener = reactor.net().listen("127.0.0.1:0", reluctant).unwrap();
    let echo = reactor.net().listen("127.0.0.1:0", factory(|_| Echo));
    let mut other = connect(echo.unwrap().address().inet().unwrap());
    let mut clients = Vec::new();
    while clients.len() < MANY {
        let mut client = connect(listener.address().inet().unwrap());
        client.write_all(b"x").unwrap();
        clients.push(client);
        drive(&mut reactor, || *heard.borrow() == clients.len());
    }
    for client in &mut clients {
        client.write_all(&[7; 20_000]).unwrap();
    }
    // All that comes finds nobody who wants it; and there is room for others.
    for _ in 0..10 {
        round_trip(&mut reactor, &mut other, b"still here?");
    }
    assert_eq!(*heard.borrow(), MANY);
    for transport in all.borrow().iter() {
        transport.resume_reading();
    }
    drive(&mut reactor, || *heard.borrow() == MANY + MANY * 20_000);
}

#[test]
fn a_reactor_that_is_dropped_takes_back_what_is_under_way() {
    let _alone = alone();
    let before = descriptors();
    for _ in 0..50 {
        let mut reactor = reactor();
        let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo));
        let listener = listener.unwrap();
        let mut clients: Vec<_> = (0..6)
            .map(|_| connect(listener.address().inet().unwrap()))
            .collect();
        let net = reactor.net().clone();
        drive(&mut reactor, || net.connections() == 6);
        // Receives, an accept and a connect are under way, and sends to those who do not read. One
        // has nothing to read, so that only we can be the reason of its reset.
        for client in &mut clients[1..] {
            while client.write(&[1; 100_000]).is_ok() {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
        }
        net.connect(listener.address().inet().unwrap(), Echo)
            .detach();
        reactor.turn(Some(Duration::ZERO)).unwrap();
        drop(reactor);
        for client in &mut clients {
            client.set_nonblocking(false).unwrap();
            // A reset, if need be after what was on its way.
            let end = std::io::copy(client, &mut std::io::sink());
            assert!(end.is_err());
        }
    }
    assert_eq!(descriptors(), before);
}

#[test]
fn accepted_connections_need_no_descriptors_of_the_process() {
    let _alone = alone();
    let mut reactor = direct(MANY as u32);
    let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo));
    let address = listener.unwrap().address().inet().unwrap();
    let net = reactor.net().clone();
    let before = descriptors();
    let mut clients: Vec<_> = (0..50).map(|_| connect(address)).collect();
    drive(&mut reactor, || net.connections() == 50);
    assert_eq!(descriptors(), before + 50, "those of the clients");
    for client in &mut clients {
        round_trip(&mut reactor, client, b"hello");
    }
    // The places are used again.
    for _ in 0..10 {
        clients.truncate(10);
        drive(&mut reactor, || net.connections() == 10);
        clients.extend((0..100).map(|_| connect(address)));
        drive(&mut reactor, || net.connections() == 110);
    }
    assert_eq!(descriptors(), before + 110, "those of the clients");
    let last = clients.last_mut().unwrap();
    round_trip(&mut reactor, last, b"the last");
    reactor.stop();
    reactor.run().unwrap();
    assert_eq!(net.connections(), 0);
    drop(reactor);
    for client in &mut clients {
        client.set_nonblocking(false).unwrap();
        assert_eq!(client.read(&mut [0; 10]).unwrap_or(0), 0);
    }
}

#[test]
fn who_finds_the_table_full_gets_a_descriptor() {
    let _alone = alone();
    let mut reactor = direct(10);
    let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo));
    let address = listener.unwrap().address().inet().unwrap();
    let net = reactor.net().clone();
    let before = descriptors();
    let mut clients: Vec<_> = (0..50).map(|_| connect(address)).collect();
    drive(&mut reactor, || net.connections() == 50);
    assert_eq!(descriptors(), before + 50 + 40);
    for client in &mut clients {
        round_trip(&mut reactor, client, b"hello");
    }
    // When there are places again nobody gets a descriptor, but for one who was waited for.
    clients.clear();
    drive(&mut reactor, || net.connections() == 0);
    clients.extend((0..10).map(|_| connect(address)));
    drive(&mut reactor, || net.connections() == 10);
    for client in &mut clients {
        round_trip(&mut reactor, client, b"hello");
    }
    assert!(descriptors() <= before + 11);
}

#[test]
fn a_longer_table_than_the_kernel_grants_is_an_error_that_says_so() {
    let _alone = alone();
    let builder = Reactor::builder().driver(Driver::IoUring);
    let error = builder.direct_descriptors(u32::MAX).build().unwrap_err();
    let unavailable: &DriverUnavailable = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_eq!(unavailable.driver(), Driver::IoUring);
    let text = error.to_string();
    assert!(text.contains("4294967295 direct descriptors"), "{text}");
    assert!(text.contains("RLIMIT_NOFILE"), "{text}");
}

/// Ends without order what says anything.
struct Abrupt;

impl Protocol for Abrupt {
    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        transport.write([7; 1000]);
        transport.abort();
    }
}

#[test]
fn an_abort_resets_a_connection_without_descriptor() {
    let _alone = alone();
    let mut reactor = direct(10);
    let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Abrupt));
    let address = listener.unwrap().address().inet().unwrap();
    let before = descriptors();
    for _ in 0..30 {
        let mut client = connect(address);
        client.write_all(b"anything").unwrap();
        let mut end = None;
        drive(&mut reactor, || {
            let read = client.read(&mut [0; 4096]);
            if !matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                end = Some(read);
            }
            end.is_some()
        });
        let error = end.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(descriptors(), before);
}

/// Says what it is told, and remembers who it is.
struct Hearer(Rc<RefCell<Vec<Transport<Self>>>>);

impl Protocol for Hearer {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.0.borrow_mut().push(transport.clone());
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// All in one turn, so that more sends are over than the ring has room to say so.
#[test]
fn what_finds_no_room_in_the_ring_is_not_lost() {
    const CROWD: usize = 4500;
    let _alone = alone();
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let mut reactor = direct(CROWD as u32);
    let all: Rc<RefCell<Vec<Transport<Hearer>>>> = Rc::default();
    let list = Rc::clone(&all);
    let hearer = factory(move |_| Hearer(Rc::clone(&list)));
    let listener = reactor.net().listen("127.0.0.1:0", hearer).unwrap();
    let net = reactor.net().clone();
    let mut clients = Vec::new();
    while clients.len() < CROWD {
        clients.extend((0..100).map(|_| connect(listener.address().inet().unwrap())));
        drive(&mut reactor, || net.connections() == clients.len());
    }
    for round in 0..3_u8 {
        for transport in all.borrow().iter() {
            transport.write([round; 100]);
        }
        // What was sent before must be known to be over.
        drive(&mut reactor, || net.buffered() == 0);
        for client in &mut clients {
            let mut heard = [9; 200];
            assert_eq!(client.read(&mut heard).unwrap(), 100);
            assert_eq!(heard[..100], [round; 100]);
        }
    }
}
