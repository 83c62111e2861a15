//! Out of descriptors. The limit is the process's, so these tests have one for themselves.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use torsade_core::{Disconnect, Factory, Limits, Net, Peer, Protocol, Time, Transport, WhenFull};
use torsade_reactor::{Counters, Driver, Reactor};

/// Counts what is logged, which the listeners' complaints are all of.
struct Lines(AtomicUsize);

static LINES: Lines = Lines(AtomicUsize::new(0));

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
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

/// Makes them, and notes which it could not make.
struct Curts(Rc<RefCell<Vec<String>>>);

impl Factory for Curts {
    type Protocol = Curt;

    fn build(&mut self, _: &Peer) -> Option<Curt> {
        Some(Curt)
    }

    fn failed(&mut self, peer: &Peer, reason: &Disconnect) {
        assert!(peer.remote().is_local());
        self.0.borrow_mut().push(reason.to_string());
    }
}

/// A reactor that listens, with a clock in the test's hand. One test at a time has one.
struct Bench {
    limit: Rlimit,
    reactor: Reactor,
    net: Net,
    hand: Rc<Cell<Time>>,
    address: SocketAddr,
    failed: Rc<RefCell<Vec<String>>>,
    lines: usize,
    before: Counters,
    /// The last to go: what the others have must be free before the next test.
    _lock: MutexGuard<'static, ()>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    fn new(policy: WhenFull) -> Self {
        Self::listening_within(None, policy)
    }

    /// A ring looks at the limit when it begins to accept, so that is the one it is to meet.
    fn listening_within(limit: Option<u64>, policy: WhenFull) -> Self {
        static LOCK: Mutex<()> = Mutex::new(());
        let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if log::set_logger(&LINES).is_ok() {
            log::set_max_level(log::LevelFilter::Warn);
            give_memory_back();
        }
        let mut limits = Limits::default();
        limits.when_full = policy;
        let hand = Rc::new(Cell::new(Time::ZERO));
        let read = Rc::clone(&hand);
        let reactor = Reactor::builder().limits(limits).clock(move || read.get());
        let reactor = reactor.build().unwrap();
        let failed: Rc<RefCell<Vec<String>>> = Rc::default();
        let curts = Curts(Rc::clone(&failed));
        let usual = getrlimit(Resource::Nofile);
        let current = limit.or(usual.current);
        setrlimit(Resource::Nofile, Rlimit { current, ..usual }).unwrap();
        let listener = reactor.net().listen("127.0.0.1:0", curts).unwrap();
        setrlimit(Resource::Nofile, usual).unwrap();
        Self {
            limit: usual,
            net: reactor.net().clone(),
            before: reactor.counters(),
            reactor,
            hand,
            address: listener.address().inet().unwrap(),
            failed,
            lines: LINES.0.load(Ordering::Relaxed),
            _lock: lock,
        }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_nonblocking(true).unwrap();
        client
    }

    /// Leave room for so many more descriptors.
    fn leave(&self, room: u64) {
        // The system hands out the lowest that is free.
        let lowest = File::open("/dev/null").unwrap().as_raw_fd();
        self.limit_to(u64::try_from(lowest).unwrap() + room);
    }

    fn limit_to(&self, limit: u64) {
        let (current, maximum) = (Some(limit), self.limit.maximum);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    }

    fn restore(&self) {
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }

    /// Turn until there is nothing to do, and insist that this comes.
    fn settle(&mut self) {
        for _ in 0..300 {
            let mut fds = [PollFd::new(&self.reactor, PollFlags::IN)];
            if poll(&mut fds, Some(&Timespec::default())).unwrap() == 0 {
                return;
            }
            assert!(self.reactor.turn(Some(Duration::ZERO)).unwrap());
        }
        panic!("the reactor spins");
    }

    fn pass(&mut self, time: Duration) {
        self.hand.set(self.hand.get() + time);
        self.reactor.turn(Some(Duration::ZERO)).unwrap();
        self.settle();
    }

    /// What was logged, accepted and asked for in vain since the last look.
    fn since(&mut self) -> (usize, u64, u64) {
        let lines = LINES.0.load(Ordering::Relaxed);
        let now = self.reactor.counters();
        let logged = lines - std::mem::replace(&mut self.lines, lines);
        let before = std::mem::replace(&mut self.before, now);
        let accepts = now.accepts - before.accepts;
        let calls = now.accept_calls - before.accept_calls;
        (logged, accepts, calls - accepts)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.restore();
    }
}

/// The first thread that gives memory back has the C library read a setting of the system's, for
/// which it takes a descriptor. That may be the thread of a test that has ended, while the next one
/// counts on the last descriptor that there is; so it is done before.
fn give_memory_back() {
    let much = || vec![vec![1_u8; 64 * 1024]; 64];
    thread::spawn(move || drop(much())).join().unwrap();
}

