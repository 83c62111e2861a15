//! C18: datagrams, and what the other contracts say of them.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{DatagramOptions, Interface, Net};
use torsade_deferred::{Deferred, Resolver};

use super::datagram_probe::{Port, Talker, anywhere, bind, bind_with};
use super::harness::{Far, Harness, Stage};
use super::probe::Log;
use super::tools::Dropped;
use super::{Cell as Check, cells};

pub(super) const CELLS: &[Check] = cells![18:
    a_datagram_is_one_delivery_with_its_sender,
    a_connected_port_hears_and_writes_to_its_peer,
    a_full_queue_drops_the_newest_and_counts_it,
    a_refusal_is_told_and_the_port_lives,
    a_refusal_costs_no_datagram_that_is_sent_later,
    a_datagram_that_is_too_long_is_an_error_of_its_own,
    a_datagram_that_is_cut_is_told_as_such,
    what_is_sent_and_not_connected_anywhere_is_told,
    many_datagrams_come_in_order_and_whole,
    broadcasts_are_refused_until_they_are_allowed,
    a_group_is_heard_from_joining_to_leaving,
    ports_that_share_an_address_both_hear_a_group,
    an_address_is_had_by_one,
    nobody_is_called_back_while_running,
    started_comes_first_and_stopped_last,
    what_was_sent_before_the_close_leaves,
    nothing_is_delivered_or_sent_after_a_close,
    stopped_comes_when_the_address_is_free,
    a_panic_costs_a_datagram_and_not_the_port,
    continuations_come_before_the_next_datagram,
    a_budget_puts_off_datagrams_and_drops_none,
    a_loud_sender_starves_nobody,
    results_and_timers_come_with_the_protocol,
    a_closed_port_cancels_what_it_waits_for,
    a_stop_tells_every_port_and_waits_for_it,
    a_port_that_does_not_stop_is_closed,
    the_end_of_the_engine_stops_every_port,
];

/// A port, `started` noted and forgotten, and a raw socket.
fn port_and_far(h: &mut dyn Harness, log: &Log, talker: Talker) -> (Port, Far, SocketAddr) {
    let (far, address) = h.far_port();
    let port = bind(h, anywhere(), talker);
    h.settle();
    log.take();
    (port, far, address)
}

/// Answers what comes with the same.
fn echo(name: &'static str, log: &Log) -> Talker {
    Talker::new(name, log).data(|_, port, data, from| port.send_to(data, from))
}

fn text(caught: &[(SocketAddr, Vec<u8>)]) -> Vec<String> {
    let texts = caught.iter().map(|(_, data)| String::from_utf8_lossy(data));
    texts.map(Into::into).collect()
}

fn a_datagram_is_one_delivery_with_its_sender(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (far, address) = h.far_port();
    let port = bind(&*h, anywhere(), echo("a", &log));
    h.settle();
    for data in [&b"one"[..], b"", b"three"] {
        h.throw(far, port.local(), data);
    }
    h.settle();
    log.expect(&["a started", "a data one", "a data ", "a data three"]);
    let caught = h.caught(far);
    assert_eq!(text(&caught), ["one", "", "three"]);
    assert!(caught.iter().all(|(from, _)| *from == port.local()));
    assert_ne!(address, port.local());
    assert_eq!((port.received(), port.sent(), port.dropped()), (3, 3, 0));
}

fn a_connected_port_hears_and_writes_to_its_peer(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let (stranger, _) = h.far_port();
    let connected = port.connect(address);
    assert!(connected.is_ok() && port.peer() == Some(address));
    port.write("hello");
    h.throw(stranger, port.local(), b"psst");
    h.throw(far, port.local(), b"yes?");
    h.settle();
    log.expect(&["a data yes?"]);
    assert_eq!(text(&h.caught(far)), ["hello"]);
    assert_eq!(text(&h.caught(stranger)), [""; 0]);
}

