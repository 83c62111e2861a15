//! Datagrams, while the calls for them fail once.

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{DatagramError, DatagramProtocol, DatagramTransport};
use torsade_reactor::Reactor;

use crate::strace::start;

/// What the scene expects: errors that are told, and answers that come.
const EXPECTED: &str = "TORSADE_EXPECTED";
const DATAGRAMS: usize = 5;

/// What it begins with if every answer goes to somebody else, too: then two leave at once.
const TWICE: &str = "twice ";

struct Echo {
    errors: Rc<Cell<usize>>,
    also: Option<SocketAddr>,
}

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        from: &SocketAddr,
    ) {
        transport.send_to(data, from);
        if let Some(also) = &self.also {
            transport.send_to(data, also);
        }
    }

    fn error_received(&mut self, _: &DatagramTransport<Self>, _: &DatagramError) {
        self.errors.set(self.errors.get() + 1);
    }
}

pub(crate) fn play() {
    let errors = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    let expected = std::env::var(EXPECTED).unwrap();
    let twice = expected.strip_prefix(TWICE);
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let echo = Echo {
        errors: Rc::clone(&errors),
        also: twice.map(|_| other.local_addr().unwrap()),
    };
    let port = reactor.net().bind("127.0.0.1:0", echo);
    let port = port.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_nonblocking(true).unwrap();
    peer.connect(port.local()).unwrap();
    // As a file, so that the calls for datagrams are all the reactor's.
    let mut peer = File::from(OwnedFd::from(peer));
    let (mut answers, mut buffer) = (0, [0; 100]);
    for number in 1..=DATAGRAMS {
        peer.write_all(b"hello").unwrap();
        // What is held back is sent when there is room.
        while port.received() < number as u64 || port.buffered() > 0 {
            reactor.turn(None).unwrap();
        }
        match peer.read(&mut buffer) {
            Ok(length) => {
                assert_eq!(&buffer[..length], b"hello");
                answers += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert!(port.is_open());
    port.close();
    while reactor.net().datagram_ports() > 0 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let seen = format!("{} {answers}", errors.get());
    assert_eq!(seen, twice.unwrap_or(&expected));
}

const DRIVERS: &[&str] = &[
    "polling",
    "epoll",
    #[cfg(feature = "io-uring")]
    "io_uring",
];

/// The call and the error, and what becomes of it.
const FAULTS: &[(&str, &str, &str)] = &[
    ("recvfrom", "ECONNREFUSED", "1 5"),
    ("recvfrom", "EHOSTUNREACH", "1 5"),
    ("recvfrom", "ENOBUFS", "1 5"),
    ("recvfrom", "ENOMEM", "1 5"),
    ("recvfrom", "EAGAIN", "0 5"),
    ("recvfrom", "EINTR", "0 5"),
    ("recvmmsg", "ECONNREFUSED", "1 5"),
    ("recvmmsg", "EAGAIN", "0 5"),
    ("recvmmsg", "EINTR", "0 5"),
    ("sendto", "ENOBUFS", "1 4"),
    ("sendto", "EHOSTUNREACH", "1 4"),
    ("sendto", "ENETUNREACH", "1 4"),
    ("sendto", "EMSGSIZE", "1 4"),
    ("sendto", "EPERM", "1 4"),
    ("sendto", "EACCES", "1 4"),
    // Perhaps of an earlier one: this one is sent all the same.
    ("sendto", "ECONNREFUSED", "1 5"),
    ("sendto", "EAGAIN", "0 5"),
    ("sendto", "EINTR", "0 5"),
    ("sendmmsg", "EHOSTUNREACH", "twice 1 4"),
    ("sendmmsg", "ECONNREFUSED", "twice 1 5"),
    ("sendmmsg", "EAGAIN", "twice 0 5"),
    ("sendmmsg", "EINTR", "twice 0 5"),
];

/// Several are asked for first; one only after they have come one by one for a while, here the
/// last.
fn which(call: &str) -> u32 {
    match call {
        "recvmmsg" | "recvfrom" => 1,
        _ => 2,
    }
}

#[test]
fn no_error_of_a_datagram_ends_its_port() {
    for (call, error, expected) in FAULTS {
        for driver in DRIVERS {
            let options = [
                "-e".to_owned(),
                format!("trace={call}"),
                "-e".to_owned(),
                format!("inject={call}:error={error}:when={}", which(call)),
            ];
            let Some(traced) = start("datagrams", driver, &options, (EXPECTED, expected)) else {
                return;
            };
            let report = traced.finish();
            assert!(
                report.contains("INJECTED"),
                "{driver} {call} {error}: {report}"
            );
        }
    }
}
