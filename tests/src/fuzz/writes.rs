//! Output, as user code writes it.

use std::rc::Rc;

use bytes::Bytes;
use torsade_core::{Connection, Disconnect, Limit};

use super::conn::{Abrupt, Conn, Output};
use super::counts::Contract;
use super::token::OwnBytes;
use super::world::World;
use crate::rng::Rng;

/// By which method.
#[derive(Clone, Copy, Debug)]
enum How {
    Slice,
    Parts,
    Shared,
    Own,
}

/// Write bytes of one's own.
pub(super) fn write(world: &Rc<World>, conn: &Rc<Conn>, connection: &Connection, rng: &Rng) {
    let bytes = rng.bytes(rng.len());
    send(world, conn, connection, rng, &bytes);
}

/// Write a part of what is being delivered.
pub(super) fn lend(
    world: &Rc<World>,
    conn: &Rc<Conn>,
    connection: &Connection,
    rng: &Rng,
    data: &[u8],
) {
    let (start, end) = match rng.below(4) {
        0 | 1 => (0, data.len()),
        2 => (rng.below(data.len() + 1), data.len()),
        _ => {
            let start = rng.below(data.len() + 1);
            (start, start + rng.below(data.len() - start + 1))
        }
    };
    if rng.one_in(3) {
        // In two steps, so that the second follows the first.
        let middle = start + rng.below(end - start + 1);
        send(world, conn, connection, rng, &data[start..middle]);
        send(world, conn, connection, rng, &data[middle..end]);
    } else {
        send(world, conn, connection, rng, &data[start..end]);
    }
}

fn send(world: &Rc<World>, conn: &Rc<Conn>, connection: &Connection, rng: &Rng, bytes: &[u8]) {
    let how = rng.pick(&[
        How::Slice,
        How::Slice,
        How::Slice,
        How::Parts,
        How::Shared,
        How::Own,
    ]);
    let len = bytes.len();
    world.note(|| format!("{}.write({len} bytes) {how:?}", conn.number));
    if len == 0 {
        world.call(|| connection.write(bytes));
        return;
    }
    let buffered = connection.buffered();
    let cap = world.limits.write_cap;
    let expected = match world.in_drop.get() {
        // It may be dropped because the connection has just ended.
        true => None,
        false => conn.accepts(buffered, cap),
    };
    match expected {
        Some(true) => {
            conn.wrote(bytes);
            world.add_total(len);
            give(world, connection, rng, how, bytes);
        }
        Some(false) => {
            refused(world, conn, len);
            if conn.is_surely_open() && conn.output.get() == Output::Open {
                let limit = Limit::WriteBuffer;
                conn.end(&Disconnect::LimitPassed(limit), Abrupt::Yes);
            }
            give(world, connection, rng, how, bytes);
        }
        None => {
            // Outside of a turn, jobs that a budget left over may run in this very call.
            let allowed = world.allowed.replace(0);
            let before = connection.bytes_dropped();
            connection.write(bytes);
            world.allowed.set(allowed);
            let dropped = connection.bytes_dropped() - before;
            if dropped == 0 {
                conn.is_open_still();
                conn.wrote(bytes);
                world.add_total(len);
                return;
            }
            world.check(Contract::C4, dropped == len as u64, || {
                format!("{dropped} of {len} bytes were dropped")
            });
            refused(world, conn, len);
            if conn.output.get() == Output::Open {
                let limit = Disconnect::LimitPassed(Limit::WriteBuffer);
                may_be_shed(world, conn);
                conn.is_open_no_more((buffered > cap).then_some(limit));
            }
        }
    }
}

/// Too much waits in all: what is done from here on may come too late for this connection.
pub(super) fn may_be_shed(world: &World, conn: &Conn) {
    if world.over_total.get() {
        let total = Limit::TotalWriteBuffer;
        conn.loom(Disconnect::LimitPassed(total), Abrupt::Yes);
    }
}

fn refused(world: &World, conn: &Conn, len: usize) {
    conn.dropped.set(conn.dropped.get() + len as u64);
    world.dropped_writes.set(world.dropped_writes.get() + 1);
}

fn give(world: &Rc<World>, connection: &Connection, rng: &Rng, how: How, bytes: &[u8]) {
    match how {
        How::Slice => connection.write(bytes),
        How::Parts => {
            // Up to ten, of which some may be empty.
            let size = 1 + bytes.len() / (1 + rng.below(10));
            let mut parts: Vec<&[u8]> = bytes.chunks(size).collect();
            parts.push(&[]);
            connection.write_parts(&parts);
        }
        How::Shared => connection.write_bytes(Bytes::copy_from_slice(bytes)),
        How::Own => {
            let own = Bytes::from_owner(OwnBytes(bytes.to_vec()));
            world.call(|| connection.write_bytes(own));
        }
    }
}
