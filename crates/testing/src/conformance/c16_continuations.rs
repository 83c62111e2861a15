//! C16: continuations on a connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Layered, Protocol, Transport};
use torsade_deferred::{Deferred, Failure};

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{Dropped, Held, accepted, act, deferred, in_both_roles, keep, open, resolve};
use super::{Cell, Harness, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![16:
    then_runs_when_the_result_is_there,
    then_is_told_failures_too,
    each_layer_is_called_back_itself,
    hold_keeps_replies_in_the_order_of_questions,
    then_does_not_hold_input,
    a_half_closing_client_gets_its_answer,
    every_hold_counts,
    what_is_waited_for_at_the_loss_is_cancelled,
    closures_are_dropped_unrun_at_the_loss,
    nothing_runs_that_began_after_the_loss,
    a_result_after_the_loss_runs_nothing,
    connection_lost_can_wait_for_nothing,
    a_closed_connection_can_wait_for_itself,
];

/// "`then(deferred, f)` runs f with `&mut self` when the result is there", however it came.
fn then_runs_when_the_result_is_there(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (held, result) = deferred::<u8>();
        let (_, transport) = open(h, role, Probe::new("a", &log));
        transport.then(result.map(|n| n + 1), |me, t, result| {
            me.note(&format!("{result:?}"));
            t.write("done");
        });
        transport.then(Deferred::<_, ()>::succeed(7), |me, _, result| {
            me.note(&format!("{result:?}"));
        });
        h.settle();
        log.expect(&["a made", "a Ok(7)"]);
        resolve(&held, 1);
        h.settle();
        log.expect(&["a Ok(2)"]);
        assert_eq!(transport.bytes_sent(), 4);
    });
}

/// The same for errors, and for work that was given up.
fn then_is_told_failures_too(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (rejecter, error) = Deferred::<(), &str>::new();
    let (dropped, abandoned) = Deferred::<(), ()>::new();
    let (kept, cancelled) = Deferred::<(), ()>::new();
    let canceller = cancelled.canceller();
    transport.then(error, |me, _, result| me.note(&format!("{result:?}")));
    transport.then(abandoned, |me, _, result| me.note(&format!("{result:?}")));
    transport.then(cancelled, |me, _, result| me.note(&format!("{result:?}")));
    rejecter.reject("no");
    drop(dropped);
    canceller.cancel();
    h.settle();
    log.expect(&[
        "a Err(Error(\"no\"))",
        "a Err(Abandoned)",
        "a Err(Cancelled)",
    ]);
    drop(kept);
}

/// Layers of one and the same type, each inside the other.
struct Same {
    depth: usize,
    inner: Option<Box<Self>>,
    log: Log,
}

impl Layered for Same {
    type Inner = Self;

    fn inner_mut(&mut self) -> &mut Self {
        match &mut self.inner {
            Some(inner) => inner,
            None => panic!("nobody asks the innermost"),
        }
    }
}

impl Same {
    fn begin(&mut self, transport: &Transport<Self>) {
        let depth = self.depth;
        let what = |text: &'static str| {
            move |me: &mut Self, _: &Transport<Self>| {
                me.log
                    .note(format!("{text} of {depth} runs at {}", me.depth));
            }
        };
        transport.call(what("call"));
        transport.call_later(Duration::from_millis(1), what("timer"));
        let then = what("then");
        transport.then(Deferred::<(), ()>::succeed(()), move |me, t, _| then(me, t));
        if let Some(inner) = &mut self.inner {
            inner.begin(&transport.inner());
        }
    }
}

