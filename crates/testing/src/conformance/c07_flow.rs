//! C7: flow control.

use std::cell::{Cell as Flag, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use torsade_core::{Disconnect, Layered, Limit, Protocol, Transport};

use super::filters::{
    a_filter_is_given_what_it_asks_for, filters_see_what_is_theirs_while_input_is_held,
    output_waits_for_a_filter_that_wants_none,
};
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, accepted, act, bytes, in_both_roles, open, same};
use super::{Cell, Harness, Role, cells};

pub(super) const CELLS: &[Cell] = cells![7:
    output_pauses_strictly_above_the_high_mark,
    output_resumes_at_the_low_mark,
    moving_the_marks_re_evaluates_both_ways,
    the_state_changes_inside_the_write,
    pauses_and_resumes_alternate,
    whoever_saw_false_gets_a_resume,
    an_accepted_connection_is_not_read_while_its_output_is_stuck,
    a_connecting_end_is_read_though_its_output_is_stuck,
    the_throttle_can_be_set,
    a_one_line_echo_is_safe,
    pauses_are_kept_by_holder,
    one_write_of_any_size_is_accepted_whole,
    output_that_piles_up_ends_the_connection,
    the_cap_counts_every_form_of_write,
    over_the_sum_of_all_the_fullest_goes_first,
    filters_see_what_is_theirs_while_input_is_held,
    output_waits_for_a_filter_that_wants_none,
    a_filter_is_given_what_it_asks_for,
    the_time_in_which_input_is_held_is_kept,
];

/// "Marks 64 and 16 KiB: state pauses strictly above high."
fn output_pauses_strictly_above_the_high_mark(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (_, transport) = open(h, role, Probe::new("a", &log));
        act(h, &transport, |me, t| {
            t.write([0; 65_536]);
            me.note(&format!("{}", t.wants_output()));
        });
        log.expect(&["a made", "a true"]);
        act(h, &transport, |me, t| {
            t.write([0; 65_536]);
            t.write([0]);
            me.note(&format!("{}", t.wants_output()));
        });
        log.expect(&["a false", "a pause", "a resume"]);
    });
}

/// "Resumes at or below low": whatever the outbox holds then, and not before.
fn output_resumes_at_the_low_mark(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).resumed(|me, t| {
        me.note(&format!("low {}", t.buffered() <= 16_384));
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    let stuck = transport.buffered();
    assert!(stuck > 65_536, "a harness's flood must fill every queue");
    log.expect(&["a pause"]);
    while transport.buffered() > 16_384 {
        assert!(!transport.wants_output());
        log.expect(&[]);
        h.read_some(end);
    }
    assert!(transport.wants_output());
    log.expect(&["a resume", "a low true"]);
}

/// "Moving the marks re-evaluates both ways", exactly.
fn moving_the_marks_re_evaluates_both_ways(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    let stuck = transport.buffered();
    let cases: [(usize, usize, bool, &[&str]); 6] = [
        (stuck - 1, stuck - 1, false, &["a pause"]),
        (stuck, usize::MAX, true, &["a resume"]),
        (0, stuck, true, &[]),
        (0, stuck - 1, false, &["a pause"]),
        (stuck - 1, usize::MAX, false, &[]),
        // A low mark above the high one is taken as the high one.
        (usize::MAX, stuck, true, &["a resume"]),
    ];
    for (low, high, wants, told) in cases {
        transport.set_write_limits(low, high);
        assert_eq!(
            transport.wants_output(),
            wants,
            "{low} {high} with {stuck} waiting"
        );
        h.settle();
        log.expect(told);
    }
}

/// "The *state* changes inside `write` (`wants_output()` is false from the byte that passes high:
/// producers loop on it)."
fn the_state_changes_inside_the_write(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (_, transport) = open(h, role, Probe::new("a", &log));
        act(h, &transport, |me, t| {
            while t.wants_output() {
                t.write_parts(&[&[0; 600][..], &[0; 400]]);
            }
            me.note(&format!("wrote {}", t.buffered()));
        });
        log.expect(&["a made", "a wrote 66000", "a pause", "a resume"]);
    });
}

/// "The *callbacks* `pause_writing` and `resume_writing` are queued and strictly alternate."
fn pauses_and_resumes_alternate(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    let stuck = transport.buffered();
    let mut random = 1_u32;
    for _ in 0..200 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pick = random >> 24;
        let mark = if pick & 1 == 0 { stuck - 1 } else { usize::MAX };
        transport.set_write_limits(mark, mark);
        if pick & 6 == 0 {
            h.settle();
        }
    }
    h.settle();
    let lines = log.take();
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(
            line,
            ["a pause", "a resume"][number % 2],
            "{number} of {lines:?}"
        );
    }
    assert!(lines.len() > 20, "{}", lines.len());
    assert_eq!(lines.len() % 2 == 0, transport.wants_output());
}

