//! TLS: a server with a certificate, a client that checks it, and encryption that begins in the
//! middle of a stream.
//!
//! It is the feature `tls`. The protocols stay as they are: TLS lies between them and the wire, and
//! is given to `listen` and `connect` with the place.
//!
//! # A server
//! An [`Identity`](crate::tls::Identity) is a certificate, those of who vouches for it, and its key.
//! It is made of bytes: read the files when the program starts. With several, a client is shown the
//! one for the name it asks for. Where certificates are files that a setting names, an endpoint's
//! text does all of it: `ssl:443:privateKey=key.pem:certKey=cert.pem`, or the same as a value,
//! [`SslServerEndpoint`](crate::service::SslServerEndpoint).
//! ```
//! use torsade::tls::{Identity, TlsConfigError, TlsExt, TlsServer};
//! use torsade::{ListenError, Listener, Net, Protocol, Transport, factory};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         let tls = transport.tls().unwrap(); // hands are shaken
//!         println!("{} speaks {}", transport.peer(), tls.version());
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn secure(chain: &[u8], key: &[u8]) -> Result<TlsServer, TlsConfigError> {
//!     TlsServer::builder().identity(Identity::from_pem(chain, key)?).build()
//! }
//!
//! fn serve(net: &Net, tls: &TlsServer) -> Result<Listener, ListenError> {
//!     net.listen(tls.endpoint("0.0.0.0:8443")?, factory(|_| Echo))
//! }
//!
//! // In a test, certificates can be made on the spot: feature `tls-throw-away`.
//! use torsade::tls::throw_away::Authority;
//! let made = Authority::new("Test").issue(["localhost"]);
//! let tls = secure(made.chain_pem().as_bytes(), made.key_pem().as_bytes())?;
//! let reactor = torsade::testing::MemoryReactor::new();
//! serve(reactor.net(), &tls)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! When the files change, [`set_identities`](crate::tls::TlsServer::set_identities) takes the new
//! ones, and the listener goes on. [`require_clients`](crate::tls::TlsServerBuilder::require_clients)
//! wants a certificate of clients, too. A factory that answers by what was negotiated is a
//! [`connection_factory`](crate::connection_factory()):
//! ```
//! use torsade::tls::TlsExt;
//! use torsade::{AnyProtocol, Connection, connection_factory};
//! # use torsade::{Protocol, Transport};
//! # struct Old;
//! # impl Protocol for Old {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! # struct New;
//! # impl Protocol for New {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//!
//! let by_alpn = connection_factory(|connection: &Connection| {
//!     match connection.tls()?.alpn() {
//!         Some(b"new/2") => Some(AnyProtocol::new(New)),
//!         _ => Some(AnyProtocol::new(Old)),
//!     }
//! });
//! # let _ = by_alpn;
//! ```
//!
//! # A client
//! It checks who answers: by the authorities that the system trusts, or by [your
//! own](crate::tls::Roots). Not to check is possible, in so many words. What is wrong is told as
//! data, to the program and, by an alert, to the peer:
//! ```
//! use torsade::testing::MemoryReactor;
//! use torsade::tls::throw_away::Authority;
//! use torsade::tls::{TlsClient, TlsServer};
//! use torsade::{CertificateFault, ConnectError, Disconnect, Failure, TlsFailure, factory};
//! # use torsade::{Protocol, Transport};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//!
//! let authority = Authority::new("Test");
//! let elsewhere = authority.issue(["elsewhere.example"]).identity();
//! let server = TlsServer::builder().identity(elsewhere).build()?;
//! let client = TlsClient::builder().roots(&authority.roots()).build()?;
//!
//! let reactor = MemoryReactor::new();
//! reactor.net().listen(server.endpoint("127.0.0.1:8443")?, factory(|_| Quiet))?;
//! reactor.join();
//! let connecting = reactor.net().connect(client.endpoint("localhost:8443")?, Quiet);
//! reactor.settle();
//! let Ok(Err(Failure::Error(ConnectError::Handshake { reason, .. }))) = connecting.try_take()
//! else {
//!     panic!("it is for somebody else");
//! };
//! let why = CertificateFault::WrongName {
//!     wanted: "localhost".to_owned(),
//!     names: vec!["elsewhere.example".to_owned()],
//! };
//! let certificate = "CN=elsewhere.example".to_owned();
//! assert_eq!(reason, Disconnect::from(TlsFailure::Certificate { certificate, why }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In the middle of a stream
//! [`start_tls`](crate::tls::TlsExt::start_tls) splits the stream: what was written before leaves in
//! clear, what is written after it waits for the handshake. What the peer sent in clear behind its
//! command is never delivered, so commands that somebody smuggled in there are not obeyed. The
//! example `starttls` of the repository is a whole server. Who wants to know when hands are shaken
//! waits for [`filters_ready`](crate::Connection::filters_ready):
//! `transport.then(transport.filters_ready(), ..)`.
//!
//! # How it ends
//! | what happened | is told as |
//! |---|---|
//! | the peer said that its side is over | `eof_received` |
//! | it hung up without a word, or somebody cut the line | [`Disconnect::TruncatedTls`](crate::Disconnect::TruncatedTls) |
//! | a certificate, an alert, bytes that are no TLS | [`Disconnect::Tls`](crate::Disconnect::Tls) |
//! | no handshake within `Limits::handshake_timeout` | [`Timeout::Handshake`](crate::Timeout::Handshake) |
//!
//! Before `connection_made` these go to the factory's `failed`, or reject `connect`. `close` and
//! `close_write` say that our side is over before anything else ends; nobody waits for the answer.
