//! Framings: from a stream of bytes that is cut anywhere to whole messages.
//!
//! A [`Protocol`](torsade_core::Protocol) is given chunks. Most of what is spoken on the Internet
//! consists of messages, and the first of all framings is the line:
//!
//! ```
//! use torsade_core::Transport;
//! use torsade_testing::StringTransport;
//! use torsade_wire::{LineProtocol, LineTransport, Lines};
//!
//! struct Shout;
//!
//! impl LineProtocol for Shout {
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         transport.send_line(line.to_ascii_uppercase());
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Shout));
//! t.feed(b"hel");
//! t.feed(b"lo\r\nagain\r\nand a");
//! assert_eq!(t.take_sent(), b"HELLO\r\nAGAIN\r\n");
//! ```
//!
//! A framing is a protocol that carries yours inside. [`Lines`] is one, [`LineProtocol`] is what
//! goes into it, and [`LineTransport`] is what the inner one may ask of it. All of a transport's
//! other methods are there too, and `then`, `hold`, `call` and `call_later` come back to the
//! *inner* `self`:
//!
//! ```
//! use torsade_core::Transport;
//! use torsade_deferred::{Deferred, Resolver};
//! use torsade_testing::StringTransport;
//! use torsade_wire::{LineProtocol, LineTransport, Lines};
//!
//! /// Looks users up, one at a time, and counts the answers.
//! #[derive(Default)]
//! struct Finger {
//!     asked: Vec<Resolver<&'static str, ()>>,
//!     answers: usize,
//! }
//!
//! impl LineProtocol for Finger {
//!     fn line_received(&mut self, transport: &Transport<Self>, _user: &[u8]) {
//!         let (resolver, plan) = Deferred::new();
//!         self.asked.push(resolver);
//!         // Until the answer is there, no further line is delivered, nor the peer's end.
//!         transport.hold(plan, |me, transport, plan| {
//!             me.answers += 1;
//!             transport.send_line(plan.unwrap_or("no such user"));
//!         });
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Finger::default()));
//! t.feed(b"ann\r\nbob\r\n");
//! let first = t.protocol(|lines| lines.get_mut().asked.pop()).unwrap();
//! first.resolve("sleeping");
//! let second = t.protocol(|lines| lines.get_mut().asked.pop()).unwrap();
//! drop(second); // nobody knows
//! assert_eq!(t.take_sent(), b"sleeping\r\nno such user\r\n");
//! assert_eq!(t.protocol(|lines| lines.get_mut().answers), 2);
//! ```
//!
//! # Which framing
//! | what the peer speaks | framing | what goes into it |
//! |---|---|---|
//! | lines: SMTP, IRC, a terminal | [`Lines`] | a [`LineProtocol`]; blocks of other bytes between lines in its raw mode |
//! | a length of 8, 16 or 32 bits, then the message: DNS over TCP | [`Framed`] | a [`MessageProtocol`] whose `Framing` is [`Int8`], [`Int16`], [`Int32`] |
//! | the same, least significant byte first | [`Framed`] | [`Int16Le`], [`Int32Le`] |
//! | [netstrings]: `5:hello,` | [`Framed`] | [`Netstring`] |
//! | records of one size | [`Framed`] | [`Records<N>`](Records) |
//! | messages of another kind | [`Framed`] | a [`Decoder`] of one's own |
//! | parts of different sizes, each known from the one before | [`Stateful`] | a [`StatefulProtocol`]: a method for each part |
//! | large parts that are not to be kept in memory; a port from `asynchat` | [`Chat`] | a [`ChatProtocol`] |
//!
//! A whole protocol is in [`redis`]: a client of that, built of what is here.
//!
//! A client that sends several requests before the first reply keeps its place in the queue with
//! [`Replies`].
//!
//! [netstrings]: https://cr.yp.to/proto/netstrings.txt
//!
//! # A framing of one's own
//! Most often all that is special is where a message ends. That is a [`Decoder`]: one method, which
//! is shown the front of the stream and says "a message, in the first n bytes", "more", "too long"
//! or "this makes no sense". What happens at the limit, at the end, after a close, in a pause and
//! at a cut is [`Framed`]'s part, the same as for the framings of this crate. Frames of [MQTT], for
//! instance, whose length has seven bits in each byte:
//!
//! ```
//! use torsade_core::{Disconnect, Limit, Transport};
//! use torsade_testing::StringTransport;
//! use torsade_wire::{Decoded, Decoder, Framed, MessageProtocol};
//!
//! #[derive(Default)]
//! struct Mqtt;
//!
//! impl Decoder for Mqtt {
//!     type Message<'a> = (u8, &'a [u8]);
//!
//!     fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<(u8, &'a [u8])> {
//!         let mut length = 0;
//!         for (place, byte) in data.iter().skip(1).take(4).enumerate() {
//!             length += usize::from(byte & 0x7f) << (7 * place);
//!             if length > max_length {
//!                 return Decoded::too_long(length);
//!             }
//!             if byte & 0x80 == 0 {
//!                 let header = 2 + place;
//!                 return match data[header..].get(..length) {
//!                     Some(body) => Decoded::Message {
//!                         message: (data[0], body),
//!                         used: header + length,
//!                     },
//!                     None => Decoded::More,
//!                 };
//!             }
//!         }
//!         match data.len() {
//!             0..5 => Decoded::More,
//!             _ => Decoded::invalid("a length of five bytes"),
//!         }
//!     }
//!
//!     fn room(&self, max_length: usize) -> usize {
//!         max_length.saturating_add(5)
//!     }
//! }
//!
//! struct Topics(Vec<String>);
//!
//! impl MessageProtocol for Topics {
//!     type Framing = Mqtt;
//!     fn message_received(&mut self, transport: &Transport<Self>, (kind, body): (u8, &[u8])) {
//!         match kind >> 4 {
//!             3 => self.0.push(String::from_utf8_lossy(body).into_owned()),
//!             14 => transport.close(),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Framed::new(Topics(Vec::new())).max_length(1000));
//! t.feed_bytewise(b"\x30\x03one\x30\x03two");
//! assert_eq!(t.protocol(|framed| framed.get_mut().0.join(" ")), "one two");
//! t.feed(b"\x30\xe9\x07"); // 1001: refused before the first byte of it is there
//! assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
//! ```
//!
//! An [`Encoder`] beside it gives `transport.send_message(..)` its other half. A decoder that has to
//! search remembers how far it came, because after "more" the same bytes come again with others
//! behind them. One whose messages are not of one kind, or whose protocol changes how the next
//! bytes are read, is written as a protocol that is
//! [`Layered`](torsade_core::Layered), as [`Lines`] is.
//!
//! [MQTT]: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html#_Toc398718023
//!
//! # What all framings here keep
//! - **No buffer.** A message is looked for in the bytes where the reactor has them. What is not
//!   complete yet is left unread there and comes again with more behind it, so a message that
//!   arrives whole is neither copied nor allocated, and an idle connection holds nothing.
//! - **At once.** Between two messages the framing asks whether input is still wanted. After
//!   `close` nothing more is delivered, not even from the same chunk; after `pause_reading`,
//!   `hold` or `switch` the rest waits, and comes in order.
//! - **However cut.** The same bytes give the same messages in whatever pieces they come, and a
//!   long message in tiny pieces costs no more for each byte than a short one.
//! - **Limits first.** A message that is too long is known to be before it has arrived.
//!
//! # Policies
//! What a connection is allowed is said around a protocol or a factory, and not in it. A wrapper or
//! a factory sees callbacks, a filter sees bytes.
//!
//! | it shall not | with | is a |
//! |---|---|---|
//! | be silent, or take no output, for long | [`Timeouts`] | wrapper |
//! | take long over a message, a login, a reply | [`IdleTimer`] | value that a protocol holds |
//! | be one too many, in all or from one address | [`LimitConnections`] | factory |
//! | be faster than so many bytes a second, alone or together | [`Throttle`] with a [`Bucket`] | filter |
//! | pass uncounted | [`ByteCounts`] | filter |
//! | pass unseen | [`TrafficLog`] | filter |
//!
//! Producers that are objects, as Twisted has them, and its `FileSender`, go with [`Consuming`].
//!
//! ```
//! use std::time::Duration;
//! use torsade_core::{Protocol, ToEndpoint, Transport, factory};
//! use torsade_wire::{Bucket, ByteCounts, LimitConnections, Throttle, Timeouts};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let counts = ByteCounts::new();
//! let counted = counts.clone();
//! let endpoint = "127.0.0.1:8007"
//!     .to_endpoint()?
//!     .filter(|_| Throttle::new().output(Bucket::new(1_000_000, 64 * 1024)))
//!     .filter(move |_| counted.filter());
//! let echo = factory(|_| Timeouts::new(Echo).idle(Duration::from_secs(600)));
//! let echo = LimitConnections::new(echo, 10_000, 100);
//! // net.listen(endpoint, echo)?;
//! # let _ = (endpoint, echo);
//! # Ok::<(), torsade_core::EndpointError>(())
//! ```
#![forbid(unsafe_code)]

