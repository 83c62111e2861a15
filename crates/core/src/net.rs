use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use torsade_deferred::Deferred;

use crate::listener::{Listening, News};
use crate::shared::{Shared, State};
use crate::timers::Action;
use crate::{
    ConnectError, Factory, Gone, Limits, ListenError, Listener, ListenerId, Protocol, Remote, Time,
    Timer, ToEndpoint, Transport, connect,
};

/// The local handle of a reactor, and what programs are written against: a real reactor gives
/// one, a test transport gives one, and a program cannot tell them apart.
///
/// Cheap to clone; stays on its thread. [`remote`](Self::remote) is the handle that travels.
///
/// ```
/// use torsade_core::{ListenError, Listener, Net, Protocol, Transport, factory};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// fn serve(net: &Net) -> Result<Listener, ListenError> {
///     net.listen("127.0.0.1:8007", factory(|_| Echo))
/// }
/// ```
#[doc(alias = "reactor")]
#[doc(alias = "loop")]
#[derive(Clone)]
pub struct Net(pub(crate) Rc<Shared>);

impl Net {
    /// Accept connections at `at`, each with a protocol that `factory` builds.
    ///
    /// Where `at` means several addresses, the first that the system grants is listened on. Port
    /// 0 takes a free one: [`Listener::address`] says which. The listener lives until it is
    /// closed, whether its handle is kept or not.
    ///
    /// # Errors
    /// [`ListenError::Endpoint`] if `at` names no address, [`ListenError::System`] if the system
    /// refuses it, because it is in use for instance.
    #[doc(alias = "listenTCP")]
    #[doc(alias = "create_server")]
    pub fn listen<F: Factory>(
        &self,
        at: impl ToEndpoint,
        factory: F,
    ) -> Result<Listener, ListenError> {
        let shared = &self.0;
        if !shared.is_alive() {
            return Err(Gone.into());
        }
        let id = ListenerId(shared.listening.borrow().next_key());
        let mut refused = None;
        for wanted in at.to_endpoint()? {
            match shared.host().listen(wanted, id) {
                Ok(address) => {
                    let listening = Rc::new(Listening {
                        id,
                        address,
                        factory: Box::new(RefCell::new(factory)),
                        open: Cell::new(true),
                    });
                    shared.listening.borrow_mut().insert(Rc::clone(&listening));
                    listening.tell(shared, News::Started);
                    shared.work();
                    return Ok(Listener::new(Rc::clone(shared), listening));
                }
                Err(error) => {
                    refused = Some(ListenError::System {
                        address: wanted,
                        error,
                    });
                }
            }
        }
        Err(refused.unwrap_or(ListenError::Endpoint(crate::EndpointError::Empty)))
    }

    /// Connect `protocol` to `to`, trying its addresses in order.
    ///
    /// Resolves with the transport after `connection_made` has returned. Cancelling it gives the
    /// attempt up. All addresses together have `Limits::connect_timeout`. If none answers, the
    /// Deferred is rejected and the protocol dropped without a callback.
    #[doc(alias = "connectTCP")]
    #[doc(alias = "create_connection")]
    pub fn connect<P: Protocol>(
        &self,
        to: impl ToEndpoint,
        protocol: P,
    ) -> Deferred<Transport<P>, ConnectError> {
        match to.to_endpoint() {
            Ok(addresses) => connect::connect(&self.0, addresses, protocol),
            Err(error) => Deferred::fail(error.into()),
        }
    }

    /// Run `f` after this long. It belongs to no connection; see
    /// [`Transport::call_later`] for one that does.
    ///
    /// Never early. Equal deadlines run in the order in which they were set; a zero duration
    /// waits for a turn of input and output.
    #[doc(alias = "callLater")]
    #[track_caller]
    pub fn call_later(&self, after: Duration, f: impl FnOnce(&Self) + 'static) -> Timer {
        let action = Action::Free(Box::new(f), Location::caller());
        let timer = Timer::new(&self.0, self.0.set_timer(after, action));
        if !self.is_alive() {
            // Nobody will ever run it: what it holds goes now.
            timer.cancel();
        }
        timer
    }

    /// The time of this turn: the same in all its callbacks.
    #[doc(alias = "seconds")]
    #[doc(alias = "time")]
    pub fn now(&self) -> Time {
        self.0.now()
    }

    /// A handle that may travel to other threads.
    pub fn remote(&self) -> Remote {
        Remote(Arc::clone(&self.0.mailbox))
    }

    /// Stop the reactor: listeners are closed, every connection is told `stopping` and has
    /// `Limits::stop_timeout` to end; then `run` returns. Returns at once itself.
    pub fn stop(&self) {
        self.0.ask_stop();
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        self.0.limits()
    }

    /// Connections whose `connection_lost` has not been called yet.
    pub fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Bytes of output that wait on all connections together.
    pub fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// Writes that came too late and were dropped.
    pub fn dropped_writes(&self) -> u64 {
        self.0.dropped_writes()
    }

    /// Where the timers were set that are armed and belong to no connection.
    #[doc(alias = "getDelayedCalls")]
    pub fn free_timers(&self) -> Vec<&'static Location<'static>> {
        self.0.timers.borrow().free()
    }

    /// Whether the reactor still exists.
    pub fn is_alive(&self) -> bool {
        self.0.state() != State::Gone
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("state", &self.0.state())
            .field("connections", &self.connections())
            .field("buffered", &self.buffered())
            .finish()
    }
}
