//! How long a line may be.

use torsade_core::{Disconnect, Limit, Limits, Transport};
use torsade_testing::StringTransport;
use torsade_wire::{LineProtocol, LineTransport, Lines};

/// Answers with the length of each line.
struct Measure;

impl LineProtocol for Measure {
    const DELIMITER: &'static [u8] = b"\r\n";

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        transport.send_line(line.len().to_string());
    }
}

const TOO_LONG: Disconnect = Disconnect::LimitPassed(Limit::Message);

fn line(length: usize) -> Vec<u8> {
    [&vec![b'x'; length], &b"\r\n"[..]].concat()
}

#[test]
fn a_line_has_16_kib_at_most_by_default() {
    let mut t = StringTransport::serve(Lines::new(Measure));
    t.feed(line(16_384));
    assert_eq!(t.take_sent(), b"16384\r\n");
    t.feed([line(5), line(16_385), line(6)].concat());
    assert_eq!(
        t.take_sent(),
        b"5\r\n",
        "what was answered before still leaves"
    );
    assert_eq!(t.lost(), Some(TOO_LONG));
}

#[test]
fn a_line_that_is_too_long_is_known_before_its_end() {
    for (piece, lost) in [
        (&b"1234"[..], None),
        (b"1234\r", None),
        (b"12345", Some(&TOO_LONG)),
        (b"1234\rx", Some(&TOO_LONG)),
        (b"1234\r\r", Some(&TOO_LONG)),
        (b"1234\n", Some(&TOO_LONG)),
    ] {
        let mut t = StringTransport::serve(Lines::new(Measure).max_length(4));
        t.feed(piece);
        assert_eq!(t.lost().as_ref(), lost, "{}", piece.escape_ascii());
        let mut t = StringTransport::serve(Lines::new(Measure).max_length(4));
        t.feed_bytewise(piece);
        assert_eq!(t.lost().as_ref(), lost, "{} bytewise", piece.escape_ascii());
    }
}

#[test]
fn the_connection_keeps_as_much_unread_as_a_line_may_need() {
    let mut limits = Limits::default();
    limits.unread = 10;
    let lines = Lines::new(Measure).max_length(100);
    let mut t = StringTransport::builder().limits(limits).serve(lines);
    t.feed_bytewise(line(100));
    assert_eq!(t.take_sent(), b"100\r\n");
    t.feed_bytewise(line(101));
    assert_eq!(t.lost(), Some(TOO_LONG));

    let lines = Lines::new(Measure).max_length(3_000_000);
    let mut t = StringTransport::serve(lines);
    t.feed(line(3_000_000));
    assert_eq!(t.take_sent(), b"3000000\r\n");
}

#[test]
fn the_connection_may_keep_more_unread_than_a_line_needs() {
    let t = StringTransport::serve(Lines::new(Measure));
    assert_eq!(t.connection().unread_limit(), t.net().limits().unread);
}

#[test]
fn a_long_line_in_tiny_pieces_is_one_line() {
    let mut t = StringTransport::serve(Lines::new(Measure).max_length(262_144));
    for piece in line(262_144).chunks(11) {
        t.feed(piece);
    }
    assert_eq!(t.take_sent(), b"262144\r\n");
}

#[test]
fn a_line_that_is_skipped_is_not_kept() {
    /// Skips what is too long.
    struct Skip;
    impl LineProtocol for Skip {
        fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
            transport.send_line(line);
        }
        fn line_length_exceeded(&mut self, transport: &Transport<Self>, _: usize) {
            transport.send_line("skipped");
        }
    }
    let mut t = StringTransport::serve(Lines::new(Skip).max_length(10));
    t.with_protocol(|_, transport| transport.set_unread_limit(11));
    for _ in 0..40 {
        t.feed([b'x'; 65_536]);
    }
    t.feed(b"\r");
    t.feed(b"\nnext\r\n");
    assert_eq!(t.take_sent(), b"skipped\r\nnext\r\n");
}
