//! Coming from Twisted: three of its programs, and a test, beside their ports.
//!
//! At the end of this page you have seen a server, a chat and a client with Deferreds in both
//! languages, and know what to change in yours. What became of a name is looked up in
//! [`twisted_names`](super::twisted_names); why a thing is different, and what that buys, is said
//! in [`differences`](super::differences). The Python here was run on Twisted 26.10.
//!
//! # Three rules for a port
//! 1. **`self.transport` becomes an argument.** Every callback is given it. What kept `self` alive
//!    for later, `callLater(1, self.beat)` or `d.addCallback(self.answer)`, becomes a closure that
//!    is given `me` and `transport` again: `transport.call_later(..)`, `transport.then(d, ..)`.
//! 2. **The factory becomes a closure.** What connections share, and Twisted kept on the factory,
//!    is an `Rc` that the closure captures and gives to each protocol.
//! 3. **What raised, returns.** An error has a type: the `Result` of `listen`, the
//!    [`Failure`](crate::Failure) of a Deferred, the [`Disconnect`](crate::Disconnect) of a loss.
//!
//! # An echo server that counts
//! ```python
//! from twisted.internet import reactor
//! from twisted.internet.protocol import Factory, Protocol
//!
//! class Echo(Protocol):
//!     def connectionMade(self):
//!         self.factory.connections += 1                                  # 1
//!         peer = self.transport.getPeer()                                # 2
//!         print(peer.host, "is number", self.factory.connections)
//!
//!     def dataReceived(self, data):
//!         self.transport.write(data)                                     # 3
//!
//!     def connectionLost(self, reason):
//!         self.factory.connections -= 1
//!         print("gone:", reason.getErrorMessage())                       # 4
//!
//! class EchoFactory(Factory):                                            # 5
//!     protocol = Echo
//!
//!     def __init__(self):
//!         self.connections = 0
//!
//! if __name__ == "__main__":
//!     reactor.listenTCP(8007, EchoFactory())                             # 6
//!     reactor.run()                                                      # 7
//! ```
//! The same here:
//! ```
//! use std::{cell::Cell, rc::Rc};
//! use torsade::{Disconnect, ListenError, Listener, Net, Protocol, Transport, factory};
//!
//! struct Echo {
//!     connections: Rc<Cell<u32>>,
//! }
//!
//! impl Protocol for Echo {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.connections.set(self.connections.get() + 1);              // 1
//!         let peer = transport.peer().remote();                          // 2
//!         println!("{peer} is number {}", self.connections.get());
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);                                         // 3
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
//!         self.connections.set(self.connections.get() - 1);
//!         println!("gone: {reason}");                                    // 4
//!     }
//! }
//!
//! fn serve(net: &Net, at: &str) -> Result<Listener, ListenError> {       // 6
//!     let connections = Rc::new(Cell::new(0));
//!     net.listen(at, factory(move |_| Echo {                             // 5
//!         connections: Rc::clone(&connections),
//!     }))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reactor = torsade::Reactor::new()?;
//! serve(reactor.net(), "127.0.0.1:0")?;
//! # reactor.stop();
//! reactor.run()?;                                                        // 7
//! #
//! # use torsade::testing::StringTransport;
//! # let connections = Rc::new(Cell::new(0));
//! # let mut t = StringTransport::serve(Echo { connections: connections.clone() });
//! # t.feed("hi");
//! # assert_eq!((t.take_sent(), connections.get()), (b"hi".to_vec(), 1));
//! # t.end();
//! # assert_eq!(connections.get(), 0);
//! # Ok(())
//! # }
//! ```
//! | | what changed |
//! |---|---|
//! | 1 | There is no `self.factory`: the protocol has what it needs. All of a reactor's callbacks run on one thread, one after the other, so a `Cell` is enough. |
//! | 2 | `getPeer` and `getHost` are `peer().remote()` and `peer().local()`, socket addresses of `std`. |
//! | 3 | The same, but a peer that sends and does not read no longer fills memory: it is not read while its echo piles up. |
//! | 4 | A reason is an enum that prints; `ConnectionDone` is `Closed` or `PeerClosed`, by who closed. |
//! | 5 | The factory is a closure, called for each connection. It may return `None` to refuse. |
//! | 6 | There is no global reactor. Who listens is given a `Net`, which a test can give, too. Twisted listens on all interfaces unless told otherwise; here you write `0.0.0.0:8007`. |
//! | 7 | Ctrl-C ends the process, as everywhere, until you ask for [`stop_on_signals`](crate::Reactor::stop_on_signals). |
//!
//! # A chat with states
//! ```python
//! from twisted.internet.protocol import Factory
//! from twisted.protocols.basic import LineReceiver
//!
//! class Chat(LineReceiver):                                              # 1
//!     def __init__(self, members):
//!         self.members = members
//!         self.name = None
//!         self.state = "ASK"                                             # 2
//!
//!     def connectionMade(self):
//!         self.sendLine(b"your name?")
//!
//!     def lineReceived(self, line):
//!         getattr(self, "line_" + self.state)(line)
//!
//!     def line_ASK(self, name):
//!         if name in self.members:
//!             self.sendLine(b"taken. another?")
//!             return
//!         self.sendLine(b"hello, " + name)
//!         self.members[name] = self                                      # 3
//!         self.name, self.state = name, "TALK"
//!
//!     def line_TALK(self, line):
//!         for member in self.members.values():
//!             if member is not self:                                     # 4
//!                 member.sendLine(self.name + b": " + line)              # 5
//!
//!     def connectionLost(self, reason):
//!         if self.name is not None:
//!             del self.members[self.name]
//!
//! class ChatFactory(Factory):
//!     def __init__(self):
//!         self.members = {}
//!
//!     def buildProtocol(self, addr):
//!         return Chat(self.members)
//! ```
//! The same here:
//! ```
//! use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//! use torsade::{Disconnect, Factory, Transport, factory};
//!
//! type Members = Rc<RefCell<BTreeMap<Vec<u8>, Transport<Chat>>>>;
//!
//! struct Chat {
//!     members: Members,
//!     state: State,
//! }
//!
//! enum State {                                                           // 2
//!     Ask,
//!     Talk { name: Vec<u8> },
//! }
//!
//! impl LineProtocol for Chat {                                           // 1
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.send_line("your name?");
//!     }
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         match &self.state {
//!             State::Ask => self.ask(transport, line),
//!             State::Talk { name } => self.talk(transport, name, line),
//!         }
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
//!         if let State::Talk { name } = &self.state {
//!             self.members.borrow_mut().remove(name);
//!         }
//!     }
//! }
//!
//! impl Chat {
//!     fn ask(&mut self, transport: &Transport<Self>, name: &[u8]) {
//!         let mut members = self.members.borrow_mut();
//!         if members.contains_key(name) {
//!             return transport.send_line("taken. another?");
//!         }
//!         transport.send_line([b"hello, ", name].concat());
//!         members.insert(name.to_vec(), transport.clone());              // 3
//!         self.state = State::Talk { name: name.to_vec() };
//!     }
//!     fn talk(&self, transport: &Transport<Self>, name: &[u8], line: &[u8]) {
//!         for member in self.members.borrow().values() {
//!             if member != transport {                                   // 4
//!                 member.send_line([name, b": ", line].concat());        // 5
//!             }
//!         }
//!     }
//! }
//!
//! fn chat() -> impl Factory {
//!     let members = Members::default();
//!     factory(move |_| Lines::new(Chat {                                 // 1
//!         members: Rc::clone(&members),
//!         state: State::Ask,
//!     }))
//! }
//! #
//! # use torsade::testing::StringTransport;
//! # let members = Members::default();
//! # let join = |name: &str| {
//! #     let chat = Chat { members: members.clone(), state: State::Ask };
//! #     let mut t = StringTransport::serve(Lines::new(chat));
//! #     t.feed(format!("{name}\r\n"));
//! #     t
//! # };
//! # let [mut ann, mut bob] = ["ann", "bob"].map(join);
//! # ann.feed("hello\r\n");
//! # assert_eq!(ann.take_sent(), b"your name?\r\nhello, ann\r\n");
//! # assert_eq!(bob.take_sent(), b"your name?\r\nhello, bob\r\nann: hello\r\n");
//! # let mut eve = join("ann");
//! # eve.feed("eve\r\n");
//! # assert_eq!(eve.take_sent(), b"your name?\r\ntaken. another?\r\nhello, eve\r\n");
//! # eve.end();
//! # assert_eq!(members.borrow().len(), 2);
//! # let _ = chat();
//! ```
//! | | what changed |
//! |---|---|
//! | 1 | A framing is not a base class: `Lines` carries a `LineProtocol`. |
//! | 2 | States are an enum, and what belongs to a state is in it: a member without a name cannot talk. |
//! | 3 | What the room keeps of a member is its transport, or, where members are of several kinds, the untyped [`Connection`](crate::Connection). It is no reason to stay for the connection. |
//! | 4 | Handles are equal if their connection is. |
//! | 5 | The room is borrowed while all are written to, and that is safe: `write` calls nobody back, on any transport and through any layer. |
//!
//! # A server and a client with Deferreds
//! ```python
//! from twisted.internet.defer import Deferred
//! from twisted.internet.error import ConnectionDone
//! from twisted.internet.protocol import ClientFactory, Factory, Protocol
//! from twisted.protocols.basic import LineReceiver
//!
//! class FingerServer(LineReceiver):
//!     def lineReceived(self, user):
//!         d = self.factory.lookup(user)                                  # 1
//!         d.addErrback(lambda failure: b"nobody of that name")           # 2
//!         d.addCallback(self.answer)
//!
//!     def answer(self, text):
//!         self.sendLine(text)
//!         self.transport.loseConnection()
//!
//! class FingerFactory(Factory):
//!     protocol = FingerServer
//!
//!     def __init__(self, lookup):
//!         self.lookup = lookup
//!
//! class FingerClient(Protocol):
//!     def connectionMade(self):
//!         self.text = b""
//!         self.transport.write(self.factory.user + b"\r\n")
//!
//!     def dataReceived(self, data):
//!         self.text += data
//!
//!     def connectionLost(self, reason):
//!         if reason.check(ConnectionDone):                               # 3
//!             self.factory.done.callback(self.text)                      # 4
//!         else:
//!             self.factory.done.errback(reason)
//!
//! class FingerClientFactory(ClientFactory):                              # 5
//!     protocol = FingerClient
//!
//!     def __init__(self, user):
//!         self.user, self.done = user, Deferred()
//!
//!     def clientConnectionFailed(self, connector, reason):
//!         self.done.errback(reason)                                      # 6
//!
//! def finger(reactor, host, port, user):
//!     factory = FingerClientFactory(user)
//!     reactor.connectTCP(host, port, factory)
//!     return factory.done
//! ```
//! The same here:
//! ```
//! use std::rc::Rc;
//! use torsade::wire::{LineProtocol, LineTransport};
//! use torsade::{Address, Deferred, Disconnect, Net, Protocol, Resolver, Transport};
//!
//! type Lookup = Rc<dyn Fn(&[u8]) -> Deferred<String, String>>;
//!
//! struct FingerServer {
//!     lookup: Lookup,
//! }
//! impl LineProtocol for FingerServer {
//!     fn line_received(&mut self, transport: &Transport<Self>, user: &[u8]) {
//!         let text = (self.lookup)(user);                                // 1
//!         transport.hold(text, |_, transport, text| {
//!             transport.send_line(text.unwrap_or("nobody of that name".into())); // 2
//!             transport.close();
//!         });
//!     }
//! }
//!
//! struct FingerClient {
//!     user: String,
//!     text: Vec<u8>,
//!     done: Option<Resolver<Vec<u8>, String>>,                           // 4
//! }
//! impl Protocol for FingerClient {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write(format!("{}\r\n", self.user));
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.text.extend(data);
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
//!         let Some(done) = self.done.take() else { return };
//!         if reason.is_clean() {                                         // 3
//!             done.resolve(std::mem::take(&mut self.text));
//!         } else {
//!             done.reject(reason.to_string());
//!         }
//!     }
//! }
//!
//! fn finger(net: &Net, to: Address, user: &str) -> Deferred<Vec<u8>, String> {
//!     let (resolver, done) = Deferred::new();
//!     let client = FingerClient { user: user.into(), text: vec![], done: Some(resolver) };
//!     net.connect(to, client)                                            // 5
//!         .map_err(|error| error.to_string())                            // 6
//!         .and_then(|_| done)
//! }
//! #
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use torsade::{Failure, Reactor, factory, wire::Lines};
//! # let mut reactor = Reactor::new()?;
//! # let net = reactor.net().clone();
//! # let timers = net.clone();
//! # let lookup: Lookup = Rc::new(move |user| {
//! #     let (resolver, text) = Deferred::new();
//! #     let result = match user {
//! #         b"ann" => Ok("at her desk".to_owned()),
//! #         _ => Err(Failure::Error("who?".to_owned())),
//! #     };
//! #     timers.call_later(std::time::Duration::from_millis(1), |_| resolver.settle(result));
//! #     text
//! # });
//! # let server = net.listen("127.0.0.1:0", factory(move |_| {
//! #     Lines::new(FingerServer { lookup: lookup.clone() })
//! # }))?;
//! # let ann = reactor.run_until(finger(&net, server.address(), "ann"))?;
//! # assert_eq!(ann, Ok(b"at her desk\r\n".to_vec()));
//! # let bob = reactor.run_until(finger(&net, server.address(), "bob"))?;
//! # assert_eq!(bob, Ok(b"nobody of that name\r\n".to_vec()));
//! # server.close();
//! # let nobody = reactor.run_until(finger(&net, server.address(), "bob"))?;
//! # assert!(matches!(nobody, Err(Failure::Error(text)) if text.starts_with("cannot connect to")));
//! # Ok(())
//! # }
//! ```
//! | | what changed |
//! |---|---|
//! | 1 | `hold` waits for the answer and keeps further lines back meanwhile, so answers keep their order; `then` would not. If the connection is lost first, the lookup is cancelled, and nothing is written. |
//! | 2 | One closure is given the result, whichever it is, instead of two that must be added in the right order. |
//! | 3 | `check` is a method of the reason. |
//! | 4 | A Deferred has two ends of two types: who brings the result has the [`Resolver`](crate::Resolver), and calling it twice does not compile. That is what the `Option` and its `take` are for. |
//! | 5 | A client is one protocol and needs no factory. `connect` is a Deferred itself. |
//! | 6 | `clientConnectionFailed` is its rejection: the chain has one error for both ways to fail. Cancelling what `finger` returns gives the attempt up. |
//!
//! # Its test
//! A test of Twisted's `LineReceiver` and clock:
//! ```python
//! from twisted.internet.task import Clock, LoopingCall
//! from twisted.internet.testing import StringTransport
//! from twisted.internet.protocol import Protocol
//!
//! class Beat(Protocol):
//!     def __init__(self, clock):
//!         self.beat = LoopingCall(lambda: self.transport.write(b"."))
//!         self.beat.clock = clock                                        # 1
//!
//!     def connectionMade(self):
//!         self.beat.start(1.0)
//!
//!     def connectionLost(self, reason):
//!         self.beat.stop()                                               # 2
//!
//! def test():
//!     clock, transport, protocol = Clock(), StringTransport(), None
//!     protocol = Beat(clock)
//!     protocol.makeConnection(transport)
//!     clock.pump([1.0, 1.0])
//!     assert transport.value() == b"..."                                 # 3
//!     protocol.connectionLost(None)                                      # 4
//!     assert clock.getDelayedCalls() == []                               # 5
//! ```
//! The same here:
//! ```
//! use std::time::Duration;
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, LoopingCall, Protocol, Transport};
//!
//! #[derive(Default)]
//! struct Beat(Option<LoopingCall>);
//!
//! impl Protocol for Beat {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         let connection = transport.connection();
//!         let second = Duration::from_secs(1);
//!         let (beat, ended) = LoopingCall::start(&transport.net(), second, move |_, _| {
//!             connection.write(".");
//!         });
//!         ended.detach();
//!         self.0 = Some(beat);
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//!     fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
//!         self.0.take().map(|beat| beat.stop());                         // 2
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Beat::default());                   // 1
//! t.advance(Duration::from_secs(2));
//! assert_eq!(t.take_sent(), b"...");                                     // 3
//! t.end();                                                               // 4
//! drop(t);                                                               // 5
//! ```
//! | | what changed |
//! |---|---|
//! | 1 | No clock is passed around: time comes with the connection's `Net`, and the test turns it. |
//! | 2 | Timers of a connection, `transport.call_later`, end with it; a `LoopingCall` belongs to none and must be stopped. |
//! | 3 | Taking what was sent also clears it. An advance of two seconds has two beats; `Clock.advance(2)` has one. |
//! | 4 | The test ends the connection as a peer would, and the loss follows from that. |
//! | 5 | A timer that was left would fail the test here, as would a panic or an error that nobody took. |
//!
//! | in a test of Twisted | here |
//! |---|---|
//! | `StringTransport` of `proto_helpers` | `StringTransport`; `Script` where it is "send this, expect that" |
//! | `Clock` | in every fake: `advance` |
//! | `MemoryReactorClock` | `MemoryReactor`, for programs that take a `&Net` |
//! | `iosim`, `loopback` | `Pump`; `sim::Sim` for many hosts, with faults |
//! | feeding byte by byte in a loop | `Splits`, which compares all ways |
//! | a `TestCase` of `trial` that returns a Deferred | a plain `#[test]`: advance, and `try_take` |
//! | `trial`'s dirty reactor | `Leaks`; [some of it](super::testing#what-fails-a-test-by-itself) unasked |
//!
//! All of them are in `torsade::testing`; [`testing`](super::testing) shows each, from one string to a
//! network.
//!
//! # Next
//! [`twisted_names`](super::twisted_names) says what became of every name of Twisted's networking
//! core, and [`differences`](super::differences) what behaves in another way. Then
//! [`closing`](super::closing) and [`flow_control`](super::flow_control), before the port meets
//! strangers.
