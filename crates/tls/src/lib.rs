//! TLS for torsade's connections: from their beginning, or in the middle of a stream.
//!
//! TLS is a [`Filter`](torsade_core::Filter): it lies between a protocol and the wire, so the same
//! protocol is served in clear and encrypted, and everything that holds for connections holds for
//! these, on sockets, in the fakes and in the simulated network.
//!
//! # A server and a client
//! ```
//! use torsade_core::{Protocol, Transport, factory};
//! use torsade_testing::MemoryReactor;
//! use torsade_tls::{TlsClient, TlsExt, TlsServer, throw_away::Authority};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//! struct Hello;
//! impl Protocol for Hello {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         let tls = transport.tls().expect("hands are shaken");
//!         println!("{} with {}", tls.version(), tls.cipher());
//!         transport.write("hello");
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         assert_eq!(data, b"hello");
//!         transport.close();
//!     }
//! }
//!
//! let authority = Authority::new("Test"); // a program has files: `Identity::from_pem`
//! let server = TlsServer::builder().identity(authority.issue(["localhost"]).identity()).build()?;
//! let client = TlsClient::builder().roots(&authority.roots()).build()?;
//!
//! let reactor = MemoryReactor::new();
//! reactor.net().listen(server.endpoint("127.0.0.1:8443")?, factory(|_| Echo))?;
//! reactor.join(); // what is connected to is what listens
//! let connecting = reactor.net().connect(client.endpoint("localhost:8443")?, Hello);
//! reactor.settle();
//! assert!(connecting.try_take().unwrap().is_ok());
//! assert_eq!(reactor.net().connections(), 0); // it has all happened
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//! - `connection_made` comes after the handshake, and the factory is asked then: it can choose a
//!   protocol [by what was negotiated](torsade_core::connection_factory). A handshake that is not
//!   over within `Limits::handshake_timeout` ends the connection, and one that fails tells the
//!   factory's `failed`, or rejects `connect`.
//! - Servers are checked unless a client was told otherwise in so many words. What is wrong with a
//!   certificate is told as data, [`TlsFailure`](torsade_core::TlsFailure), and to the peer by an
//!   alert.
//! - An end that the peer did not announce is [`Disconnect::TruncatedTls`], never `eof_received`.
//! - `close_write` ends our side by TLS's own word, and the peer may go on (RFC 8446 section 6.1).
//! - Whatever a callback writes leaves in as few records as hold it. An idle connection holds no
//!   buffer.
//!
//! TLS 1.3 and 1.2 are spoken, by rustls with ring; nothing is renegotiated.
//!
//! [`Disconnect::TruncatedTls`]: torsade_core::Disconnect::TruncatedTls
#![forbid(unsafe_code)]

mod certificate;
mod client;
mod connection;
mod error;
mod failure;
mod filter;
mod identity;
mod info;
mod notes;
mod platform_roots;
mod provider;
mod resolver;
mod roots;
mod server;
mod session;
#[cfg(feature = "throw-away")]
pub mod throw_away;
mod verifier;

pub use self::certificate::PeerCertificate;
pub use self::client::{TlsClient, TlsClientBuilder, TlsConnector};
pub use self::connection::{TlsEnd, TlsExt};
pub use self::error::TlsConfigError;
pub use self::filter::TlsFilter;
pub use self::identity::Identity;
pub use self::info::{TlsInfo, TlsVersion};
pub use self::roots::Roots;
pub use self::server::{TlsServer, TlsServerBuilder};
