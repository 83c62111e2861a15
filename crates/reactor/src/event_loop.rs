use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

#[cfg(unix)]
use socket2::Socket;
#[cfg(unix)]
use torsade_core::driver::Interest;
use torsade_core::{Net, Time};

#[cfg(unix)]
use crate::token::Token;
#[cfg(unix)]
use crate::watcher::Watcher;
use crate::{Counters, Driver};

/// What a [`Reactor`](crate::Reactor) runs: an engine, its driver, and the order of a turn.
///
/// One indirect call is one turn, however many messages it carries; inside everything is static.
/// Which of them a reactor has is decided when it is made, see [`Driver`].
pub(crate) trait EventLoop: fmt::Debug {
    fn driver(&self) -> Driver;

    fn net(&self) -> &Net;

    /// Wait for events, no longer than `longest`, and take one turn.
    fn turn(&mut self, longest: Option<Duration>) -> io::Result<Next>;

    /// Take turns until one had more in it than messages that came and were answered, or one.
    fn turns(&mut self) -> io::Result<Next> {
        self.turn(None)
    }

    /// The next turn is not known to follow at once: what was asked for goes to the system now.
    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn counters(&self) -> Counters;

    /// Whether the next turn has something to do without waiting, of which the descriptor does not
    /// tell.
    fn has_work(&self) -> bool;

    /// When the next turn is due; `None` if nothing but an event is waited for.
    fn next_deadline(&self) -> Option<Time>;

    /// The end: every connection is lost and told so. Nobody's callback is running.
    fn shut_down(&mut self);

    /// The same, where a job of the thread's queue does it.
    fn shut_down_in_job(&mut self);

    /// Whether a turn of this loop was left by a panic.
    fn is_in_turn(&self) -> bool;

    /// What wakes the loop, and what it can be waited on with. Outlives the loop.
    fn doorbell(&self) -> Arc<dyn Doorbell>;

    /// Somebody is going to wait on the doorbell's descriptor.
    fn is_waited_on(&self) {}

    #[cfg(unix)]
    fn watcher(&self) -> Watcher;

    #[cfg(unix)]
    fn listen_for_signals(&mut self) -> io::Result<()>;
}

/// Whether a loop is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Turn,
    /// A stop is complete.
    Stop,
}

/// Ends the wait of a loop, from any thread: the one that is, or else the next one.
pub(crate) trait Doorbell: Send + Sync + 'static {
    fn ring(&self) -> io::Result<()>;

    /// Readable when the loop has events, or when somebody has rung.
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))]
    fn descriptor(&self) -> std::os::fd::BorrowedFd<'_>;
}

/// As the engine knows it.
pub(crate) fn waker(doorbell: Arc<dyn Doorbell>) -> Waker {
    Waker::from(Arc::new(Rings(doorbell)))
}

struct Rings(Arc<dyn Doorbell>);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It cannot fail while the doorbell is there, and it is: we hold it.
        let _ = self.0.ring();
    }
}

/// Has a loop tell about descriptors that are not its own: those of a [`Watcher`], and the pipe
/// of the signals.
#[cfg(unix)]
pub(crate) trait Registrar: fmt::Debug {
    /// Tell these events, level-triggered, as being about `token`, until the registration is
    /// dropped. Others may have descriptors of the same open file, which outlive it.
    fn register(
        &self,
        own: OwnedFd,
        token: Token,
        interest: Interest,
    ) -> io::Result<Box<dyn Registration>>;
}

/// A descriptor that a loop tells about. Dropped, it is told about no more, and closed.
#[cfg(unix)]
pub(crate) trait Registration: fmt::Debug {
    /// To read from it.
    fn socket(&self) -> &Socket;
}
