//! Faults are values: in force as long as their guard exists.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    AttemptError, ConnectError, Disconnect, Limits, ListenError, Net, Protocol, Transport, factory,
};
use torsade_deferred::Failure;
use torsade_testing::sim::{FaultKind, Faults, Links, Sim};

const SECOND: Duration = Duration::from_secs(1);

/// Sends a number a second, and notes what comes back.
struct Counter {
    next: u32,
    back: Rc<RefCell<String>>,
    lost: Rc<RefCell<Vec<Disconnect>>>,
}

impl Protocol for Counter {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(format!("{} ", self.next));
        self.next += 1;
        transport.call_later(SECOND, |me, transport| me.connection_made(transport));
    }
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.back
            .borrow_mut()
            .push_str(&String::from_utf8_lossy(data));
    }
    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.lost.borrow_mut().push(reason.clone());
    }
}

struct Echo;
impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

fn serve(net: &Net) {
    net.listen("0.0.0.0:7", factory(|_| Echo)).unwrap();
}

/// A counter on "client" and an echo on "server".
struct Counting {
    net: Sim,
    back: Rc<RefCell<String>>,
    lost: Rc<RefCell<Vec<Disconnect>>>,
}

impl Counting {
    fn new() -> Self {
        let mut net = Sim::new(1);
        net.host("server").boot(serve);
        let (back, lost) = (Rc::default(), Rc::default());
        let counter = Counter {
            next: 0,
            back: Rc::clone(&back),
            lost: Rc::clone(&lost),
        };
        net.host("client")
            .net()
            .connect("server:7", counter)
            .detach();
        net.settle();
        Self { net, back, lost }
    }

    fn back(&self) -> usize {
        self.back
            .borrow()
            .split(' ')
            .filter(|word| !word.is_empty())
            .count()
    }

    /// Whether all that came back is in order and whole.
    fn is_right(&self) -> bool {
        let back = self.back.borrow();
        let words = back.split(' ').filter(|word| !word.is_empty());
        words
            .enumerate()
            .all(|(place, word)| word == place.to_string())
    }
}

#[test]
fn a_partition_delays_and_loses_nothing() {
    let mut it = Counting::new();
    let cut = it.net.partition("server", "client");
    it.net.advance(10 * SECOND);
    assert_eq!(it.back(), 1);
    drop(cut);
    it.net.advance(30 * SECOND);
    assert!(it.back() >= 38 && it.is_right(), "{}", it.back.borrow());
    assert!(it.net.harm() > 0);
}

#[test]
fn a_partition_that_lasts_is_the_end() {
    let mut it = Counting::new();
    it.net.partition("server", "client").stays();
    it.net.advance(14 * 60 * SECOND);
    assert_eq!(*it.lost.borrow(), []);
    it.net.advance(2 * 60 * SECOND);
    let lost = it.lost.borrow().clone();
    assert!(
        matches!(&lost[..], [Disconnect::Io(error)] if error.kind() == ErrorKind::TimedOut),
        "{lost:?}"
    );
}

#[test]
fn one_direction_can_be_mute() {
    let mut it = Counting::new();
    let mute = it.net.mute("server", "client");
    it.net.advance(5 * SECOND);
    assert_eq!(it.back(), 1);
    // What was sent got there.
    let trace = it.net.trace().of("server").to_string();
    assert!(trace.contains("data_received \"4 \""), "{trace}");
    drop(mute);
    it.net.advance(30 * SECOND);
    assert!(it.back() > 30 && it.is_right());
}

#[test]
fn a_clog_takes_longer_one_way() {
    let mut it = Counting::new();
    it.net.links(Links::ideal());
    let clog = it.net.clog("client", "server", 10 * SECOND);
    it.net.advance(9 * SECOND);
    let so_far = it.back();
    it.net.advance(5 * SECOND);
    assert!(
        so_far <= 2 && it.back() >= 3,
        "{so_far}, then {}",
        it.back()
    );
    clog.heal();
    it.net.advance(30 * SECOND);
    assert!(it.is_right());
}

