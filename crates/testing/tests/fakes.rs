//! The fakes as a kernel: what they hold, cut, refuse and reset.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{ConnectError, Disconnect, Protocol, Transport};
use torsade_deferred::Failure;
use torsade_testing::{Clock, Pump, StringTransport};

type Chunks = Rc<RefCell<Vec<Vec<u8>>>>;

/// Notes every chunk it is given.
#[derive(Default)]
struct Notes(Chunks);

impl Protocol for Notes {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0.borrow_mut().push(data.to_vec());
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

#[test]
fn pieces_arrive_as_they_were_fed() {
    let chunks = Chunks::default();
    let mut t = StringTransport::serve(Notes(chunks.clone()));
    t.feed(b"one");
    t.feed(b"");
    t.feed_bytewise(b"ab");
    assert_eq!(
        *chunks.borrow(),
        [b"one".to_vec(), b"a".to_vec(), b"b".to_vec()]
    );
}

#[test]
fn pieces_wait_while_the_protocol_pauses() {
    let chunks = Chunks::default();
    let mut t = StringTransport::serve(Notes(chunks.clone()));
    t.connection().pause_reading();
    assert!(!t.is_reading());
    t.feed(b"one");
    t.feed(b"two");
    t.end();
    assert!(chunks.borrow().is_empty());
    assert!(t.lost().is_none());
    t.connection().resume_reading();
    assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
    assert_eq!(*chunks.borrow(), [b"one".to_vec(), b"two".to_vec()]);
}

#[test]
fn what_arrived_before_a_reset_is_still_read() {
    let chunks = Chunks::default();
    let mut t = StringTransport::serve(Notes(chunks.clone()));
    t.connection().pause_reading();
    t.feed(b"last words");
    t.reset();
    t.connection().resume_reading();
    assert_eq!(t.lost(), Some(Disconnect::Reset));
    assert_eq!(*chunks.borrow(), [b"last words".to_vec()]);
}

#[test]
fn a_window_takes_so_much_and_no_more() {
    let mut t = StringTransport::builder().window(3).serve(Echo);
    t.feed(b"abcdef");
    assert_eq!(t.take_sent(), b"abc");
    assert_eq!(t.connection().buffered(), 3);
    t.set_window(2);
    assert_eq!(t.take_sent(), b"de");
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent(), b"f");
}

#[test]
fn the_peer_sees_how_we_ended() {
    let polite = StringTransport::serve(Echo);
    polite.connection().close();
    assert!(polite.has_ended() && !polite.has_reset());
    assert_eq!(polite.lost(), Some(Disconnect::Closed));

    let rude = StringTransport::serve(Echo);
    rude.connection().abort();
    assert!(rude.has_reset() && !rude.has_ended());
    assert_eq!(rude.lost(), Some(Disconnect::Aborted));
}

#[test]
fn time_stands_still_but_for_advance_and_stall() {
    let mut t = StringTransport::serve(Echo);
    let start = t.net().now();
    t.feed(b"x");
    assert_eq!(t.net().now(), start);
    t.advance(Duration::from_secs(1));
    Clock::stall(Duration::from_secs(1));
    assert_eq!(t.net().now() - start, Duration::from_secs(2));
}

#[test]
fn timers_run_at_their_own_moments_during_one_advance() {
    let mut t = StringTransport::serve(Echo);
    let start = t.net().now();
    let seen = Rc::new(RefCell::new(Vec::new()));
    for millis in [700, 200, 500] {
        let seen = seen.clone();
        t.net()
            .call_later(Duration::from_millis(millis), move |net| {
                seen.borrow_mut().push(net.now() - start);
            });
    }
    t.advance(Duration::from_secs(1));
    let expected = [200, 500, 700].map(Duration::from_millis);
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn nobody_is_there_to_connect_to() {
    let t = StringTransport::serve(Echo);
    let outcome = Rc::new(RefCell::new(None));
    let seat = outcome.clone();
    let attempt = t.net().connect("127.0.0.1:9", Echo);
    attempt.finish(move |result| *seat.borrow_mut() = Some(result.map(drop)));
    t.is_reading(); // any observation settles
    let outcome = outcome.borrow_mut().take();
    assert!(matches!(
        outcome,
        Some(Err(Failure::Error(ConnectError::Failed { .. })))
    ));
}

#[test]
fn transports_of_one_thread_settle_together() {
    struct Forward(torsade_core::Connection);
    impl Protocol for Forward {
        fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
            self.0.write(data);
        }
    }
    let mut last = StringTransport::serve(Echo);
    let mut middle = StringTransport::serve(Forward(last.connection().clone()));
    let mut first = StringTransport::serve(Forward(middle.connection().clone()));
    first.feed(b"a");
    middle.feed(b"b");
    assert_eq!(middle.take_sent(), b"a");
    assert_eq!(last.take_sent(), b"b");
}

