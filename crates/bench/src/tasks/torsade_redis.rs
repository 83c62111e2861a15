//! torsade's Redis client, as somebody uses it who asks for many things at once.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use torsade::Reactor;
use torsade::wire::redis::{Redis, RedisSettings};

use crate::tasks::redis_server::{DEEP, KEY, RedisServer, VALUE};

pub(crate) fn get(times: usize) -> io::Result<usize> {
    let server = RedisServer::start()?;
    get_at(server.address, times)
}

/// Asks for the value so often, 64 times before the first reply.
pub(crate) fn get_at(server: SocketAddr, times: usize) -> io::Result<usize> {
    let mut reactor = Reactor::new()?;
    let connecting = Redis::connect(reactor.net(), server, RedisSettings::new());
    let redis = reactor.run_until(connecting)?.map_err(io::Error::other)?;
    let set = redis.set(KEY, VALUE);
    reactor.run_until(set)?.map_err(io::Error::other)?;
    let right = Rc::new(Cell::new(0));
    let mut left = times;
    while left > 0 {
        let now = left.min(DEEP);
        left -= now;
        for _ in 1..now {
            let right = Rc::clone(&right);
            redis.get(KEY).finish(move |value| count(&right, &value));
        }
        let last = redis.get(KEY);
        count(&right, &reactor.run_until(last)?);
    }
    Ok(right.get())
}

fn count<E>(right: &Cell<usize>, value: &Result<Option<torsade::Bytes>, E>) {
    if value
        .as_ref()
        .is_ok_and(|value| value.as_deref() == Some(VALUE))
    {
        right.set(right.get() + 1);
    }
}
