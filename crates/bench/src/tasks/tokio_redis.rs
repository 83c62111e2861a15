//! The `redis` crate on tokio, with the connection that its users share.

use std::io;
use std::net::SocketAddr;

use futures_util::future::join_all;
use redis::{AsyncCommands, Client};

use crate::tasks::redis_server::{DEEP, KEY, RedisServer, VALUE};

pub(crate) fn get(times: usize) -> io::Result<usize> {
    let server = RedisServer::start()?;
    get_at(server.address, times)
}

/// Asks for the value so often, 64 times before the first reply.
pub(crate) fn get_at(server: SocketAddr, times: usize) -> io::Result<usize> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build()?;
    runtime
        .block_on(get_all(server, times))
        .map_err(io::Error::other)
}

async fn get_all(server: SocketAddr, times: usize) -> redis::RedisResult<usize> {
    let client = Client::open(format!("redis://{server}/?protocol=resp3"))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = connection.set(KEY, VALUE).await?;
    let mut right = 0;
    let mut left = times;
    while left > 0 {
        let now = left.min(DEEP);
        left -= now;
        let calls = (0..now).map(|_| {
            let mut connection = connection.clone();
            async move { connection.get::<_, Vec<u8>>(KEY).await }
        });
        for value in join_all(calls).await {
            right += usize::from(value? == VALUE);
        }
    }
    Ok(right)
}

/// The same, said beforehand to be one batch.
pub(crate) fn pipe_at(server: SocketAddr, times: usize) -> io::Result<usize> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build()?;
    runtime
        .block_on(pipe_all(server, times))
        .map_err(io::Error::other)
}

async fn pipe_all(server: SocketAddr, times: usize) -> redis::RedisResult<usize> {
    let client = Client::open(format!("redis://{server}/?protocol=resp3"))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = connection.set(KEY, VALUE).await?;
    let mut right = 0;
    let mut left = times;
    while left > 0 {
        let now = left.min(DEEP);
        left -= now;
        let mut pipe = redis::pipe();
        for _ in 0..now {
            pipe.get(KEY);
        }
        let values: Vec<Vec<u8>> = pipe.query_async(&mut connection).await?;
        right += values.iter().filter(|value| *value == VALUE).count();
    }
    Ok(right)
}

pub(crate) fn pipe(times: usize) -> io::Result<usize> {
    let server = RedisServer::start()?;
    pipe_at(server.address, times)
}
