//! C13: limits.

use torsade_core::{Disconnect, Limit, Transport};

use super::filters::input_that_no_filter_can_use_is_bounded;
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{accepted, act, in_both_roles, open};
use super::{Cell, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![13:
    input_left_unread_is_bounded,
    the_bound_of_unread_input_can_be_set_for_a_connection,
    input_that_is_held_back_stays_in_the_kernel,
    a_limit_of_its_own_is_a_field_of_limits,
    input_that_no_filter_can_use_is_bounded,
];

fn keeps_all(_: &mut Probe, t: &Transport<Probe>, data: &[u8]) {
    t.unread(data.len());
}

/// "Every queue, buffer and count is bounded": what a protocol waits for more of (and C15: "the
/// tail is bounded").
fn input_left_unread_is_bounded(stage: Stage) {
    in_both_roles(stage, |_, role| {
        let mut h = stage.with(|limits| limits.unread = 10);
        let log = Log::default();
        let (end, _) = open(&mut *h, role, Probe::new("a", &log).data(keeps_all));
        for piece in ["01234", "56789"] {
            h.send(end, piece.as_bytes());
            h.settle();
        }
        log.expect(&["a made", "a data 01234", "a data 0123456789"]);
        h.send(end, b"x");
        h.settle();
        let reason = Disconnect::LimitPassed(Limit::Unread);
        log.expect(&["a data 0123456789x", &format!("a lost: {reason}")]);
        assert_eq!(h.seen(end), Seen::Ended);
    });
}

/// "A field of `Limits`", or what the connection chose instead.
fn the_bound_of_unread_input_can_be_set_for_a_connection(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log)
        .made(|_, t| t.set_unread_limit(3))
        .data(keeps_all);
    let (one, transport) = accepted(&mut *h, &log, a);
    let (two, other) = accepted(&mut *h, &log, Probe::new("b", &log).data(keeps_all));
    assert_eq!(
        (transport.unread_limit(), other.unread_limit()),
        (3, 1024 * 1024)
    );
    h.send(one, b"1234");
    h.send(two, b"1234");
    h.settle();
    assert!(!transport.is_open() && other.is_open());
}

/// The same for input that nobody may have now: it fills the kernel's queue and the peer's, not
/// our memory. The engine takes what comes in one turn at most.
fn input_that_is_held_back_stays_in_the_kernel(stage: Stage) {
    const TURN: usize = 4096;
    let mut h = stage.with(|limits| limits.turn_connection_bytes = TURN);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, _| t.pause_reading());
    let (end, transport) = accepted(&mut *h, &log, a.without_data());
    for _ in 0..20 {
        h.send(end, &[0; TURN]);
        h.settle();
    }
    assert!(transport.bytes_received() <= 2 * TURN as u64);
    for _ in 0..19 {
        act(&mut *h, &transport, |_, t| t.resume_reading());
    }
    h.settle();
    assert_eq!(transport.bytes_received(), 20 * TURN as u64);
}

/// "By a field of `Limits` with a documented default": the marks, for instance.
fn a_limit_of_its_own_is_a_field_of_limits(stage: Stage) {
    let mut h = stage.with(|limits| {
        limits.write_high = 100;
        limits.write_low = 10;
    });
    let log = Log::default();
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    act(&mut *h, &transport, |me, t| {
        t.write([0; 100]);
        me.note(&format!("{}", t.wants_output()));
        t.write([0]);
        me.note(&format!("{}", t.wants_output()));
    });
    log.expect(&["a true", "a false", "a pause", "a resume"]);
    assert_eq!(h.net().limits().write_high, 100);
}