/// "A full send queue drops the newest and counts it."
fn a_full_queue_drops_the_newest_and_counts_it(stage: Stage) {
    let log = Log::default();
    // Each counts 64 bytes more than it has: three of a hundred fill it.
    let mut h = stage.with(|limits| limits.datagram_queue = 3 * 164);
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    port.call(move |_, port| {
        for number in 0..5 {
            port.send_to(format!("{number}{:99}", ""), &address);
        }
        assert_eq!((port.dropped(), port.buffered()), (2, 300));
    });
    h.settle();
    let first = |(_, data): &(SocketAddr, Vec<u8>)| data[0];
    let caught: Vec<u8> = h.caught(far).iter().map(first).collect();
    assert_eq!(caught, b"012");
    assert_eq!((port.sent(), port.dropped(), port.buffered()), (3, 2, 0));
    assert_eq!(h.net().dropped_datagrams(), 2);
    port.send_to("more", &address);
    h.settle();
    assert_eq!(text(&h.caught(far)), ["more"]);
    log.expect(&[]);
}

/// "A transient error goes to `error_received` and the port lives."
fn a_refusal_is_told_and_the_port_lives(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let deaf = h.deaf_address();
    assert!(port.connect(deaf).is_ok());
    port.write("anybody?");
    h.settle();
    log.expect(&["a error: nobody is there"]);
    assert!(port.is_open() && port.connect(address).is_ok());
    port.write("you?");
    h.throw(far, port.local(), b"me");
    h.settle();
    log.expect(&["a data me"]);
    assert_eq!(text(&h.caught(far)), ["you?"]);
}

/// The news of one is told by the next call, whatever that is for.
fn a_refusal_costs_no_datagram_that_is_sent_later(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let deaf = h.deaf_address();
    assert!(port.connect(deaf).is_ok());
    port.write("anybody?");
    port.send_to("you?", &address);
    port.send_to("and you?", &address);
    h.settle();
    log.expect(&["a error: nobody is there"]);
    assert_eq!(text(&h.caught(far)), ["you?", "and you?"]);
}

fn a_datagram_that_is_too_long_is_an_error_of_its_own(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    port.send_to("before", &address);
    port.send_to(vec![0; 70_000], &address);
    port.send_to("after", &address);
    h.settle();
    log.expect(&["a error unsent, to a peer: false"]);
    assert_eq!(text(&h.caught(far)), ["before", "after"]);
    assert_eq!((port.sent(), port.is_open()), (2, true));
}

/// Never silently: the end of it is gone, and who reads must know.
fn a_datagram_that_is_cut_is_told_as_such(stage: Stage) {
    let log = Log::default();
    let mut h = stage.with(|limits| limits.datagram = 5);
    let (port, far, _) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    for data in [&b"fits!"[..], b"much too long", b"fine"] {
        h.throw(far, port.local(), data);
    }
    h.settle();
    log.expect(&["a data fits!", "a error cut: much  of 13", "a data fine"]);
    assert_eq!(port.received(), 3);
}

fn what_is_sent_and_not_connected_anywhere_is_told(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    port.write("to whom?");
    port.send_to("to you", &address);
    h.settle();
    log.expect(&["a error unsent, to a peer: true"]);
    assert_eq!(text(&h.caught(far)), ["to you"]);
}

