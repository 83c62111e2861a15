//! What kernels do to connections, on the fakes and on sockets: the same protocol, the same log.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use torsade_core::{Disconnect, Limits, Protocol, Transport, factory};
use torsade_reactor::{Driver, Reactor};
use torsade_testing::StringTransport;

/// What the protocol and its peer saw, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn has(&self, line: &str) -> bool {
        self.0.borrow().iter().any(|known| known == line)
    }
}

/// The log of both must be this.
#[track_caller]
fn both_see(expected: &[&str], fake: impl FnOnce(&Log), real: impl FnOnce(&Log)) {
    let logs = [Log::default(), Log::default()];
    fake(&logs[0]);
    assert_eq!(*logs[0].0.borrow(), expected, "the fake");
    real(&logs[1]);
    assert_eq!(*logs[1].0.borrow(), expected, "the kernel");
}

type Seat = Rc<RefCell<Option<Transport<Noting>>>>;

/// Notes its life; answers if it has an answer, and is asked to pause by a word.
struct Noting {
    log: Log,
    answer: &'static [u8],
    seat: Seat,
}

impl Noting {
    fn new(log: &Log, answer: &'static [u8]) -> Self {
        Self {
            log: log.clone(),
            answer,
            seat: Rc::default(),
        }
    }
}

impl Protocol for Noting {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.seat.replace(Some(transport.clone()));
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.log.note(format!("data {}", data.escape_ascii()));
        transport.write(self.answer);
        if data == b"pause" {
            transport.pause_reading();
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        self.log.note("eof");
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.log.note(format!("lost: {reason}"));
    }
}

/// A reactor with one connection, and the peer's socket.
struct Real {
    reactor: Reactor,
    connection: Transport<Noting>,
    peer: TcpStream,
}

impl Real {
    /// The protocol on an accepted connection.
    fn serve(protocol: Noting, limits: Limits, connect: fn(SocketAddr) -> TcpStream) -> Self {
        let mut reactor = Reactor::builder().limits(limits).build().unwrap();
        let seat = Rc::clone(&protocol.seat);
        let mut protocol = Some(protocol);
        let build = factory(move |_: &torsade_core::Peer| protocol.take());
        let listener = reactor.net().listen("127.0.0.1:0", build).unwrap();
        let peer = connect(listener.address().inet().unwrap());
        drive(&mut reactor, || seat.borrow().is_some());
        Self::new(reactor, &seat, peer)
    }

    /// The protocol on a connection that it asked for.
    fn connect(protocol: Noting) -> Self {
        let mut reactor = Reactor::new().unwrap();
        let seat = Rc::clone(&protocol.seat);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        reactor.net().connect(address, protocol).detach();
        drive(&mut reactor, || seat.borrow().is_some());
        let (peer, _) = listener.accept().unwrap();
        Self::new(reactor, &seat, peer)
    }

    fn new(reactor: Reactor, seat: &Seat, peer: TcpStream) -> Self {
        peer.set_nonblocking(true).unwrap();
        Self {
            reactor,
            connection: seat.take().unwrap(),
            peer,
        }
    }

    fn send(&mut self, data: &[u8]) {
        self.peer.write_all(data).unwrap();
    }

    fn drive(&mut self, log: &Log, line: &str) {
        drive(&mut self.reactor, || log.has(line));
    }

    /// Turns that find everything there is to find.
    fn turn(&mut self) {
        for _ in 0..3 {
            assert!(self.reactor.turn(Some(Duration::ZERO)).unwrap());
        }
    }

    /// Read as much as there is.
    fn read(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        // Up to the end, an error, or what is still to come.
        let _ = self.peer.read_to_end(&mut all);
        all
    }

    /// The peer resets.
    fn reset(self) -> (Reactor, Transport<Noting>) {
        let zero = Some(Duration::ZERO);
        SockRef::from(&self.peer).set_linger(zero).unwrap();
        (self.reactor, self.connection)
    }
}

/// Turn until something is true. The bound is on patience, not on speed.
fn drive(reactor: &mut Reactor, mut until: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if until() {
            return;
        }
        assert!(reactor.turn(Some(Duration::from_millis(1))).unwrap());
    }
    panic!("it does not come");
}

