//! Filters, as far as a filter that changes every byte does not show them: handshakes, endings of
//! their own, failures, and being put in place in the middle of a stream. Which contract a cell
//! belongs to is said where the lists of the contracts name it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use bytes::Bytes;
use torsade_core::{
    ConnectError, Connection, Disconnect, Endpoint, Factory, Filter, Listener, Peer, Sides,
    ToEndpoint, WireEnd, connection_factory,
};
use torsade_deferred::Failure;

use super::End;
use super::harness::{Harness, Seen, Stage};
use super::probe::{Log, Probe};
use super::tools::{accepted, act, bytes, reason, same};
use crate::Xor;

/// A filter that behaves as encryption does, and writes its wire in readable letters.
///
/// It greets with `?` and is ready when it was sent a `!`. Small letters are plain text that
/// travels in capitals; `.` is answered with `,` without troubling the protocol; `$` ends a side,
/// and a wire that ends without is cut off; `-` is an error, of which the peer is told with `+`;
/// `%` panics; `=` says that it comes from [`told`]; `#` and what follows cannot be used, ever; `@` is plain text a second later.
#[derive(Default)]
struct Shake {
    ready: bool,
    ended: bool,
}

impl Filter for Shake {
    fn start(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        sides.wire().push(b'?');
        Ok(())
    }

    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        match wire[0] {
            b'!' => {
                self.ready = true;
                sides.publish(Shaken("once"));
                sides.publish(Shaken("well"));
            }
            b'.' => sides.wire().push(b','),
            b'$' => {
                self.ended = true;
                sides.end_plain();
            }
            b'-' => {
                sides.wire().push(b'+');
                return Err(reason("a minus"));
            }
            b'%' => panic!("a percent"),
            b'#' => return Ok(0),
            b'=' => sides.set_peer(told()),
            b'@' => {
                let at = sides.now() + Duration::from_secs(1);
                sides.wake_at(at);
            }
            byte => sides.plain().push(byte.to_ascii_lowercase()),
        }
        Ok(1)
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            sides.wire().extend(piece.to_ascii_uppercase());
        }
        Ok(())
    }

    fn wire_ended(&mut self, _: &[u8], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        if !self.ended {
            return Err(reason("cut off"));
        }
        sides.end_plain();
        Ok(())
    }

    fn end(&mut self, sides: &mut Sides<'_>) -> Result<WireEnd, Disconnect> {
        sides.wire().push(b'$');
        Ok(WireEnd::Stays)
    }

    fn timer(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        sides.plain().push(b'@');
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.ready
    }
}

/// What a [`Shake`] finds out.
struct Shaken(&'static str);

/// Whose connection a filter says it is.
fn told() -> Peer {
    let [theirs, ours] = [([192, 0, 2, 7], 7000), ([192, 0, 2, 1], 80)].map(SocketAddr::from);
    Peer::new(theirs, ours)
}

/// A factory that notes what it is asked and told.
struct Noting(Log, fn(Probe) -> Probe);

impl Factory for Noting {
    type Protocol = Probe;

    fn build(&mut self, peer: &Peer) -> Option<Probe> {
        match *peer == told() {
            false => self.0.note("build"),
            true => self.0.note(format!("build for {peer}")),
        }
        Some((self.1)(Probe::new("a", &self.0)))
    }

    fn failed(&mut self, _: &Peer, reason: &Disconnect) {
        self.0.note(format!("failed: {reason}"));
    }
}

fn shaking(address: impl ToEndpoint) -> Endpoint {
    match address.to_endpoint() {
        Ok(endpoint) => endpoint.filter(|_| Shake::default()),
        Err(error) => panic!("{error}"),
    }
}

/// A raw end that was accepted by a listener whose connections shake hands first.
fn dialled(h: &mut dyn Harness, log: &Log, probe: fn(Probe) -> Probe) -> (End, Listener) {
    let listener = h
        .net()
        .listen(shaking(h.anywhere()), Noting(log.clone(), probe));
    let Ok(listener) = listener else {
        panic!("a harness could not listen");
    };
    let end = h.dial(&listener);
    h.settle();
    (end, listener)
}

/// An accepted connection that has put a [`Shake`] in place, and has shaken hands.
fn shaken(h: &mut dyn Harness, log: &Log, probe: Probe) -> (End, torsade_core::Transport<Probe>) {
    let (end, transport) = accepted(h, log, probe);
    transport.push_filter(Shake::default());
    h.send(end, b"!");
    h.settle();
    log.expect(&[]);
    assert_eq!(h.received(end), b"?");
    (end, transport)
}

/// What arrived after the greeting.
fn after_greeting(h: &mut dyn Harness, end: End) -> Vec<u8> {
    h.received(end).split_off(1)
}

/// A protocol is built, and told of its connection, when its filters are ready; what came with the
/// last of the handshake is its first data.
pub(super) fn a_protocol_is_built_when_its_filters_are_ready(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _listener) = dialled(&mut *h, &log, |probe| probe.made(|_, t| t.write("made")));
    log.expect(&[]);
    assert_eq!((h.received(end), h.net().connections()), (b"?".to_vec(), 1));
    h.send(end, b"!HE");
    h.settle();
    log.expect(&["build", "a made", "a data he"]);
    assert_eq!(h.received(end), b"?MADE");
}

