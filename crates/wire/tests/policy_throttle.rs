//! Throttles: exact to the nanosecond, with back-pressure, ends in order, and fair when shared.
//! And byte counts.

use std::time::Duration;

use torsade_core::{Connection, Disconnect, Protocol, Transport};
use torsade_testing::{StringTransport, Xor};
use torsade_wire::{Bucket, ByteCounts, Throttle};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Keeps count; does not end by itself.
#[derive(Default)]
struct Sink {
    got: usize,
    ended: bool,
    pauses: u32,
    resumes: u32,
}

impl Protocol for Sink {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.got += data.len();
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.ended = true;
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.pauses += 1;
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.resumes += 1;
    }
}

fn out(bucket: Bucket) -> StringTransport<Sink> {
    StringTransport::builder()
        .filter(move |_| Throttle::new().output(bucket.clone()))
        .serve(Sink::default())
}

fn into(bucket: Bucket) -> StringTransport<Sink> {
    StringTransport::builder()
        .filter(move |_| Throttle::new().input(bucket.clone()))
        .serve(Sink::default())
}

#[test]
fn output_passes_at_the_rate_and_never_above_it() {
    // With a rate that divides nothing.
    for (rate, burst) in [
        (1000_u64, 500_u64),
        (777, 100),
        (3, 2),
        (5, 1000),
        (10_000, 7),
    ] {
        let mut t = out(Bucket::new(rate, burst));
        t.connection().write(vec![b'x'; 100_000]);
        let mut sent = t.take_sent().len() as u64;
        assert_eq!(sent, burst, "at once");
        for step in 1..=1000_u64 {
            t.advance(7 * MILLI);
            sent += t.take_sent().len() as u64;
            // Thousandths of a byte, to be exact.
            let may = burst * 1000 + rate * 7 * step;
            assert!(sent * 1000 <= may, "{rate} at {step}: {sent}");
            let piece = Bucket::new(rate, burst).piece() as u64;
            assert!((sent + piece) * 1000 >= may, "{rate} at {step}: {sent}");
        }
    }
}

#[test]
fn nothing_passes_a_nanosecond_early() {
    let mut t = out(Bucket::new(3, 2));
    t.connection().write("abcd");
    assert_eq!(t.take_sent(), b"ab");
    t.advance(Duration::from_nanos(333_333_333));
    assert_eq!(t.take_sent(), b"");
    t.advance(Duration::from_nanos(1));
    assert_eq!(t.take_sent(), b"c");
    // What was rounded is not lost: the fourth byte is due at two thirds, not later.
    t.advance(Duration::from_nanos(333_333_333));
    assert_eq!(t.take_sent(), b"d");
}

#[test]
fn a_rest_brings_back_the_burst_and_no_more() {
    let mut t = out(Bucket::new(1000, 500));
    t.connection().write([b'x'; 500]);
    assert_eq!(t.take_sent().len(), 500);
    t.advance(100 * SECOND);
    t.connection().write([b'x'; 5000]);
    assert_eq!(t.take_sent().len(), 500);
}

#[test]
fn small_messages_within_the_burst_pass_at_once() {
    let mut t = out(Bucket::new(10, 100));
    for message in 0..100_u8 {
        t.connection().write([message]);
        assert_eq!(t.take_sent(), [message]);
    }
    t.connection().write("x");
    assert_eq!(t.take_sent(), b"");
}

#[test]
fn output_that_waits_pauses_the_protocol_and_counts_as_buffered() {
    let mut t = out(Bucket::new(100_000, 10_000));
    t.connection().write(vec![b'x'; 110_000]);
    assert_eq!(t.take_sent().len(), 10_000);
    assert_eq!(t.connection().buffered(), 100_000);
    assert!(!t.connection().wants_output());
    assert_eq!(t.protocol(|me| (me.pauses, me.resumes)), (1, 0));
    t.advance(SECOND / 2);
    assert_eq!(t.connection().buffered(), 50_000);
    assert_eq!(t.protocol(|me| (me.pauses, me.resumes)), (1, 0));
    t.advance(SECOND / 2);
    assert_eq!(t.connection().buffered(), 0);
    assert_eq!(t.protocol(|me| (me.pauses, me.resumes)), (1, 1));
}

#[test]
fn a_peer_that_is_slower_than_the_throttle_is_the_bound() {
    let mut t = out(Bucket::new(1000, 1000));
    t.set_window(0);
    t.connection().write(vec![b'x'; 5000]);
    t.advance(100 * SECOND);
    assert!(t.connection().buffered() >= 4000);
    t.set_window(usize::MAX);
    let sent = t.take_sent().len();
    assert!(sent <= 1100, "a rest is worth a burst, not {sent}");
}

#[test]
fn closing_waits_for_output_and_ends_after_it() {
    for half in [false, true] {
        let mut t = out(Bucket::new(1000, 500));
        t.connection().write([b'x'; 1500]);
        match half {
            false => t.connection().close(),
            true => t.connection().close_write(),
        }
        t.advance(SECOND - MILLI);
        assert_eq!((t.has_ended(), t.lost()), (false, None));
        t.advance(MILLI);
        assert_eq!(t.take_sent().len(), 1500);
        assert!(t.has_ended());
        assert_eq!(t.lost(), (!half).then_some(Disconnect::Closed));
    }
}

