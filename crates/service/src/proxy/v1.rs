//! The header as a line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

use torsade_core::{Disconnect, Peer};

use super::header::{ProxyCommand, ProxyHeader};
use super::wrong;

/// What every header begins with.
pub(super) const START: &[u8] = b"PROXY ";

/// The longest line there can be, with its end.
const LONGEST: usize = 107;

/// Read a header from the beginning of `wire`: it, and its length; `None` if it goes on behind.
pub(super) fn read(wire: &[u8]) -> Result<Option<(ProxyHeader, usize)>, Disconnect> {
    let window = &wire[..wire.len().min(LONGEST)];
    let Some(end) = window.windows(2).position(|two| two == b"\r\n") else {
        return match window.len() {
            LONGEST => Err(wrong("a PROXY header without an end")),
            _ => Ok(None),
        };
    };
    let header = parse(&window[START.len()..end]).ok_or_else(|| wrong("no PROXY header"))?;
    Ok(Some((header, end + 2)))
}

/// What stands behind `PROXY `.
fn parse(line: &[u8]) -> Option<ProxyHeader> {
    let line = str::from_utf8(line).ok()?;
    let (kind, ends) = line.split_once(' ').unwrap_or((line, ""));
    let mut ends = ends.split(' ');
    let mut next = || ends.next();
    let (from, to): (IpAddr, IpAddr) = match kind {
        // Whatever follows has to be ignored.
        "UNKNOWN" => return Some(ProxyHeader::unknown()),
        "TCP4" => {
            let [from, to] = [next()?.parse::<Ipv4Addr>(), next()?.parse()];
            (from.ok()?.into(), to.ok()?.into())
        }
        "TCP6" => {
            let [from, to] = [next()?.parse::<Ipv6Addr>(), next()?.parse()];
            (from.ok()?.into(), to.ok()?.into())
        }
        _ => return None,
    };
    let from = SocketAddr::new(from, port(next()?)?);
    let to = SocketAddr::new(to, port(next()?)?);
    if next().is_some() {
        return None;
    }
    let peer = Some(Peer::new(from, to));
    Some(ProxyHeader::read(ProxyCommand::Proxy, peer, Vec::new()))
}

/// A port in decimal digits, with no sign and no needless zeros.
fn port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port.to_string() == text).then_some(port)
}

pub(super) fn encode(header: &ProxyHeader) -> Vec<u8> {
    let ends = match header.command() {
        ProxyCommand::Proxy => header.inet(),
        ProxyCommand::Local => None,
    };
    let line = match ends {
        None => "PROXY UNKNOWN\r\n".to_owned(),
        Some((from, to)) => {
            let kind = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            let (from_port, to_port) = (from.port(), to.port());
            let (from, to) = (from.ip(), to.ip());
            format!("PROXY {kind} {from} {to} {from_port} {to_port}\r\n")
        }
    };
    line.into_bytes()
}
