//! IPv6, with and without IPv4 at the same listener, on every driver. Loopback only; where the
//! machine has no IPv6, that is said.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

use std::cell::RefCell;
use torsade_core::{ListenError, Peer, ToEndpoint, factory};
use torsade_reactor::Reactor;

use crate::support::{Echo, drive};
use crate::unix::on_each_driver;

/// Whether there is IPv6 here; if not, that is said past the harness, which keeps what a test that
/// passes prints.
fn has_v6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        let said = writeln!(std::io::stderr(), "SKIPPED: this machine has no IPv6");
        said.unwrap();
    }
    has
}

/// Listen at every address, and see as whom a client from there is told.
fn told(reactor: &mut Reactor, only_v6: bool, from: IpAddr) -> Option<Peer> {
    let peers = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&peers);
    let server = factory(move |peer: &Peer| {
        seen.borrow_mut().push(peer.clone());
        Echo
    });
    let at = "[::]:0".to_endpoint().unwrap().only_v6(only_v6);
    let listener = reactor.net().listen(at, server).unwrap();
    let port = listener.address().inet().unwrap().port();
    let client = TcpStream::connect((from, port));
    let Ok(client) = client else {
        assert_eq!(client.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        listener.close();
        return None;
    };
    drive(reactor, || !peers.borrow().is_empty());
    let peer = peers.borrow()[0].clone();
    assert_eq!(peer.remote(), &client.local_addr().unwrap());
    assert_eq!(peer.local(), &client.peer_addr().unwrap());
    listener.close();
    Some(peer)
}

#[test]
fn every_ipv6_address_is_not_every_ipv4_address_unless_that_is_said() {
    if !has_v6() {
        return;
    }
    on_each_driver(|reactor| {
        assert!(told(reactor, true, Ipv6Addr::LOCALHOST.into()).is_some());
        assert_eq!(told(reactor, true, Ipv4Addr::LOCALHOST.into()), None);
    });
}

#[test]
fn a_listener_for_both_tells_each_peer_in_its_own_family() {
    if !has_v6() {
        return;
    }
    on_each_driver(|reactor| {
        for ip in [
            Ipv6Addr::LOCALHOST.into(),
            IpAddr::from(Ipv4Addr::LOCALHOST),
        ] {
            let peer = told(reactor, false, ip).unwrap();
            assert_eq!(peer.remote().ip(), Some(ip));
        }
    });
}

#[test]
fn both_families_are_listened_on_side_by_side_or_by_one() {
    if !has_v6() {
        return;
    }
    on_each_driver(|reactor| {
        let four = reactor
            .net()
            .listen("0.0.0.0:0", factory(|_| Echo))
            .unwrap();
        let port = four.address().inet().unwrap().port();
        let six = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let beside = reactor.net().listen(six, factory(|_| Echo)).unwrap();
        beside.close();
        let both = six.to_endpoint().unwrap().only_v6(false);
        match reactor.net().listen(both, factory(|_| Echo)) {
            Err(ListenError::System { error, .. }) => {
                assert_eq!(error.kind(), ErrorKind::AddrInUse);
            }
            other => panic!("{other:?}"),
        }
        four.close();
    });
}
