//! What happens between two lines takes effect before the second.

use torsade_core::{Disconnect, Protocol, Transport};
use torsade_deferred::{Deferred, Resolver};
use torsade_testing::StringTransport;
use torsade_wire::{LineProtocol, LineTransport, Lines};

/// Answers each line with itself, and does something else about some of them.
#[derive(Default)]
struct Echo {
    lines: usize,
    paused: usize,
    asked: Vec<Resolver<&'static str, ()>>,
}

impl LineProtocol for Echo {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.send_line("hello");
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        self.lines += 1;
        match line {
            b"pause" => transport.pause_reading(),
            b"close" => transport.close(),
            b"hurt" => panic!("that hurt"),
            b"shout" => transport.switch(Shout),
            b"ask" => {
                let (resolver, answer) = Deferred::new();
                self.asked.push(resolver);
                transport.hold(answer, |_, transport, answer| {
                    transport.send_line(answer.unwrap_or("nobody knows"));
                });
            }
            line => transport.send_line(line),
        }
    }

    fn pause_writing(&mut self, transport: &Transport<Self>) {
        assert!(!transport.wants_output());
        self.paused += 1;
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        assert!(transport.buffered() <= 1);
        self.paused += 10;
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        transport.send_line("bye");
        transport.close();
    }
}

struct Shout;

impl Protocol for Shout {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data.to_ascii_uppercase());
    }
}

fn greeted() -> StringTransport<Lines<Echo>> {
    let mut t = StringTransport::serve(Lines::new(Echo::default()));
    assert_eq!(t.take_sent(), b"hello\r\n");
    t
}

#[test]
fn a_pause_stops_at_once_and_the_rest_comes_in_order() {
    let mut t = greeted();
    t.feed(b"one\r\npause\r\ntwo\r\npause\r\nthr");
    assert_eq!(t.take_sent(), b"one\r\n");
    t.feed(b"ee\r\n");
    t.end();
    assert_eq!(t.take_sent(), b"");
    t.with_protocol(|_, transport| transport.inner().resume_reading());
    assert_eq!(t.take_sent(), b"two\r\n");
    t.with_protocol(|_, transport| transport.inner().resume_reading());
    assert_eq!(t.take_sent(), b"three\r\n");
    assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
}

#[test]
fn a_pause_by_somebody_else_stops_the_lines_too() {
    let mut t = greeted();
    t.connection().pause_reading();
    t.feed(b"one\r\n");
    assert_eq!(t.take_sent(), b"");
    t.connection().resume_reading();
    assert_eq!(t.take_sent(), b"one\r\n");
}

#[test]
fn held_answers_keep_their_order_and_reach_a_client_that_half_closes() {
    let mut t = greeted();
    t.feed(b"ask\r\none\r\nask\r\ntwo\r\n");
    t.end();
    let answer = |t: &mut StringTransport<Lines<Echo>>, text| {
        let asked = t.protocol(|lines| std::mem::take(&mut lines.get_mut().asked));
        assert_eq!(
            asked.len(),
            1,
            "the second question waits for the first answer"
        );
        asked
            .into_iter()
            .for_each(|resolver| resolver.resolve(text));
    };
    assert_eq!(t.take_sent(), b"");
    answer(&mut t, "first");
    assert_eq!(t.take_sent(), b"first\r\none\r\n");
    answer(&mut t, "second");
    assert_eq!(t.take_sent(), b"second\r\ntwo\r\n");
    assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
}

#[test]
fn nothing_of_the_chunk_comes_after_a_close() {
    let mut t = greeted();
    t.feed(b"one\r\nclose\r\ntwo\r\n");
    assert_eq!(t.take_sent(), b"one\r\n");
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}

#[test]
fn a_peer_that_does_not_read_is_not_read_from() {
    const LINES: usize = 20_000;
    let echo = Lines::new(Echo::default());
    let mut t = StringTransport::builder().window(0).serve(echo);
    let asked: Vec<u8> = (0..LINES)
        .flat_map(|n| format!("line {n:08}\r\n").into_bytes())
        .collect();
    t.feed(&asked);
    let (lines, paused) = t.protocol(|lines| (lines.get_ref().lines, lines.get_ref().paused));
    let limit = t.net().limits().write_high;
    assert!(t.connection().buffered() <= limit + 15);
    let greeting = 7;
    assert_eq!((lines, paused), ((limit - greeting) / 15 + 1, 1));
    t.set_window(usize::MAX);
    let answered = t.take_sent();
    assert!(
        answered == [b"hello\r\n", &asked[..]].concat(),
        "in order, and all of it"
    );
    assert_eq!(t.protocol(|lines| lines.get_ref().lines), LINES);
}

#[test]
fn a_flood_of_empty_lines_is_so_many_lines() {
    const LINES: usize = 100_000;
    let mut t = greeted();
    t.feed(b"\r\n".repeat(LINES));
    assert_eq!(t.protocol(|lines| lines.get_ref().lines), LINES);
    assert_eq!(t.take_sent().len(), 2 * LINES);
    assert_eq!(t.connection().buffered(), 0);
}

#[test]
fn a_protocol_that_is_switched_in_gets_the_rest() {
    let mut t = greeted();
    t.feed(b"one\r\nshout\r\ntwo\r\nthree");
    assert_eq!(t.take_sent(), b"one\r\nTWO\r\nTHREE");
}

#[test]
fn a_panic_ends_this_connection() {
    let mut other = greeted();
    let mut t = greeted();
    t.expect_panic("that hurt");
    t.feed(b"one\r\nhurt\r\ntwo\r\n");
    assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
    other.feed(b"one\r\n");
    assert_eq!(other.take_sent(), b"one\r\n");
}

#[test]
fn the_other_callbacks_are_passed_on() {
    let echo = Lines::new(Echo::default());
    let mut t = StringTransport::builder().window(7).serve(echo);
    t.with_protocol(|_, transport| transport.set_write_limits(1, 3));
    t.feed(b"line\r\n");
    assert_eq!(t.protocol(|lines| lines.get_ref().paused), 1);
    t.set_window(usize::MAX);
    assert_eq!(t.protocol(|lines| lines.get_ref().paused), 11);
    assert_eq!(t.take_sent(), b"hello\r\nline\r\n");
    t.net().stop();
    assert_eq!(t.take_sent(), b"bye\r\n");
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}
