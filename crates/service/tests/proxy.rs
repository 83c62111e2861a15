//! The PROXY protocol: both versions, however they come, and everything that is none.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use torsade_core::{
    Address, Disconnect, Factory, Peer, Protocol, Timeout, ToEndpoint, Transport, UnixAddress,
    factory,
};
use torsade_service::{
    ProxiedBy, ProxyCommand, ProxyHeader, ProxyProtocol, ProxyVersion, ReadProxy, SendProxy, Tlv,
};
use torsade_testing::{FarEnd, MemoryReactor, StringTransport};
use torsade_wire::LimitConnections;

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\n";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn peer(remote: &str, local: &str) -> Peer {
    Peer::new(address(remote), address(local))
}

/// Says whose connection it is, and then what it hears.
struct Who;

impl Protocol for Who {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let peer = transport.peer();
        transport.write(format!("{peer}>{};", peer.local()));
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

fn behind(proxy: ProxyProtocol) -> StringTransport<Who> {
    let builder = StringTransport::builder().peer(peer("127.0.0.1:9", "127.0.0.1:8007"));
    builder
        .filter(move |peer| ReadProxy::new(&proxy, peer))
        .serve(Who)
}

/// Says nothing.
struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// What is answered when this comes, or why it ends.
fn answer(bytes: &[u8]) -> Result<String, Disconnect> {
    let mut t = behind(ProxyProtocol::required());
    t.feed(bytes);
    match t.lost() {
        Some(reason) => Err(reason),
        None => Ok(String::from_utf8(t.take_sent()).unwrap()),
    }
}

/// A header of version 2 with this family and body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

const FOUR: &[u8] = &[192, 0, 2, 7, 192, 0, 2, 1, 0xc3, 0x50, 0, 80];

#[test]
fn both_versions_say_whose_it_is_and_the_rest_is_the_stream() {
    let shown = Ok("192.0.2.7:50000>192.0.2.1:80;hello".to_owned());
    assert_eq!(answer(&[V1, b"hello"].concat()), shown);
    assert_eq!(
        answer(&[&v2(0x21, 0x11, FOUR)[..], b"hello"].concat()),
        shown
    );
    let six = b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n";
    assert_eq!(answer(six).unwrap(), "[2001:db8::7]:1>[::1]:65535;");
    let mut paths = [0; 216];
    paths[..6].copy_from_slice(b"/run/a");
    paths[108..111].copy_from_slice(b"\0ab");
    assert_eq!(
        answer(&v2(0x21, 0x31, &paths)).unwrap(),
        "unix:/run/a>unix:@ab;"
    );
}

#[test]
fn a_header_may_come_in_any_pieces() {
    let tlv = [FOUR, &[Tlv::AUTHORITY, 0, 2, b'o', b'k']].concat();
    for header in [V1.to_vec(), v2(0x21, 0x11, &tlv)] {
        let whole = [&header[..], b"hello"].concat();
        for cut in 0..=whole.len() {
            let mut t = behind(ProxyProtocol::required());
            t.feed(&whole[..cut]);
            assert_eq!(t.lost(), None, "cut at {cut}");
            let mut sent = t.take_sent();
            assert_eq!(cut >= header.len(), !sent.is_empty(), "cut at {cut}");
            t.feed(&whole[cut..]);
            sent.extend(t.take_sent());
            assert_eq!(sent, b"192.0.2.7:50000>192.0.2.1:80;hello", "cut at {cut}");
        }
        let mut t = behind(ProxyProtocol::required());
        t.feed_bytewise(&whole);
        assert_eq!(t.take_sent(), b"192.0.2.7:50000>192.0.2.1:80;hello");
    }
}

#[test]
fn an_end_inside_of_a_header_has_a_reason_everywhere() {
    for header in [V1.to_vec(), v2(0x21, 0x11, FOUR)] {
        for cut in 0..header.len() {
            let mut t = behind(ProxyProtocol::required());
            t.feed(&header[..cut]);
            t.end();
            let expected = match cut {
                0 => Disconnect::PeerClosed, // only looked whether somebody listens
                _ => Disconnect::protocol("a PROXY header without an end"),
            };
            assert_eq!(t.lost(), Some(expected), "cut at {cut}");
        }
        let mut t = behind(ProxyProtocol::required());
        t.feed(&header);
        t.end();
        assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
    }
}

#[test]
fn who_is_not_told_stays_who_is_there() {
    let here = Ok("127.0.0.1:9>127.0.0.1:8007;".to_owned());
    assert_eq!(answer(b"PROXY UNKNOWN\r\n"), here);
    assert_eq!(answer(b"PROXY UNKNOWN ffff::1 whatever\r\n"), here);
    assert_eq!(answer(&v2(0x21, 0x00, b"to be skipped")), here);
    // A health check of the proxy's own.
    assert_eq!(answer(&v2(0x20, 0x11, FOUR)), here);
    assert_eq!(answer(&v2(0x20, 0x00, b"")), here);
}

#[test]
fn what_is_no_header_ends_the_connection_at_the_first_byte_that_shows_it() {
    for wrong in [
        &b"G"[..],
        b"PROXZ",
        b"\r\n\r\n\r",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 080\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 +5000 80\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 65536\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000\r\n",
        b"PROXY TCP4 192.0.2.7  192.0.2.1 50000 80\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 80 \r\n",
        b"PROXY TCP4 192.0.2.07 192.0.2.1 50000 80\r\n",
        b"PROXY TCP4 ::1 ::1 50000 80\r\n",
        b"PROXY TCP6 192.0.2.7 192.0.2.1 50000 80\r\n",
        b"PROXY UDP4 192.0.2.7 192.0.2.1 50000 80\r\n",
        b"PROXY \r\n",
        b"PROXY \xff\r\n",
        &[&b"PROXY UNKNOWN"[..], &[b' '; 94]].concat(),
        &v2(0x31, 0x11, FOUR)[..13],
        &v2(0x22, 0x11, FOUR)[..13],
        &v2(0x21, 0x41, FOUR),
        &v2(0x21, 0x11, &FOUR[..11]),
        &v2(0x21, 0x21, FOUR),
        &v2(0x21, 0x11, &[FOUR, &[Tlv::ALPN, 0, 2, b'h']].concat()),
        &v2(0x21, 0x11, &[FOUR, &[Tlv::ALPN, 0]].concat()),
        &v2(0x21, 0x11, &[0; 5000])[..16],
    ] {
        let shown = wrong.escape_ascii();
        let outcome = answer(wrong);
        assert!(
            matches!(outcome, Err(Disconnect::Protocol(_))),
            "{shown}: {outcome:?}"
        );
    }
    // One byte less is not yet too long.
    let unfinished = [&b"PROXY UNKNOWN"[..], &[b' '; 93]].concat();
    assert_eq!(answer(&unfinished), Ok(String::new()));
}

#[test]
fn a_checksum_counts_if_there_is_one() {
    let sum = |sum: u32| {
        let more = [
            &[0x03, 0, 4][..],
            &sum.to_be_bytes(),
            &[Tlv::ALPN, 0, 1, b'x'],
        ]
        .concat();
        v2(0x21, 0x11, &[FOUR, &more].concat())
    };
    let zeroed = sum(0);
    // Bit by bit, as RFC 4960 has it.
    let mut rest = u32::MAX;
    for byte in &zeroed {
        rest ^= u32::from(*byte);
        for _ in 0..8 {
            rest = if rest & 1 == 1 {
                (rest >> 1) ^ 0x82f6_3b78
            } else {
                rest >> 1
            };
        }
    }
    assert!(answer(&sum(!rest)).is_ok());
    let wrong = Disconnect::protocol("a PROXY header whose checksum is wrong");
    assert_eq!(answer(&sum(rest)), Err(wrong));
}

#[test]
fn it_has_to_come_in_time_and_is_not_waited_for_any_longer() {
    let late = Disconnect::TimedOut(Timeout::Handshake);
    let mut t = behind(ProxyProtocol::required());
    t.feed("PROXY");
    t.advance(Duration::from_millis(4999));
    assert_eq!(t.lost(), None);
    t.advance(Duration::from_millis(1));
    assert_eq!(t.lost(), Some(late.clone()));

    let quick = ProxyProtocol::required().timeout(Duration::from_secs(1));
    let mut t = behind(quick.clone());
    t.advance(Duration::from_secs(1));
    assert_eq!(t.lost(), Some(late));
    let mut t = behind(quick);
    t.feed(V1);
    t.advance(Duration::from_secs(100));
    assert_eq!(t.lost(), None);
}

#[test]
fn a_long_header_is_allowed_as_far_as_it_was_said() {
    let long = ProxyHeader::new(peer("192.0.2.7:50000", "192.0.2.1:80"))
        .with(Tlv::new(0xe0, [7; 5000]))
        .encode(ProxyVersion::V2);
    assert!(answer(&long).is_err());
    let mut t = behind(ProxyProtocol::required().max_length(long.len()));
    t.feed_bytewise(&long);
    assert_eq!(t.take_sent(), b"192.0.2.7:50000>192.0.2.1:80;");
}

fn serve(proxy: ProxyProtocol, f: impl Factory) -> MemoryReactor {
    let reactor = MemoryReactor::new();
    let here = proxy.on("192.0.2.1:80".to_endpoint().unwrap());
    reactor.net().listen(here, f).unwrap();
    reactor
}

fn dial(reactor: &MemoryReactor, from: &str) -> FarEnd {
    reactor.dial_from(address(from), "192.0.2.1:80")
}

#[test]
fn only_those_who_are_trusted_are_believed() {
    let trusted = ["10.0.0.0/8", "2001:db8::1"].map(|text| text.parse().unwrap());
    let reactor = serve(ProxyProtocol::required().trust(trusted), factory(|_| Who));
    for (from, believed) in [
        ("10.9.8.7:1", true),
        ("[::ffff:10.9.8.7]:1", true),
        ("[2001:db8::1]:1", true),
        ("11.0.0.1:1", false),
        ("[2001:db8::2]:1", false),
        ("unix:/run/proxy", true),
    ] {
        let mut end = dial(&reactor, from);
        end.feed(V1);
        let sent = end.take_sent();
        assert_eq!(sent.starts_with(b"192.0.2.7:50000>"), believed, "{from}");
        assert_eq!(end.has_ended() || end.has_reset(), !believed, "{from}");
    }
}

#[test]
fn limits_count_the_peer_that_the_header_names() {
    let limited = LimitConnections::new(factory(|_| Who), 100, 1);
    let counts = limited.counts();
    let reactor = serve(ProxyProtocol::required(), limited);
    let mut ends = Vec::new();
    for (client, served) in [(7, true), (8, true), (7, false)] {
        let mut end = dial(&reactor, "10.0.0.1:1"); // all by one proxy
        end.feed(format!(
            "PROXY TCP4 192.0.2.{client} 192.0.2.1 50000 80\r\n"
        ));
        assert_eq!(!end.take_sent().is_empty(), served, "{client}");
        ends.push(end);
    }
    assert_eq!((counts.total(), counts.refused()), (2, 1));
    assert_eq!(counts.of("10.0.0.1".parse().unwrap()), 0);
    // However its address is written, and as long as its connection is there.
    let mapped = "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.1 50001 80\r\n";
    let mut end = dial(&reactor, "10.0.0.2:1");
    end.feed(mapped);
    assert_eq!(end.take_sent(), b"");
    ends[0].reset();
    let mut end = dial(&reactor, "10.0.0.2:2");
    end.feed(mapped);
    assert_ne!(end.take_sent(), b"");
    assert_eq!((counts.total(), counts.refused()), (2, 2));
}

#[test]
fn the_header_and_the_proxy_are_facts() {
    let seen = Rc::new(RefCell::new(None));
    let facts = Rc::clone(&seen);
    let reactor = serve(
        ProxyProtocol::required(),
        torsade_core::connection_factory(move |connection| {
            let header = connection.fact::<ProxyHeader>()?;
            let proxy = connection.fact::<ProxiedBy>()?;
            facts.replace(Some((header, proxy)));
            Some(Who)
        }),
    );
    let header = ProxyHeader::new(peer("192.0.2.7:50000", "192.0.2.1:80"))
        .with(Tlv::new(Tlv::AUTHORITY, "example.org"))
        .with(Tlv::new(Tlv::UNIQUE_ID, [1, 2]));
    dial(&reactor, "10.0.0.1:1").feed(header.encode(ProxyVersion::V2));
    let (read, proxy) = seen.take().unwrap();
    assert_eq!(*read, header);
    assert_eq!(read.command(), ProxyCommand::Proxy);
    assert_eq!(read.find(Tlv::AUTHORITY), Some(&b"example.org"[..]));
    assert_eq!(proxy.0.remote(), &address("10.0.0.1:1"));
}

#[test]
fn a_sender_speaks_first_and_only_then_the_protocol() {
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let header = ProxyHeader::new(peer("192.0.2.7:50000", "192.0.2.1:80"));
        let expected = header.encode(version);
        let mut t = StringTransport::builder()
            .filter(move |_| SendProxy::new(version, &header))
            .connect(Who);
        let sent = t.take_sent();
        assert!(sent.starts_with(&expected));
        assert!(
            sent[expected.len()..].starts_with(b"127.0.0.1:"),
            "the protocol's"
        );
        t.feed("hello");
        assert_eq!(t.take_sent(), b"hello");
    }
}

