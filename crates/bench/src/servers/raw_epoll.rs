//! The least that a server can cost: a bare loop over level-triggered epoll.
//!
//! It stands on rustix, which makes the system calls without libc. It keeps
//! no promise that a framework has to keep: what the kernel does not take at
//! once is waited for.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::unfinished::Unfinished;
use crate::load::CONSTANT;

const LISTENER: u64 = u64::MAX;

/// Sends back what comes.
pub(super) fn echo(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, key, data| connections.send(key, data))
}

/// Answers the same whatever comes.
pub(super) fn constant(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, key, _| connections.send(key, CONSTANT))
}

/// Sends back what comes, and ends what is silent for a minute or two: it looks once a minute.
pub(super) fn patient(addr: SocketAddr) -> io::Result<()> {
    run(addr, Some(super::PATIENCE), |connections, key, data| {
        connections.send(key, data)
    })
}

/// Sends back what comes first and ends the connection.
pub(super) fn close(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, key, data| {
        connections.send(key, data)?;
        connections.remove(key);
        Ok(())
    })
}

/// Sends every line to all.
pub(super) fn fanout(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, key, data| {
        let Some(connection) = &mut connections.open[key as usize] else {
            return Ok(());
        };
        let mut unfinished = mem::take(&mut connection.unfinished);
        unfinished.lines(data, |line| {
            for connection in connections.open.iter().flatten() {
                // Whoever is gone is found gone when it is read from.
                let _ = (&connection.socket).write_all(line);
            }
            Ok(())
        })?;
        if let Some(connection) = &mut connections.open[key as usize] {
            connection.unfinished = unfinished;
        }
        Ok(())
    })
}

fn serve(
    addr: SocketAddr,
    answer: impl Fn(&mut Connections, u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    run(addr, None, answer)
}

fn run(
    addr: SocketAddr,
    patience: Option<Duration>,
    answer: impl Fn(&mut Connections, u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let key = EventData::new_u64(LISTENER);
    epoll::add(&poller, &listener, key, EventFlags::IN)?;
    super::announce(listener.local_addr()?);

    let mut connections = Connections::default();
    let mut buffer = vec![0; 64 * 1024];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    let mut sweep = patience.map(Sweep::each);
    loop {
        events.clear();
        let rest = sweep.as_mut().map(|sweep| sweep.rest(&mut connections));
        let room = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&poller, room, rest.as_ref())?;
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                let (socket, _) = listener.accept()?;
                let key = EventData::new_u64(connections.free_key());
                epoll::add(&poller, &socket, key, EventFlags::IN)?;
                connections.insert(socket);
                continue;
            }
            let answered = connections
                .receive(key, &mut buffer)
                .and_then(|n| answer(&mut connections, key, &buffer[..n]));
            if answered.is_err() {
                connections.remove(key);
            }
        }
    }
}

/// When to look for those who have been silent.
struct Sweep {
    each: Duration,
    next: Instant,
}

impl Sweep {
    fn each(each: Duration) -> Self {
        let next = Instant::now() + each;
        Self { each, next }
    }

    /// How long to wait for events; looks first if it is time to.
    fn rest(&mut self, connections: &mut Connections) -> Timespec {
        let now = Instant::now();
        if now >= self.next {
            connections.remove_silent();
            self.next = now + self.each;
        }
        let rest = self.next - now;
        Timespec {
            tv_sec: rest.as_secs() as i64,
            tv_nsec: rest.subsec_nanos().into(),
        }
    }
}

/// The open connections by their key in the poller.
#[derive(Default)]
struct Connections {
    open: Vec<Option<Connection>>,
    free: Vec<usize>,
}

struct Connection {
    socket: TcpStream,
    unfinished: Unfinished,
    /// Whether it has said nothing since the last sweep.
    silent: bool,
}

impl Connections {
    /// The key that the next insertion takes.
    fn free_key(&self) -> u64 {
        self.free.last().copied().unwrap_or(self.open.len()) as u64
    }

    fn insert(&mut self, socket: TcpStream) {
        let connection = Some(Connection {
            socket,
            unfinished: Unfinished::default(),
            silent: false,
        });
        match self.free.pop() {
            Some(index) => self.open[index] = connection,
            None => self.open.push(connection),
        }
    }

    fn get(&mut self, key: u64) -> io::Result<&mut Connection> {
        self.open[key as usize]
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads what arrived; the peer's end is an error.
    fn receive(&mut self, key: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let connection = self.get(key)?;
        connection.silent = false;
        match connection.socket.read(buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        }
    }

    fn send(&mut self, key: u64, data: &[u8]) -> io::Result<()> {
        self.get(key)?.socket.write_all(data)
    }

    fn remove_silent(&mut self) {
        for key in 0..self.open.len() {
            match &mut self.open[key] {
                Some(connection) if connection.silent => self.remove(key as u64),
                Some(connection) => connection.silent = true,
                None => {}
            }
        }
    }

    fn remove(&mut self, key: u64) {
        let index = key as usize;
        if self.open[index].take().is_some() {
            self.free.push(index);
        }
    }
}
