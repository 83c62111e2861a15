//! Timeouts: what counts, what does not, what stands still, and what none of it costs.

use std::time::Duration;

use torsade_core::{AnyProtocol, Disconnect, Protocol, Timeout, Transport};
use torsade_deferred::Deferred;
use torsade_testing::{Clock, StringTransport};
use torsade_wire::{IdleTimer, Timeouts};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn timed_out(timeout: Timeout) -> Option<Disconnect> {
    Some(Disconnect::TimedOut(timeout))
}

/// Sets its timer back with every chunk that does not begin with a dot.
#[derive(Default)]
struct Held {
    idle: IdleTimer,
    rang: u32,
}

impl Protocol for Held {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let before = self.idle.set_timeout(transport, Some(10 * SECOND));
        assert_eq!(before, None);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        match data[0] {
            b'.' => {}
            b'p' => transport.pause_reading(),
            b's' => {
                self.idle.reset_timeout();
                Clock::stall(15 * SECOND);
            }
            _ => self.idle.reset_timeout(),
        }
    }
}

#[test]
fn a_timer_that_nobody_sets_back_strikes_to_the_nanosecond() {
    let mut t = StringTransport::serve(Held::default());
    t.advance(10 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn setting_it_back_counts_from_there_however_often() {
    let mut t = StringTransport::serve(Held::default());
    for _ in 0..7 {
        t.advance(3 * SECOND);
        t.feed(b"x");
        t.advance(4 * SECOND);
        t.feed(b"x");
    }
    t.advance(10 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn what_the_protocol_does_not_count_does_not_count() {
    let mut t = StringTransport::serve(Held::default());
    t.advance(9 * SECOND);
    t.feed(b".");
    t.advance(SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn setting_returns_what_was_set_and_nothing_stops_it() {
    let mut t = StringTransport::serve(Held::default());
    let before = t.with_protocol(|me, transport| me.idle.set_timeout(transport, Some(SECOND)));
    assert_eq!(before, Some(10 * SECOND));
    let before = t.with_protocol(|me, transport| me.idle.set_timeout(transport, None));
    assert_eq!(before, Some(SECOND));
    t.advance(100 * SECOND);
    t.protocol(|me| me.idle.reset_timeout()); // which does not start it
    t.advance(100 * SECOND);
    assert_eq!(t.lost(), None);
    assert_eq!(t.protocol(|me| me.idle.timeout()), None);
}

#[test]
fn what_is_to_be_done_instead_is_done_once() {
    let mut t = StringTransport::serve(Held::default());
    t.with_protocol(|me, transport| {
        me.idle
            .set_timeout_with(transport, SECOND, |me: &mut Held, _| me.rang += 1);
    });
    t.advance(100 * SECOND);
    t.feed(b"x");
    t.advance(100 * SECOND);
    assert_eq!((t.protocol(|me| me.rang), t.lost()), (1, None));
}

#[test]
fn a_timer_stands_still_while_the_connection_is_not_read() {
    let mut t = StringTransport::serve(Held::default());
    t.advance(4 * SECOND);
    t.feed(b"p"); // set back, and paused
    let connection = t.connection().clone();
    t.with_protocol(|me, _| me.idle.reset_timeout());
    t.advance(1000 * SECOND);
    assert_eq!(t.lost(), None);
    t.with_protocol(|_, transport| transport.resume_reading());
    t.advance(7 * SECOND);
    connection.pause_reading(); // whoever it is
    t.advance(1000 * SECOND);
    connection.resume_reading();
    t.advance(3 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn what_came_while_it_stood_still_comes_before_it_strikes() {
    let mut t = StringTransport::serve(Held::default());
    t.advance(10 * SECOND - NANO);
    t.connection().pause_reading();
    t.advance(100 * SECOND);
    t.feed(b"x");
    t.connection().resume_reading();
    t.advance(10 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn a_stall_of_ours_is_no_silence_of_the_peer() {
    let mut t = StringTransport::serve(Held::default());
    t.advance(SECOND);
    t.feed(b"s"); // takes 15 seconds over it
    t.advance(5 * SECOND);
    assert_eq!(t.lost(), None);
    t.advance(5 * SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn a_timer_ends_with_its_protocol() {
    struct Other;
    impl Protocol for Other {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    let mut t = StringTransport::serve(AnyProtocol::new(Held::default()));
    t.with_protocol(|_, transport| transport.switch(Other));
    t.advance(100 * SECOND);
    assert_eq!(t.lost(), None);

    let mut t = StringTransport::serve(Held::default());
    t.protocol(|me| me.idle = IdleTimer::new()); // or when it is dropped
    t.advance(100 * SECOND);
    assert_eq!(t.lost(), None);
}

#[test]
fn setting_a_timer_back_allocates_nothing() {
    let mut t = StringTransport::serve(Held::default());
    t.protocol(|me| {
        me.idle.reset_timeout();
        let cost = allocation_counter::measure(|| {
            for _ in 0..1000 {
                me.idle.reset_timeout();
            }
        });
        assert_eq!(cost.count_total, 0);
    });
}

/// Answers; leaves a `?` unread; holds with `h`.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        match data[0] {
            b'?' => transport.unread(data.len()),
            b'h' => {
                let (resolver, waits) = Deferred::<(), ()>::new();
                let answer = move |_: &torsade_core::Net| resolver.resolve(());
                transport.net().call_later(50 * SECOND, answer);
                transport.hold(waits, |_, _, _| {});
            }
            _ => transport.write(data),
        }
    }

    fn eof_received(&mut self, _: &Transport<Self>) {}
}

#[test]
fn a_read_timeout_is_exact_and_knows_only_the_peer() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).read(10 * SECOND));
    t.advance(6 * SECOND);
    t.feed(b"x");
    t.advance(9 * SECOND);
    t.connection().write("output does not count");
    t.advance(SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Read));
}

#[test]
fn input_that_is_left_unread_counts_once() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).read(10 * SECOND));
    t.feed(b"?");
    t.advance(9 * SECOND);
    t.connection().pause_reading();
    t.connection().resume_reading(); // it comes again
    t.advance(SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Read));
}

#[test]
fn a_read_timeout_ends_with_the_peers_side() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).read(10 * SECOND));
    t.end();
    t.advance(100 * SECOND);
    assert_eq!(t.lost(), None);
}