#[test]
fn lost_segments_are_sent_again() {
    let mut it = Counting::new();
    let lossy = it
        .net
        .drop_some(["client", "server"], ["client", "server"], 3);
    it.net.advance(300 * SECOND);
    drop(lossy);
    it.net.advance(60 * SECOND);
    assert!(it.net.harm() > 30, "{}", it.net.harm());
    assert!(it.back() > 300 && it.is_right());
    assert!(it.net.trace().to_string().contains("lost on the way from"));
}

#[test]
fn corruption_changes_bytes() {
    let mut it = Counting::new();
    let dirty = it.net.corrupt("server", "client", 1);
    it.net.advance(3 * SECOND);
    assert!(!it.is_right());
    drop(dirty);
}

fn connect(net: &mut Sim) -> Result<(), Failure<ConnectError>> {
    let connecting = net.host("client").net().connect("server:7", Echo);
    net.advance(10 * SECOND);
    connecting.try_take().unwrap().map(drop)
}

fn kind(result: Result<(), Failure<ConnectError>>) -> ErrorKind {
    match result {
        Err(Failure::Error(error @ ConnectError::Failed { .. })) => error.kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_can_refuse() {
    let mut net = Sim::new(1);
    net.host("server").boot(serve);
    let refusing = net.refuse("server");
    assert_eq!(kind(connect(&mut net)), ErrorKind::ConnectionRefused);
    drop(refusing);
    connect(&mut net).unwrap();
}

#[test]
fn descriptors_run_out_for_who_connects_listens_and_accepts() {
    let mut net = Sim::new(1);
    net.host("server").boot(serve);
    let short = net.exhaust("client", 0);
    let refused = connect(&mut net).unwrap_err();
    let Failure::Error(ConnectError::Failed { attempts }) = refused else {
        panic!("{refused:?}");
    };
    let AttemptError::System(error) = &attempts[0].error else {
        panic!("{attempts:?}");
    };
    assert_eq!(error.raw_os_error(), Some(24));
    drop(short);
    let short = net.exhaust("server", 1);
    connect(&mut net).unwrap();
    let server = net.host("server").net();
    let refused = server.listen("0.0.0.0:8", factory(|_| Echo));
    assert!(matches!(refused, Err(ListenError::System { .. })));
    assert_eq!((server.connections(), server.shed()), (1, 0));
    connect(&mut net).unwrap(); // by the kernel, and then it is closed
    assert_eq!((server.connections(), server.shed()), (1, 1));
    drop(short);
    connect(&mut net).unwrap();
    assert_eq!((server.connections(), server.shed()), (2, 1));
}

#[test]
fn a_reader_that_pauses_fills_the_queues() {
    let mut net = Sim::new(1);
    net.host("server").boot(serve);
    struct Flood(Rc<Cell<bool>>);
    impl Protocol for Flood {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.write(vec![0; 300_000]);
        }
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
        fn pause_writing(&mut self, _: &Transport<Self>) {
            self.0.set(true);
        }
        fn resume_writing(&mut self, _: &Transport<Self>) {
            self.0.set(false);
        }
    }
    let paused = Rc::new(Cell::new(false));
    let stuck = net.pause_reading("server");
    let flood = Flood(Rc::clone(&paused));
    net.host("client").net().connect("server:7", flood).detach();
    net.advance(10 * SECOND);
    assert!(paused.get());
    drop(stuck);
    net.advance(10 * SECOND);
    assert!(!paused.get());
}

#[test]
fn a_stalled_turn_passes_time_on_one_host() {
    let mut it = Counting::new();
    let stall = it.net.stall("server", 3 * SECOND, 1);
    let server = it.net.host("server").net();
    it.net.advance(SECOND);
    assert!(server.now() - it.net.now() > SECOND);
    assert!(it.net.host("client").net().now() - it.net.now() == Duration::ZERO);
    drop(stall);
    it.net.advance(30 * SECOND);
    assert!(it.back() > 25 && it.is_right());
}

#[test]
fn a_clock_that_runs_fast_rings_early_for_the_others() {
    let mut net = Sim::new(1);
    let fast = net.skew("client", 2_000_000);
    let rang = Rc::new(Cell::new(None));
    let bell = Rc::clone(&rang);
    let client = net.host("client").net();
    client.call_later(10 * SECOND, move |net| bell.set(Some(net.now())));
    net.advance(5 * SECOND);
    assert_eq!(rang.get(), Some(torsade_core::Time::ZERO + 10 * SECOND));
    drop(fast);
    net.advance(5 * SECOND);
    assert_eq!(client.now() - torsade_core::Time::ZERO, 15 * SECOND);
}

#[test]
fn a_killed_host_ends_its_connections_and_comes_back() {
    let mut it = Counting::new();
    let old = it.net.host("server").net();
    let killed = it.net.kill("server");
    assert!(!old.is_alive());
    it.net.advance(SECOND / 2);
    assert_eq!(*it.lost.borrow(), [Disconnect::PeerClosed]);
    assert_eq!(kind(connect(&mut it.net)), ErrorKind::ConnectionRefused);
    drop(killed);
    connect(&mut it.net).unwrap();
    assert!(it.net.host("server").net().is_alive());
}

#[test]
fn a_crashed_host_says_nothing_and_resets_when_it_is_back() {
    let mut it = Counting::new();
    let crashed = it.net.crash("server");
    it.net.advance(20 * SECOND);
    assert_eq!(*it.lost.borrow(), []);
    drop(crashed);
    it.net.advance(30 * SECOND);
    assert_eq!(*it.lost.borrow(), [Disconnect::Reset]);
    connect(&mut it.net).unwrap();
}

#[test]
fn what_a_killed_program_still_does_goes_nowhere() {
    struct Testament;
    impl Protocol for Testament {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
        fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
            assert_eq!(*reason, Disconnect::ReactorGone);
            let net = transport.net();
            net.connect("heir:7", Echo).detach();
            assert!(net.listen("0.0.0.0:8", factory(|_| Echo)).is_err());
        }
    }
    let mut net = Sim::new(1);
    net.host("heir").boot(serve);
    net.host("server").boot(serve);
    net.host("client")
        .net()
        .connect("server:7", Testament)
        .detach();
    net.settle();
    let killed = net.kill("client");
    net.advance(10 * SECOND);
    assert_eq!(net.host("heir").net().connections(), 0);
    drop(killed);
}