impl Protocol for Same {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.begin(transport);
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// "With `&mut self`": of the layer that asked, however many there are, and of one type.
fn each_layer_is_called_back_itself(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let mut layers = None;
    for depth in (0..5).rev() {
        layers = Some(Box::new(Same {
            depth,
            inner: layers,
            log: log.clone(),
        }));
    }
    if let Some(outermost) = layers {
        transport.switch(*outermost);
    }
    h.settle();
    h.advance(Duration::from_millis(1));
    let mut lines = log.take();
    lines.sort();
    let mut wanted = Vec::new();
    for what in ["call", "then", "timer"] {
        wanted.extend((0..5).map(|depth| format!("{what} of {depth} runs at {depth}")));
    }
    assert_eq!(lines, wanted);
}

type Asked = Rc<RefCell<Vec<Held<&'static str>>>>;

/// A server that needs to ask somebody for each byte it is sent.
fn asker(name: &'static str, log: &Log, asked: &Asked) -> Probe {
    let asked = Rc::clone(asked);
    Probe::new(name, log).data(move |_, t: &Transport<Probe>, data| {
        let (held, result) = deferred();
        asked.borrow_mut().push(held);
        t.unread(data.len() - 1);
        t.hold(result, |_, t, answer| t.write(answer.unwrap_or("failed")));
    })
}

fn answer(h: &mut dyn Harness, asked: &Asked, text: &'static str) {
    let oldest = asked.borrow_mut().remove(0);
    resolve(&oldest, text);
    h.settle();
}

/// "`hold(deferred, f)` also holds back input (data and EOF) until then, so that replies keep
/// their order."
fn hold_keeps_replies_in_the_order_of_questions(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let (log, asked) = (Log::default(), Asked::default());
        let (end, transport) = open(h, role, asker("a", &log, &asked));
        h.send(end, b"12");
        h.settle();
        h.send(end, b"3");
        h.settle();
        assert_eq!(asked.borrow().len(), 1);
        assert!(!transport.wants_input());
        for text in ["one ", "two ", "three"] {
            answer(h, &asked, text);
        }
        assert_eq!(h.received(end), b"one two three");
        assert!(transport.wants_input());
    });
}

/// "`then` [..]": input goes on meanwhile.
fn then_does_not_hold_input(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (held, result) = deferred::<()>();
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.then(result, |me, _, _| me.note("then"));
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x"]);
    resolve(&held, ());
    h.settle();
    log.expect(&["a then"]);
}

/// "A client that half-closes after its question gets its answer."
fn a_half_closing_client_gets_its_answer(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let (log, asked) = (Log::default(), Asked::default());
        let (end, _) = open(h, role, asker("a", &log, &asked));
        h.send(end, b"1");
        h.finish(end);
        h.settle();
        log.expect(&["a made", "a data 1"]);
        answer(h, &asked, "the answer");
        assert_eq!(h.received(end), b"the answer");
        assert_eq!(h.seen(end), Seen::Ended);
        log.expect(&["a eof", "a lost: closed by the peer"]);
    });
}

/// "Until then", for each that holds.
fn every_hold_counts(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (one, first) = deferred::<()>();
    let (two, second) = deferred::<()>();
    transport.hold(first, |me, _, _| me.note("one"));
    transport.hold(second, |me, _, _| me.note("two"));
    h.settle();
    h.send(end, b"x");
    h.settle();
    resolve(&two, ());
    h.settle();
    log.expect(&["a two"]);
    resolve(&one, ());
    h.settle();
    log.expect(&["a one", "a data x"]);
}

/// Something that is waited for and says when it is cancelled.
fn cancellable(log: &Log, line: &'static str) -> (Held<()>, Deferred<(), ()>) {
    let (held, result) = deferred();
    let notes = log.clone();
    if let Some(resolver) = held.borrow().as_ref() {
        resolver.on_cancel(move || notes.note(line));
    }
    (held, result)
}

/// "At `connection_lost`, what they wait for is cancelled", through what was made of it.
fn what_is_waited_for_at_the_loss_is_cancelled(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (_, transport) = open(h, role, Probe::new("a", &log));
        let (one, first) = cancellable(&log, "first cancelled");
        let (two, second) = cancellable(&log, "second cancelled");
        let (three, third) = cancellable(&log, "third cancelled");
        let chain = second.and_then(move |()| third);
        transport.then(first, |me, _, _| me.note("runs"));
        transport.hold(chain, |me, _, _| me.note("runs"));
        resolve(&two, ());
        act(h, &transport, |_, t| t.close());
        let mut lines = log.take();
        lines.sort();
        let wanted = [
            "a lost: closed here",
            "a made",
            "first cancelled",
            "third cancelled",
        ];
        assert_eq!(lines, wanted);
        keep(&(one, three));
    });
}

