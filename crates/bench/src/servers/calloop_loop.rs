//! Servers on calloop: a source for each connection, its state in the closure.
//!
//! calloop has no write buffer. The sockets block, so what the kernel does
//! not take at once is waited for, as in the raw loop.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ptr;
use std::rc::Rc;

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, Mode, PostAction};

use super::unfinished::Unfinished;
use crate::load::CONSTANT;

/// What all callbacks share, as calloop lends it to each of them.
struct Shared {
    buffer: Vec<u8>,
    room: Vec<Rc<TcpStream>>,
}

/// Sends back what comes.
pub(super) fn echo(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |_| {
        |mut socket: &TcpStream, shared: &mut Shared| match socket.read(&mut shared.buffer)? {
            0 => Ok(PostAction::Remove),
            n => {
                socket.write_all(&shared.buffer[..n])?;
                Ok(PostAction::Continue)
            }
        }
    })
}

/// Answers the same whatever comes.
pub(super) fn constant(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |_| {
        |mut socket: &TcpStream, shared: &mut Shared| match socket.read(&mut shared.buffer)? {
            0 => Ok(PostAction::Remove),
            _ => {
                socket.write_all(CONSTANT)?;
                Ok(PostAction::Continue)
            }
        }
    })
}

/// Sends back what comes first and ends the connection.
pub(super) fn close(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |_| {
        |mut socket: &TcpStream, shared: &mut Shared| {
            let n = socket.read(&mut shared.buffer)?;
            socket.write_all(&shared.buffer[..n])?;
            Ok(PostAction::Remove)
        }
    })
}

/// Sends every line to all.
pub(super) fn fanout(addr: SocketAddr) -> io::Result<()> {
    serve(addr, |newcomer| {
        newcomer.join();
        let mut unfinished = Unfinished::default();
        move |mut socket: &TcpStream, shared: &mut Shared| {
            let n = socket.read(&mut shared.buffer)?;
            if n == 0 {
                shared.room.retain(|member| !ptr::eq(&**member, socket));
                return Ok(PostAction::Remove);
            }
            unfinished.lines(&shared.buffer[..n], |line| {
                for mut member in shared.room.iter().map(|member| &**member) {
                    // Whoever is gone is found gone when it is read from.
                    let _ = member.write_all(line);
                }
                Ok(())
            })?;
            Ok(PostAction::Continue)
        }
    })
}

/// What a new connection may do before its first event.
struct Newcomer<'a> {
    socket: &'a Rc<TcpStream>,
    shared: &'a mut Shared,
}

impl Newcomer<'_> {
    fn join(self) {
        self.shared.room.push(Rc::clone(self.socket));
    }
}

/// Accepts, and has each connection looked at by what `greet` gives for it.
fn serve<G, A>(addr: SocketAddr, greet: G) -> io::Result<()>
where
    G: Fn(Newcomer<'_>) -> A + 'static,
    A: FnMut(&TcpStream, &mut Shared) -> io::Result<PostAction> + 'static,
{
    let listener = TcpListener::bind(addr)?;
    let addr = listener.local_addr()?;
    let mut event_loop: EventLoop<'_, Shared> = EventLoop::try_new().map_err(io::Error::other)?;
    let handle = event_loop.handle();
    let accept = Generic::new(listener, Interest::READ, Mode::Level);
    event_loop
        .handle()
        .insert_source(accept, move |_, listener, shared| {
            let (socket, _) = listener.accept()?;
            let socket = Rc::new(socket);
            let mut answer = greet(Newcomer {
                socket: &socket,
                shared,
            });
            let source = Generic::new(socket, Interest::READ, Mode::Level);
            handle
                .insert_source(source, move |_, socket, shared| {
                    // An error would end the whole loop; here it ends the connection.
                    answer(socket, shared).or(Ok(PostAction::Remove))
                })
                .map_err(|refused| refused.error)?;
            Ok(PostAction::Continue)
        })
        .map_err(|refused| refused.error)?;
    super::announce(addr);
    let mut shared = Shared {
        buffer: vec![0; 64 * 1024],
        room: Vec::new(),
    };
    event_loop
        .run(None, &mut shared, |_| {})
        .map_err(io::Error::other)
}
