use std::fmt;
use std::time::Duration;

use torsade_core::{Disconnect, Layered, Pass, Protocol, Time, Timeout, Timer, Transport, Wrapper};

use super::silence::{Left, Silence};

/// Timeouts around any protocol: for a peer that says nothing, that takes nothing, or both.
///
/// | clock | runs out when, for so long | reason |
/// |---|---|---|
/// | [`idle`](Self::idle) | nothing passed in either direction | [`Timeout::Idle`] |
/// | [`read`](Self::read) | nothing was received | [`Timeout::Read`] |
/// | [`write`](Self::write) | output waited and none of it was taken | [`Timeout::Write`] |
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Disconnect, Protocol, Timeout, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::Timeouts;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let minute = Duration::from_secs(60);
/// let mut t = StringTransport::serve(Timeouts::new(Echo).idle(10 * minute).write(minute));
/// t.set_window(0); // a peer that does not read
/// t.feed(b"hello");
/// t.advance(minute + minute / 8);
/// assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Write)));
/// ```
///
/// # What is counted
/// Clocks for the peer's silence stand still while the connection is not read (contract C7),
/// whoever holds its input back; bytes that wait for a [`Throttle`](crate::Throttle) have not been
/// received, and the clocks run. The read clock ends when the peer has ended its side.
///
/// None is ever early. What the peer sends is timed exactly. Nobody tells when output moves, so it
/// is looked at eight times within each timeout, and a connection on which output moved last ends
/// up to an eighth late, or a millisecond. That is all it costs: a message that arrives stores a time and touches no
/// timer.
///
/// # How it ends
/// Idle and read timeouts [`fail`](torsade_core::Connection::fail) the connection, so that what was
/// written still leaves. A write timeout aborts it, also while a close waits for its output, where
/// it is a shorter `Limits::flush_timeout`.
///
/// What counts is bytes. A protocol that wants a *message* in time holds an
/// [`IdleTimer`](crate::IdleTimer).
#[doc(alias = "TimeoutProtocol")]
#[doc(alias = "TimeoutFactory")]
pub struct Timeouts<P> {
    inner: P,
    idle: Option<Clock>,
    read: Option<Clock>,
    write: Option<Waiting>,
    received: u64,
    sent: u64,
    timer: Option<Timer>,
    /// Whether a continuation waits for input to go on.
    waits_for_input: bool,
}

/// The clock of a silence.
struct Clock {
    timeout: Duration,
    /// Once the connection is made.
    silence: Option<Silence>,
}

/// The clock of output that waits.
struct Waiting {
    timeout: Duration,
    /// Since when it has been seen to wait without a move.
    since: Option<Time>,
}

/// So often within a timeout is output looked at.
const LOOKS: u32 = 8;

/// But not more often than this, so that a tiny timeout does not keep the thread busy.
const LOOK_LEAST: Duration = Duration::from_millis(1);

impl<P: Protocol> Timeouts<P> {
    /// No clock around `inner` yet.
    pub fn new(inner: P) -> Self {
        Self {
            inner,
            idle: None,
            read: None,
            write: None,
            received: 0,
            sent: 0,
            timer: None,
            waits_for_input: false,
        }
    }

    /// End a connection on which nothing has passed in either direction for so long.
    #[must_use]
    pub fn idle(mut self, timeout: Duration) -> Self {
        self.idle = Some(Clock::new(timeout));
        self
    }

    /// End a connection on which nothing was received for so long.
    #[must_use]
    pub fn read(mut self, timeout: Duration) -> Self {
        self.read = Some(Clock::new(timeout));
        self
    }

    /// End a connection whose peer takes none of the output that waits for so long.
    #[must_use]
    pub fn write(mut self, timeout: Duration) -> Self {
        self.write = Some(Waiting {
            timeout,
            since: None,
        });
        self
    }

    /// The protocol inside.
    pub fn get_ref(&self) -> &P {
        &self.inner
    }

    /// The protocol inside, to change it.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.inner
    }
}

impl<P: Protocol> Layered for Timeouts<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.inner
    }
}

impl<P: Protocol> Wrapper for Timeouts<P> {
    fn made(&mut self, transport: &Transport<Self>) {
        self.received = transport.bytes_received();
        self.sent = transport.bytes_sent();
        for clock in [&mut self.idle, &mut self.read].into_iter().flatten() {
            clock.silence = Some(Silence::begin(transport));
        }
        self.look(transport);
    }

