use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Connection, Disconnect, Timeout, Timer, Transport};

use super::silence::{Left, Silence};

/// A timeout that a protocol holds, and sets back whenever it hears something that counts.
///
/// It is Twisted's `TimeoutMixin` as a value: what counts is the protocol's to say, a complete
/// message rather than a byte for instance. For plain bytes, a wrapper does it without a line in
/// the protocol: [`Timeouts`](crate::Timeouts).
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Disconnect, Timeout, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{IdleTimer, LineProtocol, Lines};
///
/// #[derive(Default)]
/// struct Chat {
///     idle: IdleTimer,
/// }
/// impl LineProtocol for Chat {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         self.idle.set_timeout(transport, Some(Duration::from_secs(60)));
///     }
///     fn line_received(&mut self, _: &Transport<Self>, _: &[u8]) {
///         self.idle.reset_timeout();
///     }
/// }
///
/// let mut t = StringTransport::serve(Lines::new(Chat::default()));
/// t.advance(Duration::from_secs(59));
/// t.feed(b"hello\r\nand th"); // a line
/// t.advance(Duration::from_secs(59));
/// t.feed(b"is"); // is no line
/// t.advance(Duration::from_secs(1));
/// assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Idle)));
/// ```
///
/// # What it costs
/// Setting it allocates a timer. Setting it back stores the time of the turn and touches no timer:
/// the one that runs looks, when it strikes, how much is left.
///
/// # What is counted
/// The clock stands still while the connection is not read, because of `pause_reading`, `hold` or a
/// throttle (contract C7): a peer whom nobody listens to is not silent. Time counts from the
/// beginning of the turn in which it was set back; what had arrived with the deadline is delivered
/// before it strikes.
///
/// It ends with its connection, with the protocol that set it, and when it is dropped.
#[doc(alias = "TimeoutMixin")]
#[derive(Default)]
pub struct IdleTimer {
    timeout: Option<Duration>,
    clock: Option<Rc<Clock>>,
}

/// What the timer that runs shares with who sets it back.
struct Clock {
    connection: Connection,
    timeout: Duration,
    silence: Cell<Silence>,
    /// The timer, unless it stands still.
    timer: RefCell<Option<Timer>>,
    stopped: Cell<bool>,
}

impl IdleTimer {
    /// One that does not run yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// End the connection with [`Timeout::Idle`] after this long without a
    /// [`reset_timeout`](Self::reset_timeout), or no longer do so. Returns what was set before.
    ///
    /// What was written before the end still leaves, as with
    /// [`fail`](torsade_core::Connection::fail).
    #[doc(alias = "setTimeout")]
    pub fn set_timeout<P: 'static>(
        &mut self,
        transport: &Transport<P>,
        after: Option<Duration>,
    ) -> Option<Duration> {
        match after {
            Some(after) => self.set_timeout_with(transport, after, |_, transport| {
                transport.fail(Disconnect::TimedOut(Timeout::Idle));
            }),
            None => {
                self.stop();
                self.timeout.take()
            }
        }
    }

    /// Like [`set_timeout`](Self::set_timeout), with something else to do: once, and then nothing
    /// until it is set again.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # use torsade_wire::IdleTimer;
    /// struct Polite(IdleTimer);
    /// impl Protocol for Polite {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         let minute = Duration::from_secs(60);
    ///         self.0.set_timeout_with(transport, minute, move |me, transport| {
    ///             transport.write("still there?\n");
    ///             me.0.set_timeout(transport, Some(minute));
    ///         });
    ///     }
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
    ///         self.0.reset_timeout();
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Polite(IdleTimer::new()));
    /// t.advance(Duration::from_secs(60));
    /// assert_eq!(t.take_sent(), b"still there?\n");
    /// t.advance(Duration::from_secs(60));
    /// assert!(t.lost().is_some());
    /// ```
    #[doc(alias = "timeoutConnection")]
    pub fn set_timeout_with<P: 'static>(
        &mut self,
        transport: &Transport<P>,
        after: Duration,
        on_timeout: impl FnOnce(&mut P, &Transport<P>) + 'static,
    ) -> Option<Duration> {
        self.stop();
        let connection = transport.connection();
        let clock = Rc::new(Clock {
            timeout: after,
            silence: Cell::new(Silence::begin(&connection)),
            connection,
            timer: RefCell::default(),
            stopped: Cell::new(false),
        });
        self.clock = Some(Rc::clone(&clock));
        arm(clock, transport, after, on_timeout);
        self.timeout.replace(after)
    }

    /// Begin to count anew, if it runs.
    #[doc(alias = "resetTimeout")]
    pub fn reset_timeout(&self) {
        if let Some(clock) = &self.clock {
            let mut silence = clock.silence.get();
            silence.interrupt(&clock.connection);
            clock.silence.set(silence);
        }
    }

    /// What is set.
    #[doc(alias = "timeOut")]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn stop(&mut self) {
        if let Some(clock) = self.clock.take() {
            clock.stopped.set(true);
            // Taken out first: cancelling drops the user's closure.
            let timer = clock.timer.take();
            if let Some(timer) = timer {
                timer.cancel();
            }
        }
    }
}

fn arm<P: 'static>(
    clock: Rc<Clock>,
    transport: &Transport<P>,
    after: Duration,
    on_timeout: impl FnOnce(&mut P, &Transport<P>) + 'static,
) {
    let armed = Rc::clone(&clock);
    let timer = transport.call_later(after, move |me, transport| {
        armed.timer.take();
        strike(armed, me, transport, on_timeout);
    });
    clock.timer.replace(Some(timer));
}

fn strike<P: 'static>(
    clock: Rc<Clock>,
    me: &mut P,
    transport: &Transport<P>,
    on_timeout: impl FnOnce(&mut P, &Transport<P>) + 'static,
) {
    let mut silence = clock.silence.get();
    let left = silence.left(&clock.connection, clock.timeout);
    clock.silence.set(silence);
    match left {
        Left::Some(left) => arm(clock, transport, left, on_timeout),
        Left::Nothing => on_timeout(me, transport),
        Left::Held => transport.then(transport.input_resumed(), move |_, transport, resumed| {
            if resumed.is_ok() && !clock.stopped.get() {
                // A timer even if nothing is left: what has arrived meanwhile comes before it.
                arm(clock, transport, Duration::ZERO, on_timeout);
            }
        }),
    }
}

impl Drop for IdleTimer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for IdleTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleTimer")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
