//! The subject as a process of its own, on a real reactor. Orders and answers are those of
//! `tests/twisted/subject.py`.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use torsade_core::{Net, factory};
use torsade_reactor::Reactor;

use crate::actor::{Part, Say};

/// So often the reactor goes round before an order is answered.
const ROUNDS: usize = 5;

thread_local! {
    /// The only part that is played at a time, on the reactor's thread.
    static PART: RefCell<Option<Rc<Part>>> = const { RefCell::new(None) };
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| ()));
    let mut reactor = Reactor::new()?;
    let listener = reactor.net().listen(
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        factory(|_| NEXT.take()),
    )?;
    print(&format!("port {}", listener.address().port().unwrap_or(0)));
    let remote = reactor.remote();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if remote.post(move |net| obey(net, &line)).is_err() {
                return;
            }
        }
        // Nobody gives orders any more. If the reactor is gone already, so is everything.
        remote.post(Net::stop).unwrap_or_default();
    });
    reactor.run()?;
    Ok(())
}

thread_local! {
    /// The protocol of the connection that is accepted next.
    static NEXT: RefCell<Option<torsade_core::AnyProtocol>> = const { RefCell::new(None) };
}

fn obey(net: &Net, line: &str) {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let say: Say = Rc::new(|event| print(&format!("e {event}")));
    match verb {
        "next" => {
            let (part, protocol) = Part::new(rest, &say);
            PART.set(Some(part));
            NEXT.set(Some(protocol));
        }
        "connect" => {
            let (port, flags) = rest.split_once(' ').unwrap_or((rest, ""));
            let (part, protocol) = Part::new(flags, &say);
            PART.set(Some(part));
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().unwrap_or(0)));
            net.connect(to, protocol).detach();
        }
        "do" => {
            if let Some(part) = current() {
                part.act(rest);
            }
        }
        "stop" => return net.stop(),
        _ => print(&format!("e failed: no such order as {line:?}")),
    }
    answer(net, ROUNDS);
}

fn current() -> Option<Rc<Part>> {
    PART.with_borrow(Option::clone)
}

fn answer(net: &Net, rounds: usize) {
    if rounds > 0 {
        net.call_later(Duration::ZERO, move |net| answer(net, rounds - 1));
    } else {
        let status = current().map(|part| part.status());
        print(&format!(". {}", status.unwrap_or_default()));
    }
}

fn print(line: &str) {
    // Whoever gave the orders may be gone; the end of them is then on its way, too.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
