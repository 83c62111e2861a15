//! C15: input left over, and switching.

use std::cell::{Cell as Flag, RefCell};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::Transport;
use torsade_deferred::Deferred;

use super::c15_layers::{
    a_box_behaves_as_what_is_in_it, a_paused_output_is_told_to_what_is_new_inside,
    a_switch_by_the_outermost_replaces_everything, a_switch_inside_leaves_what_is_around,
    a_wrapper_may_keep_data, a_wrapper_that_closes_hands_nothing_on,
    handles_of_what_was_switched_away_inside_do_nothing, wrappers_are_told_before_what_is_inside,
};
use super::filters::{a_filter_waits_behind_output_that_waits, push_filter_splits_the_stream};
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, Dropped, accepted, act, deferred, in_both_roles, keep, open, resolve};
use super::{Cell, cells};

pub(super) const CELLS: &[Cell] = cells![15:
    what_is_unread_comes_again_in_front_of_the_next,
    the_largest_n_of_a_callback_counts,
    unread_outside_a_delivery_is_nothing,
    with_input_wanted_the_tail_waits_for_more,
    paused_the_tail_comes_again_when_resumed,
    held_the_tail_comes_again_when_the_result_is_there,
    throttled_the_tail_comes_again_when_output_drains,
    a_tail_that_a_budget_left_comes_again,
    what_arrives_behind_a_tail_stays_behind_it,
    a_tail_may_be_consumed_bit_by_bit,
    switch_takes_effect_after_the_callback,
    the_new_protocol_is_given_the_unread_rest,
    the_old_one_gets_no_loss_and_the_new_one_does,
    nothing_is_delivered_while_a_switch_is_queued,
    what_was_queued_before_a_switch_runs_before_it,
    continuations_of_the_old_protocol_are_dropped,
    stale_handles_hold_nothing_and_write_on,
    pauses_of_the_old_protocol_end_with_it,
    a_hold_of_the_old_protocol_ends_with_it,
    a_paused_output_is_told_to_the_new_protocol,
    the_last_of_several_switches_counts,
    wrappers_are_told_before_what_is_inside,
    a_wrapper_may_keep_data,
    a_wrapper_that_closes_hands_nothing_on,
    a_switch_inside_leaves_what_is_around,
    handles_of_what_was_switched_away_inside_do_nothing,
    a_paused_output_is_told_to_what_is_new_inside,
    a_switch_by_the_outermost_replaces_everything,
    a_box_behaves_as_what_is_in_it,
    push_filter_splits_the_stream,
    a_filter_waits_behind_output_that_waits,
];

/// "The last n bytes of this delivery come again in front of the next."
fn what_is_unread_comes_again_in_front_of_the_next(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).data(|_, t, data| t.unread(data.len() % 3));
        let (end, _) = open(h, role, a);
        for piece in ["01234", "567", "89"] {
            h.send(end, piece.as_bytes());
            h.settle();
        }
        log.expect(&["a made", "a data 01234", "a data 34567", "a data 6789"]);
    });
}

/// "(The largest n of a callback counts)", and more than there is means all of it.
fn the_largest_n_of_a_callback_counts(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|_, t, data| match data.len() {
        3 => [0, 2, 1].into_iter().for_each(|n| t.unread(n)),
        4 => t.unread(1000),
        _ => (),
    });
    let (end, _) = accepted(&mut *h, &log, a);
    for piece in ["012", "34", "5", "6"] {
        h.send(end, piece.as_bytes());
        h.settle();
    }
    log.expect(&["a data 012", "a data 1234", "a data 12345", "a data 6"]);
}

/// "Of this delivery": in another callback there is none, and the next one is not touched.
fn unread_outside_a_delivery_is_nothing(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    act(&mut *h, &transport, |_, t| t.unread(1));
    transport.unread(1);
    for piece in ["01", "23"] {
        h.send(end, piece.as_bytes());
        h.settle();
    }
    log.expect(&["a data 01", "a data 23"]);
}

