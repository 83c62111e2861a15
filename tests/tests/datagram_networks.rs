//! Datagrams in a network that is the test's own: groups of both families, broadcasts, addresses
//! with a scope, and name servers that answer or do not.
//!
//! Each scene runs in a process of its own, in namespaces that `unshare` makes.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    DatagramError, DatagramOptions, DatagramProtocol, DatagramTransport, Interface, Protocol,
    Transport,
};
use torsade_reactor::{Driver, Reactor};
use torsade_tests::twisted;

const DRIVERS: [Driver; 3] = [Driver::Polling, Driver::Epoll, Driver::IoUring];
/// Which scene this process plays.
const SCENE: &str = "TORSADE_SCENE";

/// Two ends of a cable, of which `v0` has addresses; and a file of name servers of its own.
const NETWORK: &str = "
set -e
ip link set lo up
ip link add v0 type veth peer name v1
ip link set v0 addrgenmode none
ip addr add 10.9.0.1/24 broadcast 10.9.0.255 dev v0
ip addr add fe80::1/64 dev v0 nodad
ip link set v0 up
ip link set v1 up
ip route add 224.0.0.0/4 dev v0
servers=$(mktemp)
printf 'nameserver 127.0.0.1\\noptions timeout:30 attempts:2\\n' > $servers
mount --bind $servers /etc/resolv.conf
rm $servers
exec \"$0\" --exact \"$1\" --nocapture
";

/// Play the test of that name in a network of its own. Returns whether this is that process.
fn is_in_own_network(test: &str) -> bool {
    if std::env::var(SCENE).is_ok_and(|scene| scene == test) {
        return true;
    }
    let unshare = ["--map-root-user", "--net", "--mount"];
    let works = Command::new("unshare")
        .args(unshare)
        .args(["ip", "link", "set", "lo", "up"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        let why = "no network of its own can be had here";
        assert!(!twisted::is_ci(), "{why}");
        println!("SKIPPED: {why}");
        return false;
    }
    let output = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", NETWORK])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(SCENE, test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("1 passed"), "{said}");
    false
}

type Told = Rc<RefCell<Vec<(SocketAddr, String)>>>;

/// Notes what it hears, and answers it once.
struct Notes(Told);
impl DatagramProtocol for Notes {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        from: &SocketAddr,
    ) {
        let text = String::from_utf8_lossy(data).into_owned();
        if text.ends_with('?') {
            transport.send_to("yes", from);
        }
        self.0.borrow_mut().push((*from, text));
    }
    fn error_received(&mut self, transport: &DatagramTransport<Self>, error: &DatagramError) {
        let text = format!("{:?}", error.kind());
        self.0.borrow_mut().push((transport.local(), text));
    }
}

struct Port {
    port: DatagramTransport<Notes>,
    told: Told,
}

impl Port {
    fn bind(reactor: &Reactor, at: &str) -> Self {
        let told = Told::default();
        let options = DatagramOptions::new().reuse_address(true);
        let notes = Notes(Rc::clone(&told));
        let port = reactor.net().bind_with(at, &options, notes).unwrap();
        Self { port, told }
    }

