//! C15 and C16 where protocols lie inside each other: wrappers, and switches of what is inside.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{AnyProtocol, Disconnect, Layered, Pass, Protocol, Transport, Wrapper};

use super::harness::{Harness, Stage};
use super::probe::{Log, Probe};
use super::tools::{accepted, deferred, keep, resolve};
use super::{End, Role};

/// A wrapper that notes its hooks, and leaves its transport where the cell finds it.
struct Shell<P> {
    name: &'static str,
    log: Log,
    seat: Rc<RefCell<Option<Transport<Self>>>>,
    data: fn(&Transport<Self>, &[u8]) -> Pass,
    inner: P,
}

impl<P: Protocol> Shell<P> {
    fn new(name: &'static str, log: &Log, inner: P) -> Self {
        Self {
            name,
            log: log.clone(),
            seat: Rc::default(),
            data: |_, _| Pass::On,
            inner,
        }
    }

    fn note(&self, what: &str) {
        self.log.note(format!("{} {what}", self.name));
    }
}

impl<P: Protocol> Layered for Shell<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.inner
    }
}

impl<P: Protocol> Wrapper for Shell<P> {
    fn made(&mut self, transport: &Transport<Self>) {
        self.seat.replace(Some(transport.clone()));
        self.note("made");
    }

    fn data(&mut self, transport: &Transport<Self>, data: &[u8]) -> Pass {
        self.note(&format!("data {}", String::from_utf8_lossy(data)));
        (self.data)(transport, data)
    }

    fn eof(&mut self, _: &Transport<Self>) -> Pass {
        self.note("eof");
        Pass::On
    }

    fn paused(&mut self, _: &Transport<Self>) {
        self.note("pause");
    }

    fn resumed(&mut self, _: &Transport<Self>) {
        self.note("resume");
    }

    fn stop(&mut self, _: &Transport<Self>) {
        self.note("stopping");
    }

    fn lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.note(&format!("lost: {reason}"));
    }
}

/// A connection that speaks this protocol; what came before is forgotten.
fn speaking(h: &mut dyn Harness, log: &Log, protocol: impl Protocol) -> End {
    let (end, transport) = accepted(h, log, Probe::new("first", log));
    transport.switch(protocol);
    h.settle();
    end
}

/// A probe in a box in a shell, and the transports of shell and probe.
fn open_shell(
    h: &mut dyn Harness,
    log: &Log,
    inner: Probe,
) -> (End, Transport<Shell<AnyProtocol>>, Transport<Probe>) {
    let seat = inner.seat();
    let shell = Shell::new("s", log, AnyProtocol::new(inner));
    let around = Rc::clone(&shell.seat);
    let end = speaking(h, log, shell);
    log.take();
    match (around.take(), seat.take()) {
        (Some(around), Some(inside)) => (end, around, inside),
        _ => panic!("a shell or what is in it was not told that it was made"),
    }
}

/// Each hook runs before the callback inside, and each callback has one.
pub(super) fn wrappers_are_told_before_what_is_inside(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let inner = Probe::new("a", &log).data(|_, t, _| {
        t.write([0; 100_000]);
    });
    let inner = Shell::new("in", &log, inner.eof(|_, _| ()));
    let end = speaking(&mut *h, &log, Shell::new("out", &log, inner));
    log.expect(&["out made", "in made", "a made"]);
    h.send(end, b"x");
    h.settle();
    h.finish(end);
    h.settle();
    h.net().stop();
    h.settle();
    let whole = [
        "data x",
        "pause",
        "resume",
        "eof",
        "stopping",
        "lost: closed by the peer",
    ];
    let told = whole
        .iter()
        .flat_map(|what| ["out", "in", "a"].map(|who| format!("{who} {what}")));
    assert_eq!(log.take(), told.collect::<Vec<_>>());
}

/// What a wrapper keeps to itself the protocol inside is not told; what it hands on, with what it
/// left unread, is the inner one's.
pub(super) fn a_wrapper_may_keep_data(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let mut shell = Shell::new("s", &log, Probe::new("a", &log));
    shell.data = |transport, data| {
        transport.unread(data.len() - 1);
        if data[0] == b'-' {
            Pass::Keep
        } else {
            Pass::On
        }
    };
    let end = speaking(&mut *h, &log, shell);
    log.take();
    h.send(end, b"-");
    h.settle();
    h.send(end, b"-+x");
    h.settle();
    h.send(end, b"y");
    h.settle();
    log.expect(&["s data -", "s data -+x", "s data +xy", "a data +xy"]);
    h.send(end, b"-");
    h.settle();
    log.expect(&["s data -"]);
}

