//! What a message and a connection cost.
//!
//! A scene marks in its trace from where to where the calls count, with a call that nobody else
//! makes; only those of the thread that made the marks do.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use torsade_core::{Protocol, Transport, factory};
use torsade_reactor::Reactor;

use crate::strace::start;

/// The marks are made when so many have come.
const FIRST: usize = 50;
const LAST: usize = 250;
const BETWEEN: usize = LAST - FIRST;

/// Counts messages, or connections.
#[derive(Clone, Default)]
struct Marks(Rc<Cell<usize>>);

impl Marks {
    fn pass(&self) {
        let count = self.0.get() + 1;
        self.0.set(count);
        if count == FIRST || count == LAST {
            let _ = rustix::process::getppid();
        }
    }
}

/// Sends back what comes.
struct Echo {
    /// If it is messages that count.
    marks: Option<Marks>,
    ends: bool,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
        if let Some(marks) = &self.marks {
            marks.pass();
        }
        if self.ends {
            transport.close();
        }
    }
}

/// Which side ends a connection first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Client,
    Server,
}

pub(crate) fn play(scene: &str) {
    match scene {
        "ping-pong" => serve(true, Ends::Client, ping_pong),
        "visits" => serve(false, Ends::Client, |address| visit(address, Ends::Client)),
        "dismissals" => serve(false, Ends::Server, |address| visit(address, Ends::Server)),
        unknown => panic!("no scene {unknown}"),
    }
}

/// A server with a timer armed, to the end of a client in another thread.
fn serve(messages: bool, ends: Ends, client: fn(SocketAddr)) {
    let mut reactor = Reactor::new().unwrap();
    let marks = Marks::default();
    let build = factory(move |_| {
        if !messages {
            marks.pass();
        }
        Echo {
            marks: messages.then(|| marks.clone()),
            ends: ends == Ends::Server,
        }
    });
    let listener = reactor.net().listen("127.0.0.1:0", build).unwrap();
    let hour = Duration::from_secs(3600);
    let idle = reactor.net().call_later(hour, |_| ());
    let (address, remote) = (listener.address().inet().unwrap(), reactor.remote());
    let client = thread::spawn(move || {
        client(address);
        remote.post(|net| net.stop()).unwrap();
    });
    reactor.run().unwrap();
    client.join().unwrap();
    drop(idle);
}

fn ping_pong(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..LAST {
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
    }
}

fn visit(address: SocketAddr, ends: Ends) {
    for _ in 0..LAST {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        if ends == Ends::Client {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

/// The calls between the two marks. None where there is no strace.
fn calls(scene: &str, driver: &str) -> Option<Vec<String>> {
    let report = start(scene, driver, &[], ("TORSADE_NOTHING", ""))?.finish();
    Some(between_marks(&report))
}

/// A line is `1234 read(5, ..`, or `1234 <... read resumed>..` for the end of a call.
fn between_marks(report: &str) -> Vec<String> {
    let calls = report.lines().filter_map(|line| {
        let (thread, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(is_name).then_some((thread, name))
    });
    let calls: Vec<_> = calls.collect();
    let is_mark = |at: &usize| calls[*at].1 == "getppid";
    let marks: Vec<_> = (0..calls.len()).filter(is_mark).collect();
    let [first, last] = marks[..] else {
        panic!("{} marks", marks.len());
    };
    let ours = |call: &&(&str, &str)| call.0 == calls[first].0;
    let between = calls[first + 1..last].iter().filter(ours);
    let mut names: Vec<_> = between.map(|call| call.1.to_owned()).collect();
    if cfg!(debug_assertions) {
        // The standard library's look at a descriptor that it closes.
        names.retain(|name| name != "fcntl");
    }
    names
}

/// So many for each of those between the marks, but for the few that the schedule makes more.
#[track_caller]
fn assert_each(calls: &[String], most: f64) {
    const FEW: f64 = 0.3;
    let each = calls.len() as f64 / BETWEEN as f64;
    let some = &calls[..calls.len().min(50)];
    assert!(each < most + FEW, "{each} for each: {some:?} ...");
}

#[test]
fn on_epoll_a_message_is_a_wait_a_receive_and_a_send_though_a_timer_is_armed() {
    let Some(calls) = calls("ping-pong", "epoll") else {
        return;
    };
    // A mark is made before the answer is sent.
    let each = ["sendto", "epoll_pwait2", "read"];
    let expected: Vec<_> = each.iter().copied().cycle().take(3 * BETWEEN).collect();
    assert_eq!(calls, expected);
}

#[test]
fn on_epoll_a_connection_costs_nothing_for_its_own_sake_but_its_way_in_and_out() {
    let Some(calls) = calls("visits", "epoll") else {
        return;
    };
    // Three waits; two receives, one of the end; a send; accept, register, and the same backwards.
    assert_each(&calls, 10.0);
}

#[test]
fn on_epoll_lingering_costs_a_shutdown_and_what_hears_of_the_peers_end() {
    let Some(calls) = calls("dismissals", "epoll") else {
        return;
    };
    assert_each(&calls, 11.0);
}

/// A wait takes along what became of the send before it, unless the peer takes longer for its next
/// message than such a wait lasts: then that is another one. How fast this machine is decides which.
#[cfg(feature = "io-uring")]
#[test]
fn on_io_uring_a_message_is_two_calls_at_most_though_a_timer_is_armed() {
    let Some(calls) = calls("ping-pong", "io_uring") else {
        return;
    };
    assert!(calls.iter().all(|call| call == "io_uring_enter"));
    assert_each(&calls, 2.0);
}

/// What `polling` does for itself is its own affair: a connection is what is counted here.
#[test]
fn on_polling_a_connection_is_accepted_once_and_not_touched_before_it_speaks() {
    for scene in ["visits", "dismissals"] {
        let Some(mut calls) = calls(scene, "polling") else {
            return;
        };
        let of_polling = [
            "epoll_ctl",
            "epoll_pwait",
            "epoll_wait",
            "timerfd_settime",
            "read",
        ];
        calls.retain(|name| !of_polling.contains(&name.as_str()));
        // An accept, a send, a close, and a shutdown where it lingers.
        let most = if scene == "visits" { 3.0 } else { 4.0 };
        assert_each(&calls, most);
    }
}
