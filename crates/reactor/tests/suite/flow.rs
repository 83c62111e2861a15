use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use torsade_core::{Limits, Time, Transport};
use torsade_reactor::Reactor;

use crate::support::{Client, Log, Script, drive, pattern, serve, settle};

const STREAM: usize = 8 * 1024 * 1024;

/// A client whose kernel buffer is as small as the system allows.
fn narrow(address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    Client::new(TcpStream::from(socket))
}

/// Read everything in odd pieces and compare it with the pattern.
fn compare(reactor: &mut Reactor, client: &mut Client) {
    let mut read = 0;
    drive(reactor, || {
        // Some of what is there, so that a turn is not taken for every few bytes.
        for step in 0..20 {
            match client.try_read(1 + (read * 7 + step) % 3000).unwrap() {
                None => return false,
                Some(piece) if piece.is_empty() => return true,
                Some(piece) => {
                    let expected = pattern(read..read + piece.len());
                    assert!(piece == expected, "wrong after {read} bytes");
                    read += piece.len();
                }
            }
        }
        false
    });
    assert_eq!(read, STREAM);
}

/// Write the pattern on, in pieces of all kinds, while output is wanted.
fn produce(transport: &Transport<Script>, written: &Cell<usize>) {
    while transport.wants_output() && written.get() < STREAM {
        let from = written.get();
        let to = STREAM.min(from + 1 + from * 31 % 9000);
        let piece = pattern(from..to);
        match from % 3 {
            0 => transport.write(&piece),
            1 => transport.write_bytes(piece.into()),
            _ => transport.write_parts(&piece.chunks(100).collect::<Vec<_>>()),
        }
        written.set(to);
    }
    if written.get() == STREAM {
        transport.close();
    }
}

#[test]
fn a_slow_reader_gets_every_byte_of_a_stream_that_waits_for_it() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        let written = Rc::new(Cell::new(0));
        let more = Rc::clone(&written);
        Script::new("server", &server)
            .made(move |transport| produce(transport, &written))
            .resume(move |transport| produce(transport, &more))
    });
    let mut client = narrow(address);
    compare(&mut reactor, &mut client);
    assert!(log.has("server lost: closed here"));
}

#[test]
fn a_slow_reader_gets_every_byte_of_what_was_written_at_once() {
    let mut reactor = Reactor::new().unwrap();
    let address = serve(reactor.net(), move || {
        Script::new("server", &Log::default()).made(|transport| {
            // Many shared pieces: more than one vectored send can carry.
            for from in (0..STREAM).step_by(4096) {
                transport.write_bytes(pattern(from..from + 4096).into());
            }
            transport.close();
        })
    });
    let mut client = narrow(address);
    compare(&mut reactor, &mut client);
}

/// What one turn read: from which port, and how much.
type Reads = Vec<(u16, usize)>;

#[test]
fn a_budget_defers_and_never_drops() {
    let mut limits = Limits::default();
    limits.turn_connection_bytes = 1000;
    limits.turn_bytes = 1500;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    let turns: Rc<RefCell<Vec<Reads>>> = Rc::default();
    let now = Rc::clone(&turns);
    let all: Rc<RefCell<Vec<u8>>> = Rc::default();
    let sum = Rc::clone(&all);
    let address = serve(reactor.net(), move || {
        let now = Rc::clone(&now);
        let sum = Rc::clone(&sum);
        Script::new("server", &Log::default()).data(move |transport, data| {
            let port = transport.peer().remote().port().unwrap();
            now.borrow_mut()
                .last_mut()
                .unwrap()
                .push((port, data.len()));
            sum.borrow_mut().extend_from_slice(data);
        })
    });
    let mut clients: Vec<_> = (0..5).map(|_| Client::connect(address)).collect();
    let net = reactor.net().clone();
    drive(&mut reactor, || net.connections() == 5);
    for client in &mut clients {
        client.write(&[9; 10_000]);
    }
    drive(&mut reactor, || {
        turns.borrow_mut().push(Vec::new());
        all.borrow().len() == 50_000
    });

    let ports = clients
        .iter()
        .map(|client| client.0.local_addr().unwrap().port());
    let mut rounds: HashMap<_, _> = ports.map(|port| (port, 0)).collect();
    for turn in turns.borrow().iter() {
        // The budget is looked at after each read.
        assert!(turn.len() <= 2, "{turn:?}");
        for (port, len) in turn {
            assert!(*len <= 1000);
            // Nobody is read a second time before all were read once.
            let least = *rounds.values().min().unwrap();
            let own = rounds.get_mut(port).unwrap();
            assert_eq!(*own, least);
            *own += 1;
        }
    }
}

