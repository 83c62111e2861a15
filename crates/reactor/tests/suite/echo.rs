#[cfg(target_os = "linux")]
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::net::TcpStream;

#[cfg(target_os = "linux")]
use socket2::Socket;
use torsade_core::{ListenError, Peer, factory};
use torsade_reactor::Reactor;

use crate::support::{Client, Echo, Log, Script, drive, echo, own_ip};
use crate::unix::on_each_driver;

#[test]
fn what_is_said_comes_back() {
    let mut reactor = Reactor::new().unwrap();
    let listener = echo(reactor.net());
    let mut clients: Vec<_> = (0..20)
        .map(|_| Client::connect(listener.address().inet().unwrap()))
        .collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.write(format!("{number} in {round}").as_bytes());
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let said = format!("{number} in {round}");
            let heard = client.read_exactly(&mut reactor, said.len());
            assert_eq!(heard, said.as_bytes());
        }
    }
    assert_eq!(reactor.net().connections(), 20);
}

#[test]
fn both_families_are_served() {
    let mut reactor = Reactor::new().unwrap();
    for any in ["0.0.0.0:0", "[::]:0", "[::1]:0"] {
        let listener = match reactor.net().listen(any, factory(|_| Echo)) {
            Ok(listener) => listener,
            // A machine without the family.
            Err(_) if any.starts_with('[') => continue,
            Err(error) => panic!("{error}"),
        };
        let mut address = listener.address().inet().unwrap();
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => [127, 0, 0, 1].into(),
                SocketAddr::V6(_) => [0, 0, 0, 0, 0, 0, 0, 1].into(),
            });
        }
        let mut client = Client::connect(address);
        client.write(b"hello");
        assert_eq!(client.read_exactly(&mut reactor, 5), b"hello");
    }
}

#[test]
fn an_address_in_use_is_an_error_of_listen() {
    on_each_driver(|reactor| {
        let net = reactor.net();
        let listener = net.listen((own_ip(), 0), factory(|_| Echo)).unwrap();
        let own = listener.address().inet().unwrap();
        let again = net.listen(own, factory(|_| Echo));
        let Err(ListenError::System { address, error }) = again else {
            panic!("{again:?}");
        };
        assert_eq!(address, own);
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn a_port_is_free_when_close_returns() {
    on_each_driver(|reactor| {
        let net = reactor.net();
        let any = SocketAddr::from((own_ip(), 0));
        let first = net.listen(any, factory(|_| Echo)).unwrap();
        let own = first.address().inet().unwrap();
        first.close();
        // The second one has asked for this very port.
        for _ in 0..2 {
            let next = net.listen(own, factory(|_| Echo)).unwrap();
            assert_eq!(next.address(), own);
            next.close();
        }
    });
}

/// A process that is being started has all descriptors of who starts it until it runs its program.
#[cfg(target_os = "linux")]
#[test]
fn a_port_is_free_though_somebody_has_a_copy_of_its_descriptor() {
    on_each_driver(|reactor| {
        let any = SocketAddr::from((own_ip(), 0));
        let first = reactor.net().listen(any, factory(|_| Echo)).unwrap();
        let own = first.address().inet().unwrap();
        let _first_copy = copy_of_listener(own);
        first.close();
        let next = reactor.net().listen(own, factory(|_| Echo)).unwrap();
        let _next_copy = copy_of_listener(own);
        next.close();
        let refused = TcpStream::connect(own).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        // The end of a reactor is one of its listeners, too.
        let last = Reactor::builder().driver(reactor.driver()).build().unwrap();
        let listener = last.net().listen(own, factory(|_| Echo)).unwrap();
        let _last_copy = copy_of_listener(own);
        drop((last, listener));
        reactor.net().listen(own, factory(|_| Echo)).unwrap();
    });
}

/// Another descriptor of the socket of this process that listens there.
#[cfg(target_os = "linux")]
fn copy_of_listener(address: SocketAddr) -> Socket {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut numbers = fs::read_dir("/proc/self/fd").unwrap();
    let found = numbers.find_map(|entry| {
        let number = entry.unwrap().file_name().into_string().unwrap();
        let number = number.parse().unwrap();
        let copy = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()).ok()?;
        let copy = Socket::from(copy);
        let listens = copy.is_listener().unwrap_or(false);
        let is_there = copy
            .local_addr()
            .is_ok_and(|at| at.as_socket() == Some(address));
        (listens && is_there).then_some(copy)
    });
    found.unwrap()
}

#[test]
fn both_ends_know_both_addresses() {
    for listen_on in ["127.0.0.1:0", "0.0.0.0:0"] {
        let mut reactor = Reactor::new().unwrap();
        let log = Log::default();
        let server = log.clone();
        let listener = reactor.net().listen(
            listen_on,
            factory(move |_| {
                let peer = server.clone();
                Script::new("server", &Log::default())
                    .made(move |transport| peer.note(format!("{:?}", transport.peer())))
            }),
        );
        // Never the address that means all addresses.
        let own = SocketAddr::from((
            [127, 0, 0, 1],
            listener.unwrap().address().inet().unwrap().port(),
        ));
        let client = Client::connect(own);
        drive(&mut reactor, || !log.lines().is_empty());
        let expected = Peer::new(client.0.local_addr().unwrap(), own);
        assert_eq!(log.lines(), [format!("{expected:?}")]);
    }
}

#[test]
fn a_listener_of_one_family_leaves_the_port_to_the_other() {
    let reactor = Reactor::new().unwrap();
    // A port that is free in one family may be somebody's in the other, but hardly five times.
    let granted = (0..5).any(|_| {
        let Ok(newer) = reactor.net().listen("[::]:0", factory(|_| Echo)) else {
            return true; // A machine without the family.
        };
        let older = SocketAddr::from(([0, 0, 0, 0], newer.address().inet().unwrap().port()));
        reactor.net().listen(older, factory(|_| Echo)).is_ok()
    });
    assert!(granted);
}

#[test]
fn two_reactors_of_one_thread_serve_each_other() {
    let mut one = Reactor::new().unwrap();
    let mut two = Reactor::new().unwrap();
    let listener = echo(one.net());
    let log = Log::default();
    let heard = log.clone();
    let asks = Script::new("client", &log)
        .made(|transport| transport.write(b"are you there"))
        .data(move |_, data| heard.note(String::from_utf8_lossy(data)));
    two.net()
        .connect(listener.address().inet().unwrap(), asks)
        .detach();
    drive(&mut two, || {
        one.turn(Some(std::time::Duration::ZERO)).unwrap();
        log.has("are you there")
    });
}
