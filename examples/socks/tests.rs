//! In the world of a test transport every address refuses. What else can become of a connect, the
//! test says to a memory reactor.

use std::io::ErrorKind;

use super::*;
use torsade::Limit;
use torsade_testing::{FarEnd, MemoryReactor, StringTransport};

type Test = StringTransport<Client>;

const ANY: [u8; 6] = [0; 6];
const CONNECT_4: &[u8] = b"\x04\x01\x1f\x90\x7f\0\0\x01me\0";
const CONNECT_4A: &[u8] = b"\x04\x01\x1f\x90\0\0\0\x01me\0localhost\0";
const HELLO_5: &[u8] = b"\x05\x02\x01\0";
const CONNECT_5: &[u8] = b"\x05\x01\0\x01\x7f\0\0\x01\x1f\x90";
const NAME_5: &[u8] = b"\x05\x01\0\x03\x09localhost\x1f\x90";

fn client() -> Test {
    StringTransport::serve(Client::default())
}

/// A client that has been told that no authentication is fine.
fn greeted() -> Test {
    let mut t = client();
    t.feed(HELLO_5);
    assert_eq!(t.take_sent(), [5, 0]);
    t
}

fn reply_5(code: u8) -> Vec<u8> {
    [&[5, code, 0, 1], ANY.as_slice()].concat()
}

fn reply_4(code: u8) -> Vec<u8> {
    [&[0, code], ANY.as_slice()].concat()
}

/// A request of version 5 for port 80 of this host.
fn named_5(host: &[u8]) -> Vec<u8> {
    let mut request = b"\x05\x01\0\x03".to_vec();
    request.push(host.len() as u8);
    request.extend_from_slice(host);
    request.extend_from_slice(&[0, 80]);
    request
}

fn application(t: &Test) -> String {
    match t.lost() {
        Some(Disconnect::Application(why)) => why.into_owned(),
        other => panic!("lost with {other:?}"),
    }
}

fn protocol(t: &Test) -> String {
    match t.lost() {
        Some(Disconnect::Protocol(why)) => why.into_owned(),
        other => panic!("lost with {other:?}"),
    }
}

#[test]
fn an_upstream_that_refuses_is_said_in_each_version() {
    let refused_4 = [CONNECT_4, CONNECT_4A];
    for request in refused_4 {
        let mut t = client();
        t.feed(request);
        assert_eq!(t.take_sent(), reply_4(91));
        let why = application(&t);
        assert!(
            why.contains("cannot connect to") && why.contains(":8080"),
            "{why}"
        );
    }
    for request in [CONNECT_5, NAME_5] {
        let mut t = greeted();
        t.feed(request);
        assert_eq!(t.take_sent(), reply_5(5));
        let why = application(&t);
        assert!(
            why.contains("cannot connect to") && why.contains(":8080"),
            "{why}"
        );
        assert!(t.has_ended(), "not reset: the reply must arrive");
    }
}

#[test]
fn everything_at_once_and_byte_by_byte_come_to_the_same() {
    let all = [HELLO_5, CONNECT_5, b"GET / HTTP/1.0\r\n\r\n"].concat();
    let expected = [&[5, 0], reply_5(5).as_slice()].concat();
    for at in 0..=all.len() {
        let mut t = client();
        t.feed(&all[..at]);
        t.feed(&all[at..]);
        assert_eq!(t.take_sent(), expected, "cut at {at}");
        application(&t);
    }
    let mut t = client();
    t.feed_bytewise(&all);
    assert_eq!(t.take_sent(), expected);
}

#[test]
fn a_name_is_answered_as_unreachable_and_an_address_in_letters_is_none() {
    let mut t = greeted();
    t.feed(named_5(b"example.com"));
    assert_eq!(t.take_sent(), reply_5(4));
    assert!(application(&t).contains("no address is known"));

    let mut t = client();
    t.feed(b"\x04\x01\0\x50\0\0\0\x01\0example.com\0");
    assert_eq!(t.take_sent(), reply_4(91));
    assert!(application(&t).contains("no address is known"));

    for letters in ["127.0.0.1", "::1"] {
        let mut t = greeted();
        t.feed(named_5(letters.as_bytes()));
        assert_eq!(t.take_sent(), reply_5(5), "{letters}");
    }

    for strange in [b"".as_slice(), b"\xff\0:80", b"a:b:c"] {
        let mut t = greeted();
        t.feed(named_5(strange));
        assert_eq!(t.take_sent(), reply_5(4), "{strange:?}");
    }
}