/// What its filters found out is known to who builds a protocol, to the protocol, and after the end.
pub(super) fn what_filters_found_out_is_known(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let how = |connection: &Connection| connection.fact::<Shaken>().map(|fact| fact.0);
    let place = Rc::new(RefCell::new(None));
    let (notes, kept) = (log.clone(), Rc::clone(&place));
    let factory = connection_factory(move |connection: &Connection| {
        notes.note(format!("build {:?}", how(connection)));
        kept.replace(Some(connection.clone()));
        Probe::new("a", &notes).made(move |me, t| me.note(&format!("{:?}", how(t))))
    });
    let Ok(listener) = h.net().listen(shaking(h.anywhere()), factory) else {
        panic!("a harness could not listen");
    };
    let end = h.dial(&listener);
    h.settle();
    h.send(end, b"!$");
    h.settle();
    log.expect(&[
        "build Some(\"well\")",
        "a made",
        "a Some(\"well\")",
        "a eof",
        "a lost: closed by the peer",
    ]);
    assert_eq!(place.borrow().as_ref().and_then(how), Some("well"));
    let (_, plain) = accepted(&mut *h, &log, Probe::new("b", &log));
    assert_eq!(how(&plain), None);
}

/// Who waits for filters to shake hands is told when they have, or that they never will.
pub(super) fn who_waits_for_filters_is_told(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for ends in [false, true] {
        let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
        transport.push_filter(Shake::default());
        let notes = log.clone();
        transport.filters_ready().finish(move |result| {
            notes.note(format!("ready {}", result.is_ok()));
        });
        h.settle();
        log.expect(&[]);
        if ends {
            h.reset(end);
            h.settle();
            log.expect(&["a lost: reset by the peer", "ready false"]);
        } else {
            h.send(end, b"!");
            h.settle();
            log.expect(&["ready true"]);
        }
    }
}

/// A filter may say whose connection this is, before there is a protocol.
pub(super) fn a_filter_may_say_whose_connection_it_is(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _listener) = dialled(&mut *h, &log, |probe| {
        probe
            .made(|_, t| t.write(t.peer().to_string()))
            .data(|_, t, _| t.write(t.peer().local().to_string()))
    });
    h.send(end, b"=!a");
    h.settle();
    log.expect(&["build for 192.0.2.7:7000", "a made", "a data a"]);
    assert_eq!(h.received(end), b"?192.0.2.7:7000192.0.2.1:80");

    // Too late: the factory was asked for somebody else's.
    let (end, _listener) = dialled(&mut *h, &log, |probe| {
        probe.data(|_, t, _| t.write((*t.peer() == told()).to_string()))
    });
    h.send(end, b"!");
    h.settle();
    h.send(end, b"=a");
    h.settle();
    log.expect(&["build", "a made", "a data a"]);
    assert_eq!(h.received(end), b"?FALSE");
}