    /// Turn until it was told so much, and then until there is nothing left.
    fn told(&self, reactor: &mut Reactor, count: usize) -> Vec<(SocketAddr, String)> {
        for _ in 0..30_000 {
            if self.told.borrow().len() >= count {
                break;
            }
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
        // What has come is what is wanted, or the test says what it is instead.
        for _ in 0..20 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        self.told.take()
    }

    fn said(&self, reactor: &mut Reactor, count: usize) -> Vec<String> {
        let told = self.told(reactor, count).into_iter();
        told.map(|(_, text)| text).collect()
    }
}

fn v0(reactor: &Reactor) -> u32 {
    // A scoped address says which number an interface has.
    let at = reactor.net().bind("[fe80::1%v0]:0", Notes(Told::default()));
    match at.unwrap().local() {
        SocketAddr::V6(local) => local.scope_id(),
        SocketAddr::V4(_) => unreachable!(),
    }
}

fn on_each_driver(mut test: impl FnMut(&mut Reactor)) {
    for driver in DRIVERS {
        test(&mut Reactor::builder().driver(driver).build().unwrap());
    }
}

#[test]
fn groups_of_both_families_are_joined_left_and_heard_as_told() {
    if !is_in_own_network("groups_of_both_families_are_joined_left_and_heard_as_told") {
        return;
    }
    on_each_driver(|reactor| {
        let v0 = Interface::Index(v0(reactor));
        let v4 = IpAddr::from([239, 1, 2, 3]);
        let v6 = IpAddr::V6("ff02::1234".parse().unwrap());
        for (at, group) in [("0.0.0.0:0", v4), ("[::]:0", v6)] {
            let hearer = Port::bind(reactor, at);
            let sender = Port::bind(reactor, at);
            let to = SocketAddr::new(group, hearer.port.local().port());
            sender.port.set_multicast_interface(v0).unwrap();
            hearer.port.join_group(group, v0).unwrap();
            // Twice is an error of the system's, and so is what is no group.
            let again = hearer.port.join_group(group, v0).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::AddrInUse);

            sender.port.send_to("one", &to);
            assert_eq!(hearer.said(reactor, 1), ["one"]);

            // Not heard on this machine, and heard again.
            sender.port.set_multicast_loopback(false).unwrap();
            sender.port.send_to("two", &to);
            reactor.turn(Some(Duration::ZERO)).unwrap();
            sender.port.set_multicast_loopback(true).unwrap();
            sender.port.set_multicast_ttl(0).unwrap(); // not even the next machine
            sender.port.send_to("three", &to);
            assert_eq!(hearer.said(reactor, 1), ["three"]);
            sender.port.set_multicast_ttl(255).unwrap();
            assert!(sender.port.set_multicast_ttl(256).is_err());
            sender.port.set_ttl(1).unwrap();

            hearer.port.leave_group(group, v0).unwrap();
            let again = hearer.port.leave_group(group, v0).unwrap_err();
            assert_eq!(again.kind(), ErrorKind::AddrNotAvailable);
            sender.port.send_to("four", &to);
            // What is sent to it alone comes behind.
            let alone = match to {
                SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
            };
            sender
                .port
                .send_to("five", &SocketAddr::new(alone, to.port()));
            assert_eq!(hearer.said(reactor, 1), ["five"]);
        }
        let interface = Interface::Address(Ipv4Addr::new(10, 9, 0, 1));
        let by_address = Port::bind(reactor, "0.0.0.0:0");
        by_address.port.join_group(v4, interface).unwrap();
        by_address.port.set_multicast_interface(interface).unwrap();
        let to = SocketAddr::new(v4, by_address.port.local().port());
        by_address.port.send_to("here", &to);
        let told = by_address.told(reactor, 1);
        let from = SocketAddr::from(([10, 9, 0, 1], to.port()));
        assert_eq!(told, [(from, "here".to_owned())]);
    });
}

#[test]
fn broadcasts_are_sent_by_who_may() {
    if !is_in_own_network("broadcasts_are_sent_by_who_may") {
        return;
    }
    on_each_driver(|reactor| {
        let hearer = Port::bind(reactor, "0.0.0.0:0");
        let sender = Port::bind(reactor, "0.0.0.0:0");
        let everybody = SocketAddr::from(([10, 9, 0, 255], hearer.port.local().port()));
        sender.port.send_to("hush", &everybody);
        assert_eq!(sender.said(reactor, 1), ["Some(PermissionDenied)"]);
        sender.port.set_broadcast(true).unwrap();
        sender.port.send_to("anybody?", &everybody);
        assert_eq!(hearer.said(reactor, 1), ["anybody?"]);
        let from = SocketAddr::from(([10, 9, 0, 1], hearer.port.local().port()));
        assert_eq!(sender.told(reactor, 1), [(from, "yes".to_owned())]);
    });
}

#[test]
fn an_address_keeps_its_scope_and_can_be_answered() {
    if !is_in_own_network("an_address_keeps_its_scope_and_can_be_answered") {
        return;
    }
    on_each_driver(|reactor| {
        let index = v0(reactor);
        assert_ne!(index, 0);
        let hearer = Port::bind(reactor, "[::]:0");
        let sender = Port::bind(reactor, "[fe80::1%v0]:0");
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let at = |port| SocketAddr::V6(SocketAddrV6::new(ip, port, 0, index));
        let (there, here) = (hearer.port.local().port(), sender.port.local().port());
        // One, which leaves by one call, and several, which leave and come by another.
        for count in [1, 8] {
            for number in 0..count {
                sender.port.send_to("there?", &at(there));
                sender.port.send_to(number.to_string(), &at(there));
            }
            let heard = hearer.told(reactor, 2 * count);
            assert!(heard.iter().all(|(from, _)| *from == at(here)));
            let answers = sender.told(reactor, count);
            assert_eq!(answers, vec![(at(there), "yes".to_owned()); count]);
        }
    });
}

/// A question about an IPv4 address, as RFC 1035 section 4 has it.
fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    // Recursion is desired; one question.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Asks until it is answered: the server may not have begun.
struct Asks {
    server: SocketAddr,
    answer: Rc<RefCell<Option<Vec<u8>>>>,
}

impl Asks {
    const ID: u16 = 0x1234;

    fn ask(&mut self, transport: &DatagramTransport<Self>) {
        transport.write(question(Self::ID, "torsade.test"));
    }
}

