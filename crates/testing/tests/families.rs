//! IPv6 listeners on the fakes: of one family, or of both.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::io::ErrorKind;
use std::time::Duration;

use torsade_core::{ListenError, Listener, Net, Protocol, Time, ToEndpoint, Transport, factory};
use torsade_testing::sim::Sim;
use torsade_testing::{Clock, MemoryReactor};

/// Says as whom it is known and hangs up.
struct WhoAmI;

impl Protocol for WhoAmI {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(transport.peer().remote().ip().unwrap().to_string());
        transport.close();
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

fn listen(net: &Net, at: &str, only_v6: bool) -> Result<Listener, ListenError> {
    let at = at.to_endpoint().unwrap().only_v6(only_v6);
    net.listen(at, factory(|_| WhoAmI))
}

fn is_in_use(listening: Result<Listener, ListenError>) -> bool {
    matches!(listening, Err(ListenError::System { error, .. })
        if error.kind() == ErrorKind::AddrInUse)
}

/// What holds for whoever listens, wherever.
fn excludes(net: &Net) {
    let four = listen(net, "0.0.0.0:80", true).unwrap();
    assert!(is_in_use(listen(net, "[::]:80", false)));
    let six = listen(net, "[::]:80", true).unwrap();
    four.close();
    six.close();
    let both = listen(net, "[::]:80", false).unwrap();
    assert!(is_in_use(listen(net, "0.0.0.0:80", true)));
    assert!(is_in_use(listen(net, "[::]:80", true)));
    both.close();
}

#[test]
fn a_memory_reactor_knows_listeners_of_one_family_and_of_both() {
    let reactor = MemoryReactor::new();
    excludes(reactor.net());
    listen(reactor.net(), "[::]:80", false).unwrap();
    listen(reactor.net(), "[::]:81", true).unwrap();
    assert_eq!(reactor.dial("127.0.0.1:80").take_sent(), b"127.0.0.1");
    reactor.join();
    let refused = reactor.net().connect("127.0.0.1:81", WhoAmI);
    let taken = [
        reactor.net().connect("127.0.0.1:80", WhoAmI),
        reactor.net().connect("[::1]:80", WhoAmI),
        reactor.net().connect("[::1]:81", WhoAmI),
    ];
    reactor.settle();
    assert!(refused.try_take().unwrap().is_err());
    for taken in taken {
        assert!(taken.try_take().unwrap().is_ok());
    }
}

#[test]
fn a_simulated_host_does_too() {
    let mut net = Sim::new(1);
    let host = net.host("server");
    excludes(&host.net());
    listen(&host.net(), "[::]:80", false).unwrap();
    listen(&host.net(), "[::]:81", true).unwrap();
    let client = net.host("client").net();
    let refused = client.connect("10.0.0.1:81", WhoAmI);
    let taken = [
        client.connect("10.0.0.1:80", WhoAmI),
        client.connect("[fd00::1]:80", WhoAmI),
        client.connect("[fd00::1]:81", WhoAmI),
    ];
    net.settle();
    assert!(refused.try_take().unwrap().is_err());
    for taken in taken {
        assert!(taken.try_take().unwrap().is_ok());
    }
}

#[test]
fn a_simulated_queue_is_as_long_as_was_asked_for() {
    let mut net = Sim::new(1);
    let server = net.host("server").net();
    let at = "0.0.0.0:80".to_endpoint().unwrap().backlog(2);
    server.listen(at, factory(|_| WhoAmI)).unwrap();
    // So long it accepts nobody.
    server.call_later(Duration::ZERO, |_| Clock::stall(Duration::from_millis(500)));
    let client = net.host("client").net();
    let connects: Vec<_> = (0..5)
        .map(|_| client.connect("10.0.0.1:80", WhoAmI))
        .collect();
    net.settle();
    // Whoever found it full sent its first segment again, a second later.
    assert!(net.now() >= Time::ZERO + Duration::from_secs(1));
    for connect in connects {
        assert!(connect.try_take().unwrap().is_ok());
    }
}
