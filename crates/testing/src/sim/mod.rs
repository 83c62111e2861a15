//! A whole network in one thread, from a seed.
//!
//! A [`Sim`] has hosts, each with the engine that the real reactor drives, and one virtual clock.
//! What is written against [`Net`](torsade_core::Net) runs on it unchanged, in microseconds, and the
//! same seed gives the same run.
//!
//! ```
//! use std::time::Duration;
//! use torsade_core::{ListenError, Net, Protocol, Transport, factory};
//! use torsade_testing::sim::Sim;
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! struct Hello(Vec<u8>);
//! impl Protocol for Hello {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write("hello");
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         self.0.extend_from_slice(data); // it may come in pieces
//!         if self.0 == b"hello" {
//!             transport.close();
//!         }
//!     }
//! }
//!
//! let mut net = Sim::new(42);
//! net.host("server").net().listen("0.0.0.0:7", factory(|_| Echo))?;
//! let cut = net.partition("ann", "server");
//! net.host("ann").net().connect("server:7", Hello(vec![])).detach();
//! net.advance(Duration::from_secs(10));
//! assert_eq!(net.host("server").net().connections(), 0); // nobody got through
//! drop(cut); // heals: the kernel tries again by itself
//! net.settle();
//! assert_eq!(net.host("server").net().accepted(), 1);
//! # Ok::<(), ListenError>(())
//! ```
//!
//! # What is in a test
//! | to | take |
//! |---|---|
//! | have a host, and its `Net` | [`Sim::host`], [`Host::net`], [`Host::run`]; [`Host::boot`] if it is to come back after a crash |
//! | let things happen | [`advance`](Sim::advance), [`settle`](Sim::settle), [`run_until`](Sim::run_until) |
//! | have slow, small or far links | [`Links`], for all by [`links`](Sim::links) or between two by [`link`](Sim::link) |
//! | break things | a [`Fault`]: it is in force as long as its guard exists |
//! | break them at random | [`swarm`](Sim::swarm), which differs from seed to seed |
//! | try many seeds | [`Seeds::run`] |
//! | see what happened | [`Sim::trace`]: a table, a sequence diagram, a capture for Wireshark |
//!
//! # Faults
//! | what | method |
//! |---|---|
//! | nothing gets through, both ways or one | [`partition`](Sim::partition), [`mute`](Sim::mute) |
//! | it takes longer, gets lost, comes changed | [`clog`](Sim::clog), [`drop_some`](Sim::drop_some), [`corrupt`](Sim::corrupt) |
//! | a host refuses, has no descriptors | [`refuse`](Sim::refuse), [`exhaust`](Sim::exhaust) |
//! | a host does not read, is slow, has a clock of its own | [`pause_reading`](Sim::pause_reading), [`stall`](Sim::stall), [`skew`](Sim::skew) |
//! | a host dies, and its kernel says so or not | [`kill`](Sim::kill), [`crash`](Sim::crash) |
//!
//! # Two phases
//! While faults rage, protocols assert what must never happen. Then [`calm`](Sim::calm) ends them,
//! and what is to come to an end [must](Sim::must_finish):
//! ```
//! use std::time::Duration;
//! # use std::{cell::Cell, rc::Rc};
//! # use torsade_core::{Net, Protocol, Transport, factory};
//! use torsade_testing::sim::{Faults, Seeds, Sim};
//! # struct Bank;
//! # impl Protocol for Bank {
//! #     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) { transport.write("ok"); }
//! # }
//! # /// Asks until it is answered.
//! # struct Customer(Rc<Cell<bool>>);
//! # impl Protocol for Customer {
//! #     fn connection_made(&mut self, transport: &Transport<Self>) { transport.write("pay"); }
//! #     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
//! #         self.0.set(true);
//! #         transport.close();
//! #     }
//! #     fn connection_lost(&mut self, transport: &Transport<Self>, _: &torsade_core::Disconnect) {
//! #         let served = Rc::clone(&self.0);
//! #         if !served.get() { transport.net().call_later(Duration::from_secs(1), |net| customer(net, served)); }
//! #     }
//! # }
//! # fn customer(net: &Net, served: Rc<Cell<bool>>) {
//! #     let again = Rc::clone(&served);
//! #     let later = net.clone();
//! #     net.connect("bank:7", Customer(served)).finish(move |made| {
//! #         if made.is_err() && later.is_alive() {
//! #             later.call_later(Duration::from_secs(1), |net| customer(net, again));
//! #         }
//! #     });
//! # }
//! # fn bank(net: &Net) {
//! #     if net.listen("0.0.0.0:7", factory(|_| Bank)).is_err() { net.call_later(Duration::from_secs(1), bank); }
//! # }
//!
//! let tried = Seeds::run(50, |seed| {
//!     let mut net = Sim::new(seed);
//!     let served = Rc::new(Cell::new(false));
//!     net.host("bank").boot(bank);
//!     let done = Rc::clone(&served);
//!     net.host("ann").boot(move |net| customer(net, Rc::clone(&done)));
//!     net.swarm(Faults::all().within(Duration::from_secs(30)));
//!     net.advance(Duration::from_secs(30)); // safety
//!     net.calm();
//!     net.must_finish("ann is served", Duration::from_secs(600), || served.get()); // liveness
//! });
//! assert_eq!(tried.seeds, 50);
//! ```
//! If a seed fails, the message has the seed, the few faults that it takes, the end of the trace,
//! and the line that repeats it: `Replay::seed(17).faults(&[3]).run(|seed| ..)`.
//!
//! # What kernels do here
//! As on Linux: a segment that is lost is sent again after 200 ms, 400 ms and so on, a connect
//! after 1 s, 2 s, 4 s. A stream that gets nowhere for a quarter of an hour fails. Closing with
//! input unread resets, and what had arrived before a reset stays readable. A sender whose queue
//! was full is told of room when a third is free. What is sent to a closed socket is answered by a
//! reset, also when the socket is of a program that was killed or of a host that was off in
//! between. Datagrams get lost, come twice and overtake each other as the [`Links`] say, and are
//! dropped where nobody reads them; groups and broadcasts reach the hosts whose ports hear them; who
//! is connected to a port that is not there is told.
//!
//! Not there: congestion windows and slow start, delayed acknowledgements and Nagle's algorithm, IPv6
//! between hosts (`::1` is there), and a bound on ports. A turn takes no time unless a callback
//! [stalls](crate::Clock::stall); what such a turn sends has left when it began.
//!
//! # The same every time
//! All chance comes from the seed, all time from the network's clock, and nothing depends on the
//! order of a hash table or on addresses in memory. [`Seeds`] runs one seed in a hundred twice and
//! compares. What a program brings of its own, threads that post calls, the system's clock, a
//! `HashMap` that is walked through, is found that way, too.

mod connecting;
mod datagrams;
mod diagram;
mod end;
mod fault;
mod faults;
mod host;
mod kernel;
mod links;
mod lookups;
mod machine;
mod names;
mod node;
mod pcap;
mod random;
mod raw;
mod raw_port;
mod run;
mod seeds;
mod simulation;
mod slab;
mod socket;
mod swarm;
mod tcp;
mod trace;
mod weather;
mod wire;

pub use self::fault::{Fault, ToHosts};
pub use self::host::Host;
pub use self::links::{Cuts, Links};
pub(crate) use self::names::is_unix;
pub(crate) use self::random::Random;
pub(crate) use self::raw::Raw;
pub(crate) use self::raw_port::RawPort;
pub use self::seeds::{Replay, Seeds, Tried};
pub use self::simulation::Sim;
pub use self::swarm::{FaultKind, Faults};
pub use self::trace::Trace;
