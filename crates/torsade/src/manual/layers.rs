//! Layers: wrappers around any protocol, protocols that change, filters that change bytes.
//!
//! A connection can carry more than one protocol object, one inside the other, and more than one
//! stage of bytes. Three words, for three different things:
//!
//! ```text
//!   socket --- [ filter ] --- [ filter ] --- wrapper( framing( your protocol ) )
//!              changes bytes, both ways      sees callbacks       switch(..) replaces
//! ```
//!
//! - a **layer** is a protocol that carries another one inside and hands on to it what it makes of
//!   the callbacks: a framing like [`Lines`](crate::wire::Lines), or a [`Wrapper`];
//! - **switching** replaces a protocol by another one on the same connection;
//! - a **filter** lies on the wire's side and changes the bytes themselves.
//!
//! # A wrapper
//! What you would otherwise paste into every protocol, a limit, a timeout, a count, is a type of its
//! own around any of them. Say what is inside with [`Layered`], and implement the hooks that you
//! need. Each runs before the inner protocol's callback; `data` and `eof` decide whether that is
//! made.
//!
//! ```
//! use torsade::{Disconnect, Layered, Pass, Protocol, Transport, Wrapper};
//! use torsade::testing::StringTransport;
//!
//! /// Ends a connection that has received its share.
//! struct Quota<P> {
//!     inner: P,
//!     left: usize,
//! }
//!
//! impl<P: Protocol> Layered for Quota<P> {
//!     type Inner = P;
//!     fn inner_mut(&mut self) -> &mut P {
//!         &mut self.inner
//!     }
//! }
//!
//! impl<P: Protocol> Wrapper for Quota<P> {
//!     fn data(&mut self, transport: &Transport<Self>, data: &[u8]) -> Pass {
//!         match self.left.checked_sub(data.len()) {
//!             Some(left) => {
//!                 self.left = left;
//!                 Pass::On
//!             }
//!             None => {
//!                 transport.write("that was too much\r\n");
//!                 transport.fail(Disconnect::application("over quota"));
//!                 Pass::Keep
//!             }
//!         }
//!     }
//! }
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Quota { inner: Echo, left: 8 });
//! t.feed(b"12345");
//! assert_eq!(t.take_sent(), b"12345");
//! t.feed(b"6789");
//! assert_eq!(t.take_sent(), b"that was too much\r\n");
//! ```
//!
//! A wrapper is given a [`Transport`] of its own type: `transport.call_later(..)` comes back to the
//! wrapper's `self`, and its pause counts beside the inner one's; reading goes on when nobody holds
//! it. `data` is called again with input that was left unread, so count with that in mind where the
//! inner protocol leaves some.
//!
//! It sees no output. The inner protocol writes to the connection, and so may anybody who has a
//! handle; what must see or change what is written is a filter.
//!
//! # Becoming somebody else
//! [`Transport::switch`] takes effect when the callback has returned: the new protocol is told
//! `connection_made`, and then gets the input that the old one left unread, so nothing that came in
//! the same chunk is lost. The old one is dropped without a loss; what it had waited for is
//! cancelled, and its handles do nothing any more.
//!
//! ```
//! use torsade::{Protocol, Transport};
//! use torsade::testing::StringTransport;
//!
//! /// Reads one byte, which says what is spoken from here on.
//! struct Doorman;
//! impl Protocol for Doorman {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.unread(data.len() - 1);
//!         match data[0] {
//!             b'l' => transport.switch(Loud),
//!             _ => transport.close(),
//!         }
//!     }
//! }
//!
//! struct Loud;
//! impl Protocol for Loud {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data.to_ascii_uppercase());
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Doorman);
//! t.feed(b"lhello"); // the choice and the first message in one piece
//! assert_eq!(t.take_sent(), b"HELLO");
//! ```
//!
//! Without more, everything on the connection is replaced. Put an [`AnyProtocol`] where the change
//! shall happen, and what lies around it stays:
//!
//! ```
//! # use torsade::{Layered, Pass, Protocol, Transport, Wrapper};
//! # use torsade::testing::StringTransport;
//! # struct Loud;
//! # impl Protocol for Loud {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data.to_ascii_uppercase());
//! #     }
//! # }
//! # struct Doorman;
//! # impl Protocol for Doorman {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.unread(data.len() - 1);
//! #         transport.switch(Loud);
//! #     }
//! # }
//! use torsade::AnyProtocol;
//!
//! struct Counted {
//!     inner: AnyProtocol,
//!     chunks: usize,
//! }
//! # impl Layered for Counted {
//! #     type Inner = AnyProtocol;
//! #     fn inner_mut(&mut self) -> &mut AnyProtocol {
//! #         &mut self.inner
//! #     }
//! # }
//! # impl Wrapper for Counted {
//! #     fn data(&mut self, _: &Transport<Self>, _: &[u8]) -> Pass {
//! #         self.chunks += 1;
//! #         Pass::On
//! #     }
//! # }
//! // .. a wrapper like the one above ..
//! let inner = AnyProtocol::new(Doorman);
//! let mut t = StringTransport::serve(Counted { inner, chunks: 0 });
//! t.feed(b"l");
//! t.feed(b"hello");
//! assert_eq!(t.take_sent(), b"HELLO");
//! assert_eq!(t.protocol(|me| me.chunks), 2); // it counts on, around another protocol
//! ```
//!
//! # A filter
//! A [`Filter`] is given bytes and puts bytes into one of its two [`Sides`]: what it decoded for the
//! protocol, what it encoded for the wire. It never sees a protocol or a transport, and nobody who
//! writes to the connection can go around it: a room's broadcast into a connection with a filter
//! passes through it.
//!
//! ```
//! use torsade::{Disconnect, Filter, Protocol, Sides, Transport};
//! use torsade::testing::StringTransport;
//!
//! /// Every message of the wire has its length in front: one byte, then so many of plain text.
//! struct Packed;
//!
//! impl Filter for Packed {
//!     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
//!         let len = usize::from(wire[0]); // it is called when there is something
//!         let Some(plain) = wire.get(1..1 + len) else {
//!             return Ok(0); // not all of it: it comes again, with more behind it
//!         };
//!         sides.plain().extend_from_slice(plain);
//!         Ok(1 + len) // and again for the next one
//!     }
//!
//!     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
//!         for piece in plain.iter().flat_map(|piece| piece.chunks(255)) {
//!             sides.wire().push(piece.len() as u8);
//!             sides.wire().extend_from_slice(piece);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let mut t = StringTransport::builder().filter(|_| Packed).serve(Echo);
//! t.feed_bytewise(b"\x03abc\x02de");
//! assert_eq!(t.take_sent(), b"\x03abc\x02de");
//! ```
//!
//! A real listener takes it with an [`Endpoint`]: `"127.0.0.1:8007".to_endpoint()?.filter(|_|
//! Packed)` is what `listen` and `connect` are given instead of the text. In the middle of a stream,
//! after a `STARTTLS` for instance, it is put in place with
//! [`push_filter`](crate::Connection::push_filter). TLS is a filter that is ready-made: see
//! [`tls`](super::tls).
//!
//! Back-pressure needs nothing: while the kernel has no room for what was encoded, plain output
//! waits and counts in `buffered()`, and the protocol is paused as without a filter. A filter that
//! shakes hands says with `is_ready` when it is done; until then there is no protocol, and the
//! listener's factory is told if it never gets there. An error ends the connection after what was
//! decoded before it has been delivered, and after the filter's last words have been sent.
//!
//! Ready-made are [`TrafficLog`](crate::wire::TrafficLog), which shows what passes,
//! [`ByteCounts`](crate::wire::ByteCounts) and [`Throttle`](crate::wire::Throttle); and among the
//! wrappers [`Timeouts`](crate::wire::Timeouts). The [front page](crate::wire#policies) of the
//! framings has a table of them. To see whether your protocol works through a filter, test it through one: the fakes have
//! `StringTransport::builder().filter(..)`, and a `torsade::testing::Xor` that makes every byte that
//! goes astray visible.
//!
//! [`AnyProtocol`]: crate::AnyProtocol
//! [`Endpoint`]: crate::Endpoint
//! [`Filter`]: crate::Filter
//! [`Layered`]: crate::Layered
//! [`Sides`]: crate::Sides
//! [`Transport`]: crate::Transport
//! [`Transport::switch`]: crate::Transport::switch
//! [`Wrapper`]: crate::Wrapper
