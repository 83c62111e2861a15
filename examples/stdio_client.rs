//! A telnet-like client: what is typed goes to the network, what comes from there is shown.
//!
//! Run `cargo run --bin line_echo` in one terminal and `cargo run --bin stdio_client
//! 127.0.0.1:8007` in another one. It is a filter as well: `printf 'hello\n' | stdio_client
//! 127.0.0.1:8007 | wc -c`. The address may be any that a client's [text] can say, with or without
//! `tcp:` in front. Ctrl-D ends what is typed, Ctrl-C everything. If it cannot
//! connect, or the connection breaks, it says why on standard error and exits with 1.
//!
//! [text]: torsade::service::Endpoints
#![forbid(unsafe_code)]

mod terminal;

use std::process::ExitCode;

use torsade::{Endpoint, Reactor, ToEndpoint, service};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    env_logger::init();
    let to = std::env::args().nth(1);
    let to = read(to.as_deref().unwrap_or("127.0.0.1:8007"))?;
    let mut reactor = Reactor::new()?;
    Ok(terminal::run(&mut reactor, to)?)
}

/// An address, or an endpoint as Twisted writes it.
fn read(text: &str) -> Result<Endpoint, Box<dyn std::error::Error>> {
    match text.to_endpoint() {
        Ok(endpoint) => Ok(endpoint),
        Err(_) => Ok(service::client(text)?),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_address_and_an_endpoint_are_understood() {
        let plain = read("127.0.0.1:80").unwrap();
        assert_eq!(plain.places(), read("tcp:127.0.0.1:80").unwrap().places());
        assert_eq!(read("unix:/run/a").unwrap().places().len(), 1);
        assert!(read("nowhere").is_err());
    }
}
