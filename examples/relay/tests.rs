//! The relay between two connections whose other ends are the test.

use std::time::Duration;

use super::*;
use torsade::{Disconnect, Limits};
use torsade_testing::StringTransport;

/// A client that has not been joined with anybody.
struct Early;

impl Protocol for Early {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.unread(data.len());
    }
}

struct Relayed {
    client: StringTransport<Early>,
    upstream: StringTransport<Upstream>,
}

impl Relayed {
    /// Made, but not joined.
    fn apart() -> Self {
        let client = StringTransport::serve(Early);
        let upstream = StringTransport::connect(Upstream {
            client: client.connection().clone(),
        });
        Self { client, upstream }
    }

    fn join(&mut self) {
        let upstream = self
            .upstream
            .with_protocol(|_, transport| transport.clone());
        self.client
            .with_protocol(|_, client| join(client, &upstream));
    }

    fn joined() -> Self {
        let mut relayed = Self::apart();
        relayed.join();
        relayed
    }

    fn buffered(&self) -> usize {
        self.client.connection().buffered() + self.upstream.connection().buffered()
    }

    fn lost(&self) -> [Option<Disconnect>; 2] {
        [self.client.lost(), self.upstream.lost()]
    }
}

const MARK: usize = 64 * 1024;

#[test]
fn bytes_go_both_ways_as_they_came() {
    let mut r = Relayed::joined();
    r.client.feed_bytewise(b"ping\r\n\xff\0");
    assert_eq!(r.upstream.take_sent(), b"ping\r\n\xff\0");
    r.upstream.feed("pong");
    assert_eq!(r.client.take_sent(), b"pong");
}

#[test]
fn what_either_side_said_before_is_relayed_first() {
    let mut r = Relayed::apart();
    r.client.feed("early");
    r.upstream.feed("220 hello");
    assert!(!r.upstream.is_reading(), "nobody could take it yet");
    assert_eq!(r.client.take_sent(), b"");
    r.join();
    assert_eq!(r.client.take_sent(), b"220 hello");
    assert_eq!(r.upstream.take_sent(), b"early");
}

#[test]
fn a_side_that_takes_nothing_stops_the_other_and_only_in_that_direction() {
    let mut r = Relayed::joined();
    r.upstream.set_window(0);
    r.client.feed(vec![b'x'; 10_000_000]);
    assert!(!r.client.is_reading());
    assert!(r.buffered() <= 2 * MARK, "{}", r.buffered());
    // The other direction has nothing to do with it.
    r.upstream.feed(vec![b'y'; 10_000_000]);
    assert_eq!(r.client.take_sent().len(), 10_000_000);
    r.client.set_window(0);
    r.upstream.feed(vec![b'y'; 10_000_000]);
    assert!(!r.upstream.is_reading());
    assert!(r.buffered() <= 4 * MARK, "{}", r.buffered());
    // It goes on where it was.
    r.upstream.set_window(usize::MAX);
    assert_eq!(r.upstream.take_sent().len(), 10_000_000);
    r.client.set_window(usize::MAX);
    assert_eq!(r.client.take_sent().len(), 10_000_000);
    assert!(r.client.is_reading() && r.upstream.is_reading());
    assert_eq!(r.lost(), [None, None]);
}

#[test]
fn all_passes_both_ways_to_slow_readers_and_never_more_than_the_marks_wait() {
    const ALL: usize = 3_000_000;
    // No two pieces alike, so that one lost or twice is noticed.
    let sent = |salt: u32| (0..ALL as u32 / 4).flat_map(move |n| (n ^ salt).to_be_bytes());
    let mut r = Relayed::joined();
    r.client.set_window(0);
    r.upstream.set_window(0);
    r.client.feed(sent(0).collect::<Vec<u8>>());
    r.upstream.feed(sent(!0).collect::<Vec<u8>>());
    let (mut there, mut back) = (sent(0), sent(!0));
    let mut left = ALL;
    let mut most = 0;
    let mut patience = 0..ALL / 1000;
    while left > 0 {
        assert!(patience.next().is_some(), "it moves no more");
        r.client.set_window(10_000);
        r.upstream.set_window(10_000);
        most = most.max(r.buffered());
        let (to_upstream, to_client) = (r.upstream.take_sent(), r.client.take_sent());
        assert_eq!(to_upstream.len(), to_client.len());
        left -= to_client.len();
        assert!(
            to_upstream
                .into_iter()
                .eq(there.by_ref().take(to_client.len()))
        );
        assert!(
            to_client
                .iter()
                .copied()
                .eq(back.by_ref().take(to_client.len()))
        );
    }
    assert!(most <= 4 * MARK, "{most}");
}

