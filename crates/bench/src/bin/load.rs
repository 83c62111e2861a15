//! Sends one workload to a server.
//!
//! ```text
//! load ADDR echo|constant|lines rounds CONNECTIONS IN_FLIGHT ROUNDS [WARM_UP]
//! load ADDR lines room CONNECTIONS ROUNDS [WARM_UP]
//! load ADDR echo|lines visits CONNECTIONS [WARM_UP]
//! load ADDR echo|lines dismissals CONNECTIONS [WARM_UP]
//! load ADDR echo|lines idle CONNECTIONS
//! load ADDR echo datagrams SOCKETS IN_FLIGHT ROUNDS [WARM_UP]
//! load ADDR tls rounds CONNECTIONS IN_FLIGHT ROUNDS [WARM_UP]
//! load ADDR tls visits|returns CONNECTIONS [WARM_UP]
//! load ADDR tls idle|stalled CONNECTIONS
//! ```
//!
//! With a warm-up it does so much first and says `warm`; for each line that it
//! reads then it does the rest and says `done`. `idle` says `open N` when all
//! are open. What has spoken holds its connections until its standard input
//! ends. A visit is ended by the load, a dismissal by the server. Who returns has a ticket of the
//! visit before.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Read};
use std::net::SocketAddr;

use torsade_bench::datagrams::Volley;
use torsade_bench::load::{self, Ends, Message, Room, Session};
use torsade_bench::secure::{self, Greeting, SecureSession};

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [server, message, mode, sizes @ ..] = &words[..] else {
        return Err(io::Error::other(
            "usage: load ADDR echo|constant|lines|tls MODE SIZES",
        ));
    };
    let server = server.parse().map_err(io::Error::other)?;
    let sizes: Vec<usize> = sizes
        .iter()
        .map(|size| size.parse().map_err(io::Error::other))
        .collect::<Result<_, _>>()?;
    match *message {
        "echo" => in_clear(server, Message::Block, mode, &sizes),
        "constant" => in_clear(server, Message::Constant, mode, &sizes),
        "lines" => in_clear(server, Message::Line, mode, &sizes),
        "tls" => secure(server, mode, &sizes),
        _ => Err(io::Error::other(
            "a message is `echo`, `constant`, `lines` or `tls`",
        )),
    }
}

fn in_clear(server: SocketAddr, message: Message, mode: &str, sizes: &[usize]) -> io::Result<()> {
    match (mode, sizes) {
        ("rounds", &[connections, in_flight, rounds, ref warm_up @ ..]) => {
            let mut session = Session::open(server, message, connections, in_flight)?;
            play(|rounds| session.play(rounds), rounds, warm_up)
        }
        ("room", &[connections, rounds, ref warm_up @ ..]) => {
            let mut room = Room::enter(server, connections)?;
            play(|rounds| room.play(rounds), rounds, warm_up)
        }
        ("visits" | "dismissals", &[connections, ref warm_up @ ..]) => {
            let ends = match mode {
                "visits" => Ends::Load,
                _ => Ends::Server,
            };
            let visit = |connections| load::visits(server, message, ends, connections);
            play(visit, connections, warm_up)
        }
        ("datagrams", &[sockets, in_flight, rounds, ref warm_up @ ..]) => {
            let mut volley = Volley::open(server, sockets, in_flight)?;
            play(|rounds| volley.play(rounds), rounds, warm_up)
        }
        ("idle", &[connections]) => {
            let sockets = load::idle(server, message, connections)?;
            say(&format!("open {}", sockets.len()));
            wait_for_the_end()
        }
        _ => Err(unknown()),
    }
}

fn secure(server: SocketAddr, mode: &str, sizes: &[usize]) -> io::Result<()> {
    match (mode, sizes) {
        ("rounds", &[connections, in_flight, rounds, ref warm_up @ ..]) => {
            let mut session = SecureSession::open(server, connections, in_flight)?;
            play(|rounds| session.play(rounds), rounds, warm_up)
        }
        ("visits" | "returns", &[connections, ref warm_up @ ..]) => {
            let greeting = match mode {
                "visits" => Greeting::Stranger,
                _ => Greeting::Acquaintance,
            };
            let visit = |connections| secure::visits(server, greeting, connections);
            play(visit, connections, warm_up)
        }
        ("idle" | "stalled", &[connections]) => {
            let sockets = match mode {
                "idle" => secure::idle(server, connections)?,
                _ => secure::stalled(server, connections)?,
            };
            say(&format!("open {}", sockets.len()));
            wait_for_the_end()
        }
        _ => Err(unknown()),
    }
}

fn unknown() -> io::Error {
    io::Error::other("unknown mode or wrong sizes")
}

/// Plays it all, or the warm-up first and the rest whenever told to.
fn play(
    mut some: impl FnMut(usize) -> io::Result<()>,
    all: usize,
    warm_up: &[usize],
) -> io::Result<()> {
    match *warm_up {
        [] => some(all),
        [warm_up] => {
            some(warm_up)?;
            say("warm");
            let mut stdin = io::stdin().lock();
            while stdin.skip_until(b'\n')? > 0 {
                some(all)?;
                say("done");
            }
            Ok(())
        }
        _ => Err(io::Error::other("too many sizes")),
    }
}

fn wait_for_the_end() -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

#[expect(clippy::print_stdout, reason = "the line is the program's interface")]
fn say(line: &str) {
    println!("{line}");
}