#[test]
fn read_and_idle_clocks_stand_still_while_the_protocol_holds_input() {
    for clock in [Timeout::Read, Timeout::Idle] {
        let timeouts = Timeouts::new(Echo);
        let timeouts = match clock {
            Timeout::Read => timeouts.read(10 * SECOND),
            _ => timeouts.idle(10 * SECOND),
        };
        let mut t = StringTransport::serve(timeouts);
        t.advance(4 * SECOND);
        t.feed(b"h"); // holds for 50 seconds
        t.advance(59 * SECOND);
        assert_eq!(t.lost(), None, "{clock:?}");
        t.advance(SECOND);
        assert_eq!(t.lost(), timed_out(clock));
    }
}

#[test]
fn clocks_stand_still_while_our_own_output_throttles_input() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).read(10 * SECOND));
    t.set_window(0);
    t.feed(vec![b'x'; 65_000]);
    t.feed(vec![b'x'; 65_000]); // above the mark: not read any more
    t.advance(110 * SECOND);
    assert_eq!(t.lost(), None);
    t.set_window(usize::MAX);
    t.advance(10 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Read));
}

#[test]
fn an_idle_timeout_knows_both_directions() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).idle(8 * SECOND));
    for _ in 0..5 {
        t.advance(7 * SECOND);
        t.connection().write("tick");
    }
    for _ in 0..5 {
        t.advance(7 * SECOND);
        t.feed(b"h"); // no answer
        t.advance(50 * SECOND);
    }
    t.advance(8 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn output_that_was_last_ends_an_eighth_late_at_most() {
    for tenth in 0..80 {
        let mut t = StringTransport::serve(Timeouts::new(Echo).idle(8 * SECOND));
        t.advance(SECOND / 10 * tenth);
        t.connection().write("the last");
        t.advance(8 * SECOND - NANO);
        assert_eq!(t.lost(), None, "{tenth}");
        t.advance(SECOND + NANO);
        assert_eq!(t.lost(), timed_out(Timeout::Idle), "{tenth}");
    }
}

#[test]
fn a_write_timeout_wants_progress_and_no_more() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).write(8 * SECOND));
    t.advance(100 * SECOND); // nothing waits
    t.set_window(0);
    t.connection().write([b'x'; 20]);
    for _ in 0..10 {
        t.advance(7 * SECOND);
        t.set_window(1); // it is slow, but it reads
    }
    assert_eq!(t.lost(), None);
    t.advance(7 * SECOND);
    assert_eq!(t.lost(), None);
    t.advance(2 * SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Write));
    assert!(t.has_reset());
}

#[test]
fn a_write_timeout_ends_a_close_that_nobody_takes() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).write(8 * SECOND).idle(SECOND));
    t.set_window(0);
    t.connection().write("goodbye");
    t.connection().close();
    t.advance(8 * SECOND - NANO);
    assert_eq!(t.lost(), None);
    t.advance(SECOND + NANO);
    assert_eq!(t.lost(), timed_out(Timeout::Write));
}

#[test]
fn the_farewell_of_an_idle_timeout_still_leaves() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).idle(8 * SECOND));
    t.set_window(0);
    t.connection().write("what was written");
    t.advance(9 * SECOND);
    assert_eq!(t.lost(), None);
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent(), b"what was written");
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn all_clocks_run_together() {
    let timeouts = || Timeouts::new(Echo).idle(30 * SECOND).write(20 * SECOND);
    let mut t = StringTransport::serve(timeouts().read(10 * SECOND));
    t.advance(10 * SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Read));
    let mut t = StringTransport::serve(timeouts().read(40 * SECOND));
    t.advance(30 * SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Idle));
}

#[test]
fn a_timeout_of_nothing_ends_and_does_not_spin() {
    let mut t = StringTransport::serve(Timeouts::new(Echo).read(Duration::ZERO));
    t.advance(SECOND);
    assert_eq!(t.lost(), timed_out(Timeout::Read));
    let mut t = StringTransport::serve(Timeouts::new(Echo).write(Duration::ZERO));
    t.advance(SECOND); // nothing waits
    assert_eq!(t.lost(), None);
}

#[test]
fn messages_cost_no_allocation() {
    fn cost(t: &mut StringTransport<impl Protocol>) -> u64 {
        t.net().call_later(1000 * SECOND, |_| {});
        let mut feed = || {
            for _ in 0..1000 {
                t.feed(b"x");
                t.take_sent();
            }
        };
        feed();
        allocation_counter::measure(feed).count_total
    }
    let timeouts = Timeouts::new(Echo).idle(SECOND).read(SECOND).write(SECOND);
    let with = cost(&mut StringTransport::serve(timeouts));
    let without = cost(&mut StringTransport::serve(Echo));
    assert_eq!(with, without); // what is left is the test transport's own
}