/// More than a driver takes or sends at once, of several lengths, to two peers.
fn many_datagrams_come_in_order_and_whole(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let (other, elsewhere) = h.far_port();
    let lengths = [64, 64, 64, 1, 64, 64, 1300, 1300, 0, 0, 64, 64, 9, 9];
    let datagram = move |number: usize| {
        let length = lengths[number % lengths.len()];
        (number as u8..=255)
            .cycle()
            .take(length)
            .collect::<Vec<u8>>()
    };
    port.call(move |_, port| {
        for number in 0..150 {
            port.send_to(datagram(number), &address);
            if number % 7 == 0 {
                port.send_to(datagram(number), &elsewhere);
            }
        }
    });
    h.settle();
    let whole: Vec<_> = h.caught(far).into_iter().map(|(_, data)| data).collect();
    assert!(whole == (0..150).map(datagram).collect::<Vec<_>>());
    let part: Vec<_> = h.caught(other).into_iter().map(|(_, data)| data).collect();
    assert!(part == (0..150).step_by(7).map(datagram).collect::<Vec<_>>());
    let heard = Rc::new(RefCell::new(Vec::new()));
    let hears = Rc::clone(&heard);
    let hearer = Talker::new("b", &Log::default())
        .data(move |_, _, data, _| hears.borrow_mut().push(data.to_vec()));
    let hearer = bind(&*h, anywhere(), hearer);
    for number in 0..150 {
        h.throw(far, hearer.local(), &datagram(number));
    }
    h.settle();
    assert!(*heard.borrow() == (0..150).map(datagram).collect::<Vec<_>>());
    log.expect(&[]);
}

fn broadcasts_are_refused_until_they_are_allowed(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, _, _) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let everybody = SocketAddr::from(([255, 255, 255, 255], 9));
    port.send_to("all?", &everybody);
    h.settle();
    log.expect(&["a error unsent, to a peer: false"]);
    assert!(port.set_broadcast(true).is_ok() && port.set_broadcast(false).is_ok());
    port.send_to("all?", &everybody);
    h.settle();
    log.expect(&["a error unsent, to a peer: false"]);
}

const GROUP: [u8; 4] = [239, 255, 77, 77];

fn everywhere() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 0))
}

/// The interface that every machine has.
fn loopback() -> Interface {
    Interface::Address([127, 0, 0, 1].into())
}

fn a_group_is_heard_from_joining_to_leaving(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let group = IpAddr::from(GROUP);
    let hearer = bind(&*h, everywhere(), Talker::new("a", &log));
    let speaker = bind(&*h, anywhere(), Talker::new("b", &log));
    h.settle();
    log.take();
    let there = SocketAddr::new(group, hearer.local().port());
    let mut say = |text: &'static str| {
        speaker.send_to(text, &there);
        h.settle();
    };
    assert!(speaker.set_multicast_interface(loopback()).is_ok());
    assert!(speaker.set_multicast_ttl(0).is_ok());
    say("early");
    assert!(hearer.join_group(group, loopback()).is_ok());
    say("hello");
    assert!(hearer.leave_group(group, loopback()).is_ok());
    say("late");
    assert!(hearer.leave_group(group, loopback()).is_err());
    let nobody = IpAddr::from([192, 0, 2, 1]);
    assert!(hearer.join_group(nobody, loopback()).is_err());
    log.expect(&["a data hello"]);
}

fn ports_that_share_an_address_both_hear_a_group(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let shared = DatagramOptions::new().reuse_address(true);
    let one = bind_with(&*h, everywhere(), &shared, Talker::new("a", &log));
    let other = bind_with(&*h, one.local(), &shared, Talker::new("b", &log));
    let speaker = bind(&*h, anywhere(), Talker::new("c", &log));
    h.settle();
    log.take();
    for port in [&one, &other] {
        assert!(port.join_group(GROUP.into(), loopback()).is_ok());
    }
    assert!(speaker.set_multicast_interface(loopback()).is_ok());
    speaker.send_to("both", &SocketAddr::from((GROUP, one.local().port())));
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["a data both", "b data both"]);
}

fn an_address_is_had_by_one(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, _, _) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let second = h.net().bind(port.local(), Talker::new("b", &log));
    assert!(second.is_err());
    assert_eq!(h.net().datagram_ports(), 1);
    port.close();
    h.settle();
    assert_eq!(h.net().datagram_ports(), 0);
    log.expect(&["a stopped"]);
}