/// "No more input is delivered, not even the rest of this chunk" (C4): also where a wrapper closed.
pub(super) fn a_wrapper_that_closes_hands_nothing_on(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let mut shell = Shell::new("s", &log, Probe::new("a", &log));
    shell.data = |transport, _| {
        transport.close();
        Pass::On
    };
    let end = speaking(&mut *h, &log, shell);
    log.take();
    h.send(end, b"x");
    h.settle();
    log.expect(&["s data x", "s lost: closed here", "a lost: closed here"]);
}

/// "`switch(new)`": inside a layer that is open for it, what lies around stays, with its timers,
/// its pauses and its part of the input.
pub(super) fn a_switch_inside_leaves_what_is_around(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let mut next = Some(Probe::new("b", &log));
    let inner = Probe::new("a", &log).data(move |me, t, data| {
        if let Some(next) = next.take() {
            t.unread(data.len() - 1);
            t.switch(next);
            me.note("returns");
        }
    });
    let (end, around, _) = open_shell(&mut *h, &log, inner);
    around.call_later(Duration::from_secs(1), |me, _| me.note("timer"));
    let (held, later) = deferred::<()>();
    around.then(later, |me, _, _| me.note("result"));
    around.call_later(Duration::from_secs(2), |me, t| {
        me.note("goes");
        t.close();
    });
    h.send(end, b"xyz");
    h.settle();
    log.expect(&[
        "s data xyz",
        "a data xyz",
        "a returns",
        "b made",
        "s data yz",
        "b data yz",
    ]);
    resolve(&held, ());
    h.advance(Duration::from_secs(2));
    log.expect(&[
        "s result",
        "s timer",
        "s goes",
        "s lost: closed here",
        "b lost: closed here",
    ]);
}

/// Continuations of what was switched away inside are dropped, and what they wait for is cancelled
/// (C16); its handles do nothing any more, those of the layers around do.
pub(super) fn handles_of_what_was_switched_away_inside_do_nothing(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, around, inside) = open_shell(&mut *h, &log, Probe::new("a", &log));
    inside.pause_reading();
    let (held, later) = deferred::<()>();
    let notes = log.clone();
    if let Some(resolver) = held.borrow().as_ref() {
        resolver.on_cancel(move || notes.note("cancelled"));
    }
    inside.hold(later, |me, _, _| me.note("result runs"));
    inside.call_later(Duration::from_secs(1), |me, _| me.note("timer runs"));
    inside.switch(Probe::new("b", &log));
    inside.call(|me, _| me.note("call runs"));
    h.settle();
    log.expect(&["b made", "cancelled"]);
    inside.pause_reading();
    inside.call(|me, _| me.note("late call runs"));
    inside.switch(Probe::new("c", &log));
    around.call(|me, _| me.note("call"));
    h.send(end, b"x");
    h.advance(Duration::from_secs(1));
    log.expect(&["s call", "s data x", "b data x"]);
    around.pause_reading();
    h.send(end, b"y");
    h.settle();
    log.expect(&[]);
    keep(&held);
}

/// "Strictly alternate" (C7): the new one inside learns that output is paused, those around learn
/// nothing twice.
pub(super) fn a_paused_output_is_told_to_what_is_new_inside(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, around, inside) = open_shell(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    let flood = h.flood();
    around.write(vec![0; flood]);
    h.settle();
    log.expect(&["s pause", "a pause"]);
    inside.switch(Probe::new("b", &log));
    h.settle();
    log.expect(&["b made", "b pause"]);
    h.read_again(end);
    h.settle();
    log.expect(&["s resume", "b resume"]);
}

/// A layer that is around a box replaces everything, and handles of all layers with it.
pub(super) fn a_switch_by_the_outermost_replaces_everything(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, around, inside) = open_shell(&mut *h, &log, Probe::new("a", &log));
    inside.switch(Probe::new("b", &log));
    h.settle();
    around.switch(AnyProtocol::new(Probe::new("c", &log)));
    around.call(|me, _| me.note("call runs"));
    h.settle();
    around.pause_reading();
    h.send(end, b"x");
    h.settle();
    log.expect(&["b made", "c made", "c data x"]);
}

/// The probe that a harness made is in a box, too, if the program says so: in both roles.
pub(super) fn a_box_behaves_as_what_is_in_it(stage: Stage) {
    for role in Role::ALL {
        let (mut h, log) = (stage.harness(), Log::default());
        let (end, transport) = super::tools::open(&mut *h, role, Probe::new("a", &log));
        let boxed = Probe::new("b", &log).data(|_, t, data| t.write(data));
        transport.switch(AnyProtocol::new(AnyProtocol::new(boxed)));
        h.settle();
        h.send(end, b"x");
        h.finish(end);
        h.settle();
        let told = [
            "a made",
            "b made",
            "b data x",
            "b eof",
            "b lost: closed by the peer",
        ];
        log.expect(&told);
        assert_eq!(h.received(end), b"x");
    }
}