#[test]
fn what_is_not_had_is_answered_with_its_number() {
    let bind = b"\x05\x02\0\x01\x7f\0\0\x01\x1f\x90";
    let udp = b"\x05\x03\0\x01\x7f\0\0\x01\x1f\x90";
    let strange = b"\x05\x01\0\x07what is this";
    for (request, code) in [(&bind[..], 7), (&udp[..], 7), (&strange[..], 8)] {
        let mut t = greeted();
        t.feed(request);
        assert_eq!(t.take_sent(), reply_5(code));
        protocol(&t);
    }
    let mut t = client();
    t.feed(b"\x04\x02\x1f\x90\x7f\0\0\x01\0");
    assert_eq!(t.take_sent(), reply_4(91));
    protocol(&t);
}

#[test]
fn who_insists_on_authentication_is_told_so_and_closed() {
    for hello in [b"\x05\x01\x02".as_slice(), b"\x05\0"] {
        let mut t = client();
        t.feed(hello);
        assert_eq!(t.take_sent(), [5, 0xff]);
        assert_eq!(protocol(&t), "insists on authentication");
    }
}

#[test]
fn a_handshake_that_ends_at_any_byte_ends_the_connection_and_nothing_else() {
    let fives = [CONNECT_5, NAME_5].map(|request| [HELLO_5, request].concat());
    let fours = [CONNECT_4, CONNECT_4A].map(<[u8]>::to_vec);
    for handshake in fives.iter().chain(&fours) {
        for length in 0..handshake.len() {
            let mut t = client();
            t.feed(&handshake[..length]);
            t.end();
            assert_eq!(t.lost(), Some(Disconnect::PeerClosed), "{length}");
            assert!(t.take_sent().len() <= 2, "{length}");
            let mut t = client();
            t.feed(&handshake[..length]);
            t.reset();
            assert_eq!(t.lost(), Some(Disconnect::Reset), "{length}");
        }
    }
}

#[test]
fn garbage_is_known_by_its_first_byte() {
    for first in (0..=255).filter(|first| ![4, 5].contains(first)) {
        let mut t = client();
        t.feed([first]);
        assert_eq!(protocol(&t), "neither SOCKS 4 nor 5");
        assert_eq!(t.take_sent(), b"");
    }
    let mut t = greeted();
    t.feed("\x04");
    assert_eq!(protocol(&t), "two versions of SOCKS in one conversation");
}

#[test]
fn no_two_bytes_after_a_handshakes_beginning_panic() {
    for begin in [CONNECT_4, CONNECT_4A, HELLO_5, CONNECT_5, NAME_5] {
        for place in 0..begin.len() {
            for byte in 0..=255 {
                let mut bad = begin.to_vec();
                bad[place] = byte;
                let mut t = client();
                t.feed(&bad);
                t.feed([byte; 600]);
                t.end();
                assert!(t.lost().is_some(), "{bad:?}");
            }
        }
    }
}

#[test]
fn a_text_without_end_is_bounded() {
    let begin = b"\x04\x01\0\x50\0\0\0\x01";
    let mut t = client();
    t.feed(begin);
    t.feed([b'x'; 255]);
    assert_eq!(t.lost(), None);
    t.feed("x");
    assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));

    let mut t = client();
    t.feed([begin.as_slice(), b"me\0", &[b'x'; 256]].concat());
    assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
}

#[test]
fn a_slow_handshake_has_ten_seconds_in_all() {
    let mut t = client();
    for byte in [HELLO_5, &CONNECT_5[..4]].concat() {
        t.advance(Duration::from_secs(1));
        t.feed([byte]);
    }
    assert_eq!(t.lost(), None);
    t.advance(Duration::from_millis(1999));
    assert_eq!(t.lost(), None);
    t.advance(Duration::from_millis(1));
    assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Handshake)));
}

