//! What is left of a connection that was closed (contract C4).

use std::cell::Cell;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::Time;
use torsade_reactor::Reactor;

use crate::support::{Client, Log, Script, drive, pattern, serve, settle};

const REPLY: usize = 2_000_000;

/// A reactor whose clock is turned by hand.
pub(crate) fn reactor() -> (Reactor, Rc<Cell<Time>>) {
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let reactor = Reactor::builder().clock(move || read.get());
    (reactor.build().unwrap(), hand)
}

/// A server that answers with a large reply and closes.
fn generous(reactor: &Reactor, log: &Log) -> SocketAddr {
    let server = log.clone();
    serve(reactor.net(), move || {
        Script::new("server", &server).data(|transport, _| {
            transport.write(pattern(0..REPLY));
            transport.close();
        })
    })
}

/// Let a client read so little that all of the reply is with the kernel, which has it in hand.
fn ask_and_read_late(reactor: &mut Reactor, log: &Log, client: &mut Client) -> Vec<u8> {
    let mut heard = Vec::new();
    client.write(b"x");
    drive(reactor, || {
        if log.has("server lost: closed here") {
            return true;
        }
        if let Some(some) = client.try_read(1000).unwrap() {
            heard.extend(some);
        }
        false
    });
    assert!(heard.len() < REPLY / 2, "the kernel has {}", heard.len());
    assert_eq!(reactor.counters().lingering, 1);
    heard
}

#[test]
fn what_the_kernel_took_arrives_whole_after_the_linger() {
    let (mut reactor, hand) = reactor();
    let log = Log::default();
    let address = generous(&reactor, &log);
    let mut client = Client::connect(address);
    let mut heard = ask_and_read_late(&mut reactor, &log, &mut client);
    hand.set(hand.get() + Duration::from_secs(5));
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert_eq!(reactor.counters().lingering, 0);
    let (rest, error) = client.read_to_end(&mut reactor);
    heard.extend(rest);
    assert_eq!((heard.len(), error), (REPLY, None));
    assert!(heard == pattern(0..REPLY));
}

#[test]
fn what_the_kernel_took_arrives_whole_though_the_reactor_is_dropped() {
    let (mut reactor, _) = reactor();
    let log = Log::default();
    let address = generous(&reactor, &log);
    let mut client = Client::connect(address);
    let mut heard = ask_and_read_late(&mut reactor, &log, &mut client);
    drop(reactor);
    let mut other = Reactor::new().unwrap();
    let (rest, error) = client.read_to_end(&mut other);
    heard.extend(rest);
    assert_eq!((heard.len(), error), (REPLY, None));
}

#[test]
fn a_socket_whose_peer_has_ended_does_not_linger() {
    let (mut reactor, _) = reactor();
    let log = Log::default();
    let address = generous(&reactor, &log);
    let client = Client::connect(address);
    client.0.shutdown(Shutdown::Write).unwrap();
    drive(&mut reactor, || log.has("server lost: closed by the peer"));
    assert_eq!(reactor.counters().lingering, 0);
    assert_eq!(reactor.next_deadline(), None);
}

#[test]
fn an_abort_does_not_linger() {
    let (mut reactor, _) = reactor();
    let log = Log::default();
    let server = log.clone();
    let address = serve(reactor.net(), move || {
        Script::new("server", &server).made(|transport| transport.abort())
    });
    let _client = Client::connect(address);
    drive(&mut reactor, || log.has("server lost: aborted here"));
    assert_eq!(reactor.counters().lingering, 0);
}

#[test]
fn what_a_lingering_socket_is_sent_is_read_and_dropped() {
    let (mut reactor, _) = reactor();
    let log = Log::default();
    let address = generous(&reactor, &log);
    let mut client = Client::connect(address);
    ask_and_read_late(&mut reactor, &log, &mut client);
    // Far more than the kernel holds: it goes because it is read, and to nobody.
    let mut sent = 0;
    drive(&mut reactor, || {
        sent += client.try_write(&[7; 100_000]).unwrap();
        sent > 50_000_000
    });
    assert_eq!(log.lines().len(), 2);
    drop(client);
    settle(&mut reactor);
    assert_eq!(reactor.counters().lingering, 0);
}
