//! Figures of the simulated network.
//!
//! ```sh
//! cargo run --release -p torsade-tests --bin simulate -- chat [seeds] [members]
//! cargo run --release -p torsade-tests --bin simulate -- faults [seeds] [members]
//! cargo run --release -p torsade-tests --bin simulate -- exchange [seeds] [clients]
//! cargo run --release -p torsade-tests --bin simulate -- idle [connections]
//! ```
//! `chat` is a chat without faults, `faults` the same with a swarm in every seed, `exchange` is
//! questions and answers without faults and with a swarm in turn, and `idle` counts
//! the bytes of connections, both ends of each, that are open and quiet. Each prints one line.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use torsade_core::{Protocol, Transport, factory};
use torsade_testing::sim::{Faults, Links, Seeds, Sim};
use torsade_tests::simulated::chat::{self, Outcome};
use torsade_tests::simulated::exchange;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default: u64| {
        let text = arguments.get(place);
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let members = u32::try_from(number(2, 50)).unwrap_or(50);
    match arguments.first().map(String::as_str) {
        Some("chat") => chats("chat", number(1, 2000), members, None),
        Some("faults") => chats("faults", number(1, 2000), members, Some(Faults::all())),
        Some("exchange") => exchanges(number(1, 2000), u32::try_from(number(2, 4)).unwrap_or(4)),
        Some("idle") => idle(number(1, 1_000_000)),
        _ => {
            say("usage: simulate chat|faults|exchange [seeds] [members] | idle [connections]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn chats(name: &str, seeds: u64, members: u32, faults: Option<Faults>) {
    let sum = Cell::new(Outcome::default());
    let begin = Instant::now();
    let tried = Seeds::run(seeds, |seed| {
        let outcome = chat::run(seed, members, faults.clone());
        let so_far = sum.get();
        sum.set(Outcome {
            heard: so_far.heard + outcome.heard,
            lost: so_far.lost + outcome.lost,
            faults: so_far.faults + outcome.faults,
            harm: so_far.harm + outcome.harm,
            lasted: so_far.lasted + outcome.lasted,
        });
    });
    let took = begin.elapsed();
    let sum = sum.get();
    let a_minute = tried.seeds as f64 * 60.0 / took.as_secs_f64();
    say(&format!(
        "rig={name} seeds={} twice={} members={members} seconds={:.1} seeds_a_minute={a_minute:.0} \
         heard={} lost={} faults={} harm={} simulated_hours={:.1} mismatches=0 broken=0",
        tried.seeds,
        tried.twice,
        took.as_secs_f64(),
        sum.heard,
        sum.lost,
        sum.faults,
        sum.harm,
        sum.lasted.as_secs_f64() / 3600.0,
    ));
}

fn exchanges(seeds: u64, clients: u32) {
    let answers = Cell::new(0);
    let tried = Seeds::run(seeds, |seed| {
        let faults = Faults::all().within(Duration::from_secs(8));
        let outcome = exchange::run(seed, clients, (seed % 2 == 1).then_some(faults));
        answers.set(answers.get() + outcome.answers);
    });
    say(&format!(
        "rig=exchange seeds={} twice={} clients={clients} answers={} faults={} mismatches=0 broken=0",
        tried.seeds,
        tried.twice,
        answers.get(),
        tried.faults,
    ));
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// Clients of one host: it has so many ports.
const EACH: u64 = 10_000;

fn idle(connections: u64) {
    let mut net = Sim::new(1);
    net.keep_no_trace();
    let mut links = Links::default();
    links.latency = Duration::from_millis(1);
    net.links(links);
    let server = net.host("server").net();
    let listening = server.listen("0.0.0.0:7", factory(|_| Quiet));
    if listening.is_err() {
        say("the simulated server cannot listen");
        return;
    }
    let before = resident();
    let begin = Instant::now();
    for first in (0..connections).step_by(EACH as usize) {
        let host = net.host(&format!("c{first}")).net();
        for _ in first..connections.min(first + EACH) {
            host.connect("server:7", Quiet).detach();
        }
        net.settle();
    }
    let took = begin.elapsed();
    let held = server.connections() as u64;
    let bytes = resident().saturating_sub(before) / held.max(1);
    say(&format!(
        "rig=idle connections={held} ends={} seconds={:.1} bytes_a_connection={bytes}",
        net.ends(),
        took.as_secs_f64(),
    ));
}

/// Bytes of this process in memory; 0 where the system does not tell in Linux's way.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