#[test]
fn every_seed_has_a_mix_of_its_own() {
    let described = |seed| {
        let mut net = Sim::new(seed);
        for name in ["a", "b", "c"] {
            net.host(name);
        }
        net.swarm(Faults::all());
        net.advance(61 * SECOND);
        net.trace().to_string()
    };
    assert_eq!(described(3), described(3));
    assert_ne!(described(3), described(4));
    let words = [
        "partition",
        "gets from",
        "clog",
        "drop",
        "refuses",
        "descriptors",
        "not read",
    ];
    let others = ["1 turn in", "clock of", "killed", "crashes"];
    let all: String = (0..60).map(described).collect();
    for word in words.iter().chain(&others) {
        assert!(all.contains(word), "no {word} in 60 seeds");
    }
    assert!(!all.contains("corrupt"));
}

#[test]
fn calm_ends_what_was_planned() {
    let mut net = Sim::new(5);
    net.host("a");
    net.host("b").boot(serve);
    let swarm = Faults::none()
        .with(FaultKind::Kill)
        .within(60 * SECOND)
        .about(50);
    net.swarm(swarm);
    net.advance(30 * SECOND);
    net.calm();
    let so_far = net.faults();
    net.advance(60 * SECOND);
    assert_eq!(net.faults(), so_far);
    assert!(so_far > 0 && net.host("b").net().is_alive());
}

#[test]
#[should_panic(expected = "never does not happen: nothing is left to happen")]
fn what_must_finish_and_does_not_fails() {
    let mut net = Sim::new(1);
    net.host("a");
    net.must_finish("never", SECOND, || false);
}

#[test]
#[should_panic(expected = "what was waited for does not happen: 3600s have passed")]
fn what_is_waited_for_has_an_hour() {
    let mut it = Counting::new();
    it.net.run_until(|| false);
}

#[test]
fn a_limit_of_a_host_is_its_own() {
    let net = Sim::new(1);
    let mut limits = Limits::default();
    limits.max_connections = 3;
    assert_eq!(
        net.host_with("small", limits)
            .net()
            .limits()
            .max_connections,
        3
    );
    assert_eq!(net.host("other").net().limits().max_connections, usize::MAX);
}
