//! Peers that mean no good: whatever they send ends their connection with a reason, and nothing
//! grows.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use torsade_core::{Disconnect, Factory, Limits, Peer, Protocol, TlsFailure, Transport};
use torsade_testing::{MemoryReactor, StringTransport};
use torsade_tls::{TlsEnd, TlsServer, TlsVersion};

use crate::support::{Log, Talker, VERSIONS, authority, client, server};

/// A server, and a client that is in the test's hands: bytes are changed under way.
fn victim(tls: &TlsServer) -> (StringTransport<Talker>, Log) {
    let (tls, log) = (tls.clone(), Log::default());
    let talker = Talker(log.clone());
    let victim = StringTransport::builder()
        .filter(move |_| tls.tls_filter())
        .serve(talker);
    (victim, log)
}

/// A client as rustls has it, to send what ours would not.
fn raw_client(version: TlsVersion) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let pem = authority().certificate_pem();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(der).unwrap();
    let version = match version {
        TlsVersion::Tls12 => &rustls::version::TLS12,
        _ => &rustls::version::TLS13,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

fn take(raw: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while raw.wants_write() {
        raw.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn shake(raw: &mut ClientConnection, victim: &mut StringTransport<Talker>) {
    loop {
        let there = take(raw);
        victim.feed(&there);
        let back = victim.take_sent();
        let mut rest = &back[..];
        while !rest.is_empty() {
            raw.read_tls(&mut rest).unwrap();
            raw.process_new_packets().unwrap();
        }
        if there.is_empty() && back.is_empty() {
            break;
        }
    }
    assert!(!raw.is_handshaking());
}

fn shaken(version: TlsVersion) -> (ClientConnection, StringTransport<Talker>, Log) {
    let tls = server().build().unwrap();
    let (mut victim, log) = victim(&tls);
    let mut raw = raw_client(version);
    shake(&mut raw, &mut victim);
    assert_eq!(log.notes(), ["made"]);
    (raw, victim, log)
}

/// The connection is over, and the peer was told by a fatal alert of this number.
#[track_caller]
fn expect_broken(victim: &StringTransport<Talker>) -> String {
    let Some(Disconnect::Tls(failure)) = victim.lost() else {
        panic!("{:?}", victim.lost());
    };
    match *failure {
        TlsFailure::Broken(what) | TlsFailure::NothingInCommon(what) => what.into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn garbage_ends_the_connection_and_the_peer_is_told() {
    let tls = server().build().unwrap();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"EHLO example.org\r\n",
        &[0; 100],
        &[0xff; 100],
        b"\x16\x03\x01\xff\xff and so on",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00 a greeting that says nothing",
        b"\x17\x03\x03\x00\x05hello",
    ] {
        let (mut victim, log) = victim(&tls);
        victim.feed(garbage);
        expect_broken(&victim);
        let sent = victim.take_sent();
        assert_eq!((sent[0], sent.len()), (21, 7), "an alert for {garbage:?}");
        assert_eq!(sent[5], 2, "a fatal one");
        assert_eq!(log.notes(), [""; 0]);
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    for version in VERSIONS {
        let (mut raw, mut victim, log) = shaken(version);
        raw.writer().write_all(b"hello").unwrap();
        let mut bytes = take(&mut raw);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        victim.feed(bytes);
        assert_eq!(expect_broken(&victim), "a record cannot be decrypted");
        assert_eq!(log.received(), b"");
        assert_eq!(log.notes().len(), 2);
    }
}

#[test]
fn what_came_before_the_changed_byte_is_delivered() {
    let (mut raw, mut victim, log) = shaken(TlsVersion::Tls13);
    raw.writer().write_all(b"hello").unwrap();
    let good = take(&mut raw);
    victim.feed([&good[..], &good[..]].concat());
    assert_eq!(log.received(), b"hello");
    assert_eq!(expect_broken(&victim), "a record cannot be decrypted");
}

#[test]
fn garbage_after_half_a_close_ends_the_connection_too() {
    for version in VERSIONS {
        let (mut raw, mut victim, _) = shaken(version);
        victim.connection().close_write();
        raw.writer().write_all(b"hello").unwrap();
        let mut bytes = take(&mut raw);
        bytes[7] ^= 1;
        victim.feed(bytes);
        assert_eq!(expect_broken(&victim), "a record cannot be decrypted");
    }
}

#[test]
fn oversized_records_are_refused() {
    for version in VERSIONS {
        let (_, mut victim, _) = shaken(version);
        victim.feed([&[23, 3, 3, 0x48, 0x01][..], &[0; 0x4801]].concat());
        assert_eq!(expect_broken(&victim), "no TLS: MessageTooLarge");
    }
}

#[test]
fn empty_records_are_refused_when_they_are_many() {
    let (_, mut victim, _) = shaken(TlsVersion::Tls13);
    for _ in 0..10_000 {
        victim.feed([20, 3, 3, 0, 1, 1]);
    }
    expect_broken(&victim);
}

#[test]
fn key_updates_are_refused_when_they_are_many() {
    let (mut raw, mut victim, _) = shaken(TlsVersion::Tls13);
    let mut sent = 0;
    while victim.lost().is_none() && sent < 10_000 {
        raw.refresh_traffic_keys().unwrap();
        victim.feed(take(&mut raw));
        sent += 1;
        assert!(
            victim.take_sent().len() < 100,
            "each is answered once, at most"
        );
    }
    assert!(sent < 100, "{sent} were taken");
    assert_eq!(expect_broken(&victim), "TooManyKeyUpdateRequests");
}

#[test]
fn a_key_update_or_two_are_followed() {
    let (mut raw, mut victim, log) = shaken(TlsVersion::Tls13);
    for round in 0..50 {
        raw.refresh_traffic_keys().unwrap();
        raw.writer().write_all(b"?").unwrap();
        victim.feed(take(&mut raw));
        let back = victim.take_sent();
        raw.read_tls(&mut &back[..]).unwrap();
        raw.process_new_packets().unwrap();
        let mut answer = [0; 10];
        assert_eq!(raw.reader().read(&mut answer).unwrap(), 1, "round {round}");
        assert_eq!(log.received(), b"?");
    }
}

/// A greeting in many records: what is written meanwhile waits, and nothing is read out of its place.
#[test]
fn a_message_in_pieces_waits_for_its_rest() {
    let tls = server().build().unwrap();
    for piece in [1, 5, 50, 200] {
        let (mut victim, log) = victim(&tls);
        let mut raw = raw_client(TlsVersion::Tls13);
        let greeting = take(&mut raw);
        // The greeting, in records of so many bytes.
        let body = &greeting[5..];
        for part in body.chunks(piece) {
            let len = u16::try_from(part.len()).unwrap().to_be_bytes();
            victim.feed([&[22, 3, 1, len[0], len[1]][..], part].concat());
            // Closing and writing look at the session, too.
            victim.connection().write("early ");
        }
        let back = victim.take_sent();
        assert!(!back.is_empty(), "an answer");
        let mut rest = &back[..];
        while !rest.is_empty() {
            raw.read_tls(&mut rest).unwrap();
            raw.process_new_packets().unwrap();
        }
        shake(&mut raw, &mut victim);
        assert_eq!(log.notes(), ["made"]);
        let mut early = vec![0; 6];
        raw.reader().read_exact(&mut early).unwrap();
        assert_eq!(early, b"early ");
    }
}

/// A server that cuts what it says after the handshake into small records: rustls keeps the place of
/// a message that is there in part, and what is written meanwhile must not disturb it.
#[test]
fn what_is_written_between_the_pieces_of_a_message_leaves() {
    let made = authority().issue(["localhost"]);
    let chain = made
        .chain_der()
        .iter()
        .map(|der| CertificateDer::from(der.clone()));
    let key = PrivateKeyDer::from_pem_slice(made.key_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key);
    let mut config = config.unwrap();
    config.max_fragment_size = Some(40);
    let mut raw = ServerConnection::new(Arc::new(config)).unwrap();
    let (tls, log) = (
        client().build().unwrap().to("localhost").unwrap(),
        Log::default(),
    );
    let mut victim = StringTransport::builder()
        .filter(move |_| tls.tls_filter())
        .connect(Talker(log.clone()));
    let mut heard = Vec::new();
    for _ in 0..4 {
        let there = victim.take_sent();
        let mut rest = &there[..];
        while !rest.is_empty() {
            raw.read_tls(&mut rest).unwrap();
            raw.process_new_packets().unwrap();
        }
        let mut back = Vec::new();
        while raw.wants_write() {
            raw.write_tls(&mut back).unwrap();
        }
        // A record at a time, and a word after each that comes when hands are shaken.
        let mut back = &back[..];
        while let [_, _, _, high, low, ..] = back {
            let (record, more) = back.split_at(5 + usize::from(*high) * 256 + usize::from(*low));
            victim.feed(record);
            if log.notes() == ["made"] {
                victim.connection().write("word ");
                assert_eq!(victim.lost(), None);
            }
            back = more;
        }
        raw.reader().read_to_end(&mut heard).unwrap_or_default();
    }
    assert_eq!(log.notes(), ["made"]);
    assert!(heard.len() > 5 * 5, "the tickets came in several pieces");
    assert!(heard.chunks(5).all(|word| word == b"word "));
}

#[test]
fn a_greeting_that_never_ends_is_refused() {
    let tls = server().build().unwrap();
    let (mut victim, _) = victim(&tls);
    victim.feed([22, 3, 1, 0, 4, 1, 0, 0xff, 0xff]);
    let mut fed: usize = 0;
    while victim.lost().is_none() {
        victim.feed([22, 3, 1, 0, 1, 0]);
        fed += 6;
        assert!(fed < 300 * 1024, "it takes and takes");
    }
    assert_eq!(expect_broken(&victim), "a message in too many pieces");
}

/// The `R` of `openssl s_client`: a greeting within an open connection of TLS 1.2.
#[test]
fn nothing_is_renegotiated() {
    let (_, mut victim, _) = shaken(TlsVersion::Tls12);
    let mut other = raw_client(TlsVersion::Tls12);
    victim.feed(take(&mut other));
    expect_broken(&victim);
}

/// Notes what a listener's factory is told.
struct Noting(Rc<Cell<u32>>, Rc<Cell<u32>>);

impl Factory for Noting {
    type Protocol = Talker;

    fn build(&mut self, _: &Peer) -> Option<Talker> {
        self.0.set(self.0.get() + 1);
        Some(Talker(Log::default()))
    }

    fn failed(&mut self, _: &Peer, reason: &Disconnect) {
        assert_eq!(reason.to_string(), "timed out: no handshake");
        self.1.set(self.1.get() + 1);
    }
}

#[test]
fn ten_thousand_stalled_handshakes_are_culled_in_time() {
    const STALLED: usize = 10_000;
    let mut limits = Limits::default();
    limits.handshake_timeout = Duration::from_secs(10);
    let mut reactor = MemoryReactor::with_limits(limits);
    let tls = server().build().unwrap();
    let [built, failed] = [(); 2].map(|()| Rc::new(Cell::new(0)));
    let noting = Noting(Rc::clone(&built), Rc::clone(&failed));
    let listening = tls.endpoint("127.0.0.1:8443").unwrap();
    reactor.net().listen(listening, noting).unwrap();
    reactor.join();
    let greeting = take(&mut raw_client(TlsVersion::Tls13));
    let resets = Rc::new(Cell::new(0));
    for number in 0..STALLED {
        // Some say nothing, some a part, some all of the greeting, and some drip.
        let said = greeting[..greeting.len() * (number % 3) / 2].to_vec();
        let drips = number % 100 == 0;
        let stalled = Stalled {
            said,
            drips,
            resets: Rc::clone(&resets),
        };
        reactor.net().connect("127.0.0.1:8443", stalled).detach();
    }
    for _ in 0..9 {
        reactor.advance(Duration::from_secs(1));
        assert_eq!(
            (reactor.net().connections(), failed.get()),
            (2 * STALLED, 0)
        );
    }
    reactor.advance(Duration::from_secs(1));
    assert_eq!(reactor.net().connections(), 0);
    assert_eq!(
        (built.get(), failed.get() as usize, resets.get()),
        (0, STALLED, STALLED)
    );
}

/// A client that never comes to an end.
struct Stalled {
    said: Vec<u8>,
    drips: bool,
    resets: Rc<Cell<usize>>,
}

impl Protocol for Stalled {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(&self.said);
        if self.drips {
            transport.write([22]);
            self.drip(transport);
        }
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        assert_eq!(*reason, Disconnect::Reset);
        self.resets.set(self.resets.get() + 1);
    }
}

impl Stalled {
    /// A byte a second, of a record that would be long.
    fn drip(&self, transport: &Transport<Self>) {
        transport.call_later(Duration::from_secs(1), |me, transport| {
            transport.write([3]);
            me.drip(transport);
        });
    }
}
