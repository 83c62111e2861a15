//! Datagrams, while the calls for them fail once.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{DatagramError, DatagramProtocol, DatagramTransport};
use torsade_reactor::Reactor;

use crate::strace::start;

/// What the scene expects: errors that are told, and answers that come.
const EXPECTED: &str = "TORSADE_EXPECTED";
const DATAGRAMS: usize = 5;

struct Echo(Rc<Cell<usize>>);

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        from: &SocketAddr,
    ) {
        transport.send_to(data, from);
    }

    fn error_received(&mut self, _: &DatagramTransport<Self>, _: &DatagramError) {
        self.0.set(self.0.get() + 1);
    }
}

pub(crate) fn play() {
    let errors = Rc::new(Cell::new(0));
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.net().bind("127.0.0.1:0", Echo(Rc::clone(&errors)));
    let port = port.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_nonblocking(true).unwrap();
    let (mut answers, mut buffer) = (0, [0; 100]);
    for number in 1..=DATAGRAMS {
        peer.send_to(b"hello", port.local()).unwrap();
        // What is held back is sent when there is room.
        while port.received() < number as u64 || port.buffered() > 0 {
            reactor.turn(None).unwrap();
        }
        match peer.recv(&mut buffer) {
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
    assert_eq!(seen, std::env::var(EXPECTED).unwrap());
}

const DRIVERS: &[&str] = &[
    "polling",
    "epoll",
    #[cfg(feature = "io-uring")]
    "io_uring",
];

/// The call and the error, and what becomes of it.
const FAULTS: &[(&str, &str, &str)] = &[
    ("recvmmsg", "ECONNREFUSED", "1 5"),
    ("recvmmsg", "EHOSTUNREACH", "1 5"),
    ("recvmmsg", "ENOBUFS", "1 5"),
    ("recvmmsg", "ENOMEM", "1 5"),
    ("recvmmsg", "EAGAIN", "0 5"),
    ("recvmmsg", "EINTR", "0 5"),
    ("sendmmsg", "ENOBUFS", "1 4"),
    ("sendmmsg", "EHOSTUNREACH", "1 4"),
    ("sendmmsg", "ENETUNREACH", "1 4"),
    ("sendmmsg", "EMSGSIZE", "1 4"),
    ("sendmmsg", "EPERM", "1 4"),
    ("sendmmsg", "EACCES", "1 4"),
    // Perhaps of an earlier one: this one is sent all the same.
    ("sendmmsg", "ECONNREFUSED", "1 5"),
    ("sendmmsg", "EAGAIN", "0 5"),
    ("sendmmsg", "EINTR", "0 5"),
];

#[test]
fn no_error_of_a_datagram_ends_its_port() {
    for (call, error, expected) in FAULTS {
        for driver in DRIVERS {
            let options = [
                "-e".to_owned(),
                format!("trace={call}"),
                "-e".to_owned(),
                format!("inject={call}:error={error}:when=2"),
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
