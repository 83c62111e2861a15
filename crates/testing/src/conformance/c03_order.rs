//! C3: order and batching of output.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use torsade_core::Transport;

use super::filters::what_others_write_passes_through_filters;
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{accepted, act, bytes, in_both_roles, open, same};
use super::{Cell, cells};

pub(super) const CELLS: &[Cell] = cells![3:
    bytes_leave_in_the_order_of_the_calls,
    all_forms_of_write_keep_their_order,
    order_is_kept_through_partial_sends,
    what_is_written_back_keeps_its_place,
    what_is_written_back_is_whole_though_the_peer_is_slow,
    writes_of_others_keep_their_place,
    writes_of_others_are_whole_though_only_a_part_goes,
    a_callback_and_its_continuations_are_one_send,
    a_redelivery_and_its_continuations_are_one_send,
    connections_written_to_by_others_are_flushed_once,
    shared_bytes_are_not_copied_when_large,
    what_others_write_passes_through_filters,
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
        let all = bytes(h.flood() + h.flood() / 2);
        h.stop_reading(end);
        let mut rest = &all[..];
        let sizes = [1, 999, 1000, 5000, 70_000, 333, 12_345];
        for (number, size) in sizes.into_iter().cycle().enumerate() {
            let (piece, after) = rest.split_at(rest.len().min(size));
            rest = after;
            // In the end all plainly: long parts of what was copied come behind what is shared.
            let is_mixed = rest.len() > all.len() / 3;
            write_somehow(&transport, piece, if is_mixed { number % 3 } else { 0 });
            if rest.is_empty() {
                break;
            }
            if number % 8 == 0 {
                h.settle();
            }
            while transport.buffered() > h.flood() {
                h.read_some(end);
            }
        }
        while transport.buffered() > h.flood() / 8 {
            h.read_some(end);
        }
        h.read_again(end);
        h.settle();
        same(&h.received(end), &all);
    });
}

fn write_somehow(transport: &Transport<Probe>, piece: &[u8], how: usize) {
    let (front, back) = piece.split_at(piece.len() / 2);
    match how {
        0 => transport.write(piece),
        1 => transport.write_bytes(Bytes::copy_from_slice(piece)),
        _ => transport.write_parts(&[front, back]),
    }
}

/// What a protocol does with a delivery of `abcd`, and what the peer is to read then.
type Answer = (fn(&Transport<Probe>, &[u8]), &'static str);

const ANSWERS: [Answer; 12] = [
    (|t, data| t.write(data), "abcd"),
    (
        |t, data| data.chunks(1).for_each(|part| t.write(part)),
        "abcd",
    ),
    (
        |t, data| data.rchunks(1).for_each(|part| t.write(part)),
        "dcba",
    ),
    (
        |t, data| [b"<", data, b">"].iter().for_each(|part| t.write(part)),
        "<abcd>",
    ),
    (
        |t, data| [data, b"!", data].iter().for_each(|part| t.write(part)),
        "abcd!abcd",
    ),
    (
        |t, data| t.write_parts(&[&data[2..], b"-", data]),
        "cd-abcd",
    ),
    (
        |t, data| {
            [&data[1..2], data, &data[2..]]
                .iter()
                .for_each(|part| t.write(part))
        },
        "babcdcd",
    ),
    (
        |t, data| {
            t.write(&data[..3]);
            t.unread(1);
        },
        "abc",
    ),
    (
        |t, data| {
            t.call(|_, t| t.write("later"));
            t.write(data);
        },
        "abcdlater",
    ),
    (
        |t, data| {
            t.write(data);
            t.write_bytes(Bytes::from_static(&[b'.'; 2000]));
            t.write(data);
        },
        "abcd..abcd",
    ),
    (
        |t, data| {
            t.write(data);
            t.set_write_limits(0, 0);
            t.write(data);
            t.close();
        },
        "abcdabcd",
    ),
    (
        |t, data| {
            t.write(&data[3..]);
            t.close_write();
            t.write(data);
        },
        "d",
    ),
];

/// The same for bytes of the delivery itself, which need not be copied to be sent.
fn what_is_written_back_keeps_its_place(stage: Stage) {
    for (answer, wanted) in ANSWERS {
        let (mut h, log) = (stage.harness(), Log::default());
        let a = Probe::new("a", &log).data(move |_, t, data| answer(t, data));
        let (end, transport) = accepted(&mut *h, &log, a);
        h.send(end, b"abcd");
        h.settle();
        let read = String::from_utf8_lossy(&h.received(end)).replace(&".".repeat(2000), "..");
        assert_eq!(read, wanted);
        assert_eq!(transport.buffered(), 0);
    }
}

/// The same when the kernel has no room for all of it, or for none.
fn what_is_written_back_is_whole_though_the_peer_is_slow(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).without_data().data(|_, t, data| {
            let (front, back) = data.split_at(data.len() / 2);
            t.write(front);
            t.write(back);
        });
        let (end, transport) = open(h, role, a);
        transport.throttle_input(false);
        let asked = bytes(h.flood() + 100_000);
        h.stop_reading(end);
        for piece in asked.chunks(50_000) {
            h.send(end, piece);
            h.settle();
        }
        h.read_some(end);
        h.send(end, b"the end");
        h.read_again(end);
        h.settle();
        let wanted = [&asked[..], b"the end"].concat();
        same(&h.received(end), &wanted);
    });
}

/// "Whoever made them."
fn writes_of_others_keep_their_place(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, written) = accepted(&mut *h, &log, Probe::new("b", &log));
    let a = Probe::new("a", &log).data(move |_, t, data| {
        // Theirs is not where the delivery goes back to.
        written.write(data);
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
    assert_eq!(String::from_utf8_lossy(&h.received(end)), "x12345");
    assert_eq!(h.received(from), b"");
}

/// The same where the kernel takes a part of what another wrote, and the rest must wait.
fn writes_of_others_are_whole_though_only_a_part_goes(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let quiet = |name| Probe::new(name, &log).without_data();
    let (end, written) = accepted(&mut *h, &log, quiet("b"));
    let (_, writer) = accepted(&mut *h, &log, quiet("a"));
    h.stop_reading(end);
    let pieces = h.flood() / 50_000 + 1;
    let mut all = Vec::new();
    for number in 0..pieces {
        if written.buffered() > 0 {
            break;
        }
        let piece = bytes(50_000 + number);
        all.extend_from_slice(&piece);
        let written = written.clone();
        act(&mut *h, &writer, move |_, _| written.write(piece));
    }
    assert!(written.buffered() > 0, "there was room for everything");
    h.read_again(end);
    h.settle();
    same(&h.received(end), &all);
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

/// The same for input that was left over and is delivered again.
fn a_redelivery_and_its_continuations_are_one_send(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|_, t, data| {
        t.unread(data.len() - 1);
        if data.len() == 1 {
            t.write("this");
            t.call(|_, t| t.write("and this"));
        } else {
            t.pause_reading();
            t.call(|_, t| t.resume_reading());
        }
    });
    let (end, _) = accepted(&mut *h, &log, a);
    let before = h.sends(end);
    h.send(end, b"xyz");
    h.settle();
    assert_eq!(h.received(end), b"thisand this");
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
