//! Datagrams between Unix sockets, in the memory reactor and in a simulated network.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use torsade_core::{
    DatagramError, DatagramProtocol, DatagramTransport, ListenError, Net, UnixAddress,
};
use torsade_testing::sim::Sim;
use torsade_testing::{FakeDatagrams, FarPort, MemoryReactor};

type Told = Rc<RefCell<Vec<String>>>;
type Port = DatagramTransport<Notes, UnixAddress>;

/// Notes what it is told, and answers questions.
struct Notes(Told);
impl DatagramProtocol<UnixAddress> for Notes {
    fn datagram_received(&mut self, port: &Port, data: &[u8], from: &UnixAddress) {
        let text = String::from_utf8_lossy(data);
        self.0.borrow_mut().push(format!("{from} {text}"));
        if data.ends_with(b"?") {
            port.send_to("yes", from);
        }
    }
    fn error_received(&mut self, _: &Port, error: &DatagramError) {
        self.0.borrow_mut().push(format!("{:?}", error.kind()));
    }
}

fn bind(net: &Net, at: impl Into<torsade_core::UnixListen>) -> (Port, Told) {
    let told = Told::default();
    (net.bind_unix(at, Notes(Rc::clone(&told))).unwrap(), told)
}

/// What holds on every network.
fn is_kept(net: &Net, mut settle: impl FnMut()) {
    let (server, heard) = bind(net, "/run/server");
    let (client, answers) = bind(net, UnixAddress::abstract_name("client"));
    let (unnamed, silence) = bind(net, UnixAddress::Unnamed);
    assert_eq!(server.local(), UnixAddress::path("/run/server"));
    assert_eq!(unnamed.local(), UnixAddress::Unnamed);
    client.send_to("there?", &server.local());
    unnamed.connect(server.local()).unwrap();
    unnamed.write("you?");
    settle();
    // Whoever has no name cannot be answered.
    let nowhere = "Some(InvalidInput)";
    assert_eq!(heard.take(), ["unix:@client there?", "unix: you?", nowhere]);
    assert_eq!(answers.take(), ["unix:/run/server yes"]);

    // Only its peer may send to who is connected.
    server.connect(client.local()).unwrap();
    unnamed.write("psst");
    settle();
    assert_eq!(silence.take(), ["Some(PermissionDenied)"]);

    let again = net.bind_unix("/run/server", Notes(Told::default()));
    assert!(matches!(again, Err(ListenError::System { error, .. })
        if error.kind() == ErrorKind::AddrInUse));
    server.close();
    settle();
    client.send_to("there?", &UnixAddress::path("/run/server"));
    client.send_to("there?", &UnixAddress::abstract_name("nobody"));
    settle();
    let refused = ["Some(NotFound)", "Some(ConnectionRefused)"];
    assert_eq!(answers.take(), refused);
    let error = client.connect(UnixAddress::path("/run/server"));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    bind(net, "/run/server");
}

#[test]
fn in_the_memory_reactor() {
    let reactor = MemoryReactor::new();
    is_kept(reactor.net(), || {
        // Looking brings everything to rest.
        reactor.datagram_ports();
    });
}

#[test]
fn in_a_simulated_network_where_each_host_has_its_own() {
    let mut net = Sim::new(1);
    let (ann, bob) = (net.host("ann"), net.host("bob"));
    let (there, heard) = bind(&bob.net(), "/run/server");
    is_kept(&ann.net(), || {
        net.settle();
    });
    assert!(heard.borrow().is_empty());
    assert!(there.is_open());
    // Nor is a Unix socket at an internet address that its kernel has for it.
    let udp = ann.net().bind("[::1]:1", Deaf);
    assert!(udp.is_ok());
}

struct Deaf;
impl DatagramProtocol for Deaf {
    fn datagram_received(
        &mut self,
        _: &DatagramTransport<Self>,
        _: &[u8],
        _: &std::net::SocketAddr,
    ) {
    }
}

#[test]
fn who_is_connected_waits_for_a_full_queue_and_others_are_told() {
    let reactor = MemoryReactor::new();
    let slow = FarPort::open_unix("/run/slow");
    let (port, told) = bind(reactor.net(), UnixAddress::Unnamed);
    port.connect(slow.local()).unwrap();
    for number in 0..25 {
        port.write(number.to_string());
    }
    let first = slow.take_some(4);
    assert_eq!(first.len(), 4);
    assert_eq!((port.sent(), port.dropped()), (14, 0));

    let (other, errors) = bind(reactor.net(), UnixAddress::Unnamed);
    other.send_to("psst", &slow.local());
    let rest = slow.take();
    assert_eq!(errors.take(), ["Some(WouldBlock)"]);
    let got = first.into_iter().chain(rest);
    let got: Vec<String> = got
        .map(|(_, data)| String::from_utf8(data).unwrap())
        .collect();
    assert_eq!(got, (0..25).map(|it| it.to_string()).collect::<Vec<_>>());
    assert!(told.borrow().is_empty());
}

/// Answers nothing, and is never read from before it says so.
#[test]
fn a_simulated_queue_holds_back_whoever_is_connected_until_it_is_read() {
    let mut net = Sim::new(1);
    let host = net.host("ann");
    let (server, heard) = bind(&host.net(), "/run/server");
    let (port, told) = bind(&host.net(), UnixAddress::Unnamed);
    port.connect(server.local()).unwrap();
    for number in 0..100 {
        port.write(number.to_string());
    }
    net.settle();
    let expected: Vec<String> = (0..100).map(|number| format!("unix: {number}")).collect();
    assert_eq!(heard.take(), expected);
    assert_eq!((port.sent(), port.dropped()), (100, 0));
    assert!(told.borrow().is_empty());
}

#[test]
fn a_fake_is_a_unix_socket_if_asked_for_one() {
    let told = Told::default();
    let ann = UnixAddress::path("/run/ann");
    let mut port = FakeDatagrams::bind_unix(Notes(Rc::clone(&told)));
    port.feed(ann.clone(), b"there?");
    port.feed_all(UnixAddress::Unnamed, &["psst"]);
    assert_eq!(port.take_sent(), [(ann, b"yes".to_vec())]);
    assert_eq!(told.take(), ["unix:/run/ann there?", "unix: psst"]);
    assert_eq!(port.port().local(), UnixAddress::path("/run/fake.socket"));
}