#[test]
fn the_end_of_one_direction_is_relayed_after_its_data_and_the_other_goes_on() {
    for (near, far) in [("client", "upstream"), ("upstream", "client")] {
        let mut r = Relayed::joined();
        r.upstream.set_window(0);
        r.client.set_window(0);
        let text = format!("{near}, and that was all");
        if near == "client" {
            r.client.feed(&text);
            r.client.end();
            assert!(!r.upstream.has_ended(), "not before the data");
            r.upstream.set_window(usize::MAX);
            r.client.set_window(usize::MAX);
            assert_eq!(r.upstream.take_sent(), text.as_bytes());
            assert!(r.upstream.has_ended());
            r.upstream.feed("an answer");
            assert_eq!(r.client.take_sent(), b"an answer");
            assert_eq!(r.lost(), [None, None]);
            r.upstream.end();
        } else {
            r.upstream.feed(&text);
            r.upstream.end();
            assert!(!r.client.has_ended(), "not before the data");
            r.upstream.set_window(usize::MAX);
            r.client.set_window(usize::MAX);
            assert_eq!(r.client.take_sent(), text.as_bytes());
            assert!(r.client.has_ended());
            r.client.feed("an answer");
            assert_eq!(r.upstream.take_sent(), b"an answer");
            assert_eq!(r.lost(), [None, None]);
            r.client.end();
        }
        let over = Some(Disconnect::PeerClosed);
        assert_eq!(r.lost(), [over.clone(), over], "{near} to {far}");
        assert!(r.client.has_ended() && r.upstream.has_ended());
    }
}

#[test]
fn a_reset_is_relayed_as_a_reset() {
    let mut r = Relayed::joined();
    r.upstream.feed("half of an ans");
    r.upstream.reset();
    assert_eq!(
        r.lost(),
        [Some(Disconnect::Aborted), Some(Disconnect::Reset)]
    );
    assert!(r.client.has_reset());

    let mut r = Relayed::joined();
    r.client.reset();
    assert_eq!(
        r.lost(),
        [Some(Disconnect::Reset), Some(Disconnect::Aborted)]
    );
    assert!(r.upstream.has_reset());
}

#[test]
fn a_side_that_is_closed_here_closes_the_other_after_what_waits_there() {
    let mut r = Relayed::joined();
    r.client.set_window(0);
    r.upstream.feed("to be flushed");
    r.upstream.connection().close();
    assert_eq!(r.lost(), [None, Some(Disconnect::Closed)]);
    r.client.set_window(usize::MAX);
    assert_eq!(r.client.take_sent(), b"to be flushed");
    assert!(r.client.has_ended() && !r.client.has_reset());
    assert_eq!(r.client.lost(), Some(Disconnect::Closed));
}

#[test]
fn a_stop_flushes_and_ends_both() {
    let mut r = Relayed::joined();
    r.client.set_window(0);
    r.upstream.feed("to be flushed");
    r.upstream.net().stop();
    r.client.set_window(usize::MAX);
    assert_eq!(r.client.take_sent(), b"to be flushed");
    assert!(r.client.has_ended());
    assert!(r.lost().iter().all(Option::is_some));
}

#[test]
fn an_upstream_whose_client_went_before_they_were_joined_is_given_up() {
    let mut r = Relayed::apart();
    r.client.reset();
    // A client with input held is not told of its reset.
    r.client.connection().abort();
    assert!(r.client.lost().is_some());
    assert!(r.upstream.has_reset());
    assert_eq!(r.upstream.lost(), Some(Disconnect::Aborted));
}

#[test]
fn a_client_whose_upstream_went_before_they_were_joined_is_reset() {
    let mut r = Relayed::apart();
    let upstream = r.upstream.with_protocol(|_, transport| transport.clone());
    r.upstream.connection().abort();
    assert_eq!(r.upstream.lost(), Some(Disconnect::Aborted));
    r.client.with_protocol(|_, client| join(client, &upstream));
    assert_eq!(r.client.lost(), Some(Disconnect::Aborted));
    assert!(r.client.has_reset());
}

#[test]
fn two_who_take_nothing_for_ever_are_ended_by_a_stop() {
    let mut r = Relayed::joined();
    r.client.set_window(0);
    r.upstream.set_window(0);
    r.client.feed(vec![b'x'; 1_000_000]);
    r.upstream.feed(vec![b'x'; 1_000_000]);
    r.client.net().stop();
    r.client.advance(Limits::default().stop_timeout);
    r.client.advance(Duration::from_secs(1));
    assert!(r.lost().iter().all(Option::is_some), "{:?}", r.lost());
}
