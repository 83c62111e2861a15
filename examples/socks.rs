//! A SOCKS server, versions 4, 4a and 5: clients say where they want to be connected to, and are,
//! through a [relay].
//!
//! Run `cargo run --bin socks`, then `curl --socks5 127.0.0.1:8007 http://127.0.0.1:80/`, with a
//! web server of yours as the second address. Ctrl-C ends it.
//!
//! Nobody is asked who they are: listen where only friends come. Numeric addresses and
//! `localhost` are connected to; other names are answered with "host unreachable".
#![forbid(unsafe_code)]

#[path = "socks/message.rs"]
mod message;
mod relay;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use torsade::{Disconnect, Protocol, Reactor, Timeout, Timer, Transport, factory};

use self::message::{Hello, Input, Reply, Request, Stop, Version};

/// A client that has not said everything yet.
#[derive(Default)]
struct Client {
    stage: Stage,
    deadline: Option<Timer>,
}

/// What is to be read next.
///
/// ```text
///          methods (SOCKS 5)             request               connected
///   Hello -------------------> Request ----------> Connecting -----------> the relay
///     |     request (SOCKS 4)                          ^
///     +------------------------------------------------+
/// ```
#[derive(Default, Debug, PartialEq, Eq)]
enum Stage {
    #[default]
    Hello,
    Request,
    Connecting,
}

impl Client {
    /// Read the next message and act on it.
    fn step(&mut self, transport: &Transport<Self>, input: &mut Input<'_>) -> Result<(), Stop> {
        let request = match self.stage {
            Stage::Hello => match input.hello()? {
                Hello::Request(request) => request,
                Hello::Methods { none: true } => {
                    transport.write([5, 0]);
                    self.stage = Stage::Request;
                    return Ok(());
                }
                Hello::Methods { none: false } => {
                    transport.write([5, 0xff]);
                    let why = "insists on authentication";
                    return Err(Stop::Broken(Disconnect::protocol(why)));
                }
            },
            Stage::Request => input.request_5()?,
            Stage::Connecting => return Err(Stop::Incomplete),
        };
        self.stage = Stage::Connecting;
        self.connect(transport, request);
        Ok(())
    }

    fn connect(&self, transport: &Transport<Self>, request: Request) {
        if let Some(deadline) = &self.deadline {
            deadline.cancel();
        }
        let version = request.version;
        let target = match request.target {
            Ok(target) => target,
            Err(reply) => {
                let why = Disconnect::protocol(format!("asks for what is not had: {reply:?}"));
                return refuse(transport, version, reply, why);
            }
        };
        let upstream = relay::connect(transport, target);
        transport.hold(upstream, move |_, transport, upstream| match upstream {
            Ok(upstream) => {
                let bound = upstream.peer().local().inet();
                let bound = bound.unwrap_or_else(nowhere);
                transport.write(Reply::Granted.encode(version, bound));
                relay::join(transport, &upstream);
            }
            Err(error) => {
                let why = Disconnect::application(error.to_string());
                refuse(transport, version, Reply::from(&error), why);
            }
        });
    }
}

/// Say no, and close.
fn refuse(transport: &Transport<Client>, version: Version, reply: Reply, why: Disconnect) {
    transport.write(reply.encode(version, nowhere()));
    transport.fail(why);
}

/// The address in a reply that has none.
fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let timer = transport.call_later(Duration::from_secs(10), |_, transport| {
            transport.fail(Disconnect::TimedOut(Timeout::Handshake));
        });
        self.deadline = Some(timer);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let mut input = Input::new(data);
        // Held input is not wanted: what follows the request is for the upstream.
        while transport.wants_input() {
            match self.step(transport, &mut input) {
                Ok(()) => {}
                Err(Stop::Incomplete) => break,
                Err(Stop::Broken(reason)) => transport.fail(reason),
            }
        }
        transport.unread(input.len());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let clients = factory(|_| Client::default());
    let listener = reactor.net().listen(address, clients)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
#[path = "socks/tests.rs"]
mod tests;
