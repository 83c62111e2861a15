//! Redis GET, 64 in flight: commands for each second of processor time, torsade's client beside
//! the `redis` crate on tokio and redis-py, in one run against one server.
//!
//! `redis_cpu [ROUNDS] [TIMES] [PYTHON]`, on a machine that is quiet and in the profile `figures`.
//! The peers take turns; what is said is the median of each, and torsade's as a multiple. A Python
//! without redis-py is left out, and that is said.
#![forbid(unsafe_code)]

use std::io;

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a command, which says what it found")]
fn main() -> io::Result<()> {
    use torsade_bench::redis_clients::{self, Client};

    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [one, name, address, times] = &words[..]
        && one == "--one"
    {
        let address = address.parse().map_err(io::Error::other)?;
        let seconds = redis_clients::seconds(name, address, number(times)?)?;
        println!("{seconds}");
        return Ok(());
    }
    let rounds = words.first().map_or(Ok(9), |word| number(word))?;
    let times = words.get(1).map_or(Ok(640_000), |word| number(word))?;
    let python = words.get(2).map_or("python3", String::as_str);
    let server = redis_clients::server()?;
    let mut clients: Vec<(Client, Vec<f64>)> = Client::all().map(|one| (one, Vec::new())).collect();
    for _ in 0..rounds {
        for (client, rates) in &mut clients {
            // An interpreter needs a tenth of the work to be measured as well.
            let times = if *client == Client::Python {
                times / 10
            } else {
                times
            };
            let mut command = command(*client, python)?;
            command.args([server.address(), times.to_string()]);
            let output = command.output()?;
            let seconds = String::from_utf8_lossy(&output.stdout);
            if let Ok(seconds) = seconds.trim().parse::<f64>() {
                rates.push(times as f64 / seconds);
            }
        }
    }
    let ours = clients
        .first_mut()
        .map_or(f64::NAN, |(_, rates)| median(rates));
    for (client, rates) in &mut clients {
        if rates.is_empty() {
            println!("{:<24} not here", client.title());
            continue;
        }
        let rate = median(rates);
        let title = client.title();
        println!(
            "{title:<24} {rate:>10.0} commands / CPU second, torsade's is {:.2} times that",
            ours / rate
        );
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> io::Result<()> {
    Err(io::Error::other(
        "processor time is read from /proc, on Linux only",
    ))
}

#[cfg(target_os = "linux")]
fn command(
    client: torsade_bench::redis_clients::Client,
    python: &str,
) -> io::Result<std::process::Command> {
    use std::process::Command;
    use torsade_bench::redis_clients::Client;

    if client == Client::Python {
        let mut command = Command::new(python);
        command.args(["-c", include_str!("../../peers/redis_py_peer.py")]);
        return Ok(command);
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", client.name()]);
    Ok(command)
}

#[cfg(target_os = "linux")]
fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(target_os = "linux")]
fn number(word: &str) -> io::Result<usize> {
    word.parse().map_err(io::Error::other)
}