fn plainly(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// Small segments make the kernel's buffers small at both ends.
fn with_small_buffers(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_tcp_mss(1000).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

fn without_lingering() -> Limits {
    let mut limits = Limits::default();
    limits.lingering = 0;
    limits
}

/// What reactors run on here.
fn driver() -> Driver {
    Reactor::new().unwrap().driver()
}

#[test]
fn a_close_with_unread_input_resets_if_nothing_lingers() {
    let on_fake = |log: &Log, limits: Limits, told: bool| {
        let protocol = Noting::new(log, b"reply");
        let mut t = StringTransport::builder().limits(limits).serve(protocol);
        if told {
            t.reset_at_close_with_unread();
        }
        t.feed("pause");
        t.feed("unread");
        t.connection().close();
        let sent = t.take_sent();
        log.note(format!(
            "peer read {}, reset {}",
            sent.escape_ascii(),
            t.has_reset()
        ));
    };
    let on_kernel = |log: &Log, limits: Limits| {
        let mut real = Real::serve(Noting::new(log, b"reply"), limits, plainly);
        real.send(b"pause");
        real.drive(log, "data pause");
        real.send(b"unread");
        real.connection.close();
        real.turn();
        // Behind the end, so that what is read first does not tell.
        let reset = real.peer.take_error().unwrap().is_some();
        let sent = real.read();
        log.note(format!("peer read {}, reset {reset}", sent.escape_ascii()));
    };
    let lost = "lost: closed here";
    let reset = ["data pause", lost, "peer read reply, reset true"];
    if driver() == Driver::IoUring {
        // It has taken what is unread from the kernel, which then sees nothing wrong.
        return;
    }
    both_see(
        &reset,
        |log| on_fake(log, Limits::default(), true),
        |log| on_kernel(log, without_lingering()),
    );
    // The limit itself, and the rule.
    both_see(
        &reset,
        |log| on_fake(log, without_lingering(), false),
        |log| on_kernel(log, without_lingering()),
    );
    both_see(
        &["data pause", lost, "peer read reply, reset false"],
        |log| on_fake(log, Limits::default(), false),
        |log| on_kernel(log, Limits::default()),
    );
}

#[test]
fn bytes_that_come_with_a_reset_are_read_and_the_answer_fails() {
    both_see(
        &["data hello", "lost: reset by the peer"],
        |log| {
            let mut t = StringTransport::serve(Noting::new(log, b"answer"));
            t.reset_after("hello");
            assert_eq!(t.take_sent(), b"");
        },
        |log| {
            let protocol = Noting::new(log, b"answer");
            let mut real = Real::serve(protocol, Limits::default(), plainly);
            real.send(b"hello");
            let (mut reactor, _) = real.reset();
            drive(&mut reactor, || log.has("lost: reset by the peer"));
        },
    );
}

#[test]
fn held_bytes_stay_readable_after_a_reset() {
    both_see(
        &["data pause", "data held", "lost: reset by the peer"],
        |log| {
            let mut t = StringTransport::serve(Noting::new(log, b""));
            t.feed("pause");
            t.feed("held");
            t.reset();
            assert_eq!(t.lost(), None);
            t.with_protocol(|_, transport| transport.resume_reading());
            assert_eq!(t.lost(), Some(Disconnect::Reset));
        },
        |log| {
            let mut real = Real::serve(Noting::new(log, b""), Limits::default(), plainly);
            real.send(b"pause");
            real.drive(log, "data pause");
            real.send(b"held");
            let (mut reactor, connection) = real.reset();
            for _ in 0..3 {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            assert!(!log.has("lost: reset by the peer"));
            connection.resume_reading();
            drive(&mut reactor, || log.has("lost: reset by the peer"));
        },
    );
}

const MUCH: usize = 8_000_000;
const SIP: usize = 500;

/// A kernel tells that there is room only when a third of a full queue is free, so a peer that
/// reads little by little is seen to make progress in jumps.
#[test]
fn a_full_send_queue_takes_more_in_jumps() {
    let note = |log: &Log, sips: usize, jumps: usize| {
        let few = jumps * 10 < sips;
        log.note(format!("some: {}, few: {few}", jumps > 1));
    };
    both_see(
        &["some: true, few: true"],
        |log| {
            let mut t = StringTransport::serve(Noting::new(&Log::default(), b""));
            t.set_send_queue(64 * 1024);
            t.connection().write(vec![7; MUCH]);
            let (mut jumps, mut left) = (0, 0);
            for _ in 0..1000 {
                assert_eq!(t.take_sent_at_most(SIP).len(), SIP);
                let now = t.connection().buffered();
                jumps += usize::from(now != left);
                left = now;
            }
            note(log, 1000, jumps);
        },
        |log| {
            let protocol = Noting::new(&Log::default(), b"");
            let mut real = Real::serve(protocol, Limits::default(), with_small_buffers);
            real.connection.write(vec![7; MUCH]);
            real.turn();
            let (mut jumps, mut left) = (0, 0);
            for _ in 0..1000 {
                let Real { reactor, peer, .. } = &mut real;
                // What the kernels move among themselves comes when it comes.
                drive(reactor, || peer.read_exact(&mut [0; SIP]).is_ok());
                real.turn();
                let now = real.connection.buffered();
                jumps += usize::from(now != left);
                left = now;
            }
            note(log, 1000, jumps);
        },
    );
}

/// While input is held nobody is told, and nothing spins; what was held is read first.
#[test]
fn a_hang_up_with_held_input_waits_until_the_input_is_wanted() {
    both_see(
        &["data pause", "data held", "eof", "lost: closed by the peer"],
        |log| {
            let mut t = StringTransport::serve(Noting::new(log, b""));
            t.feed("pause");
            t.feed("held");
            t.hang_up();
            t.connection().write("answered with a reset");
            assert_eq!((t.take_sent(), t.lost()), (vec![], None));
            t.with_protocol(|_, transport| transport.resume_reading());
        },
        |log| {
            let mut real = Real::serve(Noting::new(log, b""), Limits::default(), plainly);
            real.send(b"pause");
            real.drive(log, "data pause");
            real.send(b"held");
            let Real {
                mut reactor,
                connection,
                peer,
            } = real;
            drop(peer);
            connection.write("answered with a reset");
            for _ in 0..3 {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            let events = reactor.counters().events;
            for _ in 0..10 {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            assert_eq!(reactor.counters().events, events, "it spins");
            connection.resume_reading();
            drive(&mut reactor, || log.has("lost: closed by the peer"));
        },
    );
}

#[test]
fn the_second_send_after_a_hang_up_fails() {
    both_see(
        &["data pause", "lost: reset by the peer"],
        |log| {
            let mut t = StringTransport::serve(Noting::new(log, b""));
            t.feed("pause");
            t.hang_up();
            t.connection().write("first");
            assert_eq!(t.lost(), None);
            t.connection().write("second");
            assert_eq!(t.lost(), Some(Disconnect::Reset));
        },
        |log| {
            let mut real = Real::serve(Noting::new(log, b""), Limits::default(), plainly);
            real.send(b"pause");
            real.drive(log, "data pause");
            let Real {
                mut reactor,
                connection,
                peer,
            } = real;
            drop(peer);
            connection.write("first");
            for _ in 0..3 {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            assert!(!log.has("lost: reset by the peer"));
            connection.write("second");
            drive(&mut reactor, || log.has("lost: reset by the peer"));
        },
    );
}

/// The early reply: an upload fails, and why is there to read.
#[test]
fn a_reply_that_waits_is_read_after_a_send_failed() {
    both_see(
        &["data pause", "data 413", "lost: reset by the peer"],
        |log| {
            let mut t = StringTransport::connect(Noting::new(log, b""));
            t.feed("pause");
            t.feed("413");
            t.fail_sends(ErrorKind::ConnectionReset);
            t.with_protocol(|_, transport| {
                transport.resume_reading();
                transport.write("more");
            });
            assert_eq!(t.lost(), Some(Disconnect::Reset));
        },
        |log| {
            let mut real = Real::connect(Noting::new(log, b"unread"));
            real.send(b"pause");
            real.drive(log, "data pause");
            real.send(b"413");
            let Real {
                mut reactor,
                connection,
                peer,
            } = real;
            drop(peer); // with input unread: a reset
            connection.resume_reading();
            connection.write("more");
            drive(&mut reactor, || log.has("lost: reset by the peer"));
        },
    );
}
