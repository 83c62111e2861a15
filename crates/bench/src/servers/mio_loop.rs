//! A loop over mio, as its examples have it: tokens into a table, read until
//! nothing is left, keep what the kernel does not take until it is writable.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::unfinished::Unfinished;
use crate::load::CONSTANT;

const LISTENER: Token = Token(usize::MAX);

/// Sends back what comes.
pub(super) fn echo(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, index, data| {
        connections.send(index, data)
    })
}

/// Answers the same whatever comes.
pub(super) fn constant(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, index, _| {
        connections.send(index, CONSTANT)
    })
}

/// Sends back what comes first and ends the connection.
pub(super) fn close(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, index, data| {
        connections.send(index, data)?;
        connections.remove(index);
        Ok(())
    })
}

/// Sends every line to all.
pub(super) fn fanout(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |connections, index, data| {
        let Some(connection) = &mut connections.open[index] else {
            return Ok(());
        };
        let mut unfinished = mem::take(&mut connection.unfinished);
        unfinished.lines(data, |line| {
            for connection in connections.open.iter_mut().flatten() {
                // Whoever is gone is found gone when it is read from.
                let _ = connection.send(line);
            }
            Ok(())
        })?;
        if let Some(connection) = &mut connections.open[index] {
            connection.unfinished = unfinished;
        }
        Ok(())
    })
}

fn serve(
    addr: SocketAddr,
    answer: impl Fn(&mut Connections, usize, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::bind(addr)?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    super::announce(listener.local_addr()?);

    let mut connections = Connections::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                connections.accept(&listener, &poll)?;
                continue;
            }
            let Token(index) = event.token();
            let mut went_well = Ok(());
            if event.is_writable() {
                went_well = connections.flush(index);
            }
            while event.is_readable() && went_well.is_ok() {
                match connections.receive(index, &mut buffer) {
                    Ok(n) => went_well = answer(&mut connections, index, &buffer[..n]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => went_well = Err(error),
                }
            }
            if went_well.is_err() {
                connections.remove(index);
            }
        }
    }
}

/// The open connections by their token.
#[derive(Default)]
struct Connections {
    open: Vec<Option<Connection>>,
    free: Vec<usize>,
}

struct Connection {
    socket: TcpStream,
    /// What the kernel had no room for.
    waiting: Vec<u8>,
    unfinished: Unfinished,
}

impl Connections {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let index = self.free.pop().unwrap_or(self.open.len());
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, Token(index), both)?;
            let connection = Some(Connection {
                socket,
                waiting: Vec::new(),
                unfinished: Unfinished::default(),
            });
            match self.open.get_mut(index) {
                Some(place) => *place = connection,
                None => self.open.push(connection),
            }
        }
    }

    fn get(&mut self, index: usize) -> io::Result<&mut Connection> {
        self.open[index]
            .as_mut()
            .ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Reads what arrived; the peer's end is an error.
    fn receive(&mut self, index: usize, buffer: &mut [u8]) -> io::Result<usize> {
        match self.get(index)?.socket.read(buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        }
    }

    fn send(&mut self, index: usize, data: &[u8]) -> io::Result<()> {
        self.get(index)?.send(data)
    }

    fn flush(&mut self, index: usize) -> io::Result<()> {
        let connection = self.get(index)?;
        let waiting = mem::take(&mut connection.waiting);
        connection.send(&waiting)
    }

    fn remove(&mut self, index: usize) {
        if self.open[index].take().is_some() {
            self.free.push(index);
        }
    }
}

impl Connection {
    /// Sends what the kernel takes and keeps the rest.
    fn send(&mut self, mut data: &[u8]) -> io::Result<()> {
        while self.waiting.is_empty() && !data.is_empty() {
            match self.socket.write(data) {
                Ok(n) => data = &data[n..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.waiting.extend_from_slice(data);
        Ok(())
    }
}
