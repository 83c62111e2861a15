//! C3: order and batching of output.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{accepted, act, bytes, in_both_roles, open, same};
use super::{Cell, cells};

pub(super) const CELLS: &[Cell] = cells![3:
    bytes_leave_in_the_order_of_the_calls,
    all_forms_of_write_keep_their_order,
    order_is_kept_through_partial_sends,
    writes_of_others_keep_their_place,
    a_callback_and_its_continuations_are_one_send,
    connections_written_to_by_others_are_flushed_once,
    shared_bytes_are_not_copied_when_large,
];

/// "Bytes leave in the order of the calls that wrote them": callback, continuation, timer.
fn bytes_leave_in_the_order_of_the_calls(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).data(|_, t, _| {
            t.call_later(Duration::from_millis(1), |_, t| t.write(" 5"));
            t.write("1");
            t.call(|_, t| t.write(" 3"));
            t.write(" 2");
            t.call(|_, t| t.write(" 4"));
        });
        let (end, _) = open(h, role, a);
        h.send(end, b"x");
        h.settle();
        h.advance(Duration::from_millis(1));
        assert_eq!(String::from_utf8_lossy(&h.received(end)), "1 2 3 4 5");
    });
}

/// The same over `write`, `write_parts` and `write_bytes`, small and large, empty too.
fn all_forms_of_write_keep_their_order(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let large = bytes(5000);
    let shared = Bytes::from(large.clone());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    act(&mut *h, &transport, move |_, t| {
        t.write("one");
        t.write_bytes(shared.clone());
        t.write("");
        t.write_parts(&[&b"two"[..], b"", b"three"]);
        t.write_bytes(Bytes::new());
        t.write_bytes(Bytes::from_static(b"four"));
        t.write_bytes(shared.clone());
        t.write_bytes(shared);
        t.write("five");
        t.write_parts(&[b"", b""]);
    });
    let mut wanted = b"one".to_vec();
    wanted.extend_from_slice(&large);
    wanted.extend_from_slice(b"twothreefour");
    wanted.extend_from_slice(&large);
    wanted.extend_from_slice(&large);
    wanted.extend_from_slice(b"five");
    same(&h.received(end), &wanted);
}

/// The same when the kernel takes a part at a time, in the middle of pieces.
fn order_is_kept_through_partial_sends(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        let all = bytes(h.flood() + h.flood() / 4);
        h.stop_reading(end);
        let mut rest = &all[..];
        let sizes = [1, 999, 1000, 5000, 70_000, 333, 12_345];
        for (turn, size) in sizes.iter().cycle().enumerate() {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            rest = after;
            match turn % 3 {
                0 => transport.write(piece),
                1 => transport.write_bytes(Bytes::copy_from_slice(piece)),
                _ => transport.write_parts(&[&piece[..piece.len() / 2], &piece[piece.len() / 2..]]),
            }
            if turn % 100 == 0 && rest.len() < all.len() / 4 {
                h.read_some(end);
            }
            if rest.is_empty() {
                break;
            }
        }
        h.read_again(end);
        h.settle();
        same(&h.received(end), &all);
    });
}

/// "Whoever made them."
fn writes_of_others_keep_their_place(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, written) = accepted(&mut *h, &log, Probe::new("b", &log));
    let a = Probe::new("a", &log).data(move |_, t, _| {
        written.write("1");
        written.call(|_, t| t.write("4"));
        let other = written.connection();
        other.write("2");
        t.call(move |_, _| other.write("5"));
        written.write("3");
    });
    let (from, _) = accepted(&mut *h, &log, a);
    h.send(from, b"x");
    h.settle();
    assert_eq!(String::from_utf8_lossy(&h.received(end)), "12345");
}

/// "After each callback and its continuations, that connection is flushed: one vectored send."
fn a_callback_and_its_continuations_are_one_send(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|_, t, _| {
        t.call(|_, t| t.write("and this"));
        for _ in 0..10 {
            t.write("a little, ");
            t.write_bytes(Bytes::from_static(&[b'.'; 2000]));
        }
    });
    let (end, _) = accepted(&mut *h, &log, a);
    let before = h.sends(end);
    h.send(end, b"x");
    h.settle();
    assert_eq!(h.received(end).len(), 10 * 2010 + 8);
    assert_eq!(h.sends(end) - before, 1, "sends for one callback");
}

/// "Connections written to by others are flushed once, before the poll."
fn connections_written_to_by_others_are_flushed_once(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, room) = accepted(&mut *h, &log, Probe::new("room", &log));
    let room = Rc::new(RefCell::new(room));
    let member = |name| {
        let room = Rc::clone(&room);
        Probe::new(name, &log).data(move |_, _, data| {
            room.borrow().write(data);
            room.borrow().write(data);
        })
    };
    let (one, first) = accepted(&mut *h, &log, member("a"));
    let (two, second) = accepted(&mut *h, &log, member("b"));
    first.pause_reading();
    second.pause_reading();
    h.settle();
    h.send(one, b"x");
    h.send(two, b"x");
    h.settle();
    let before = h.sends(end);
    first.resume_reading();
    second.resume_reading();
    h.settle();
    assert_eq!(h.received(end), b"xxxx");
    assert_eq!(h.sends(end) - before, 1, "sends for one turn");
}

/// "Shared, not copied when large": the owner of such bytes lives until they were sent, and no
/// longer.
fn shared_bytes_are_not_copied_when_large(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let dropped = log.clone();
    super::tools::on_drop_of_users(move || dropped.note("given back"));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    transport.write_bytes(Bytes::from_owner(super::tools::User([0; 2000])));
    h.settle();
    log.expect(&["a pause"]);
    h.read_again(end);
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["a resume", "given back"]);
    super::tools::on_drop_of_users(|| ());
}