#[test]
fn a_client_text_and_a_server_text_understand_each_other() {
    for client in [
        "haproxy:tcp:127.0.0.1:80",
        "haproxy:version=1:tcp:127.0.0.1:80",
    ] {
        let reactor = MemoryReactor::new();
        let here = torsade_service::server("haproxy:tcp:80:interface=127.0.0.1").unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let peers = Rc::clone(&seen);
        let who = factory(move |peer: &Peer| {
            peers.borrow_mut().push(peer.clone());
            Who
        });
        reactor.net().listen(here, who).unwrap();
        reactor.join();
        let there = torsade_service::client(client).unwrap();
        let connecting = reactor.net().connect(there, Quiet);
        reactor.settle();
        let transport = connecting.try_take().unwrap().unwrap();
        // What the client has for its own end, the server has for the other.
        assert_eq!(seen.borrow()[0].remote(), transport.peer().local());
        assert_eq!(seen.borrow()[0].local(), transport.peer().remote());
        transport.abort();
    }
}

#[test]
fn what_a_version_cannot_say_is_left_out() {
    let mixed = ProxyHeader::new(peer("192.0.2.7:1", "[::1]:2"));
    assert_eq!(
        mixed.encode(ProxyVersion::V1),
        b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"
    );
    let mapped = ProxyHeader::new(peer("[::ffff:192.0.2.7]:1", "192.0.2.1:2"));
    assert_eq!(
        mapped.encode(ProxyVersion::V1),
        b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"
    );
    let unix = Peer::new(UnixAddress::path("/run/a"), UnixAddress::Unnamed);
    let unix = ProxyHeader::new(unix);
    assert_eq!(unix.encode(ProxyVersion::V1), b"PROXY UNKNOWN\r\n");
    assert_eq!(
        answer(&unix.encode(ProxyVersion::V2)).unwrap(),
        "unix:/run/a>unix:;"
    );
    let long = Peer::new(UnixAddress::path("a".repeat(109)), UnixAddress::Unnamed);
    let long = ProxyHeader::new(long).encode(ProxyVersion::V2);
    assert_eq!(long[13], 0x00);
    assert_eq!(
        ProxyHeader::local().encode(ProxyVersion::V2),
        v2(0x20, 0, b"")
    );
    let huge = mixed
        .with(Tlv::new(1, vec![0; 70_000]))
        .with(Tlv::new(2, "x"));
    assert_eq!(huge.encode(ProxyVersion::V2).len(), 16 + 36 + 4);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_and_pieces_do_not_matter(
        start in prop_oneof![
            Just(Vec::new()),
            Just(b"PROXY TCP4 ".to_vec()),
            Just(v2(0x21, 0x11, FOUR)[..13].to_vec()),
            Just(v2(0x21, 0x11, &[FOUR, &[3, 0, 4]].concat())),
        ],
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = [start, bytes].concat();
        let at_once = answer(&whole);
        let mut t = behind(ProxyProtocol::required());
        let cut = cut.index(whole.len() + 1);
        t.feed(&whole[..cut]);
        t.feed(&whole[cut..]);
        match at_once {
            Ok(sent) => prop_assert_eq!(t.take_sent(), sent.into_bytes()),
            Err(reason) => prop_assert_eq!(t.lost(), Some(reason)),
        }
    }
}
