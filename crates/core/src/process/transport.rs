use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Deferred, Failure};

use super::Child;
use super::Process;
use crate::layer::Place;
use crate::{Timer, continuation};

/// A child process as its protocol sees it: writes, closes, signals, and runs things later with
/// `&mut self`.
///
/// A cheap clone, 8 bytes; all methods take `&self`. What does not need to know the protocol is on
/// [`Process`], which this dereferences to.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Command, ProcessProtocol, ProcessTransport, Signal};
/// use torsade_testing::MemoryReactor;
///
/// /// Asks its process to end after a minute.
/// struct Patient;
/// impl ProcessProtocol for Patient {
///     fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
///         transport.call_later(Duration::from_secs(60), |_, transport| {
///             let _ = transport.terminate();
///         });
///     }
/// }
///
/// let mut reactor = MemoryReactor::new();
/// reactor.net().spawn_process(&Command::new("sleep").arg("1000"), Patient)?;
/// let mut sleep = reactor.next_process();
/// reactor.advance(Duration::from_secs(60));
/// assert_eq!(sleep.take_signals(), [Signal::Term]);
/// # Ok::<(), torsade_core::SpawnError>(())
/// ```
pub struct ProcessTransport<P> {
    process: Process,
    protocol: PhantomData<fn(&mut P)>,
}

impl<P> ProcessTransport<P> {
    pub(super) fn new(child: Rc<Child>) -> Self {
        Self {
            process: Process(child),
            protocol: PhantomData,
        }
    }

    /// The untyped part, for those who do not know the protocol.
    pub fn process(&self) -> Process {
        self.process.clone()
    }
}

impl<P: 'static> ProcessTransport<P> {
    /// Run `f` on the protocol when the result of `deferred` is there.
    ///
    /// If the process ends first, `deferred` is cancelled and `f` dropped unrun (contract C16).
    /// Output goes on arriving meanwhile.
    #[doc(alias = "addCallbacks")]
    pub fn then<T: 'static, E: 'static>(
        &self,
        deferred: Deferred<T, E>,
        f: impl FnOnce(&mut P, &Self, Result<T, Failure<E>>) + 'static,
    ) {
        continuation::then(&self.process.0, Place::default(), deferred, false, f);
    }

    /// Run `f` on the protocol when the current callback has returned, before any output that comes
    /// later, as on a connection.
    #[doc(alias = "call_soon")]
    pub fn call(&self, f: impl FnOnce(&mut P, &Self) + 'static) {
        continuation::call(&self.process.0, Place::default(), f);
    }

    /// Run `f` on the protocol after this long. Ends with the process.
    #[doc(alias = "callLater")]
    pub fn call_later(&self, after: Duration, f: impl FnOnce(&mut P, &Self) + 'static) -> Timer {
        continuation::call_later(&self.process.0, Place::default(), after, f)
    }
}

impl<P> Deref for ProcessTransport<P> {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl<P> Clone for ProcessTransport<P> {
    fn clone(&self) -> Self {
        Self::new(Rc::clone(&self.process.0))
    }
}

impl<P> PartialEq for ProcessTransport<P> {
    fn eq(&self, other: &Self) -> bool {
        self.process == other.process
    }
}

impl<P> Eq for ProcessTransport<P> {}

impl<P> Hash for ProcessTransport<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.process.hash(state);
    }
}

impl<P> fmt::Debug for ProcessTransport<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProcessTransport")
            .field(&self.process)
            .finish()
    }
}