/// "Whoever saw false gets a resume", though the bytes left at once.
fn whoever_saw_false_gets_a_resume(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let left = Rc::new(Flag::new(5));
    let produce = {
        let left = Rc::clone(&left);
        move |t: &Transport<Probe>| {
            while t.wants_output() && left.get() > 0 {
                left.set(left.get() - 1);
                t.write([7; 100_000]);
            }
        }
    };
    let again = produce.clone();
    let a = Probe::new("a", &log)
        .made(move |_, t| produce(t))
        .resumed(move |_, t| again(t));
    let (end, _) = accepted(&mut *h, &log, a);
    h.settle();
    assert_eq!((h.received(end).len(), left.get()), (500_000, 0));
}

/// "Accepted connections whose own outbox is above high are not read meanwhile."
fn an_accepted_connection_is_not_read_while_its_output_is_stuck(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    assert!(!transport.wants_input());
    h.send(end, b"x");
    h.settle();
    log.expect(&["a pause"]);
    h.read_again(end);
    h.settle();
    log.expect(&["a resume", "a data x"]);
}

/// "Connecting ends [..] do not throttle themselves."
fn a_connecting_end_is_read_though_its_output_is_stuck(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = open(&mut *h, Role::Connecting, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    h.send(end, b"x");
    h.settle();
    log.expect(&["a made", "a pause", "a data x"]);
}

/// "(`throttle_input`)": either role may be told otherwise, at any time.
fn the_throttle_can_be_set(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        transport.throttle_input(true);
        h.stop_reading(end);
        transport.write(vec![0; h.flood()]);
        h.settle();
        h.send(end, b"x");
        h.settle();
        log.expect(&["a made", "a pause"]);
        transport.throttle_input(false);
        h.settle();
        log.expect(&["a data x"]);
        transport.throttle_input(true);
        h.settle();
        h.send(end, b"y");
        h.settle();
        log.expect(&[]);
        h.read_again(end);
        h.settle();
        log.expect(&["a resume", "a data y"]);
    });
}

/// "So a one-line echo is safe": a peer that asks and never reads fills no memory.
fn a_one_line_echo_is_safe(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let most = Rc::new(Flag::new(0));
    let high = Rc::clone(&most);
    let echo = Probe::new("a", &log)
        .without_data()
        .data(move |_, t, data| {
            t.write(data);
            high.set(high.get().max(t.buffered()));
        });
    let (end, _) = accepted(&mut *h, &log, echo);
    h.stop_reading(end);
    let asked = bytes(40 * 65_536);
    for piece in asked.chunks(65_536) {
        h.send(end, piece);
        h.settle();
    }
    assert!(most.get() <= 2 * 65_536, "{} bytes waited", most.get());
    h.read_again(end);
    h.settle();
    same(&h.received(end), &asked);
}

/// Lets go of one hold.
type Release<'a> = Box<dyn FnMut(&mut dyn Harness) + 'a>;

/// A layer around another, both of which note what comes, to hold input each for itself.
struct Outer {
    inner: Inner,
    log: Log,
    seats: Seats,
}

struct Inner;

type Seats = Rc<RefCell<Option<(Transport<Outer>, Transport<Inner>)>>>;

impl Layered for Outer {
    type Inner = Inner;

    fn inner_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Protocol for Outer {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let seats = (transport.clone(), transport.inner());
        self.seats.replace(Some(seats));
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.log
            .note(format!("data {}", String::from_utf8_lossy(data)));
    }
}

/// "Pauses are kept by holder (each layer, hold, throttle, [..]); reading runs when none holds."
fn pauses_are_kept_by_holder(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let seats = Seats::default();
    transport.switch(Outer {
        inner: Inner,
        log: log.clone(),
        seats: Rc::clone(&seats),
    });
    h.settle();
    let Some((outer, inner)) = seats.take() else {
        panic!("a switch did not take place");
    };
    let handle = transport.connection();
    let (held, result) = tools::deferred::<()>();
    inner.hold(result, |_, _, _| ());
    outer.pause_reading();
    inner.pause_reading();
    inner.pause_reading();
    handle.pause_reading();
    h.stop_reading(end);
    outer.write(vec![0; h.flood()]);
    h.settle();
    h.send(end, b"x");
    // Resuming what one does not hold changes nothing.
    let stale = &transport;
    let mut release: Vec<Release<'_>> = vec![
        Box::new(|_| stale.resume_reading()),
        Box::new(|_| inner.resume_reading()),
        Box::new(|_| handle.resume_reading()),
        Box::new(|_| tools::resolve(&held, ())),
        Box::new(|h| h.read_again(end)),
        Box::new(|_| outer.resume_reading()),
    ];
    for release in &mut release {
        log.expect(&[]);
        assert!(!handle.wants_input());
        release(&mut *h);
        h.settle();
    }
    log.expect(&["data x"]);
}

