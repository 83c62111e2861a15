//! Child processes: what starting one costs its parent, torsade beside tokio and plain std.
//!
//! `spawns [MANY] [ROUNDS]`, in the profile `figures`. The peers take turns, each in a process of its
//! own; what is said is the median of the parent's processor time for each, which a busy machine
//! disturbs little, and how many a second there were by the clock.
#![forbid(unsafe_code)]

use std::io;

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a command, which says what it found")]
fn main() -> io::Result<()> {
    use torsade_bench::spawns::{PEERS, seconds};

    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [one, peer, many] = &words[..]
        && one == "--one"
    {
        let (cpu, clock) = seconds(peer, number(many)?)?;
        println!("{cpu} {clock}");
        return Ok(());
    }
    let many = words.first().map_or(Ok(10_000), |word| number(word))?;
    let rounds = words.get(1).map_or(Ok(3), |word| number(word))?;
    let mut found = PEERS.map(|peer| (peer, Vec::new()));
    for _ in 0..rounds {
        for (peer, times) in &mut found {
            let mut one = std::process::Command::new(std::env::current_exe()?);
            let output = one.args(["--one", peer, &many.to_string()]).output()?;
            let said = String::from_utf8_lossy(&output.stdout);
            let mut numbers = said.split_whitespace().map(str::parse::<f64>);
            let (Some(Ok(cpu)), Some(Ok(clock))) = (numbers.next(), numbers.next()) else {
                return Err(io::Error::other(format!("{peer} failed: {output:?}")));
            };
            times.push((cpu, clock));
        }
    }
    for (peer, mut times) in found {
        times.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (cpu, clock) = times[times.len() / 2];
        let (each, rate) = (cpu * 1e6 / many as f64, many as f64 / clock);
        println!("{peer:<20} {each:>8.1} us of the parent for each, {rate:>7.0} a second");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn number(word: &str) -> io::Result<usize> {
    word.parse().map_err(io::Error::other)
}

#[cfg(not(target_os = "linux"))]
fn main() -> io::Result<()> {
    Err(io::Error::other("the processor time is counted on Linux"))
}