impl DatagramProtocol for Asks {
    fn started(&mut self, transport: &DatagramTransport<Self>) {
        transport.connect(self.server).unwrap();
        self.ask(transport);
    }
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        _: &SocketAddr,
    ) {
        *self.answer.borrow_mut() = Some(data.to_vec());
        transport.close();
    }
    fn error_received(&mut self, transport: &DatagramTransport<Self>, error: &DatagramError) {
        match error.kind() {
            Some(ErrorKind::ConnectionRefused) => {
                transport.call_later(Duration::from_millis(10), Self::ask);
            }
            // There will be no answer, and the test says so.
            _ => transport.close(),
        }
    }
}

#[test]
fn dnsmasq_answers_a_question() {
    if Command::new("dnsmasq").arg("--version").output().is_err() {
        let why = "dnsmasq is missing";
        assert!(!twisted::is_ci(), "{why}");
        println!("SKIPPED: {why}");
        return;
    }
    if !is_in_own_network("dnsmasq_answers_a_question") {
        return;
    }
    let server = Command::new("dnsmasq")
        .args(["--no-daemon", "--no-resolv", "--no-hosts"])
        .args([
            "--conf-file=/dev/null",
            "--pid-file",
            "--port=5300",
            "--log-facility=-",
        ])
        .args(["--listen-address=127.0.0.1", "--bind-interfaces"])
        .arg("--address=/torsade.test/192.0.2.7")
        .spawn()
        .unwrap();
    let mut server = Server(server);
    on_each_driver(|reactor| {
        let answer = Rc::default();
        let asks = Asks {
            server: SocketAddr::from(([127, 0, 0, 1], 5300)),
            answer: Rc::clone(&answer),
        };
        reactor.net().bind("127.0.0.1:0", asks).unwrap();
        while reactor.net().datagram_ports() > 0 {
            assert_eq!(server.0.try_wait().unwrap(), None);
            reactor.turn(Some(Duration::from_secs(1))).unwrap();
        }
        let answer = answer.take().unwrap();
        assert_eq!(answer[..2], Asks::ID.to_be_bytes());
        // It is an answer, without an error, and there is one.
        assert_eq!((answer[2] & 0x80, answer[3] & 0x0f), (0x80, 0));
        assert_eq!(answer[6..8], [0, 1]);
        assert!(answer.ends_with(&[0, 4, 192, 0, 2, 7]));
    });
}

/// Ends with the test, whose output is complete only then.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Quiet;
impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

#[test]
fn a_name_server_that_does_not_answer_makes_nobody_wait_who_does_not_ask() {
    if !is_in_own_network("a_name_server_that_does_not_answer_makes_nobody_wait_who_does_not_ask") {
        return;
    }
    // Questions arrive, and wait until everything else is done.
    let server = UdpSocket::bind("127.0.0.1:53").unwrap();
    for driver in DRIVERS {
        let mut reactor = Reactor::builder().driver(driver).build().unwrap();
        let over = Rc::new(Cell::new(0));
        for number in 0..LOOK_UPS {
            let name = format!("host{number}.example:80");
            let over = Rc::clone(&over);
            let connected = reactor.net().connect(&*name, Quiet);
            connected.finish(move |result| {
                assert!(result.is_err());
                over.set(over.get() + 1);
            });
        }
        reactor.turn(Some(Duration::ZERO)).unwrap();
        // From here on somebody waits for an answer. Whoever waited for that would go on for as
        // long as the system does, which then ends the look-up.
        server.set_nonblocking(false).unwrap();
        server.peek(&mut [0; 512]).unwrap();
        exchange_datagrams(&mut reactor);
        assert_eq!(over.get(), 0);

        // They were under way all the time, since it is the answers that end them.
        server.set_nonblocking(true).unwrap();
        while over.get() < LOOK_UPS {
            answer_that_there_is_no_such_name(&server);
            reactor.turn(Some(Duration::from_millis(1))).unwrap();
        }
    }
}

const LOOK_UPS: usize = 8;

fn exchange_datagrams(reactor: &mut Reactor) {
    let near = Port::bind(reactor, "127.0.0.1:0");
    let far = Port::bind(reactor, "127.0.0.1:0");
    for _ in 0..200 {
        near.port.send_to("there?", &far.port.local());
        while near.told.borrow().is_empty() {
            reactor.turn(None).unwrap();
        }
        near.told.take();
    }
}

/// To every question that waits.
fn answer_that_there_is_no_such_name(server: &UdpSocket) {
    let mut message = [0; 512];
    while let Ok((length, from)) = server.recv_from(&mut message) {
        // RFC 1035 section 4.1.1: a response, with the code of a name error.
        message[2] |= 0x80;
        message[3] = 3;
        server.send_to(&message[..length], from).unwrap();
    }
}
