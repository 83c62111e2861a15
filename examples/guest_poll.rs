//! The reactor as a guest: a program with a `poll(2)` loop of its own, which serves connections
//! beside what it does anyway. Whatever is typed goes to everybody who is connected.
//!
//! The loop needs three things of a reactor: its descriptor, which is readable when there is
//! something to do; the next deadline; and a turn, taken whenever either says so.
//!
//! Run `cargo run --bin guest_poll`, then `nc 127.0.0.1 8007` in another terminal, and type
//! here. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use torsade::{Connection, Disconnect, Protocol, Reactor, Transport, factory};

type Room = Rc<RefCell<Vec<Connection>>>;

/// Somebody who hears what is typed.
struct Listener(Room);

impl Protocol for Listener {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("welcome\n");
        self.0.borrow_mut().push(transport.connection());
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        let gone = transport.connection();
        self.0.borrow_mut().retain(|connection| *connection != gone);
    }
}

/// The program's own loop, until a stop of the reactor is complete. `typed` is its own business.
fn run(mut reactor: Reactor, mut typed: impl Read + AsFd, room: &Room) -> io::Result<()> {
    let mut is_typing = true;
    loop {
        let patience = patience(&reactor);
        let (guest, own) = wait(&reactor, is_typing.then_some(&typed), patience)?;
        if own {
            let mut line = [0; 1024];
            let n = typed.read(&mut line)?;
            is_typing = n > 0;
            // Outside a turn: what is written makes the reactor's descriptor readable.
            let listeners = room.borrow().clone();
            listeners.iter().for_each(|them| them.write(&line[..n]));
        }
        // A turn for a deadline, too, which no descriptor tells.
        if (guest || !own) && !reactor.turn(Some(Duration::ZERO))? {
            return Ok(());
        }
    }
}

/// How long the loop may sleep; `None` for as long as nothing comes.
fn patience(reactor: &Reactor) -> Option<Timespec> {
    let left = reactor.next_deadline()? - reactor.net().now();
    Some(Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    })
}

/// Sleep; then say whether there is something for the reactor, and something that was typed.
fn wait(
    reactor: &Reactor,
    typed: Option<&impl AsFd>,
    patience: Option<Timespec>,
) -> io::Result<(bool, bool)> {
    let mut fds = vec![PollFd::new(reactor, PollFlags::IN)];
    fds.extend(typed.map(|typed| PollFd::new(typed, PollFlags::IN)));
    match poll(&mut fds, patience.as_ref()) {
        // A signal, which the reactor has heard of in its own way.
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let is_ready = |fd: Option<&PollFd<'_>>| fd.is_some_and(|fd| !fd.revents().is_empty());
    Ok((is_ready(fds.first()), is_ready(fds.get(1))))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let room = Room::default();
    let listeners = Rc::clone(&room);
    let build = factory(move |_| Listener(Rc::clone(&listeners)));
    let listener = reactor.net().listen(address, build)?;
    println!("listening on {}", listener.address());
    reactor.stop_on_signals()?;
    Ok(run(reactor, io::stdin(), &room)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn what_is_typed_goes_to_everybody_and_timers_ring() {
        let reactor = Reactor::new().unwrap();
        let room = Room::default();
        let listeners = Rc::clone(&room);
        let build = factory(move |_| Listener(Rc::clone(&listeners)));
        let listener = reactor.net().listen("127.0.0.1:0", build).unwrap();
        let (address, remote) = (listener.address(), reactor.remote());
        let (terminal, mut keyboard) = UnixStream::pair().unwrap();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut heard = vec![0; 8];
            stream.read_exact(&mut heard).unwrap();
            keyboard.write_all(b"news\n").unwrap();
            drop(keyboard); // nothing is typed any more, and the loop does not spin on it
            heard.resize(13, 0);
            stream.read_exact(&mut heard[8..]).unwrap();
            // With nothing else to wake the loop, the deadline of a timer does.
            let later = |net: &torsade::Net| {
                net.call_later(Duration::from_millis(1), torsade::Net::stop);
            };
            remote.post(later).unwrap();
            heard
        });
        run(reactor, terminal, &room).unwrap();
        assert_eq!(client.join().unwrap(), b"welcome\nnews\n");
        assert!(room.borrow().is_empty());
    }
}
