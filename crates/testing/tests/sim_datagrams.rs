//! Datagrams in a simulated network: what gets lost, doubled and late, and that it is the same
//! every time.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{DatagramError, DatagramProtocol, DatagramTransport, Interface};
use torsade_testing::sim::{Links, Sim};

type Heard = Rc<RefCell<Vec<String>>>;

/// Notes what it hears.
struct Hears(Heard);
impl DatagramProtocol for Hears {
    fn datagram_received(&mut self, _: &DatagramTransport<Self>, data: &[u8], _: &SocketAddr) {
        let text = String::from_utf8_lossy(data).into_owned();
        self.0.borrow_mut().push(text);
    }
    fn error_received(&mut self, _: &DatagramTransport<Self>, error: &DatagramError) {
        self.0.borrow_mut().push(error.to_string());
    }
}

/// A network with `ann`, whose port is returned, and `bob`, who hears at port 7.
fn two(seed: u64, links: Links) -> (Sim, DatagramTransport<Hears>, SocketAddr, Heard) {
    let mut net = Sim::new(seed);
    net.links(links);
    let heard = Heard::default();
    let (ann, bob) = (net.host("ann"), net.host("bob"));
    let port = ann.net().bind("0.0.0.0:0", Hears(Heard::default()));
    bob.net()
        .bind("0.0.0.0:7", Hears(Rc::clone(&heard)))
        .unwrap();
    net.settle();
    (net, port.unwrap(), SocketAddr::new(bob.address(), 7), heard)
}

/// What of a thousand numbers arrives, and the digest of the run.
fn thousand(seed: u64, links: Links) -> (Vec<usize>, u64) {
    let (mut net, port, bob, heard) = two(seed, links);
    for number in 0..1000 {
        port.send_to(number.to_string(), &bob);
    }
    net.settle();
    let heard = heard.take();
    let numbers = heard.iter().map(|text| text.parse().unwrap());
    (numbers.collect(), net.trace().digest())
}

