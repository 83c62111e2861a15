//! The clients of Redis that are timed beside each other.

use std::fs;
use std::io;
use std::net::SocketAddr;

use crate::tasks::{redis_server::RedisServer, tokio_redis, torsade_redis};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Ours.
    Torsade,
    /// The `redis` crate on tokio, each call by itself.
    Tokio,
    /// The same, with batches that are said to be such.
    TokioPipe,
    /// redis-py, with batches.
    Python,
}

impl Client {
    /// All of them, ours first.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Torsade, Self::Tokio, Self::TokioPipe, Self::Python].into_iter()
    }

    /// What the command line calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Torsade => "torsade",
            Self::Tokio => "tokio",
            Self::TokioPipe => "tokio-pipe",
            Self::Python => "python",
        }
    }

    /// What the reader calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Torsade => "torsade",
            Self::Tokio => "redis crate",
            Self::TokioPipe => "redis crate, pipe()",
            Self::Python => "redis-py, pipeline()",
        }
    }
}

/// A server for them, which ends with the value.
#[derive(Debug)]
pub struct Server(String, #[expect(dead_code, reason = "ends it")] Ending);

struct Ending(#[expect(dead_code, reason = "ends it")] RedisServer);

impl std::fmt::Debug for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redis-server")
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.clone()
    }
}

/// Starts one.
///
/// # Errors
/// If there is no redis-server on this machine.
pub fn server() -> io::Result<Server> {
    let server = RedisServer::start()?;
    Ok(Server(server.address.to_string(), Ending(server)))
}

/// The processor time that this process uses for so many commands by that client.
///
/// # Errors
/// If there is no such client, or it got another reply.
pub fn seconds(name: &str, server: SocketAddr, times: usize) -> io::Result<f64> {
    let get = match name {
        "torsade" => torsade_redis::get_at,
        "tokio" => tokio_redis::get_at,
        "tokio-pipe" => tokio_redis::pipe_at,
        _ => return Err(io::Error::other(format!("there is no client {name:?}"))),
    };
    let before = used()?;
    if get(server, times)? != times {
        return Err(io::Error::other("another value came"));
    }
    Ok(used()? - before)
}

/// Seconds of processor time so far, to the nanosecond.
pub(crate) fn used() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let nanos = text
        .split(' ')
        .next()
        .and_then(|nanos| nanos.parse::<u64>().ok());
    let nanos = nanos.ok_or_else(|| io::Error::other("/proc/self/schedstat has no number"))?;
    Ok(nanos as f64 / 1e9)
}