/// A reactor with the server on it, and a client of that who has said this.
fn server(said: &[&[u8]]) -> (MemoryReactor, FarEnd) {
    let reactor = MemoryReactor::new();
    let clients = factory(|_| Client::default());
    let listener = reactor.net().listen("127.0.0.1:0", clients).unwrap();
    let mut near = reactor.dial(listener.address());
    near.feed(said.concat());
    (reactor, near)
}

#[test]
fn what_is_granted_is_relayed_with_nothing_lost_before_or_after() {
    let upstream: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    let ways: [(&[&[u8]], &[u8]); 4] = [
        (&[CONNECT_4], b""),
        (&[CONNECT_4A], b""),
        (&[HELLO_5, CONNECT_5], &[5, 0]),
        (&[HELLO_5, NAME_5], &[5, 0]),
    ];
    for (said, before) in ways {
        let (reactor, mut near) = server(&[&said.concat(), b"early"]);
        near.feed(" and late");
        near.end();
        assert_eq!(near.take_sent(), before);
        let mut far = reactor.next_connect().succeed();
        assert_eq!(reactor.connects(), [upstream]);
        let granted = match before {
            [] => reply_4(90),
            _ => {
                let mut reply = vec![5, 0, 0, 1, 127, 0, 0, 1];
                reply.extend_from_slice(&far.peer().local().port().unwrap().to_be_bytes());
                reply
            }
        };
        assert_eq!(near.take_sent(), granted);
        assert_eq!(far.take_sent(), b"early and late");
        assert!(far.has_ended());
        far.feed("an answer after that");
        assert_eq!(near.take_sent(), b"an answer after that");
        far.end();
        assert!(near.has_ended());
        assert_eq!(reactor.net().connections(), 0);
    }
}

#[test]
fn an_address_of_version_6_is_an_address() {
    let request = [b"\x05\x01\0\x04".as_slice(), &[0; 15], b"\x01\0\x50"].concat();
    let (reactor, mut near) = server(&[HELLO_5, &request]);
    let _far = reactor.next_connect().succeed();
    assert_eq!(reactor.connects()[0].to_string(), "[::1]:80");
    assert_eq!(near.take_sent()[..5], [5, 0, 5, 0, 0]);
}

#[test]
fn each_kind_of_failure_has_its_number() {
    let kinds = [
        (ErrorKind::NetworkUnreachable, 3),
        (ErrorKind::HostUnreachable, 4),
        (ErrorKind::ConnectionRefused, 5),
        (ErrorKind::PermissionDenied, 1),
    ];
    for (kind, code) in kinds {
        let (reactor, mut near) = server(&[HELLO_5, CONNECT_5]);
        reactor.next_connect().fail(kind);
        assert_eq!(near.take_sent()[2..], reply_5(code), "{kind}");
        assert!(near.has_ended());
    }
}

#[test]
fn the_deadline_is_for_the_client_and_not_for_the_upstream() {
    let (mut reactor, mut near) = server(&[HELLO_5, CONNECT_5]);
    reactor.advance(Duration::from_secs(20));
    let mut far = reactor.next_connect().succeed();
    reactor.advance(Duration::from_secs(3600));
    near.take_sent();
    near.feed("still here");
    assert_eq!(far.take_sent(), b"still here");

    // That one has a time of its own.
    let (mut reactor, mut near) = server(&[HELLO_5, CONNECT_5]);
    reactor.advance(reactor.net().limits().connect_timeout);
    assert_eq!(near.take_sent()[2..], reply_5(4));
    assert!(near.has_ended());
}

#[test]
fn one_who_sends_much_too_early_is_not_read() {
    let (reactor, mut near) = server(&[HELLO_5, CONNECT_5]);
    near.feed(vec![b'x'; 3_000_000]);
    assert!(!near.is_reading());
    let mut far = reactor.next_connect().succeed();
    assert_eq!(far.take_sent().len(), 3_000_000);
}