/// Whether the server has ended the connection.
fn is_closed(client: &mut TcpStream) -> bool {
    match client.read(&mut [0]) {
        Err(error) => error.kind() != ErrorKind::WouldBlock,
        Ok(read) => read == 0,
    }
}

fn count_closed(clients: &mut [TcpStream]) -> usize {
    clients
        .iter_mut()
        .filter_map(|c| is_closed(c).then_some(()))
        .count()
}

/// So many clients, whose own descriptors are out of the way of a small limit.
fn crowd(bench: &Bench, size: usize) -> Vec<TcpStream> {
    const ABOVE: i32 = 100;
    let clients = (0..size).map(|_| {
        let client = bench.client();
        TcpStream::from(fcntl_dupfd_cloexec(client, ABOVE).unwrap())
    });
    clients.collect()
}

const CROWD: usize = 200;
const LIMIT: u64 = 64;

#[test]
fn a_crowd_without_descriptors_is_shed_at_leisure() {
    let mut bench = Bench::listening_within(Some(LIMIT), WhenFull::Shed);
    let mut clients = crowd(&bench, CROWD);
    bench.limit_to(LIMIT);
    bench.settle();
    let (lines, served, vain) = bench.since();
    assert!((30..LIMIT).contains(&served), "{served}");
    assert!((2..=20).contains(&vain) && lines <= 2, "{vain} {lines}");

    // Nobody is left hanging, and nobody is in a hurry.
    let mut seconds = 0;
    while count_closed(&mut clients) + bench.net.connections() < CROWD {
        bench.settle();
        assert_eq!(bench.since(), (0, 0, 0), "it rests");
        bench.pass(SECOND);
        let (lines, accepts, vain) = bench.since();
        assert_eq!(accepts, 0);
        assert!((1..=20).contains(&vain) && lines <= 2, "{vain} {lines}");
        seconds += 1;
        assert!(seconds < 20, "it takes for ever");
    }
    let shed = CROWD - bench.net.connections();
    assert_eq!(bench.net.shed(), u64::try_from(shed).unwrap());
    let reasons = bench.failed.take();
    assert_eq!(reasons.len(), shed);
    assert!(
        reasons
            .iter()
            .all(|reason| reason.contains("Too many open files"))
    );

    // Connections that end make room at once.
    let mut open: Vec<_> = clients
        .iter_mut()
        .filter_map(|client| (!is_closed(client)).then_some(client))
        .collect();
    for client in &mut open[..10] {
        client.write_all(b"x").unwrap();
    }
    bench.settle();
    let left = bench.net.connections();
    assert_eq!(left, shed.abs_diff(CROWD) - 10);
    bench.restore();
    let more = crowd(&bench, 5);
    bench.limit_to(LIMIT);
    bench.settle();
    assert_eq!(bench.net.connections(), left + 5);
    assert_eq!(bench.since().1, 5);
    drop(more);
}

#[test]
fn a_crowd_without_descriptors_waits_if_that_is_the_policy() {
    let mut bench = Bench::listening_within(Some(LIMIT), WhenFull::Wait);
    let mut clients = crowd(&bench, CROWD);
    bench.limit_to(LIMIT);
    bench.settle();
    let (lines, mut served, vain) = bench.since();
    assert_eq!((lines, vain), (1, 1));
    for _ in 0..5 {
        bench.settle();
        assert_eq!(bench.since(), (0, 0, 0), "it rests");
        bench.pass(SECOND);
        assert_eq!(bench.since(), (0, 0, 1), "quietly");
    }
    assert_eq!(count_closed(&mut clients), 0);
    assert_eq!(bench.net.connections(), usize::try_from(served).unwrap());

    // Each that goes lets another in, without waiting for the second to pass.
    let mut next = clients.drain(..);
    while served < 200 {
        drop(next.next());
        bench.settle();
        let (lines, accepts, vain) = bench.since();
        assert!(
            (lines, accepts) == (0, 1) && vain <= 1,
            "{lines} {accepts} {vain}"
        );
        served += accepts;
    }
    assert!(bench.failed.borrow().is_empty());
    assert_eq!(bench.net.shed(), 0);
}