#[test]
fn input_passes_at_the_rate_and_its_end_after_it() {
    let mut t = into(Bucket::new(1000, 500));
    t.feed([b'x'; 1500]);
    t.end();
    assert_eq!(t.protocol(|me| (me.got, me.ended)), (500, false));
    t.advance(SECOND - MILLI);
    assert_eq!(t.protocol(|me| (me.got, me.ended)), (1400, false));
    t.advance(MILLI);
    assert_eq!(t.protocol(|me| (me.got, me.ended)), (1500, false));
    t.advance(100 * MILLI); // it is seen when the next byte would be
    assert_eq!(t.protocol(|me| (me.got, me.ended)), (1500, true));
    t.connection().write("still open");
    assert_eq!(t.take_sent(), b"still open");
    t.connection().close();
}

#[test]
fn a_connection_whose_input_waits_is_not_read() {
    let mut t = into(Bucket::new(1000, 500));
    t.feed([b'x'; 500]);
    assert!(!t.is_reading()); // the last piece has passed in advance
    t.advance(100 * MILLI);
    assert!(t.is_reading());
    t.feed(vec![b'x'; 1_000_000]);
    assert!(!t.is_reading());
    let read = t.connection().bytes_received();
    assert!(read < 1000, "{read}");
    t.advance(10 * SECOND);
    assert_eq!(t.protocol(|me| me.got), 500 + 100 + 10_000);
}

#[test]
fn both_directions_have_their_own_time() {
    let mut t = StringTransport::builder()
        .filter(|_| {
            let (slow, fast) = (Bucket::new(10, 10), Bucket::new(1000, 10));
            Throttle::new().input(slow).output(fast)
        })
        .serve(Sink::default());
    t.feed([b'x'; 30]);
    t.connection().write([b'x'; 1010]);
    t.advance(SECOND);
    assert_eq!((t.protocol(|me| me.got), t.take_sent().len()), (20, 1010));
    t.advance(SECOND);
    assert_eq!(t.protocol(|me| me.got), 30);
}

#[test]
fn connections_that_share_a_bucket_take_turns() {
    let all = Bucket::new(1000, 100);
    let mut ends: Vec<_> = (0..4).map(|_| out(all.clone())).collect();
    let handles: Vec<Connection> = ends.iter().map(|t| t.connection().clone()).collect();
    for connection in &handles {
        connection.write([b'x'; 10_000]);
    }
    ends[0].advance(8 * SECOND);
    let sent: Vec<usize> = ends.iter_mut().map(|t| t.take_sent().len()).collect();
    let total: usize = sent.iter().sum();
    let piece = all.piece();
    assert!((8000..=8000 + 100 + 3 * piece).contains(&total), "{sent:?}");
    let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
    assert!(most - least <= 100 + piece, "{sent:?}");
}

#[test]
fn a_connection_that_goes_leaves_nothing_waiting() {
    let all = Bucket::new(1000, 100);
    let gone = out(all.clone());
    gone.connection().write([b'x'; 10_000]);
    gone.connection().abort();
    assert!(gone.lost().is_some());
    let mut next = out(all);
    next.advance(SECOND);
    next.connection().write([b'x'; 200]);
    assert_eq!(next.take_sent().len(), 100);
}

#[test]
fn what_other_filters_made_is_throttled_on_the_wire() {
    // The throttle is added first, so it is next to the wire and holds back what `Xor` made.
    let mut t = StringTransport::builder()
        .filter(|_| {
            let bucket = Bucket::new(1000, 100);
            Throttle::new().input(bucket.clone()).output(bucket)
        })
        .filter(|_| Xor::new(7))
        .serve(Sink::default());
    let plain: Vec<u8> = (0..1100_u32).map(|n| (n % 251) as u8).collect();
    t.connection().write(&plain);
    t.connection().close_write();
    let mut wire = t.take_sent();
    assert_eq!(wire.len(), 100);
    t.advance(SECOND - MILLI);
    assert!(!t.has_ended());
    t.advance(MILLI);
    wire.extend(t.take_sent());
    assert_eq!(wire, Xor::scrambled(7, 0, &plain));
    t.advance(100 * MILLI); // when the next byte might follow
    assert!(t.has_ended());
}

#[test]
fn counts_are_of_all_connections_and_of_their_place() {
    let (plain, wire) = (ByteCounts::new(), ByteCounts::new());
    let mut ends: Vec<_> = (0..3)
        .map(|_| {
            let (plain, wire) = (plain.clone(), wire.clone());
            StringTransport::builder()
                .filter(move |_| wire.filter())
                .filter(|_| Throttle::new().output(Bucket::new(1, 5)))
                .filter(move |_| plain.filter())
                .serve(Sink::default())
        })
        .collect();
    for (t, len) in ends.iter_mut().zip(1..) {
        t.feed(vec![b'x'; len]);
        t.connection().write([b'x'; 7]);
        t.take_sent();
    }
    assert_eq!((plain.received(), plain.sent()), (6, 21));
    assert_eq!((wire.received(), wire.sent()), (6, 15));
    ends[0].advance(2 * SECOND);
    assert_eq!(wire.sent(), 21);
}