/// "If the callback ends with `wants_input()` true, the tail waits for more bytes or EOF", though
/// others do something to the connection.
fn with_input_wanted_the_tail_waits_for_more(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|_, t, data| {
        t.unread(data.len());
        t.pause_reading();
        t.resume_reading();
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    h.send(end, b"01");
    h.settle();
    transport.write("x");
    transport.pause_reading();
    h.settle();
    transport.resume_reading();
    act(&mut *h, &transport, |_, _| ());
    log.expect(&["a data 01"]);
    h.finish(end);
    h.settle();
    log.expect(&["a eof", "a lost: closed by the peer"]);
}

/// "If false (paused, [..]), it is delivered again as soon as that turns true, new bytes or not."
fn paused_the_tail_comes_again_when_resumed(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).data(|_, t, data| {
            t.unread(data.len() - 1);
            t.pause_reading();
        });
        let (end, transport) = open(h, role, a);
        h.send(end, b"012");
        h.settle();
        log.expect(&["a made", "a data 012"]);
        transport.resume_reading();
        act(h, &transport, |_, t| t.resume_reading());
        log.expect(&["a data 12"]);
        act(h, &transport, |_, t| t.resume_reading());
        log.expect(&["a data 2"]);
    });
}

/// "(Held)": one message for each answer, in one segment.
fn held_the_tail_comes_again_when_the_result_is_there(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let answers = Rc::new(RefCell::new(Vec::new()));
    let asked = Rc::clone(&answers);
    let a = Probe::new("a", &log).data(move |_, t, data| {
        let (held, result) = deferred::<&str>();
        asked.borrow_mut().push(held);
        t.unread(data.len() - 1);
        t.hold(result, |me, _, answer| me.note(answer.unwrap_or("none")));
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"012");
    h.settle();
    for (number, answer) in ["zero", "one", "two"].into_iter().enumerate() {
        let held = Rc::clone(&answers.borrow()[number]);
        resolve(&held, answer);
        h.settle();
    }
    log.expect(&[
        "a data 012",
        "a zero",
        "a data 12",
        "a one",
        "a data 2",
        "a two",
    ]);
}

/// "(Throttled)": an answer larger than the high mark stops the reading of the rest.
fn throttled_the_tail_comes_again_when_output_drains(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let flood = h.flood();
    let a = Probe::new("a", &log).data(move |_, t, data| {
        t.unread(data.len() - 1);
        t.write(vec![0; flood]);
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.stop_reading(end);
    h.send(end, b"01");
    h.settle();
    log.expect(&["a data 01", "a pause"]);
    h.read_again(end);
    h.settle();
    log.expect(&["a resume", "a data 1", "a pause", "a resume"]);
}

/// "(Budget used up)": it goes on in the next turn.
fn a_tail_that_a_budget_left_comes_again(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 2);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, data| {
        t.unread(data.len() - 1);
        t.hold(Deferred::<(), ()>::succeed(()), |_, _, _| ());
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"01234");
    h.settle();
    log.expect(&[
        "a data 01234",
        "a data 1234",
        "a data 234",
        "a data 34",
        "a data 4",
    ]);
}

/// "In front of the next": what comes meanwhile is appended, the end included.
fn what_arrives_behind_a_tail_stays_behind_it(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let first = Flag::new(true);
    let a = Probe::new("a", &log).data(move |_, t, data| {
        if first.replace(false) {
            t.unread(data.len());
            t.pause_reading();
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    h.send(end, b"01");
    h.settle();
    h.send(end, b"23");
    h.finish(end);
    h.settle();
    log.expect(&["a data 01"]);
    act(&mut *h, &transport, |_, t| t.resume_reading());
    let lines = log.take();
    let data: String = lines
        .iter()
        .filter_map(|line| line.strip_prefix("a data "))
        .collect();
    assert_eq!(data, "0123");
    assert!(lines[0].starts_with("a data 01"), "{lines:?}");
    assert_eq!(
        lines[lines.len() - 2..],
        ["a eof", "a lost: closed by the peer"]
    );
}

/// The same, for a large tail in small steps: nothing is lost, doubled or moved.
fn a_tail_may_be_consumed_bit_by_bit(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (read, step) = (Rc::new(RefCell::new(Vec::new())), Flag::new(0_usize));
    let all = Rc::clone(&read);
    let a = Probe::new("a", &log)
        .without_data()
        .data(move |_, t, data| {
            step.set(step.get() % 7 + 1);
            let take = step.get().min(data.len());
            all.borrow_mut().extend_from_slice(&data[..take]);
            t.unread(data.len() - take);
            t.pause_reading();
            t.call(|_, t| t.resume_reading());
        });
    let (end, _) = accepted(&mut *h, &log, a);
    let input = tools::bytes(2000);
    for piece in input.chunks(300) {
        h.send(end, piece);
    }
    h.settle();
    tools::same(&read.borrow(), &input);
}

/// "`switch(new)` takes effect after the callback: `new` gets `connection_made`."
fn switch_takes_effect_after_the_callback(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let next = RefCell::new(Some(Probe::new("b", &log)));
        let a = Probe::new("a", &log).data(move |me, t, _| {
            if let Some(next) = next.take() {
                t.switch(next);
            }
            me.note(&format!("wants input: {}", t.wants_input()));
        });
        let (end, _) = open(h, role, a);
        h.send(end, b"x");
        h.settle();
        log.expect(&["a made", "a data x", "a wants input: false", "b made"]);
        h.send(end, b"y");
        h.settle();
        log.expect(&["b data y"]);
    });
}

/// A probe that switches to `next` at its first data, leaving so many bytes unread.
fn switching(log: &Log, unread: usize, next: Probe) -> Probe {
    let next = RefCell::new(Some(next));
    Probe::new("a", log).data(move |_, t, _| {
        t.unread(unread);
        if let Some(next) = next.take() {
            t.switch(next);
        }
    })
}

/// "Then the unread rest", also if it waited for more before.
fn the_new_protocol_is_given_the_unread_rest(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _) = accepted(&mut *h, &log, switching(&log, 2, Probe::new("b", &log)));
    h.send(end, b"012");
    h.settle();
    log.expect(&["a data 012", "b made", "b data 12"]);
    let waits = Probe::new("a", &log).data(|_, t, data| t.unread(data.len()));
    let (end, transport) = accepted(&mut *h, &log, waits);
    h.send(end, b"345");
    h.settle();
    transport.switch(Probe::new("b", &log));
    h.settle();
    log.expect(&["a data 345", "b made", "b data 345"]);
}

/// "The old one gets no loss."
fn the_old_one_gets_no_loss_and_the_new_one_does(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _) = accepted(&mut *h, &log, switching(&log, 0, Probe::new("b", &log)));
    h.send(end, b"x");
    h.finish(end);
    h.settle();
    log.expect(&["a data x", "b made", "b eof", "b lost: closed by the peer"]);
}

/// "`unread` input goes [..] never to the" old one: nothing comes in between.
fn nothing_is_delivered_while_a_switch_is_queued(stage: Stage) {
    let mut h = stage.with(|limits| {
        limits.turn_continuations = 1;
        limits.turn_connection_bytes = 1;
    });
    let log = Log::default();
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.pause_reading();
    h.settle();
    h.send(end, b"0");
    h.settle();
    // The pause ends with the protocol that asked for it.
    transport.switch(Probe::new("b", &log).made(|me, t| {
        t.call(|me, _| me.note("call"));
        me.note("returns");
    }));
    assert!(!transport.wants_input());
    transport.resume_reading();
    assert!(!transport.wants_input(), "the switch holds it");
    h.settle();
    log.expect(&["b made", "b returns", "b call", "b data 0"]);
}

/// A switch has its place among what is queued (C1): calls made before it run on the old protocol.
fn what_was_queued_before_a_switch_runs_before_it(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let next = Probe::new("b", &log);
    let mut next = Some(next);
    let a = Probe::new("a", &log).data(move |_, t, _| {
        t.call(|me, _| me.note("before"));
        if let Some(next) = next.take() {
            t.switch(next);
        }
        t.call(|me, _| me.note("after"));
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x", "a before", "b made"]);
}

/// "Continuations of the old stack" are dropped, whether they wait or are ready, and what they
/// wait for is cancelled (C16).
fn continuations_of_the_old_protocol_are_dropped(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, switching(&log, 0, Probe::new("b", &log)));
    let (held, result) = deferred::<()>();
    let notes = log.clone();
    if let Some(resolver) = held.borrow().as_ref() {
        resolver.on_cancel(move || notes.note("cancelled"));
    }
    let dropped = |line| Dropped(log.clone(), line);
    let (one, two, three) = (dropped("then"), dropped("timer"), dropped("call"));
    transport.then(result, move |me, _, _| {
        me.note("then runs");
        keep(&one);
    });
    let timer = transport.call_later(Duration::from_secs(1), move |me, _| {
        me.note("timer runs");
        keep(&two);
    });
    h.send(end, b"x");
    h.settle();
    transport.call(move |me, _| {
        me.note("call runs");
        keep(&three);
    });
    h.settle();
    assert!(!timer.is_active());
    h.advance(Duration::from_secs(2));
    let mut lines = log.take();
    lines.sort();
    let wanted = ["a data x", "b made", "call", "cancelled", "then", "timer"];
    assert_eq!(lines, wanted);
    keep(&held);
}

/// "Stale ones" (the epoch of a handle): they switch, pause and resume nothing, but write.
fn stale_handles_hold_nothing_and_write_on(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let next = Probe::new("b", &log);
    let seat = next.seat();
    let (end, stale) = accepted(&mut *h, &log, switching(&log, 0, next));
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x", "b made"]);
    stale.pause_reading();
    stale.switch(Probe::new("c", &log));
    stale.write("written");
    h.send(end, b"y");
    h.settle();
    log.expect(&["b data y"]);
    assert_eq!(h.received(end), b"written");
    let Some(fresh) = seat.take() else {
        panic!("a probe was made and has no transport");
    };
    assert!(stale != fresh && stale.connection() == fresh.connection());
    fresh.pause_reading();
    stale.resume_reading();
    h.settle();
    h.send(end, b"z");
    h.settle();
    log.expect(&[]);
    fresh.resume_reading();
    h.settle();
    log.expect(&["b data z"]);
}

/// "Pauses are kept by holder" (C7): the old protocol's go with it, an untyped handle's do not.
fn pauses_of_the_old_protocol_end_with_it(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let handle = transport.connection();
    transport.pause_reading();
    handle.pause_reading();
    h.settle();
    h.send(end, b"x");
    h.settle();
    transport.switch(Probe::new("b", &log));
    h.settle();
    log.expect(&["b made"]);
    handle.resume_reading();
    h.settle();
    log.expect(&["b data x"]);
}

/// The same for a continuation that held input: whoever was to be served by it is gone.
fn a_hold_of_the_old_protocol_ends_with_it(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (held, result) = deferred::<()>();
    transport.hold(result, |me, _, _| me.note("runs"));
    transport.switch(Probe::new("b", &log));
    h.settle();
    h.send(end, b"x");
    h.settle();
    log.expect(&["b made", "b data x"]);
    resolve(&held, ());
    h.settle();
    log.expect(&[]);
}

/// "Strictly alternate" (C7), for each protocol: the new one does not begin with a resume.
fn a_paused_output_is_told_to_the_new_protocol(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    transport.switch(Probe::new("b", &log));
    h.settle();
    h.read_again(end);
    h.settle();
    log.expect(&["a pause", "b made", "b pause", "b resume"]);
}

/// "Takes effect after the callback": what it ends with.
fn the_last_of_several_switches_counts(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let owned = Dropped(log.clone(), "b dropped");
    let unused = Probe::new("b", &log).made(move |_, _| keep(&owned));
    let (used, notes) = (Probe::new("c", &log), log.clone());
    act(
        &mut *h,
        &transport,
        move |_: &mut Probe, t: &Transport<Probe>| {
            t.switch(unused);
            t.switch(used);
            notes.note("returns");
        },
    );
    log.expect(&["b dropped", "returns", "c made"]);
    h.send(end, b"x");
    h.settle();
    log.expect(&["c data x"]);
}
