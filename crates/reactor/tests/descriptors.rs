//! Out of descriptors. The limit is the process's, so this test has one for itself.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "the test's own helper functions are not marked as tests"
)]

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use torsade_core::{Protocol, Time, Transport, factory};
use torsade_reactor::Reactor;

/// Counts what the listener complains of.
struct Complaints(AtomicUsize);

static COMPLAINTS: Complaints = Complaints(AtomicUsize::new(0));

impl Complaints {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl log::Log for Complaints {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string().starts_with("cannot accept on") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// Closes when it is spoken to, and leaves its socket to linger.
struct Curt;

impl Protocol for Curt {
    fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
        transport.close();
    }
}

/// Leave room for so many more descriptors.
fn leave(room: u64) {
    // The system hands out the lowest that is free.
    let lowest = File::open("/dev/null").unwrap().as_raw_fd();
    let current = Some(u64::try_from(lowest).unwrap() + room);
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

fn settle(reactor: &mut Reactor) {
    for _ in 0..100 {
        let mut fds = [PollFd::new(reactor, PollFlags::IN)];
        if poll(&mut fds, Some(&Timespec::default())).unwrap() == 0 {
            return;
        }
        assert!(reactor.turn(Some(Duration::ZERO)).unwrap());
    }
    panic!("the reactor spins");
}

#[test]
fn a_listener_without_descriptors_rests_and_comes_back() {
    log::set_logger(&COMPLAINTS).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let before = getrlimit(Resource::Nofile);
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let mut reactor = Reactor::builder()
        .clock(move || read.get())
        .build()
        .unwrap();
    let net = reactor.net().clone();
    let listener = net.listen("127.0.0.1:0", factory(|_| Curt)).unwrap();
    let client = || TcpStream::connect(listener.address()).unwrap();

    let mut clients: Vec<_> = (0..4).map(|_| client()).collect();
    leave(1);
    settle(&mut reactor);
    assert_eq!((net.connections(), COMPLAINTS.count()), (1, 1));
    let second = Duration::from_secs(1);
    assert_eq!(reactor.next_deadline(), Some(hand.get() + second));

    // Still none: it tries, is quiet about it, and rests again.
    hand.set(hand.get() + second);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    settle(&mut reactor);
    assert_eq!((net.connections(), COMPLAINTS.count()), (1, 1));
    assert_eq!(reactor.next_deadline(), Some(hand.get() + second));

    setrlimit(Resource::Nofile, before).unwrap();
    settle(&mut reactor);
    assert_eq!(net.connections(), 1, "it rests for its second");
    hand.set(hand.get() + second);
    reactor.turn(Some(Duration::ZERO)).unwrap();
    settle(&mut reactor);
    assert_eq!((net.connections(), COMPLAINTS.count()), (4, 1));

    // What lingers makes room: for one connection, and for finding that there is no other.
    for client in &mut clients[..2] {
        client.write_all(b"x").unwrap();
    }
    settle(&mut reactor);
    assert_eq!(net.connections(), 2);
    leave(1);
    clients.push(client());
    settle(&mut reactor);
    assert_eq!((net.connections(), COMPLAINTS.count()), (3, 1));

    // The next time it happens is another episode.
    leave(1);
    clients.push(client());
    settle(&mut reactor);
    assert_eq!((net.connections(), COMPLAINTS.count()), (3, 2));
    setrlimit(Resource::Nofile, before).unwrap();
}
