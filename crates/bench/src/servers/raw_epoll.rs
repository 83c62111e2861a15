//! The least that a server can cost: a bare loop over level-triggered epoll.
//!
//! It stands on rustix, which makes the system calls without libc. It keeps
//! no promise that a framework has to keep: what the kernel does not take at
//! once is waited for.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::unfinished::Unfinished;

const LISTENER: u64 = u64::MAX;

/// Sends back what comes.
pub(super) fn echo(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, key, data| connections.send(key, data))
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
    let listener = TcpListener::bind(addr)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    let key = EventData::new_u64(LISTENER);
    epoll::add(&poller, &listener, key, EventFlags::IN)?;
    super::announce(listener.local_addr()?);

    let mut connections = Connections::default();
    let mut buffer = vec![0; 64 * 1024];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), None)?;
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

/// The open connections by their key in the poller.
#[derive(Default)]
struct Connections {
    open: Vec<Option<Connection>>,
    free: Vec<usize>,
}

struct Connection {
    socket: TcpStream,
    unfinished: Unfinished,
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
        });
        match self.free.pop() {
            Some(index) => self.open[index] = connection,
            None => self.open.push(connection),
        }
    }

    fn socket(&self, key: u64) -> io::Result<&TcpStream> {
        match &self.open[key as usize] {
            Some(connection) => Ok(&connection.socket),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads what arrived; the peer's end is an error.
    fn receive(&self, key: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.socket(key)?.read(buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        }
    }

    fn send(&self, key: u64, data: &[u8]) -> io::Result<()> {
        self.socket(key)?.write_all(data)
    }

    fn remove(&mut self, key: u64) {
        let index = key as usize;
        if self.open[index].take().is_some() {
            self.free.push(index);
        }
    }
}