/// Sends a lot and collects what comes back.
struct Sender {
    length: usize,
    back: Vec<u8>,
    paused: usize,
    resumed: usize,
}

impl Sender {
    fn new(length: usize) -> Self {
        Self {
            length,
            back: Vec::new(),
            paused: 0,
            resumed: 0,
        }
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

impl Protocol for Sender {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(pattern(self.length));
    }
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.back.extend_from_slice(data);
        if self.back.len() == self.length {
            transport.close();
        }
    }
    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.paused += 1;
    }
    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.resumed += 1;
    }
}

#[test]
fn a_pump_carries_every_byte_through_small_queues_in_any_segments() {
    for (queue, segment) in [(1, 1), (7, 3), (4096, 1000), (65536, 65536), (100, 1)] {
        let length = 200 * queue.min(1000);
        let mut pump = Pump::new(Sender::new(length), Echo)
            .queue(queue)
            .segment(segment);
        while pump.client_lost().is_none() {
            if pump.client(|me, _| me.back.len() == length) {
                break;
            }
            assert!(
                pump.step(),
                "stuck with queues of {queue} and segments of {segment}"
            );
        }
        pump.run();
        assert_eq!(pump.client_lost(), Some(Disconnect::Closed));
        assert_eq!(pump.server_lost(), Some(Disconnect::PeerClosed));
    }
}

#[test]
fn what_comes_back_is_what_was_sent() {
    let mut pump = Pump::new(Sender::new(300_001), Echo)
        .queue(5000)
        .segment(77);
    while pump.client(|me, _| me.back.len() < 299_000) {
        assert!(pump.step());
    }
    let back = pump.client(|me, _| me.back.clone());
    assert_eq!(back, pattern(300_001)[..back.len()]);
    let flow = pump.client(|me, _| (me.paused, me.resumed));
    assert_eq!(flow, (1, 1), "one large write pauses once and resumes once");
}

#[test]
fn a_server_that_does_not_read_fills_the_queues_and_stops_the_client() {
    let mut pump = Pump::new(Sender::new(1_000_000), Notes::default()).queue(10_000);
    pump.server_connection().pause_reading();
    pump.run();
    // One queue at each side, and the rest in the outbox.
    assert_eq!(pump.client_connection().buffered(), 1_000_000 - 2 * 10_000);
    assert!(!pump.client_connection().wants_output());
    pump.server_connection().resume_reading();
    pump.run();
    assert_eq!(pump.client_connection().buffered(), 0);
    assert_eq!(pump.server_connection().bytes_received(), 1_000_000);
}

#[test]
fn a_half_closed_pump_goes_on_in_the_other_direction() {
    struct Late;
    impl Protocol for Late {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
        fn eof_received(&mut self, transport: &Transport<Self>) {
            transport.write("after your end");
            transport.close();
        }
    }
    let chunks = Chunks::default();
    let mut pump = Pump::new(Notes(chunks.clone()), Late);
    pump.client(|_, transport| transport.close_write());
    pump.run();
    assert_eq!(*chunks.borrow(), [b"after your end".to_vec()]);
    assert_eq!(pump.server_lost(), Some(Disconnect::PeerClosed));
    assert_eq!(pump.client_lost(), Some(Disconnect::PeerClosed));
}

#[test]
fn an_abort_reaches_the_other_end_as_a_reset() {
    let mut pump = Pump::new(Notes::default(), Echo);
    pump.client(|_, transport| transport.abort());
    pump.run();
    assert_eq!(pump.client_lost(), Some(Disconnect::Aborted));
    assert_eq!(pump.server_lost(), Some(Disconnect::Reset));
}
