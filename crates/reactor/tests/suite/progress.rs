//! What the kernel's send queue says of a reader's progress (contract C4). Linux tells it.

use std::cell::RefCell;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use torsade_core::Transport;
use torsade_reactor::Reactor;

use crate::lingering::reactor;
use crate::support::{Log, Script, drive, serve, settle};

/// A server that fills everything on the way to a client and then closes.
fn flooding(
    reactor: &Reactor,
    log: &Log,
    seat: &Rc<RefCell<Option<Transport<Script>>>>,
) -> SocketAddr {
    let (server, seat) = (log.clone(), Rc::clone(seat));
    serve(reactor.net(), move || {
        let seat = Rc::clone(&seat);
        Script::new("server", &server).made(move |transport| {
            *seat.borrow_mut() = Some(transport.clone());
            transport.write(vec![7; 12_000_000]);
            transport.close();
        })
    })
}

/// One that blocks, with little room for what it has not read.
fn slow_client(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// "Progress is counted in the outbox or [..], where the system tells, in the kernel's send
/// queue".
#[test]
fn a_reader_whose_progress_only_the_kernel_sees_is_not_cut() {
    let (mut reactor, hand) = reactor();
    let log = Log::default();
    let seat = Rc::default();
    let address = flooding(&reactor, &log, &seat);
    let mut client = slow_client(address);
    drive(&mut reactor, || seat.borrow().is_some());
    let transport = seat.take().unwrap();
    settle(&mut reactor);
    let mut deadlines_without_us = 0;
    for _ in 0..10 {
        let before = transport.buffered();
        // A part of what it takes to make the room that the kernel tells us of.
        client.read_exact(&mut vec![0; 300_000]).unwrap();
        settle(&mut reactor);
        deadlines_without_us += usize::from(transport.buffered() == before);
        hand.set(hand.get() + Duration::from_secs(120));
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(log.lines(), ["server made"]);
    }
    assert!(deadlines_without_us > 0, "the outbox moved every time");

    // One that takes nothing is.
    settle(&mut reactor);
    for _ in 0..2 {
        hand.set(hand.get() + Duration::from_secs(120));
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let cut = "server lost: timed out: the peer took no output before the close";
    assert_eq!(log.lines(), ["server made", cut]);
}