/// C1, for everything that a port's methods could call back.
fn nobody_is_called_back_while_running(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let net = h.net();
    let second = log.clone();
    let talker = Talker::new("a", &log).data(move |me, port, data, _| {
        if data == b"go" {
            // Each of these leads to a callback.
            port.send_to("to myself", &port.local());
            port.write("to nobody");
            port.call(|me, _| me.note("call"));
            let other = net.bind(anywhere(), Talker::new("b", &second));
            drop(other);
            me.note("done");
        }
    });
    let (port, far, _) = port_and_far(&mut *h, &log, talker);
    h.throw(far, port.local(), b"go");
    h.settle();
    log.expect(&[
        "a data go",
        "a done",
        "a call",
        "b started",
        "a error unsent, to a peer: true",
        "a data to myself",
    ]);
}

fn started_comes_first_and_stopped_last(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let port = bind(
        &*h,
        anywhere(),
        Talker::new("a", &log).started(|_, port| port.close()),
    );
    port.call(|me, _| me.note("call"));
    log.expect(&[]);
    h.settle();
    log.expect(&["a started", "a call", "a stopped"]);
    let other = bind(&*h, anywhere(), Talker::new("b", &log));
    other.close();
    other.close();
    h.settle();
    log.expect(&["b started", "b stopped"]);
}

fn what_was_sent_before_the_close_leaves(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, far, address) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    port.call(move |_, port| {
        port.send_to("bye", &address);
        port.close();
        port.send_to("too late", &address);
    });
    h.settle();
    log.expect(&["a stopped"]);
    assert_eq!(text(&h.caught(far)), ["bye"]);
    assert_eq!((port.sent(), port.dropped()), (1, 1));
}

/// "Data after close: none, on any transport."
fn nothing_is_delivered_or_sent_after_a_close(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let talker = Talker::new("a", &log).data(|_, port, _, _| port.close());
    let (port, far, address) = port_and_far(&mut *h, &log, talker);
    for data in [&b"one"[..], b"two", b"three"] {
        h.throw(far, port.local(), data);
    }
    h.settle();
    log.expect(&["a data one", "a stopped"]);
    port.send_to("still there", &address);
    assert!(port.set_broadcast(true).is_err() && port.connect(address).is_err());
    h.settle();
    assert_eq!(text(&h.caught(far)), [""; 0]);
    assert_eq!((port.is_open(), port.dropped()), (false, 1));
}

/// R98 of Twisted's: `stopped` only after the socket closed, never inside the call that closes it,
/// and the address can be bound again, which starts anew.
fn stopped_comes_when_the_address_is_free(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (net, second) = (h.net(), log.clone());
    let again = Rc::new(RefCell::new(None));
    let seat = Rc::clone(&again);
    let talker = Talker::new("a", &log)
        .stopped(move |_, port| {
            let bound = net.bind(port.local(), echo("b", &second));
            seat.replace(bound.ok());
        })
        .data(|me, port, _, _| {
            port.close();
            me.note("closed");
        });
    let (port, far, _) = port_and_far(&mut *h, &log, talker);
    let closed = port.closed();
    h.throw(far, port.local(), b"close");
    h.settle();
    log.expect(&["a data close", "a closed", "a stopped", "b started"]);
    assert!(closed.try_take().is_ok());
    let Some(second) = again.take() else {
        panic!("the address was not free");
    };
    assert_eq!(second.local(), port.local());
    h.throw(far, second.local(), b"hello");
    h.settle();
    log.expect(&["b data hello"]);
    assert_eq!(text(&h.caught(far)), ["hello"]);
}

