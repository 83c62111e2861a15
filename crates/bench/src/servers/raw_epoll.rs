//! The least that an echo can cost: a bare loop over level-triggered epoll.
//!
//! It stands on rustix, which makes the system calls without libc. It keeps
//! no promise that a framework has to keep: what the kernel does not take at
//! once is waited for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

const LISTENER: u64 = u64::MAX;

pub(super) fn serve(addr: SocketAddr) -> io::Result<()> {
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
            } else if connections.echo(key, &mut buffer).is_err() {
                connections.remove(key);
            }
        }
    }
}

/// The open sockets by their key in the poller.
#[derive(Default)]
struct Connections {
    sockets: Vec<Option<TcpStream>>,
    free: Vec<usize>,
}

impl Connections {
    /// The key that the next insertion takes.
    fn free_key(&self) -> u64 {
        self.free.last().copied().unwrap_or(self.sockets.len()) as u64
    }

    fn insert(&mut self, socket: TcpStream) {
        match self.free.pop() {
            Some(index) => self.sockets[index] = Some(socket),
            None => self.sockets.push(Some(socket)),
        }
    }

    /// Answers what arrived; an error or the peer's end is the end.
    fn echo(&self, key: u64, buffer: &mut [u8]) -> io::Result<()> {
        let Some(mut socket) = self.sockets[key as usize].as_ref() else {
            return Ok(());
        };
        match socket.read(buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => socket.write_all(&buffer[..n]),
        }
    }

    fn remove(&mut self, key: u64) {
        let index = key as usize;
        if self.sockets[index].take().is_some() {
            self.free.push(index);
        }
    }
}
