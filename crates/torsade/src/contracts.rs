//! What you may rely on, on every transport and every driver, real or made up.
//!
//! The conformance suite runs one body on the string transport, on the pump, on real sockets, and
//! on two of these through a filter, with cells for each contract. Every number is a field of
//! [`Limits`](crate::Limits). Where this page says *later*, the clause comes with the part it
//! speaks of.
//!
//! **User code** means: callbacks, continuations, timers, posted calls, factories, filters,
//! cancel hooks, report sinks, wakers, and the `Drop` of every value given to torsade.
//!
//! # C1: nobody calls you back while you are running
//! Whatever would call you is queued, and runs after the current callback has returned, with
//! nothing of ours borrowed: calls, results that are there, pauses and resumes, on all connections
//! of the thread, in the one order in which they were queued. Callbacks never nest, so a
//! `RefCell` that you hold borrowed across a method of a transport cannot conflict. What runs
//! user code directly does so outside any turn, and is this: resolving, cancelling, dropping or
//! combining Deferreds there; running, turning or dropping a reactor; every method of a test
//! transport. Hold no borrow across those.
//!
//! Continuations come before new facts: while some are queued for a connection, no new data
//! reaches it, and its loss waits behind them. A budget defers, it never drops.
//!
//! # C2: life cycle
//! `connection_made` first, once; `connection_lost` last, once, for every connection that was
//! made, also at shutdown, also when it was paused. Reading starts after `connection_made` has
//! returned. The loss comes when the socket is closed, at the end of a turn. If input is held
//! back, the end of the peer waits; if input is wanted, what the kernel still holds is delivered
//! first, also after a send has failed: the early error reply.
//!
//! # C3: order and batching
//! Bytes leave in the order of the calls that wrote them, whoever made them. After a callback and
//! its continuations, that connection is flushed in one send. Connections written to by others
//! are flushed once, before the reactor waits.
//!
//! # C4: closing
//! After `close` no more input is delivered, not even the rest of this chunk; what was written is
//! flushed, our end is sent, and `connection_lost` is called. Writes after it are dropped and
//! counted; continuations and timers go on until the loss. Unless the peer had ended, the bare
//! socket lingers for at most 5 s and what still comes is discarded, so that the kernel does not
//! destroy the reply on its way. At most 1024 sockets linger; `run` does not wait for them. A
//! flush without progress for 120 s is aborted. `abort` drops the output and resets; `fail` is
//! `close` with a reason, so that an error reply still leaves; `flushed` means handed to the
//! kernel.
//!
//! # C5: half-close
//! `eof_received` is called where data would have been: held when data is held, after the data.
//! Its default closes. The unfinished rest is readable there with `with_unread`, and then
//! dropped; a framing passes it on. It works through filters and wrappers: a filter may end a side
//! of the stream without ending the socket's, and may refuse to believe that the peer meant an end.
//! With TLS `close_write` sends close_notify and no FIN, and an end without close_notify is
//! [`TruncatedTls`](crate::Disconnect::TruncatedTls), never `eof_received`.
//!
//! # C6: reasons are typed
//! [`Disconnect`](crate::Disconnect) is a closed enum by blame. Every connection that a listener
//! or `connect` began has exactly one outcome: one that a listener fails to make tells the
//! factory (`failed`), and for `connect` the Deferred is rejected and the protocol dropped
//! unmade. That goes for handshakes of filters, too: a protocol is built, and told that it was
//! made, when all filters are ready; after 30 s they are given up.
//!
//! # C7: flow control is on by default and enforced
//! Marks of 64 and 16 KiB: output pauses strictly above the high one and resumes at or below the
//! low one; moving the marks re-evaluates both ways. `wants_output()` is false from the byte that
//! passes high; the callbacks `pause_writing` and `resume_writing` are queued and strictly
//! alternate; whoever saw false gets a resume.
//!
//! Accepted connections are not read while their own output is above the mark
//! (`throttle_input`), so a one-line echo is safe. Connecting ends do not throttle themselves,
//! so that two torsade ends never both wait for their own output. What is held back is what the
//! protocol would be given: filters see up to 16 KiB beyond it, for what is meant for them. Pauses
//! are kept by holder, each layer, handle and `hold`; reading runs when none holds. The clocks of
//! [`Timeouts`](crate::wire::Timeouts) stand still while input is held back.
//!
//! A write is accepted whole while at most 16 MiB wait before it, so that the cap bounds piling
//! up, not the size of a message; past it the connection ends with `LimitPassed`. All connections
//! of a reactor together hold at most 256 MiB; the fullest goes first.
//!
//! # C8: one rule for errors
//! A panic in a callback is caught and logged with its connection; that connection is aborted and
//! still gets `connection_lost(Panicked)`; nobody else notices. A listener survives the panic of
//! its factory: that one connection is lost. A panic in a combinator rejects with `Panicked`; in
//! a free timer or posted call it is logged; in a `Drop` it is caught like the rest. In the
//! testing kit every caught panic fails the test unless it was expected. `panic = "abort"` gives
//! this rule up.
//!
//! # C9: time
//! Monotonic, and the driver's. Timers never fire early, also when set late in a long turn: they
//! count from its end. Equal deadlines fire in the order they were set; a zero delay waits for
//! input and output; set, cancel and reset are cheap, and a million cancelled timers hold no
//! memory. Input that was waiting is delivered before a timer of its connection that came due
//! with it, so that a stall of ours times nobody out who had spoken.
//!
//! # C10: fairness
//! Bytes, continuations, posted calls and accepts of a turn are bounded. A loud peer or a call
//! that queues itself again starves nobody.
//!
//! # C11: threads and guests
//! One `Send + Clone` handle, [`Remote`](crate::Remote), posts closures: first in, first out; it
//! wakes a blocked reactor; when the reactor is gone it is an error, not a hang. Work made outside
//! a turn wakes the reactor once.
//!
//! # C12: accepting
//! Where there are [`Limits::max_connections`](crate::Limits::max_connections), or no descriptors,
//! those who come are shed (accepted and closed at once, with a descriptor that was kept in
//! reserve) or wait, by [policy](crate::WhenFull); a factory is told whom it did not get. If the
//! reserve does not come back, or out of memory, the listener leaves the poller for a second. No
//! accept error kills a listener, spins or floods the log: while descriptors are short, at most
//! [`Limits::vain_accepts`](crate::Limits::vain_accepts) and one accepts are tried a second, and
//! two lines are logged.
//!
//! # C13: limits
//! Every queue, buffer and count is bounded by a field of [`Limits`](crate::Limits). Nothing is
//! allocated from a number that a peer sent before the bytes are there.
//!
//! # C14: bytes from a peer never panic
//! And no input makes work or memory grow faster than linearly, however it is cut.
//!
//! # C15: input left over
//! `unread(n)`: the last n bytes of this delivery come again in front of the next; the largest n
//! of a callback counts. If the callback ends with `wants_input()` true, they wait for more bytes
//! or the end. If not, they are delivered again as soon as that turns true, new bytes or not.
//! What waits is bounded. `switch(new)` takes effect after the callback: `new` gets
//! `connection_made`, then the unread rest; the old one gets no loss. It replaces what is in the
//! nearest [`AnyProtocol`](crate::AnyProtocol) around the one who asks, or everything; handles and
//! continuations of what was replaced do nothing any more. `push_filter` splits the stream: bytes
//! written before it leave without the filter, unread input goes into the filter and never to the
//! protocol.
//!
//! # C16: continuations on a connection
//! `then(deferred, f)` runs f with `&mut self` when the result is there; `hold(deferred, f)` also
//! holds back input until then, so that replies keep their order and a client that half-closes
//! after its question gets its answer. At the loss, what they wait for is cancelled, the closures
//! are dropped unrun, and timers of the connection end. Clean-up that must happen belongs in
//! `connection_lost`, in a guard's `Drop`, or in a free `finish`.
//!
//! # C17: shutdown
//! `stop` calls the hooks of [`before_stop`](crate::Net::before_stop) and waits for their
//! Deferreds, for at most 30 s; lets in who is queued at the listeners and closes them; tells
//! `stopping` to every connection (default: close); those that remain after 5 s are aborted; every
//! one gets its loss; free timers and posted calls are dropped, and Deferreds that waited for them
//! end `Abandoned`; then `run` returns. Signal handlers are installed only on request; a second
//! signal waits for nobody. Dropping a reactor delivers the losses too. A reactor can be run
//! again, and many live in one process.
//!
//! # One turn
//! Wait. The time, once. Posted calls that were there at the start. What happened, up to the
//! budget, each callback followed by its continuations and its own flush. Timers due that were
//! set before this turn. What a budget left over. The flush of connections that others wrote to.
//! Losses. The time again, if a timer was set.