#[test]
fn a_reserve_that_does_not_come_back_is_done_without() {
    let mut bench = Bench::new(WhenFull::Shed);
    if bench.reactor.driver() == Driver::IoUring {
        return; // the limit is lowered too late for it, see `listening_within`
    }
    let mut clients: Vec<_> = (0..3).map(|_| bench.client()).collect();
    // Even the number of the reserve is past the limit now.
    bench.limit_to(3);
    bench.settle();
    let (lines, accepts, vain) = bench.since();
    assert!(
        (lines, accepts) == (1, 0) && vain <= 2,
        "{lines} {accepts} {vain}"
    );
    assert_eq!(
        bench.reactor.next_deadline(),
        Some(bench.hand.get() + SECOND)
    );
    for _ in 0..3 {
        bench.pass(SECOND);
        assert_eq!(bench.since(), (0, 0, 1));
    }
    assert_eq!(count_closed(&mut clients), 0);
    bench.restore();
    bench.pass(SECOND);
    assert_eq!((bench.net.connections(), bench.net.shed()), (3, 0));
    bench.since();

    // The next time it is there again, and the shortage is news.
    let mut another = bench.client();
    bench.leave(0);
    bench.settle();
    assert!(is_closed(&mut another));
    assert_eq!(bench.net.shed(), 1);
    assert_eq!(bench.since().0, 2);
}

#[test]
fn a_listener_without_descriptors_rests_and_comes_back() {
    let mut bench = Bench::new(WhenFull::Wait);
    if bench.reactor.driver() == Driver::IoUring {
        return; // the limit is lowered too late for it, see `listening_within`
    }
    let mut clients: Vec<_> = (0..4).map(|_| bench.client()).collect();
    bench.leave(1);
    bench.settle();
    assert_eq!((bench.net.connections(), bench.since().0), (1, 1));
    assert_eq!(
        bench.reactor.next_deadline(),
        Some(bench.hand.get() + SECOND)
    );

    // Still none: it tries, is quiet about it, and rests again.
    bench.pass(SECOND);
    assert_eq!((bench.net.connections(), bench.since().0), (1, 0));
    assert_eq!(
        bench.reactor.next_deadline(),
        Some(bench.hand.get() + SECOND)
    );

    bench.restore();
    bench.settle();
    assert_eq!(bench.net.connections(), 1, "it rests for its second");
    bench.pass(SECOND);
    assert_eq!((bench.net.connections(), bench.since().0), (4, 0));

    // What lingers makes room: for one connection, and for finding that there is no other.
    for client in &mut clients[..2] {
        client.write_all(b"x").unwrap();
    }
    bench.settle();
    assert_eq!(bench.net.connections(), 2);
    assert_eq!(bench.reactor.counters().lingering, 2);
    clients.push(bench.client());
    bench.leave(0);
    bench.settle();
    assert_eq!((bench.net.connections(), bench.since().0), (3, 0));
    assert_eq!(bench.reactor.counters().lingering, 0, "all go");

    // The next time it happens is another episode.
    bench.restore();
    clients.push(bench.client());
    clients.push(bench.client());
    bench.leave(0);
    bench.settle();
    assert_eq!((bench.net.connections(), bench.since().0), (3, 1));
}

#[test]
fn what_lingers_makes_room_for_what_connects() {
    let mut bench = Bench::new(WhenFull::Shed);
    let mut client = bench.client();
    bench.settle();
    client.write_all(b"x").unwrap();
    bench.settle();
    assert_eq!(bench.reactor.counters().lingering, 1);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    bench.leave(0);
    let address = elsewhere.local_addr().unwrap();
    bench.net.connect(address, Curt).detach();
    bench.settle();
    assert_eq!(bench.net.connections(), 1);
    assert_eq!(bench.reactor.counters().lingering, 0);
}

/// How many descriptors this process has.
fn descriptors() -> usize {
    // The one that reads the list is there each time.
    std::fs::read_dir("/dev/fd").unwrap().count()
}

#[test]
fn a_thousand_connections_closed_at_once_leave_nothing() {
    const THOUSAND: usize = 1000;
    let mut bench = Bench::new(WhenFull::Shed);
    let all = Rlimit {
        current: bench.limit.maximum,
        ..bench.limit
    };
    setrlimit(Resource::Nofile, all).unwrap();
    let before = descriptors();
    let mut clients = Vec::new();
    while clients.len() < THOUSAND {
        clients.push(bench.client());
        bench.settle();
    }
    assert_eq!(bench.net.connections(), THOUSAND);

    // The clock stands still: what `run` waited for would never come.
    bench.reactor.stop();
    bench.reactor.run().unwrap();
    let counters = bench.reactor.counters();
    assert_eq!((counters.connections, counters.lingering), (0, THOUSAND));
    // The listener went, and so did what is kept in reserve for listeners.
    assert_eq!(descriptors(), before - 2 + 2 * THOUSAND);

    bench.hand.set(bench.hand.get() + Duration::from_secs(5));
    bench.reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(bench.reactor.counters().lingering, 0);
    assert_eq!(descriptors(), before - 2 + THOUSAND);
    assert_eq!(count_closed(&mut clients), THOUSAND);
}