#[macro_use]
mod planted;

mod byte;
mod chat;
mod decoder;
mod delimiter;
mod encoder;
mod framed;
mod length_prefix;
mod line_protocol;
mod line_transport;
mod lines;
mod message_protocol;
mod message_transport;
mod netstring;
mod pass_on;
mod policy;
mod records;
pub mod redis;
mod replies;
mod stateful;
mod traffic_log;

pub use self::chat::{Chat, ChatProtocol, Terminator};
pub use self::decoder::{Decoded, Decoder};
pub use self::encoder::{Encoder, TooLong};
pub use self::framed::Framed;
pub use self::length_prefix::{
    BigEndian, ByteOrder, Int8, Int16, Int16Le, Int32, Int32Le, LengthPrefix, LittleEndian,
    PrefixInteger,
};
pub use self::line_protocol::LineProtocol;
pub use self::line_transport::LineTransport;
pub use self::lines::Lines;
pub use self::message_protocol::MessageProtocol;
pub use self::message_transport::MessageTransport;
pub use self::netstring::Netstring;
pub use self::policy::{
    AlreadyRegistered, Bucket, ByteCounts, ConnectionCounts, Consumer, Consuming, Count,
    FileSender, IdleTimer, LimitConnections, Limited, PullProducer, PushProducer, Throttle,
    Timeouts, TransferError, Transferred,
};
pub use self::records::Records;
pub use self::replies::Replies;
pub use self::stateful::{Handler, State, Stateful, StatefulProtocol};
pub use self::traffic_log::{Traffic, TrafficLog};
