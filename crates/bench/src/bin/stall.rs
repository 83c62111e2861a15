//! How late a timer is while name servers do not answer: look-ups that hang must stall nothing.
//!
//! `stall [LOOK-UPS] [TICKS]`: a name server on loopback that takes questions and never answers, so
//! many look-ups that wait for it, and a timer of 2 ms, set so many times. What is said is how late
//! that was, with the look-ups and without, in turns.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::{Duration, Instant};

use torsade::{Limits, Net, Reactor, ResolveError};

const PERIOD: Duration = Duration::from_millis(2);

#[expect(clippy::print_stdout, reason = "a command, which says what it found")]
fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut number = |default| match words.next() {
        Some(word) => word.parse().map_err(io::Error::other),
        None => Ok(default),
    };
    let (look_ups, ticks) = (number(8)?, number(1000)?);
    for hanging in [0, look_ups, 0, look_ups] {
        let late = lateness(hanging, ticks)?;
        let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize];
        println!(
            "{hanging} look-ups hang; a timer of {PERIOD:?}, {ticks} times, was late by: \
             median {:.1?}, 99 % {:.1?}, worst {:.1?}",
            at(0.5),
            at(0.99),
            at(1.0),
        );
    }
    Ok(())
}

/// How late each tick was, in order of size, while so many look-ups hang.
fn lateness(hanging: usize, ticks: usize) -> io::Result<Vec<Duration>> {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let at = server.local_addr()?;
    let mut limits = Limits::default();
    // All of them hang at once: none waits for a thread.
    limits.lookup_threads = hanging.max(1);
    let mut reactor = Reactor::builder()
        .limits(limits)
        .look_up(move |name| ask(at, name))
        .build()?;
    for number in 0..hanging {
        let asked = reactor.net().resolve(&format!("host{number}.example.org"));
        asked.finish(drop);
    }
    let late = Rc::new(RefCell::new(Vec::with_capacity(ticks)));
    // The questions are on their way before anything is measured, and none is answered.
    let mut askers = Vec::new();
    while askers.len() < hanging {
        reactor.turn(Some(Duration::ZERO))?;
        server.set_read_timeout(Some(PERIOD))?;
        if let Ok((_, asker)) = server.recv_from(&mut [0; 512]) {
            askers.push(asker);
        }
    }
    tick(reactor.net(), ticks, &late);
    reactor.run()?;
    // Threads that wait are let go.
    for asker in askers {
        server.send_to(b"enough", asker)?;
    }
    let mut late = late.take();
    late.sort();
    Ok(late)
}

/// What a resolver does: asks, and waits.
fn ask(server: SocketAddr, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    let wait = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.send_to(name.as_bytes(), server)?;
        socket.recv(&mut [0; 512])
    };
    let name = name.to_owned();
    Err(match wait() {
        Ok(_) => ResolveError::NotFound { name },
        Err(error) => ResolveError::Failed {
            name,
            why: error.to_string(),
        },
    })
}

fn tick(net: &Net, left: usize, late: &Rc<RefCell<Vec<Duration>>>) {
    if left == 0 {
        return net.stop();
    }
    let due = Instant::now() + PERIOD;
    let late = Rc::clone(late);
    net.call_later(PERIOD, move |net| {
        late.borrow_mut().push(due.elapsed());
        tick(net, left - 1, &late);
    });
}