/// Let input of several connections wait, and their timers come due with it.
fn input_and_timers(limits: Limits, clients: usize) {
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let builder = Reactor::builder().limits(limits);
    let mut reactor = builder.clock(move || read.get()).build().unwrap();
    let log = Log::default();
    let notes = log.clone();
    let address = serve(reactor.net(), move || {
        let (timer, data) = (notes.clone(), notes.clone());
        Script::new("server", &Log::default())
            .made(move |transport| {
                let timer = timer.clone();
                transport.call_later(Duration::from_secs(1), move |_, transport| {
                    let port = transport.peer().remote().port().unwrap();
                    let received = transport.bytes_received();
                    timer.note(format!("timer of {port} after {received}"));
                });
            })
            .data(move |_, piece| data.note(format!("data {}", piece.len())))
    });
    let mut clients: Vec<_> = (0..clients).map(|_| Client::connect(address)).collect();
    let net = reactor.net().clone();
    drive(&mut reactor, || net.connections() == clients.len());
    for client in &mut clients {
        client.write(&[1; 35]);
    }
    hand.set(Time::ZERO + Duration::from_secs(1));
    let timers: Vec<_> = clients
        .iter()
        .map(|client| client.0.local_addr().unwrap().port())
        .map(|port| format!("timer of {port} after 35"))
        .collect();
    drive(&mut reactor, || {
        let struck = log
            .lines()
            .iter()
            .filter(|line| line.starts_with("timer"))
            .count();
        struck == timers.len()
    });
    assert!(
        timers.iter().all(|timer| log.has(timer)),
        "{:?}",
        log.lines()
    );
}

#[test]
fn input_that_one_read_left_over_comes_before_the_timer() {
    let mut limits = Limits::default();
    limits.turn_connection_bytes = 10;
    input_and_timers(limits, 1);
}

#[test]
fn input_that_a_turn_left_over_comes_before_the_timer() {
    let mut limits = Limits::default();
    limits.turn_bytes = 10;
    input_and_timers(limits, 3);
}

#[test]
fn an_event_that_is_older_than_a_pause_reads_nothing() {
    let mut limits = Limits::default();
    limits.turn_bytes = 1;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    let log = Log::default();
    let notes = log.clone();
    let all: Rc<RefCell<Vec<Transport<Script>>>> = Rc::default();
    let list = Rc::clone(&all);
    let address = serve(reactor.net(), move || {
        let (list, others) = (Rc::clone(&list), Rc::clone(&list));
        let notes = notes.clone();
        Script::new("server", &Log::default())
            .made(move |transport| list.borrow_mut().push(transport.clone()))
            .data(move |transport, data| {
                notes.note(String::from_utf8_lossy(data));
                for other in others.borrow().iter().filter(|other| *other != transport) {
                    other.pause_reading();
                }
            })
    });
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(address)).collect();
    drive(&mut reactor, || all.borrow().len() == 3);
    for client in &mut clients {
        client.write(b"now");
    }
    settle(&mut reactor);
    // All were ready at once; the first of them paused the others, so they stay in the kernel.
    assert_eq!(log.lines(), ["now"]);
    let received: u64 = all
        .borrow()
        .iter()
        .map(|transport| transport.bytes_received())
        .sum();
    assert_eq!(received, 3);

    for transport in all.borrow().iter() {
        transport.resume_reading();
    }
    drive(&mut reactor, || log.lines().len() == 2);
}
