//! Endpoints from text, the PROXY protocol, and services: what makes a program of protocols.
//!
//! Programs depend on the crate `torsade`, which has all of this as its module `service`. Nothing
//! here knows a socket or a clock: it is written against [`Net`](torsade_core::Net), so a tree of
//! services runs in a test and in the simulated network as it does on a reactor.
//!
//! # A program, whole
//! ```
//! use std::time::Duration;
//! use torsade_core::{Net, Protocol, Transport, factory};
//! use torsade_service::{ClientService, MultiService, ServerService, Service, TextError, TimerService};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! /// Where to listen is a setting; `haproxy:` in front of it puts the same server behind a proxy.
//! fn program(listen: &str, upstream: &str) -> Result<MultiService, TextError> {
//!     let all = MultiService::new();
//!     all.add(ClientService::new(torsade_service::client(upstream)?, || Echo)).detach();
//!     let echo = ServerService::new(torsade_service::server(listen)?, factory(|_| Echo));
//!     all.add(echo.grace(Duration::from_secs(10))).detach();
//!     all.add(TimerService::new(Duration::from_secs(60), |_, _| println!("still here"))).detach();
//!     Ok(all)
//! }
//!
//! let program = program("tcp:8007:interface=127.0.0.1", "tcp:127.0.0.1:9000")?;
//! let reactor = torsade_testing::MemoryReactor::new();
//! program.start(reactor.net()).detach();
//! assert_eq!(reactor.listening().len(), 1);
//! assert_eq!(reactor.pending_connects().len(), 1);
//! program.stop().detach(); // in reverse: the server is drained before its upstream goes
//! # Ok::<(), TextError>(())
//! ```
//!
//! # Where things are
//! | to | see |
//! |---|---|
//! | listen or connect where a setting says | [`server`], [`client`], [`Endpoints`] |
//! | write such a text | [`TcpServerEndpoint`], [`TcpClientEndpoint`], [`UnixServerEndpoint`], [`UnixClientEndpoint`], [`ProcessClientEndpoint`] |
//! | show what is wrong with it, and where | [`TextError`] |
//! | stand behind haproxy, nginx, a load balancer | [`ProxyProtocol`] |
//! | be such a proxy | [`SendProxy`], [`ProxyHeader`] |
//! | start and stop parts in order | [`Service`], [`MultiService`] |
//! | serve, and let clients finish | [`ServerService`], [`Drained`] |
//! | stay connected | [`ClientService`], [`Backoff`] |
//! | do something again and again | [`TimerService`] |
#![forbid(unsafe_code)]

mod proxy;
mod text;
mod tree;

pub use self::proxy::{
    Network, NetworkError, ProxiedBy, ProxyCommand, ProxyHeader, ProxyProtocol, ProxyVersion,
    ReadProxy, SendProxy, Tlv,
};
pub use self::text::{
    Arguments, Endpoints, PassedSocket, ProcessClientEndpoint, TcpClientEndpoint,
    TcpServerEndpoint, TextError, TextFault, UnixClientEndpoint, UnixServerEndpoint, Value, client,
    quote, server,
};
pub use self::tree::{
    Backoff, ClientError, ClientFailure, ClientService, Cut, Drained, MultiService, ServerService,
    Service, ServiceError, TimerService,
};