#[test]
fn by_default_all_arrive_and_an_ideal_link_keeps_their_order() {
    let (mut numbers, _) = thousand(1, Links::default());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    assert_eq!(thousand(1, Links::ideal()).0, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_link_loses_doubles_and_delays_one_in_so_many() {
    let mut links = Links::ideal();
    links.lose_datagrams = 10;
    let (lost, _) = thousand(1, links.clone());
    assert!((850..950).contains(&lost.len()), "{}", lost.len());
    assert!(lost.is_sorted());

    links.lose_datagrams = 0;
    links.double_datagrams = 10;
    let (doubled, _) = thousand(1, links.clone());
    assert!((1050..1150).contains(&doubled.len()), "{}", doubled.len());

    links.double_datagrams = 0;
    links.delay_datagrams = 10;
    let (mut late, _) = thousand(1, links);
    assert!(!late.is_sorted());
    late.sort_unstable();
    assert_eq!(late, (0..1000).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_another() {
    let mut links = Links::default();
    links.lose_datagrams = 10;
    links.double_datagrams = 10;
    links.delay_datagrams = 10;
    assert_eq!(thousand(7, links.clone()), thousand(7, links.clone()));
    assert_ne!(thousand(7, links.clone()).1, thousand(8, links).1);
}

#[test]
fn faults_meet_datagrams_as_they_meet_streams() {
    let (mut net, port, bob, heard) = two(1, Links::default());
    let cut = net.partition("ann", "bob");
    port.send_to("cut off", &bob);
    net.settle();
    drop(cut);
    let clogged = net.clog("ann", "bob", Duration::from_secs(1));
    port.send_to("late", &bob);
    net.advance(Duration::from_millis(900));
    assert_eq!(*heard.borrow(), [""; 0]);
    net.advance(Duration::from_millis(200));
    assert_eq!(heard.take(), ["late"]);
    drop(clogged);
    let corrupted = net.corrupt("ann", "bob", 1);
    port.send_to("whole?", &bob);
    net.settle();
    drop(corrupted);
    assert_ne!(heard.take(), ["whole?"]);
    let paused = net.pause_reading("bob");
    port.send_to("one", &bob);
    net.settle();
    assert_eq!(*heard.borrow(), [""; 0]);
    drop(paused);
    net.settle();
    assert_eq!(heard.take(), ["one"]);
    let text = net.trace().to_string();
    assert!(
        text.contains("a datagram lost on the way from ann"),
        "{text}"
    );
}

#[test]
fn what_nobody_reads_is_dropped_when_the_kernel_is_full() {
    let mut links = Links::ideal();
    links.receive_buffer = 100;
    let (mut net, port, bob, heard) = two(1, links);
    let paused = net.pause_reading("bob");
    for number in 0..5 {
        port.send_to(format!("{number:40}"), &bob);
    }
    net.settle();
    drop(paused);
    net.settle();
    assert_eq!(heard.borrow().len(), 2);
    port.send_to("again", &bob);
    net.settle();
    assert_eq!(heard.borrow().len(), 3);
}

#[test]
fn a_link_has_a_longest_datagram_and_a_dead_port_refuses() {
    let mut links = Links::ideal();
    links.datagram = 5;
    let mut net = Sim::new(1);
    net.links(links);
    let heard = Heard::default();
    let (ann, bob) = (net.host("ann"), net.host("bob"));
    let port = ann
        .net()
        .bind("0.0.0.0:0", Hears(Rc::clone(&heard)))
        .unwrap();
    port.connect(SocketAddr::new(bob.address(), 9)).unwrap();
    assert_eq!(port.local().ip(), ann.address());
    port.write("too long");
    net.settle();
    assert!(heard.take()[0].contains("at most 5 bytes"));
    port.write("short");
    net.settle();
    assert!(heard.take()[0].contains("an earlier datagram went wrong"));
    assert!(port.is_open());
}

#[test]
fn groups_and_broadcasts_reach_those_who_hear_them() {
    let mut net = Sim::new(1);
    let group: IpAddr = "239.1.2.3".parse().unwrap();
    let heard: Vec<Heard> = ["ann", "bob", "carl"]
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let heard = Heard::default();
            let port = net
                .host(name)
                .net()
                .bind("0.0.0.0:7", Hears(Rc::clone(&heard)));
            let port = port.unwrap();
            if number < 2 {
                port.join_group(group, Interface::Any).unwrap();
            }
            if number == 0 {
                port.set_broadcast(true).unwrap();
                port.set_multicast_loopback(false).unwrap();
                port.send_to("group", &SocketAddr::new(group, 7));
                port.send_to("all", &"255.255.255.255:7".parse().unwrap());
            }
            heard
        })
        .collect();
    net.settle();
    let sorted = |heard: &Heard| {
        let mut heard = heard.take();
        heard.sort();
        heard
    };
    assert_eq!(sorted(&heard[0]), ["all"]);
    assert_eq!(sorted(&heard[1]), ["all", "group"]);
    assert_eq!(sorted(&heard[2]), ["all"]);
}

#[test]
fn a_capture_and_the_table_show_datagrams() {
    let (mut net, port, bob, _) = two(1, Links::ideal());
    port.send_to("hello", &bob);
    net.settle();
    let table = net.trace().to_string();
    assert!(
        table.contains(r#"bob  10.0.0.2:7 <- ann 10.0.0.1:32768: "hello""#),
        "{table}"
    );
    assert!(table.contains("bob  datagram_received"), "{table}");
    let capture = net.trace().pcap();
    // The header of the file, that of the packet, IPv4 with protocol 17, UDP of 13 bytes.
    let packet = &capture[24 + 16..];
    assert_eq!((packet.len(), packet[9]), (20 + 8 + 5, 17));
    assert_eq!(packet[20..26], [0x80, 0, 0, 7, 0, 13]);
    assert_eq!(&packet[28..], b"hello");
    let sum = |bytes: &[u8]| {
        let words = bytes
            .chunks(2)
            .map(|it| u32::from(it[0]) << 8 | u32::from(it.get(1).copied().unwrap_or_default()));
        words.sum::<u32>()
    };
    // RFC 768: the sum over the pseudo header and all of it is all ones.
    let all = sum(&packet[12..20]) + 17 + 13 + sum(&packet[20..]);
    assert_eq!((all & 0xffff) + (all >> 16), 0xffff);
}

#[test]
fn a_killed_program_leaves_its_port_and_binds_anew() {
    let heard = Heard::default();
    let mut net = Sim::new(1);
    let (seat, bob) = (Rc::clone(&heard), net.host("bob"));
    bob.boot(move |net| {
        net.bind("0.0.0.0:7", Hears(Rc::clone(&seat))).unwrap();
    });
    let ann = net
        .host("ann")
        .net()
        .bind("0.0.0.0:0", Hears(Heard::default()));
    let (ann, there) = (ann.unwrap(), SocketAddr::new(bob.address(), 7));
    let killed = net.kill("bob");
    net.settle();
    ann.send_to("anybody?", &there);
    net.settle();
    drop(killed);
    net.settle();
    ann.send_to("back?", &there);
    net.settle();
    assert_eq!(heard.take(), ["back?"]);
}
