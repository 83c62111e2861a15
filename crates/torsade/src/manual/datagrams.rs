//! Datagrams: a protocol over UDP.
//!
//! A datagram is a whole message with an address. It arrives as it was sent or not at all, perhaps
//! twice, perhaps after a later one; nobody is connected, and nobody says goodbye. So there is one
//! protocol for a *port*, not one for each peer, and what a program keeps about peers it forgets by
//! a timer.
//!
//! # A protocol
//! Who is there: everybody tells everybody once in a while, and who was not heard of for long is
//! forgotten.
//! ```
//! use std::collections::BTreeMap;
//! use std::net::SocketAddr;
//! use std::time::Duration;
//! use torsade::{DatagramError, DatagramProtocol, DatagramTransport, Time};
//!
//! const EVERY: Duration = Duration::from_secs(10);
//! const PATIENCE: Duration = Duration::from_secs(35);
//!
//! struct Neighbours {
//!     everybody: SocketAddr,
//!     heard: BTreeMap<SocketAddr, Time>,
//! }
//!
//! impl Neighbours {
//!     fn tell(&mut self, transport: &DatagramTransport<Self>) {
//!         let now = transport.net().now();
//!         self.heard.retain(|_, at| now - *at < PATIENCE);
//!         transport.send_to("here", &self.everybody);
//!         transport.call_later(EVERY, Self::tell); // ends with the port
//!     }
//! }
//!
//! impl DatagramProtocol for Neighbours {
//!     fn started(&mut self, transport: &DatagramTransport<Self>) {
//!         self.tell(transport);
//!     }
//!     fn datagram_received(
//!         &mut self,
//!         transport: &DatagramTransport<Self>,
//!         data: &[u8],
//!         from: &SocketAddr,
//!     ) {
//!         if data == b"here" {
//!             self.heard.insert(*from, transport.net().now());
//!         }
//!     }
//!     fn error_received(&mut self, _: &DatagramTransport<Self>, error: &DatagramError) {
//!         println!("{error}"); // one datagram; the port lives
//!     }
//! }
//!
//! // Its test, on a fake and on a clock that is turned by hand.
//! use torsade::testing::FakeDatagrams;
//!
//! let everybody = "239.255.7.7:4000".parse().unwrap();
//! let ann = "192.0.2.1:4000".parse().unwrap();
//! let mut port = FakeDatagrams::bind(Neighbours { everybody, heard: BTreeMap::new() });
//! assert_eq!(port.take_sent(), [(everybody, b"here".to_vec())]);
//! port.feed(ann, b"here");
//! port.advance(Duration::from_secs(30));
//! assert_eq!(port.protocol(|me| me.heard.len()), 1);
//! port.advance(Duration::from_secs(10));
//! assert_eq!(port.protocol(|me| me.heard.len()), 0);
//! assert_eq!(port.take_sent().len(), 4);
//! ```
//! `FakeDatagrams` is for one protocol. Programs that bind ports
//! run on a `MemoryReactor`, where a
//! `FarPort` is the other side, and on the
//! simulated network, whose `Links` say how
//! many datagrams get lost, come twice and come late.
//!
//! # Ports
//! ```
//! # use std::net::SocketAddr;
//! # use torsade::{DatagramProtocol, DatagramTransport};
//! # struct Quiet;
//! # impl DatagramProtocol for Quiet {
//! #     fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {}
//! # }
//! use torsade::{DatagramOptions, Interface, Net};
//!
//! fn open(net: &Net) -> Result<(), Box<dyn std::error::Error>> {
//!     // A server; a client binds to port 0 and gets one.
//!     net.bind("0.0.0.0:4000", Quiet)?;
//!
//!     // With one peer: others are not heard, and a refusal is reported.
//!     let client = net.bind("0.0.0.0:0", Quiet)?;
//!     client.connect("127.0.0.1:4000".parse()?)?;
//!     client.write("hello");
//!
//!     // IPv4 and IPv6 in one; by default `[::]` is IPv6 alone.
//!     net.bind_with("[::]:4001", &DatagramOptions::new().only_v6(false), Quiet)?;
//!
//!     // A group, at a port that other programs share.
//!     let shared = DatagramOptions::new().reuse_address(true).reuse_port(true);
//!     let group = net.bind_with("0.0.0.0:5353", &shared, Quiet)?;
//!     group.join_group("224.0.0.251".parse()?, Interface::Any)?;
//!     group.set_multicast_ttl(1)?;
//!
//!     client.close(); // `stopped` is called when the socket is closed
//!     Ok(())
//! }
//! # let reactor = torsade::testing::MemoryReactor::new();
//! # open(reactor.net()).unwrap();
//! ```
//!
//! # Unix sockets
//! Between programs of one machine: the same protocol with other addresses. It says so once, and
//! again where it names a transport; UDP's is what is meant otherwise.
//! ```
//! use torsade::{DatagramProtocol, DatagramTransport, UnixAddress, UnixListen};
//!
//! struct Log;
//! impl DatagramProtocol<UnixAddress> for Log {
//!     fn datagram_received(
//!         &mut self,
//!         _: &DatagramTransport<Self, UnixAddress>,
//!         data: &[u8],
//!         from: &UnixAddress, // `Unnamed` cannot be answered
//!     ) {
//!         println!("{from}: {}", data.escape_ascii());
//!     }
//! }
//!
//! # use torsade::testing::{FarPort, MemoryReactor};
//! let reactor = MemoryReactor::new();
//! let at = UnixListen::at("/run/log").mode(0o622).replace_stale();
//! let log = reactor.net().bind_unix(at, Log)?; // its file goes with it
//!
//! // Who only tells needs no name, and who is connected waits for a full queue.
//! let teller = reactor.net().bind_unix(UnixAddress::Unnamed, Log)?;
//! teller.connect(UnixAddress::path("/run/log"))?;
//! teller.write("begun");
//! # FarPort::open_unix("/run/other"); // settles
//! assert_eq!(log.received(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! None gets lost on the way: it arrives, or `error_received` says why not. If a queue is full,
//! whoever is [connected](crate::DatagramPort::connect) to it waits within
//! [`Limits::datagram_queue`](crate::Limits::datagram_queue); to others it is
//! [`Unsent`](crate::DatagramError::Unsent) with `WouldBlock`, so that one slow receiver does not
//! hold up the rest.
//!
//! # What you may rely on
//! - Callbacks never nest (contract C1), also if a port sends to itself, and a port's `call`, `then`
//!   and `call_later` run with `&mut self` before the next datagram.
//! - What is sent in a turn leaves together, which costs few system calls; on Linux equal datagrams
//!   to one address cost little more than one.
//! - Errors are one datagram's, and come to
//!   [`error_received`](crate::DatagramProtocol::error_received). A panic costs a datagram and not
//!   the port (contract C8).
//! - A queue that is full drops the newest and counts it:
//!   [`dropped`](crate::DatagramPort::dropped) (contract C18). There is no flow control: who sends
//!   more than the network takes loses some of it, as UDP has it.
//! - One that is longer than [`Limits::datagram`](crate::Limits::datagram) is told as cut, never
//!   delivered as if it were whole.
