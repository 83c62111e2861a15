//! The manual: pages that teach, each with something done at its end.
//!
//! The documentation of an item says what it does; the [`contracts`](crate::contracts) say what
//! you may rely on. Here is how to get from a task to a program. A chapter takes a quarter of an
//! hour. Its code is compiled and run with every change of torsade, and its claims are assertions
//! in that code wherever they can be.
//!
//! # The chapters
//! | chapter | at its end you have |
//! |---|---|
//! | [`first_protocol`] | a server from its specification, with shared state, a timeout, answers that come later |
//! | [`testing`] | tests of it in microseconds: every cut, slow peers, resets, hours of silence |
//! | [`running`] | a process: listening, connecting, threads, signals, an orderly stop |
//! | [`services`] | a program of parts: endpoints from settings, start and stop in order, a client that comes back, a drain |
//! | [`framing`] | messages out of bytes for your own binary protocol, in 30 lines |
//! | [`life`] | where to put what: the callbacks of a connection, in order, with a drawing |
//! | [`layers`] | a wrapper for any protocol, a login that becomes something else, bytes changed on their way |
//! | [`closing`] | last words that arrive, half-closes, deadlines for a goodbye |
//! | [`flow_control`] | files of any size in constant memory, a relay, a room with a deaf member |
//! | [`errors`] | one place for every way to fail |
//! | [`datagrams`] | a protocol over UDP: who is there, in 40 lines, with groups and its test |
//! | [`processes`] | programs run for their output, talked to, and ended; their test without a process |
//! | [`tls`] | a server with a certificate, a client that checks it, a STARTTLS |
//! | [`coroutines`] | `await` beside callbacks on one connection, and servers without callbacks |
//! | [`coming_from_twisted`] | three programs of Twisted, and a test, beside their ports |
//! | [`twisted_names`] | what became of every name of Twisted's networking core |
//! | [`coming_from_asyncio`] | the protocol pair beside its port, and what became of every name |
//! | [`differences`] | for every habit of Twisted or asyncio, what to write instead and why |
//!
//! # Where to begin
//! **You have a specification and an afternoon.** [`first_protocol`], then [`testing`]: at the end
//! of these two the server is written and tested. If your protocol is not made of lines,
//! [`framing`] comes between them. [`running`] puts it on a port. Read [`closing`] and
//! [`flow_control`] before it meets strangers.
//!
//! **You port a Twisted or asyncio program.** [`life`] first: the callbacks have the names you
//! know, but nobody calls you back while you are running, and continuations are given `&mut self`.
//! Then [`coming_from_twisted`] or [`coming_from_asyncio`], and [`differences`], [`closing`],
//! [`flow_control`] and [`errors`] for those that matter to you. The search box above finds the old
//! names: `loseConnection`, `callLater`, `LineReceiver`, `drain`; so does [`twisted_names`].
//!
//! **You test protocols, written here or to be.** [`testing`], then [`life`] for what order may be
//! asserted. The end of [`flow_control`] and of [`closing`] shows the cases that are usually
//! forgotten: who does not read, and who leaves too early.
//!
//! # How to read the code
//! Everything is in the crate `torsade`; `torsade::testing` needs the feature `testing`, which
//! belongs into `[dev-dependencies]`. Most examples talk to a protocol through a
//! `StringTransport`, which is a connection whose other end is the test. Nothing in a protocol
//! knows of that.

pub mod closing;
pub mod coming_from_asyncio;
pub mod coming_from_twisted;
pub mod coroutines;
pub mod datagrams;
pub mod differences;
pub mod errors;
pub mod first_protocol;
pub mod flow_control;
pub mod framing;
pub mod layers;
pub mod life;
pub mod processes;
pub mod running;
pub mod services;
pub mod testing;
#[cfg(feature = "tls")]
pub mod tls;
pub mod twisted_names;
