//! What is written: how much of it waits, and in how many records it leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use torsade_core::{Disconnect, Filter, Sides};
use torsade_testing::StringTransport;
use torsade_tls::{TlsEnd, TlsExt};

use crate::support::{Pair, Talker, VERSIONS, client, server};

#[test]
fn a_peer_that_does_not_read_pauses_the_writer() {
    for version in VERSIONS {
        let mut pair = Pair::shaken(client().only(version), server());
        pair.server.set_window(10_000);
        let connection = pair.server.connection().clone();
        let mut written = 0;
        while connection.wants_output() {
            connection.write([7; 1000]);
            written += 1000;
        }
        assert!(written < 200_000, "{written}");
        assert_eq!(pair.server.lost(), None);
        assert_eq!(pair.at_server.notes(), ["made", "pause"]);
        pair.server.set_window(usize::MAX);
        pair.run();
        assert_eq!(pair.at_client.received().len(), written);
        assert_eq!(pair.at_server.notes(), ["made", "pause", "resume"]);
    }
}

/// Lies between TLS and the wire, and counts what passes.
struct Counts(Arc<AtomicUsize>);

impl Filter for Counts {
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        sides.plain().extend_from_slice(wire);
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            self.0.fetch_add(piece.len(), Ordering::Relaxed);
            sides.wire().extend_from_slice(piece);
        }
        Ok(())
    }
}

/// What is encrypted and waits is a few records, however much was written.
#[test]
fn ciphertext_does_not_pile_up() {
    let encrypted = Arc::new(AtomicUsize::new(0));
    let mut pair = Pair::new(client(), server());
    let (tls, counts) = (server().build().unwrap(), Arc::clone(&encrypted));
    pair.server = StringTransport::builder()
        .filter(move |_| Counts(Arc::clone(&counts)))
        .filter(move |_| tls.tls_filter())
        .serve(Talker(pair.at_server.clone()));
    pair.run();
    pair.expect_open();
    pair.server.set_window(1000);
    encrypted.store(0, Ordering::Relaxed);
    pair.server.connection().write(vec![7; 10_000_000]);
    pair.client.feed(pair.server.take_sent());
    assert!(pair.server.connection().buffered() >= 9_900_000);
    let encrypted = encrypted.load(Ordering::Relaxed);
    assert!((1..64 * 1024).contains(&encrypted), "{encrypted}");
    pair.server.set_window(usize::MAX);
    pair.run();
    assert_eq!(pair.at_client.received().len(), 10_000_000);
    assert_eq!(pair.server.connection().buffered(), 0);
}

/// All that a callback wrote is one record.
#[test]
fn what_is_written_together_is_one_record() {
    for version in VERSIONS {
        let mut pair = Pair::shaken(client().only(version), server());
        pair.server.with_protocol(|_, transport| {
            for _ in 0..100 {
                transport.write("a word, ");
            }
        });
        let sent = pair.server.take_sent();
        assert_eq!(sent[0], 23);
        assert_eq!(
            usize::from(u16::from_be_bytes([sent[3], sent[4]])) + 5,
            sent.len()
        );
        pair.client.feed(sent);
        assert_eq!(pair.at_client.received().len(), 800);
        assert!(pair.server.connection().tls().is_some());
    }
}

/// Shared bytes are not copied together with others, and are in one record with them all the same.
#[test]
fn what_is_shared_is_in_the_same_record() {
    let mut pair = Pair::shaken(client(), server());
    pair.server.with_protocol(|_, transport| {
        transport.write("a word, ");
        transport.write_bytes(vec![b'x'; 8000].into());
        transport.write(" and another");
    });
    let sent = pair.server.take_sent();
    assert_eq!(
        usize::from(u16::from_be_bytes([sent[3], sent[4]])) + 5,
        sent.len()
    );
    pair.client.feed(sent);
    assert_eq!(pair.at_client.received().len(), 8020);
}
