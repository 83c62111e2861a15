//! Services: a program of parts that start in order, stay connected, and end well.
//!
//! At the end of this page you have a server whose address is a setting, that knows its clients
//! behind a proxy, that keeps a connection to another server, and that lets its clients finish when
//! it is stopped. Its tests need no socket.
//!
//! # Where to listen is a setting
//! [`server`](crate::service::server) and [`client`](crate::service::client) read what Twisted's
//! `serverFromString` and `clientFromString` do. They give a plain [`Endpoint`](crate::Endpoint),
//! which `listen` and `connect` take:
//! ```
//! use torsade::service::{client, server};
//!
//! let here = server("tcp:8007:interface=127.0.0.1")?;
//! assert_eq!(here.places()[0].to_string(), "127.0.0.1:8007");
//! let there = client("unix:/run/database.socket")?;
//! assert!(there.places()[0].to_string().starts_with("unix:"));
//!
//! // What is wrong is said so that a person can mend it.
//! let wrong = server("tcp:8007:interface=localhots").unwrap_err();
//! assert_eq!(
//!     wrong.pointed().to_string(),
//!     "tcp:8007:interface=localhots\n                   ^^^^^^^^^ `interface` must be an IP address of this machine",
//! );
//! # Ok::<(), torsade::service::TextError>(())
//! ```
//! With the feature `tls` a setting can ask for TLS as well, on both sides. A client checks who it
//! talks to, and what is wrong with a file is told with its place in the text:
//! ```
//! # #[cfg(feature = "tls")] {
//! use torsade::service::{client, server};
//!
//! let there = client("tls:example.org:443:timeout=5:trustRoots=/etc/ours/roots");
//! # let wrong = there.unwrap_err();
//! # assert_eq!(wrong.position(), 41);
//! let wrong = server("ssl:443:privateKey=/nowhere/key.pem:certKey=/nowhere/cert.pem").unwrap_err();
//! assert!(wrong.to_string().starts_with("`certKey` cannot be used: "));
//! # }
//! ```
//! [`endpoints`](crate::service::endpoints) lists what these take, and `systemd:`, which is a socket
//! that the service manager made.
//!
//! A colon or a backslash inside of an argument has a backslash in front of it
//! ([`quote`](crate::service::quote) puts it there): `tcp:host=\\:\\:1:port=80`. All there is to say
//! is in the table of [`Endpoints`](crate::service::Endpoints), and that is where a program adds
//! prefixes of its own. Where the parts are known to the program, builders are nicer than text, and
//! show as it: [`TcpServerEndpoint`](crate::service::TcpServerEndpoint) and its like.
//!
//! # Behind a proxy
//! `haproxy:tcp:8007` is the same listener behind haproxy or a load balancer that speaks the PROXY
//! protocol. The factory, [`LimitConnections`](crate::wire::LimitConnections) and the log see whose
//! connection it is, not the proxy's:
//! ```
//! use torsade::service::server;
//! use torsade::testing::MemoryReactor;
//! use torsade::{Protocol, Transport, factory};
//!
//! struct WhoAmI;
//! impl Protocol for WhoAmI {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write(transport.peer().to_string());
//!         transport.close();
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let reactor = MemoryReactor::new();
//! let here = server("haproxy:trust=127.0.0.1:tcp:8007:interface=127.0.0.1")?;
//! reactor.net().listen(here, factory(|_| WhoAmI))?;
//! let mut proxy = reactor.dial("127.0.0.1:8007");
//! proxy.feed("PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\n");
//! assert_eq!(proxy.take_sent(), b"192.0.2.7:50000");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Say whom you `trust` unless nobody else can reach the listener: the header is not signed.
//!
//! # Parts
//! A [`Service`](crate::service::Service) is started and stopped, and says when it has been. There
//! are three to begin with, and a fourth that holds others:
//!
//! | service | while it runs | its stop |
//! |---|---|---|
//! | [`ServerService`](crate::service::ServerService) | listens | drains: asks every connection to end, cuts those that do not in time |
//! | [`ClientService`](crate::service::ClientService) | is connected, or about to be | gives up, or asks its connection to end |
//! | [`TimerService`](crate::service::TimerService) | calls something at equal distances | waits for the call that is under way |
//! | [`MultiService`](crate::service::MultiService) | has all of its parts running | stops them, the last one first |
//!
//! They are handles: keep a clone to ask it things.
//! ```
//! use std::time::Duration;
//! use torsade::service::{Backoff, ClientService, MultiService, ServerService, Service};
//! use torsade::testing::MemoryReactor;
//! use torsade::{Protocol, Transport, factory};
//!
//! struct Upstream;
//! impl Protocol for Upstream {
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! /// Passes on what it is told, if there is somebody to pass it to.
//! struct Front(ClientService<Upstream>);
//! impl Protocol for Front {
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         if let Some(upstream) = self.0.transport() {
//!             upstream.write(data);
//!         }
//!     }
//! }
//!
//! let upstream = ClientService::new("192.0.2.9:9000", || Upstream)
//!     .backoff(Backoff::constant(Duration::from_secs(1)));
//! let front = upstream.clone();
//! let program = MultiService::new();
//! program.add(upstream).detach();
//! program.add(ServerService::new("127.0.0.1:8007", factory(move |_| Front(front.clone())))).detach();
//!
//! // Its test: the other server is not there at first.
//! let mut reactor = MemoryReactor::new();
//! program.start(reactor.net()).detach();
//! let mut client = reactor.dial("127.0.0.1:8007");
//! reactor.next_connect().fail(std::io::ErrorKind::ConnectionRefused);
//! reactor.advance(Duration::from_secs(1));
//! let mut server = reactor.next_connect().succeed();
//! client.feed("hello");
//! assert_eq!(server.take_sent(), b"hello");
//!
//! let stopped = program.stop();
//! assert!(client.has_ended() && server.has_ended());
//! assert!(stopped.is_settled());
//! ```
//! The server was added last, so it stops first, and its clients can be served until they are gone.
//!
//! # A connection that comes back
//! [`when_connected`](crate::service::ClientService::when_connected) resolves with the transport,
//! now or later; [`when_connected_within`](crate::service::ClientService::when_connected_within)
//! gives up after so many failures. What has to be done first on every connection, a login say, is
//! its [`prepare`](crate::service::ClientService::prepare) step. The waits grow by a
//! [`Backoff`](crate::service::Backoff); what is random in them is the net's, so a test and a
//! simulation have the same ones in every run.
//!
//! # A drain
//! When a [`ServerService`](crate::service::ServerService) is stopped, its listener closes, and
//! each connection is told [`stopping`](crate::Protocol::stopping), which closes by default. Who
//! has something to finish overrides it, and closes then. After the
//! [`grace`](crate::service::ServerService::grace) the rest is aborted, and
//! [`last_drain`](crate::service::ServerService::last_drain) says who that was.
//!
//! # A `main`
//! [`run_service`](crate::service::run_service) runs a service until Ctrl-C or SIGTERM and gives the
//! exit code; [`react`](crate::service::react) does that for a Deferred. `examples/finger.rs` is a
//! tree of services.