/// "A write is accepted whole when the outbox is at or below the cap before it."
fn one_write_of_any_size_is_accepted_whole(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let large = bytes(40 * 1024 * 1024);
    transport.write(&large);
    transport.close();
    h.settle();
    same(&h.received(end), &large);
    log.expect(&["a pause", "a resume", "a lost: closed here"]);
}

/// "So the cap bounds piling up, [..]; past it `LimitPassed`."
fn output_that_piles_up_ends_the_connection(stage: Stage) {
    const CAP: usize = 1_000_000;
    let mut h = stage.with(|limits| limits.write_cap = CAP);
    let log = Log::default();
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    act(&mut *h, &transport, |me, t| {
        t.write(vec![0; CAP]);
        t.write("accepted: the outbox is at the cap, not above");
        me.note(&format!("{}", t.is_open()));
        t.write("refused");
        me.note(&format!("{} {}", t.is_open(), t.bytes_dropped()));
    });
    let reason = Disconnect::LimitPassed(Limit::WriteBuffer);
    log.expect(&[
        "a true",
        "a false 7",
        "a pause",
        &format!("a lost: {reason}"),
    ]);
    assert_eq!(h.net().buffered(), 0);
}

/// The same for shared bytes and for parts.
fn the_cap_counts_every_form_of_write(stage: Stage) {
    const CAP: usize = 10_000;
    let writes: [fn(&Transport<Probe>); 3] = [
        |t| t.write([0; 6000]),
        |t| t.write_parts(&[&[0; 3000], &[0; 3000]]),
        |t| t.write_bytes(Bytes::from_static(&[0; 6000])),
    ];
    for write in writes {
        let mut h = stage.with(|limits| limits.write_cap = CAP);
        let log = Log::default();
        let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
        act(&mut *h, &transport, move |me, t| {
            write(t);
            write(t);
            me.note(&format!("{}", t.is_open()));
            write(t);
            me.note(&format!("{} {}", t.is_open(), t.bytes_dropped()));
        });
        let reason = Disconnect::LimitPassed(Limit::WriteBuffer);
        // The high mark is never above the cap.
        log.expect(&[
            "a true",
            "a false 6000",
            "a pause",
            &format!("a lost: {reason}"),
        ]);
    }
}

/// "A cap on the sum over a reactor [..]: the fullest goes first", and the others live.
fn over_the_sum_of_all_the_fullest_goes_first(stage: Stage) {
    const MIB: usize = 1024 * 1024;
    let mut h = stage.with(|limits| limits.total_write_cap = 48 * MIB);
    let log = Log::default();
    let mut transports = Vec::new();
    for (name, mib) in [("a", 20), ("b", 27), ("c", 22)] {
        let (end, transport) = accepted(&mut *h, &log, Probe::new(name, &log));
        h.stop_reading(end);
        // None of them is alone past the cap of one: it is a single write.
        transport.write(vec![0; mib * MIB]);
        transports.push((end, transport));
        h.settle();
    }
    let reason = Disconnect::LimitPassed(Limit::TotalWriteBuffer);
    let told = format!("b lost: {reason}");
    let lines = log.take();
    assert_eq!(
        lines.iter().filter(|line| **line == told).count(),
        1,
        "{lines:?}"
    );
    assert!(transports[0].1.is_open() && transports[2].1.is_open());
    assert!(h.net().buffered() <= 48 * MIB);
    for (end, transport) in [&transports[0], &transports[2]] {
        transport.close();
        h.read_again(*end);
    }
    h.settle();
    assert_eq!(h.received(transports[0].0).len(), 20 * MIB);
    assert_eq!(h.received(transports[2].0).len(), 22 * MIB);
}

/// "Idle clocks stand still while we do not read": they can tell for how long that was, and when
/// it is over.
fn the_time_in_which_input_is_held_is_kept(stage: Stage) {
    const SECOND: Duration = Duration::from_secs(1);
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (_, transport) = open(h, role, Probe::new("a", &log));
        log.expect(&["a made"]);
        assert_eq!(transport.input_held(), Duration::ZERO);
        transport.pause_reading();
        h.advance(2 * SECOND);
        assert_eq!(transport.input_held(), 2 * SECOND);
        let resumed = transport.input_resumed();
        transport.then(resumed, |me, _, resumed| me.note(&format!("{resumed:?}")));
        transport.connection().pause_reading(); // somebody else, too
        transport.resume_reading();
        h.advance(SECOND);
        log.expect(&[]);
        transport.connection().resume_reading();
        h.advance(5 * SECOND);
        log.expect(&["a Ok(())"]);
        assert_eq!(transport.input_held(), 3 * SECOND);
    });
}