/// "One that a listener fails to make builds no protocol and tells the factory": the peer is told
/// by what the filter sent.
pub(super) fn a_handshake_that_fails_is_told_to_the_factory(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _listener) = dialled(&mut *h, &log, |probe| probe);
    h.send(end, b"-");
    h.settle();
    log.expect(&["failed: the application failed: a minus"]);
    assert_eq!(
        (h.received(end), h.seen(end)),
        (b"?+".to_vec(), Seen::Ended)
    );
    let (end, _listener) = dialled(&mut *h, &log, |probe| probe);
    h.finish(end);
    h.settle();
    log.expect(&["failed: the application failed: cut off"]);
    assert_eq!(h.net().connections(), 0);
}

/// "Handshake deadlines exist on every transport."
pub(super) fn a_handshake_has_a_deadline(stage: Stage) {
    let mut h = stage.with(|limits| limits.handshake_timeout = Duration::from_secs(3));
    let log = Log::default();
    let (end, _listener) = dialled(&mut *h, &log, |probe| probe);
    let (other, transport) = accepted(&mut *h, &log, Probe::new("b", &log));
    let (quick, _) = shaken(&mut *h, &log, Probe::new("c", &log));
    transport.push_filter(Shake::default());
    h.advance(Duration::from_millis(2900));
    log.expect(&[]);
    h.advance(Duration::from_millis(200));
    log.expect(&[
        "failed: timed out: no handshake",
        "b lost: timed out: no handshake",
    ]);
    assert_eq!(
        (h.seen(end), h.seen(other), h.seen(quick)),
        (h.aborted(), h.aborted(), Seen::Open)
    );
}

/// "For `connect` the Deferred is rejected and the protocol dropped unmade."
pub(super) fn a_connect_whose_handshake_fails_is_rejected(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (address, end) = h.door();
    let outcome = Rc::new(RefCell::new(None));
    let place = Rc::clone(&outcome);
    let connecting = h.net().connect(shaking(address), Probe::new("a", &log));
    connecting.finish(move |result| {
        place.replace(Some(result.map(drop)));
    });
    h.settle();
    assert!(outcome.borrow().is_none(), "it is not ready");
    h.send(end, b"-");
    h.settle();
    log.expect(&[]);
    let outcome = outcome.take();
    let Some(Err(Failure::Error(ConnectError::Handshake { reason: why, .. }))) = outcome else {
        panic!("not rejected, but {outcome:?}");
    };
    assert_eq!(why, reason("a minus"));
}

/// The same where it succeeds, and where it is cancelled meanwhile.
pub(super) fn a_connect_resolves_when_its_filters_are_ready(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for cancelled in [false, true] {
        let (address, end) = h.door();
        let notes = log.clone();
        let connecting = h.net().connect(shaking(address), Probe::new("a", &log));
        let canceller = connecting.canceller();
        connecting.finish(move |result| match result {
            Ok(_) => notes.note("connected"),
            Err(failure) => notes.note(format!("{}", failure.is_cancelled())),
        });
        h.settle();
        log.expect(&[]);
        if cancelled {
            canceller.cancel();
            h.settle();
            log.expect(&["true"]);
            assert_eq!((h.seen(end), h.net().connections()), (h.aborted(), 1));
        } else {
            h.send(end, b"!");
            h.settle();
            log.expect(&["a made", "connected"]);
        }
    }
}