/// C8: "A datagram port and a listener survive: that datagram or accept is lost."
fn a_panic_costs_a_datagram_and_not_the_port(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let talker = Talker::new("a", &log)
        .started(|_, _| panic!("no start today"))
        .data(|_, port, data, from| {
            assert_ne!(data, b"bad", "no such datagram");
            port.send_to(data, from);
        })
        .error(|_, _| panic!("no error today"))
        .stopped(|_, _| panic!("no end today"));
    for text in ["no start today", "no such datagram", "no error today"] {
        h.expect_panic(text);
    }
    h.expect_panic("no call today");
    h.expect_panic("no end today");
    let (port, far, _) = port_and_far(&mut *h, &log, talker);
    for data in [&b"one"[..], b"bad", b"two"] {
        h.throw(far, port.local(), data);
    }
    h.settle();
    log.expect(&["a data one", "a data bad", "a data two"]);
    port.write("to whom?");
    port.call(|_, _| panic!("no call today"));
    h.settle();
    log.expect(&["a error unsent, to a peer: true"]);
    assert_eq!(text(&h.caught(far)), ["one", "two"]);
    port.close();
    h.settle();
    log.expect(&["a stopped"]);
    assert_eq!(h.net().datagram_ports(), 0);
}

/// C1: "continuations come before new facts".
fn continuations_come_before_the_next_datagram(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let talker = Talker::new("a", &log).data(|_, port, _, _| {
        port.call(|me, port| {
            me.note("call");
            port.call(|me, _| me.note("call of the call"));
        });
    });
    let (port, far, _) = port_and_far(&mut *h, &log, talker);
    h.throw(far, port.local(), b"one");
    h.throw(far, port.local(), b"two");
    h.settle();
    log.expect(&[
        "a data one",
        "a call",
        "a call of the call",
        "a data two",
        "a call",
        "a call of the call",
    ]);
}

/// C1: "A budget defers, it never drops."
fn a_budget_puts_off_datagrams_and_drops_none(stage: Stage) {
    let log = Log::default();
    let mut h = stage.with(|limits| limits.turn_continuations = 2);
    let talker = Talker::new("a", &log).data(|_, port, data, _| {
        let data = data.to_vec();
        for number in 0..3 {
            let data = data.clone();
            port.call(move |me, _| {
                me.note(&format!(
                    "call {number} of {}",
                    String::from_utf8_lossy(&data)
                ));
            });
        }
    });
    let (port, far, _) = port_and_far(&mut *h, &log, talker);
    for data in [&b"x"[..], b"y", b"z"] {
        h.throw(far, port.local(), data);
    }
    h.settle();
    let mut wanted = Vec::new();
    for data in ["x", "y", "z"] {
        wanted.push(format!("a data {data}"));
        wanted.extend((0..3).map(|number| format!("a call {number} of {data}")));
    }
    assert_eq!(log.take(), wanted);
    drop(port);
}

/// C10: who sends to himself for ever keeps no timer, no posted call and no other port waiting.
fn a_loud_sender_starves_nobody(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let stop = Rc::new(Cell::new(false));
    let stops = Rc::clone(&stop);
    let quiet = Log::default();
    let loud = Talker::new("a", &quiet)
        .started(|_, port| {
            for _ in 0..100 {
                port.send_to("again", &port.local());
            }
        })
        .data(move |_, port, data, _| {
            if !stops.get() {
                port.send_to(data, &port.local());
            }
        });
    let hearer = Talker::new("b", &log).data(move |_, port, _, _| {
        let stop = Rc::clone(&stop);
        port.call_later(Duration::ZERO, move |me, _| {
            me.note("timer");
            stop.set(true);
        });
    });
    // Before the loud one has begun: nothing comes to rest once it has.
    let (far, _) = h.far_port();
    let hearer = bind(&*h, anywhere(), hearer);
    let _loud = bind(&*h, anywhere(), loud);
    h.throw(far, hearer.local(), b"now");
    h.settle();
    log.expect(&["b started", "b data now", "b timer"]);
}

/// C16, with the protocol's `&mut self`.
fn results_and_timers_come_with_the_protocol(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, _, _) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let (resolver, answer) = Deferred::<u32, ()>::new();
    port.then(answer, |me, port, result| {
        me.note(&format!("answer {:?} {}", result.ok(), port.is_open()));
    });
    let early = port.call_later(Duration::from_secs(1), |me, _| me.note("a second"));
    port.call_later(Duration::from_secs(2), |me, _| me.note("two seconds"));
    h.advance(Duration::from_millis(999));
    log.expect(&[]);
    assert!(early.cancel());
    resolver.resolve(7);
    h.settle();
    log.expect(&["a answer Some(7) true"]);
    h.advance(Duration::from_millis(1001));
    log.expect(&["a two seconds"]);
}