/// "The closures are dropped unrun, connection timers end", before the loss is told.
fn closures_are_dropped_unrun_at_the_loss(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let dropped = |line| Dropped(log.clone(), line);
    let (one, two, three) = (dropped("1 then"), dropped("2 hold"), dropped("3 timer"));
    let (never, result) = deferred::<()>();
    transport.then(result, move |_, _, _| keep(&one));
    let (never_either, result) = deferred::<()>();
    transport.hold(result, move |_, _, _| keep(&two));
    transport.call_later(Duration::from_secs(1), move |_, _| keep(&three));
    transport.abort();
    h.settle();
    let mut lines = log.take();
    assert_eq!(lines.pop().as_deref(), Some("a lost: aborted here"));
    lines.sort();
    assert_eq!(lines, ["1 then", "2 hold", "3 timer"]);
    h.advance(Duration::from_secs(2));
    log.expect(&[]);
    keep(&(never, never_either));
}

/// The same for what is begun when it is too late: dropped and cancelled at once.
fn nothing_runs_that_began_after_the_loss(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    act(&mut *h, &transport, |_, t| t.close());
    log.expect(&["a lost: closed here"]);
    let (never, result) = cancellable(&log, "cancelled");
    let dropped = |line| Dropped(log.clone(), line);
    let (one, two, three) = (dropped("then"), dropped("call"), dropped("timer"));
    transport.then(result, move |_, _, _| keep(&one));
    transport.call(move |_, _| keep(&two));
    let timer = transport.call_later(Duration::ZERO, move |_, _| keep(&three));
    assert!(!timer.is_active());
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["call", "cancelled", "then", "timer"]);
    h.advance(Duration::from_secs(1));
    log.expect(&[]);
    keep(&never);
}

/// The same for a result that comes although it was cancelled.
fn a_result_after_the_loss_runs_nothing(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (late, result) = deferred::<()>();
    transport.hold(result, |me, _, _| me.note("runs"));
    transport.abort();
    h.settle();
    resolve(&late, ());
    h.settle();
    log.expect(&["a lost: aborted here"]);
}

/// The same inside `connection_lost`: "clean-up that must happen belongs in [..] a free
/// `finish`."
fn connection_lost_can_wait_for_nothing(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (held, result) = cancellable(&log, "cancelled");
    let (free_held, free) = deferred::<()>();
    let once = RefCell::new(Some((result, free)));
    let a = Probe::new("a", &log).lost(move |me, t, _| {
        let Some((result, free)) = once.take() else {
            return;
        };
        t.then(result, |me, _, _| me.note("then runs"));
        t.call(|me, _| me.note("call runs"));
        t.call_later(Duration::ZERO, |me, _| me.note("timer runs"));
        t.switch(Probe::new("b", &Log::default()));
        let notes = me.clone_log();
        free.finish(move |_| notes.note("free runs"));
    });
    let (_, transport) = accepted(&mut *h, &log, a);
    transport.abort();
    h.settle();
    h.advance(Duration::from_secs(1));
    resolve(&free_held, ());
    log.expect(&["a lost: aborted here", "cancelled", "free runs"]);
    keep(&held);
}

/// The same for one's own `closed()`: it is cancelled like everything, and others are told.
fn a_closed_connection_can_wait_for_itself(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.then(transport.closed(), |me, _, _| me.note("runs"));
    other.then(transport.closed(), |me, _, reason| {
        let told = match reason {
            Ok(reason) => reason.to_string(),
            Err(Failure::Cancelled) => "cancelled".into(),
            Err(_) => "failed".into(),
        };
        me.note(&format!("hears: {told}"));
    });
    transport.abort();
    h.settle();
    log.expect(&["a lost: aborted here", "b hears: aborted here"]);
}