/// "Bytes written before it leave under the old chain, unread input goes into the filter and never
/// to the protocol."
pub(super) fn push_filter_splits_the_stream(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|me, t, data| {
        if data[0] == b'g' {
            // A part of the delivery itself, which need not have been copied.
            t.write(&data[1..3]);
            t.push_filter(Xor::new(9));
            t.write(&data[1..3]);
            t.unread(data.len() - 3);
            me.note(if t.wants_input() { "wants" } else { "holds" });
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    let sent = Xor::scrambled(9, 0, b"more!xY");
    let received = Xor::scrambled(9, 0, b"ooab?CD");
    h.send(end, &[b"goo", &sent[..4]].concat());
    h.settle();
    assert_eq!(log.take()[1..], ["a holds", "a data more"]);
    assert_eq!(h.received(end), [b"oo", &received[..2]].concat());
    transport.write("ab");
    transport.push_filter(Shake::default());
    transport.write("cd");
    h.settle();
    assert_eq!(h.received(end), [b"oo", &received[..5]].concat());
    h.send(end, &sent[4..]);
    h.settle();
    log.expect(&["a data xy"]);
    assert_eq!(h.received(end), [b"oo", &received[..]].concat());
}

/// The same where the kernel has no room for what comes before the filter.
pub(super) fn a_filter_waits_behind_output_that_waits(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log).without_data());
    h.stop_reading(end);
    let flood = bytes(h.flood());
    transport.write(&flood);
    transport.push_filter(Xor::new(9));
    transport.write(bytes(100_000));
    h.settle();
    transport.push_filter(Xor::new(11));
    transport.write("end");
    h.settle();
    h.read_some(end);
    h.read_again(end);
    h.settle();
    let once = Xor::scrambled(9, 0, &bytes(100_000));
    let twice = Xor::scrambled(9, 100_000, &Xor::scrambled(11, 0, b"end"));
    same(&h.received(end), &[&flood[..], &once, &twice].concat());
    assert_eq!(transport.buffered(), 0);
}

/// "The throttle holds back plaintext only, never what a filter needs."
pub(super) fn filters_see_what_is_theirs_while_input_is_held(stage: Stage) {
    let mut h = stage.with(|limits| limits.filter_ahead = 100);
    let log = Log::default();
    let (end, transport) = shaken(&mut *h, &log, Probe::new("a", &log));
    transport.pause_reading();
    h.settle();
    h.send(end, b"AB.");
    h.settle();
    log.expect(&[]);
    assert_eq!(after_greeting(&mut *h, end), b",");
    transport.resume_reading();
    h.settle();
    log.expect(&["a data ab"]);
}

/// "Whoever saw false gets a resume": also while a filter is not ready for output.
pub(super) fn output_waits_for_a_filter_that_wants_none(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.push_filter(Shake::default());
    transport.write(vec![b'a'; 100_000]);
    assert!(!transport.wants_output());
    h.settle();
    log.expect(&["a pause"]);
    assert_eq!(h.received(end), b"?");
    h.send(end, b"!");
    h.settle();
    log.expect(&["a resume"]);
    assert_eq!(after_greeting(&mut *h, end), vec![b'A'; 100_000]);
}

/// Takes output in small pieces, and after each piece of input a rest.
struct Sips {
    pieces: Sender<usize>,
    rests: bool,
}

impl Filter for Sips {
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        sides.plain().extend_from_slice(wire);
        self.rests = true;
        sides.wake_at(sides.now() + Duration::from_secs(1));
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let piece = plain.concat();
        self.pieces.send(piece.len()).unwrap_or_default();
        sides.wire().extend(piece);
        Ok(())
    }

    fn timer(&mut self, _: &mut Sides<'_>) -> Result<(), Disconnect> {
        self.rests = false;
        Ok(())
    }

    fn most_plain(&self) -> usize {
        2
    }

    fn wants_wire(&self) -> bool {
        !self.rests
    }
}

/// Pauses are kept by holder, a filter too; and it says how much output it is given at once, by
/// the protocol or by a filter further in.
pub(super) fn a_filter_is_given_what_it_asks_for(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let taken = [(); 2].map(|()| {
        let (pieces, taken) = mpsc::channel();
        let rests = false;
        transport.push_filter(Sips { pieces, rests });
        taken
    });
    transport.write("abc");
    transport.write("de");
    h.settle();
    assert_eq!(h.received(end), b"abcde");
    for taken in taken {
        assert_eq!(taken.try_iter().collect::<Vec<_>>(), [2, 2, 1]);
    }
    h.send(end, b"x");
    h.settle();
    h.send(end, b"y");
    h.settle();
    log.expect(&["a data x"]);
    h.advance(Duration::from_secs(1));
    log.expect(&["a data y"]);
}