/// C16: "what they wait for is cancelled, the closures are dropped unrun, connection timers end".
fn a_closed_port_cancels_what_it_waits_for(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (port, _, _) = port_and_far(&mut *h, &log, Talker::new("a", &log));
    let (resolver, answer) = Deferred::<u32, ()>::new();
    let cancelled = log.clone();
    resolver.on_cancel(move || cancelled.note("cancelled"));
    let dropped = Dropped(log.clone(), "closure dropped");
    port.then(answer, move |me, _, _| {
        me.note("answered");
        drop(dropped);
    });
    let timer = port.call_later(Duration::from_secs(1), |me, _| me.note("timer"));
    port.close();
    h.settle();
    log.expect(&["closure dropped", "a stopped", "cancelled"]);
    assert!(!timer.is_active());
    let (late, unheard) = Deferred::<(), ()>::new();
    port.then(unheard, |me, _, _| me.note("heard"));
    port.call(|me, _| me.note("called"));
    assert!(late.is_cancelled());
    h.advance(Duration::from_secs(2));
    log.expect(&[]);
}

/// C17: "`stopping` on every connection (a callback; default `close`)".
fn a_stop_tells_every_port_and_waits_for_it(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let second = Duration::from_secs(1);
    let (resolver, farewell) = Deferred::<(), ()>::new();
    let resolver: Rc<RefCell<Option<Resolver<(), ()>>>> = Rc::new(RefCell::new(Some(resolver)));
    let later = Rc::clone(&resolver);
    let patient = Talker::new("b", &log).stopping(move |_, port| {
        let later = Rc::clone(&later);
        port.call_later(second, move |_, port| {
            port.close();
            if let Some(resolver) = later.take() {
                resolver.resolve(());
            }
        });
    });
    let _plain = bind(&*h, anywhere(), Talker::new("a", &log));
    let _patient = bind(&*h, anywhere(), patient);
    h.settle();
    log.take();
    h.net().stop();
    h.settle();
    log.expect(&["a stopping", "b stopping", "a stopped"]);
    assert!(farewell.try_take().is_err());
    h.advance(second);
    log.expect(&["b stopped"]);
    assert_eq!(h.net().datagram_ports(), 0);
}

/// C17: "a deadline (5 s), abort, every loss".
fn a_port_that_does_not_stop_is_closed(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_port, _, _) = port_and_far(&mut *h, &log, Talker::new("a", &log).stopping(|_, _| ()));
    h.net().stop();
    h.settle();
    log.expect(&["a stopping"]);
    h.advance(Duration::from_secs(5));
    log.expect(&["a stopped"]);
}

/// C17: "Dropping a reactor delivers the losses too."
fn the_end_of_the_engine_stops_every_port(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (second, nets) = (log.clone(), Rc::new(RefCell::new(None::<Net>)));
    let seat = Rc::clone(&nets);
    let talker = Talker::new("a", &log).stopped(move |_, port| {
        let net = port.net();
        // Begun too late, and ended all the same.
        drop(net.bind(anywhere(), Talker::new("b", &second)));
        seat.replace(Some(net));
    });
    let (port, _, _) = port_and_far(&mut *h, &log, talker);
    h.shut_down();
    log.expect(&["a stopped", "b started", "b stopped"]);
    let Some(net) = nets.take() else {
        panic!("it was not told");
    };
    assert!(net.bind(anywhere(), Talker::new("c", &log)).is_err());
    port.send_to("nobody", &port.local());
    port.call(|me, _| me.note("called"));
    assert_eq!((net.datagram_ports(), port.is_open()), (0, false));
    log.expect(&[]);
}
