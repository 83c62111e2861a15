//! Programs of simulated hosts that spawn processes: the test is what runs in them.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    Command, Connection, Disconnect, ExitStatus, Net, Process, ProcessEnd, ProcessProtocol,
    ProcessTransport, Protocol, Signal, SpawnError, Transport, factory,
};
use torsade_testing::sim::Sim;

type Log = Rc<RefCell<Vec<String>>>;

/// Sends what comes from the network through a filter program, and its answers back.
struct Gate {
    filter: Option<ProcessTransport<Filter>>,
}

impl Protocol for Gate {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let filter = Filter(transport.connection());
        let started = transport
            .net()
            .spawn_process(&Command::new("upper"), filter);
        self.filter = started.ok();
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        if let Some(filter) = &self.filter {
            filter.write(data);
        }
    }
}

struct Filter(Connection);

impl ProcessProtocol for Filter {
    fn out_received(&mut self, _: &ProcessTransport<Self>, data: &[u8]) {
        self.0.write(data);
    }

    fn process_ended(&mut self, _: &ProcessTransport<Self>, _: ProcessEnd) {
        self.0.close();
    }
}

struct Client(Log);

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("hello");
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0
            .borrow_mut()
            .push(String::from_utf8_lossy(data).into());
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

fn serve(net: &Net) {
    let gate = factory(|_| Gate { filter: None });
    net.listen("0.0.0.0:7", gate).unwrap();
}

/// One whole conversation: what the client saw, and the digest of all that happened.
fn conversation(seed: u64) -> (Vec<String>, u64) {
    let mut net = Sim::new(seed);
    let (server, log) = (net.host("server"), Log::default());
    server.run(serve);
    let client = net
        .host("ann")
        .net()
        .connect("server:7", Client(Rc::clone(&log)));
    client.detach();
    net.settle();
    let mut upper = server.next_process();
    assert_eq!(upper.command().program(), "upper");
    assert_eq!(upper.take_input(), b"hello");
    upper.feed("HELLO");
    net.settle();
    assert_eq!(log.take().concat(), "HELLO"); // however the network has cut it
    upper.exit(ExitStatus::Code(0));
    net.settle();
    let digest = net.trace().digest();
    (log.take(), digest)
}

#[test]
fn a_process_talks_with_a_program_and_that_with_the_network() {
    let (saw, _) = conversation(1);
    assert_eq!(saw, ["closed by the peer"]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(conversation(3), conversation(3));
    assert_ne!(conversation(3).1, conversation(4).1);
}

#[test]
fn the_standard_streams_of_a_process_are_an_endpoint() {
    let mut net = Sim::new(1);
    let (host, log) = (net.host("a"), Log::default());
    let connecting = host
        .net()
        .connect(Command::new("cat"), Client(Rc::clone(&log)));
    net.settle();
    let transport = connecting.try_take().unwrap().unwrap();
    let mut cat = host.next_process();
    assert_eq!(cat.take_input(), b"hello");
    cat.feed("hello");
    net.settle();
    cat.exit(ExitStatus::Code(3));
    net.settle();
    assert_eq!(*log.borrow(), ["hello", "closed by the peer"]);
    let process = transport.fact::<Process>().unwrap();
    assert_eq!(process.status(), Some(ExitStatus::Code(3)));
}

/// A pipe that is full holds the program back, and a program that does not read its child.
#[test]
fn flow_control_reaches_through_a_pipe() {
    let mut net = Sim::new(1);
    let (host, log) = (net.host("a"), Log::default());
    let connecting = host
        .net()
        .connect(Command::new("cat"), Client(Rc::clone(&log)));
    let mut cat = host.next_process();
    cat.pipe(1).set_window(0);
    net.settle();
    let transport = connecting.try_take().unwrap().unwrap();
    assert_eq!(transport.buffered(), 5);
    transport.pause_reading();
    cat.feed("x");
    net.settle();
    assert_eq!(log.take(), [""; 0]);
    cat.pipe(1).set_window(100);
    transport.resume_reading();
    net.settle();
    assert_eq!(
        (cat.take_input(), log.take()),
        (b"hello".to_vec(), vec!["x".to_owned()])
    );
}

struct Told(Log);

impl ProcessProtocol for Told {
    fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
        self.0.borrow_mut().push(format!("{end:?}"));
    }
}

/// A kill and a crash: the program is told, its processes are nobody's, and the next life of the
/// host spawns its own.
#[test]
fn processes_end_with_their_host() {
    for crashes in [false, true] {
        let mut net = Sim::new(1);
        let (host, log, lives) = (net.host("a"), Log::default(), Rc::new(Cell::new(0)));
        let (notes, count) = (Rc::clone(&log), Rc::clone(&lives));
        host.boot(move |net| {
            count.set(count.get() + 1);
            for name in ["first", "second"] {
                let command = Command::new(name).arg(count.get().to_string());
                net.spawn_process(&command, Told(Rc::clone(&notes)))
                    .unwrap();
            }
        });
        net.settle();
        let mut first = host.next_process();
        let fault = if crashes {
            net.crash("a")
        } else {
            net.kill("a")
        };
        net.settle();
        assert_eq!(log.take(), ["LetGo", "LetGo"]);
        assert!(first.is_let_go());
        assert!(first.pipe(0).has_reset());
        // Nobody minds what it still does.
        first.feed("x");
        first.exit(ExitStatus::Code(0));
        fault.heal();
        net.settle();
        assert_eq!(lives.get(), 2);
        let names = [(); 2].map(|()| host.next_process().command().arguments()[0].clone());
        assert_eq!(names, ["2", "2"]);
        assert_eq!(log.take(), [""; 0]);
    }
}

/// Deadlines of processes are those of the host's clock, and nobody waits for a real one.
#[test]
fn a_grandchild_is_cut_in_virtual_time() {
    let mut net = Sim::new(1);
    let (host, log) = (net.host("a"), Log::default());
    let command = Command::new("daemon").after_exit_timeout(Duration::from_secs(60));
    let transport = host
        .net()
        .spawn_process(&command, Told(Rc::clone(&log)))
        .unwrap();
    net.settle();
    let mut daemon = host.next_process();
    transport.signal_process(Signal::Hup).unwrap();
    assert_eq!(daemon.take_signals(), [Signal::Hup]);
    daemon.exit_and_leave_pipes(ExitStatus::Code(0));
    net.advance(Duration::from_secs(59));
    assert_eq!(log.take(), [""; 0]);
    net.advance(Duration::from_secs(2));
    assert_eq!(log.take(), ["Cut(Code(0))"]);
}

#[test]
fn a_spawn_can_be_refused() {
    let net = Sim::new(1);
    let host = net.host("a");
    host.refuse_processes(io::ErrorKind::NotFound);
    let refused = host
        .net()
        .spawn_process(&Command::new("x"), Told(Log::default()));
    assert!(matches!(refused, Err(SpawnError::NotFound { .. })));
}

#[test]
#[should_panic(expected = "no process that was not asked for")]
fn what_nobody_asked_for_is_gone_with_the_host() {
    let mut net = Sim::new(1);
    let host = net.host("a");
    let told = Told(Log::default());
    host.net().spawn_process(&Command::new("x"), told).unwrap();
    net.settle();
    let _fault = net.kill("a");
    net.settle();
    host.next_process();
}