/// "`close_write` sends close_notify and no FIN", where a filter says so; what follows is read.
pub(super) fn a_filter_may_end_a_side_without_ending_the_wires(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = shaken(&mut *h, &log, Probe::new("a", &log));
    transport.write("bye");
    transport.close_write();
    h.settle();
    assert_eq!(
        (after_greeting(&mut *h, end), h.seen(end)),
        (b"BYE$".to_vec(), Seen::Open)
    );
    h.send(end, b"X");
    h.settle();
    h.send(end, b"$");
    h.settle();
    log.expect(&["a data x", "a eof", "a lost: closed by the peer"]);
}

/// "An end without close_notify is `TruncatedTls`, never `eof_received`": an end that a filter does
/// not believe.
pub(super) fn an_end_that_a_filter_does_not_believe_is_none(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _) = shaken(&mut *h, &log, Probe::new("a", &log));
    h.send(end, b"X");
    h.finish(end);
    h.settle();
    log.expect(&["a data x", "a lost: the application failed: cut off"]);
}

/// What was decoded before an error is delivered, what was encoded is sent.
pub(super) fn an_error_of_a_filter_comes_after_the_data(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = shaken(&mut *h, &log, Probe::new("a", &log));
    transport.pause_reading();
    h.send(end, b"XY-");
    h.settle();
    transport.resume_reading();
    h.settle();
    log.expect(&["a data xy", "a lost: the application failed: a minus"]);
    assert_eq!(
        (after_greeting(&mut *h, end), h.seen(end)),
        (b"+".to_vec(), Seen::Ended)
    );
}

/// "A panic in a callback is caught [..]; that connection is aborted": filters are user code.
pub(super) fn in_a_filter(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _) = shaken(&mut *h, &log, Probe::new("a", &log));
    let (other, _) = accepted(&mut *h, &log, Probe::new("b", &log));
    h.expect_panic("a percent");
    h.send(end, b"X%Y");
    h.send(other, b"z");
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(
        lines,
        ["a lost: a callback panicked: a percent", "b data z"]
    );
    assert_eq!(h.seen(end), h.aborted());
}

/// "Timers never fire early": a filter is woken at its time.
pub(super) fn a_filter_is_woken_at_its_time(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, _) = shaken(&mut *h, &log, Probe::new("a", &log));
    h.send(end, b"@");
    h.settle();
    h.advance(Duration::from_millis(999));
    log.expect(&[]);
    h.advance(Duration::from_millis(1));
    log.expect(&["a data @"]);
    h.advance(Duration::from_secs(10));
    log.expect(&[]);
}

/// "What was written is flushed, the end is sent": what a filter adds at the end, too, before ours.
pub(super) fn what_a_filter_adds_at_the_end_is_sent(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.push_filter(Shake::default());
    transport.write("bye");
    transport.close();
    h.settle();
    log.expect(&[]);
    h.send(end, b"!");
    h.settle();
    log.expect(&["a lost: closed here"]);
    assert_eq!(
        (h.received(end), h.seen(end)),
        (b"?BYE$".to_vec(), Seen::Ended)
    );
}

/// "Bytes from a peer [..]": what no filter can use is bounded.
pub(super) fn input_that_no_filter_can_use_is_bounded(stage: Stage) {
    let mut h = stage.with(|limits| limits.filter_input = 1000);
    let log = Log::default();
    let (end, _) = shaken(&mut *h, &log, Probe::new("a", &log));
    h.send(end, &[b'#'; 999]);
    h.settle();
    log.expect(&[]);
    h.send(end, b"##");
    h.settle();
    log.expect(&["a lost: limit passed: the peer sent too long a message"]);
}

/// "Bytes leave in the order of the calls that wrote them, whoever made them": and through the
/// filter, whoever made them.
pub(super) fn what_others_write_passes_through_filters(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = shaken(&mut *h, &log, Probe::new("a", &log));
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    act(&mut *h, &other, move |_, _| {
        transport.write("one ");
        transport.write_parts(&["two", " "]);
        transport.write_bytes(Bytes::from(vec![b't'; 5000]));
        transport.write(" end");
    });
    let big = vec![b'T'; 5000];
    assert_eq!(
        after_greeting(&mut *h, end),
        [b"ONE TWO ", &big[..], b" END"].concat()
    );
}