    fn data(&mut self, transport: &Transport<Self>, _: &[u8]) -> Pass {
        // Input that was left unread comes again, which is not the peer's doing.
        let received = transport.bytes_received();
        if received != self.received {
            self.received = received;
            for clock in [&mut self.idle, &mut self.read].into_iter().flatten() {
                clock.interrupt(transport);
            }
        }
        Pass::On
    }

    fn eof(&mut self, transport: &Transport<Self>) -> Pass {
        self.read = None;
        if let Some(idle) = &mut self.idle {
            idle.interrupt(transport);
        }
        Pass::On
    }
}

impl<P: Protocol> Timeouts<P> {
    /// Look at all clocks, and come back when the next may have run out.
    fn look(&mut self, transport: &Transport<Self>) {
        let sent = transport.bytes_sent();
        let moved = sent != self.sent;
        self.sent = sent;
        if moved && let Some(idle) = &mut self.idle {
            idle.interrupt(transport);
        }
        let mut next = Duration::MAX;
        let look_every = self.idle.as_ref().map_or(Duration::MAX, Clock::look_every);
        let clocks = [
            (&mut self.read, Timeout::Read, Duration::MAX),
            (&mut self.idle, Timeout::Idle, look_every),
        ];
        let mut held = false;
        for (clock, timeout, look) in clocks {
            let Some(clock) = clock.as_mut().filter(|_| transport.is_open()) else {
                continue;
            };
            match clock.left(transport) {
                Left::Some(left) => next = next.min(left).min(look),
                Left::Held => held = true,
                Left::Nothing => transport.fail(Disconnect::TimedOut(timeout)),
            }
        }
        if let Some(write) = &mut self.write {
            match write.left(transport, moved) {
                Some(left) => next = next.min(left.min(write.timeout / LOOKS).max(LOOK_LEAST)),
                None => transport.abort_with(Disconnect::TimedOut(Timeout::Write)),
            }
        }
        if held {
            self.wait_for_input(transport);
        }
        if next < Duration::MAX {
            self.arm(transport, next);
        }
    }

    fn wait_for_input(&mut self, transport: &Transport<Self>) {
        if self.waits_for_input {
            return;
        }
        self.waits_for_input = true;
        transport.then(transport.input_resumed(), |me, transport, _| {
            me.waits_for_input = false;
            // A timer even if nothing is left: what has arrived meanwhile comes before it.
            me.arm(transport, Duration::ZERO);
        });
    }

    fn arm(&mut self, transport: &Transport<Self>, after: Duration) {
        if !self.timer.as_ref().is_some_and(|timer| timer.reset(after)) {
            let timer = transport.call_later(after, |me, transport| me.look(transport));
            self.timer = Some(timer);
        }
    }
}

impl Clock {
    fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            silence: None,
        }
    }

    fn look_every(&self) -> Duration {
        (self.timeout / LOOKS).max(LOOK_LEAST)
    }

    fn interrupt<P>(&mut self, transport: &Transport<P>) {
        if let Some(silence) = &mut self.silence {
            silence.interrupt(transport);
        }
    }

    fn left<P>(&mut self, transport: &Transport<P>) -> Left {
        match &mut self.silence {
            Some(silence) => silence.left(transport, self.timeout),
            None => Left::Some(self.timeout),
        }
    }
}

impl Waiting {
    /// What is left of the timeout, if anything is.
    fn left<P>(&mut self, transport: &Transport<P>, moved: bool) -> Option<Duration> {
        if transport.buffered() == 0 {
            self.since = None;
            return Some(self.timeout);
        }
        let now = transport.net().now();
        match self.since {
            Some(since) if !moved => {
                let left = self.timeout.saturating_sub(now - since);
                (!left.is_zero()).then_some(left)
            }
            _ => {
                self.since = Some(now);
                Some(self.timeout)
            }
        }
    }
}

impl<P: fmt::Debug> fmt::Debug for Timeouts<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeouts")
            .field("inner", &self.inner)
            .field("idle", &self.idle.as_ref().map(|clock| clock.timeout))
            .field("read", &self.read.as_ref().map(|clock| clock.timeout))
            .field("write", &self.write.as_ref().map(|clock| clock.timeout))
            .finish_non_exhaustive()
    }
}
