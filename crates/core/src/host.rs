use std::io;

use crate::guard::Caught;
use crate::threads::{NoThreads, NotTaken, Work};
use crate::{Address, ConnectionId, ListenerId, Time};

/// What must be answered at once, by whatever drives an engine: a reactor, a fake, a simulated
/// host. Everything else is a fact or an operation.
///
/// Called from within user code's calls, so it must not call user code itself.
pub trait Host: 'static {
    /// The monotonic clock. Never goes back.
    fn now(&self) -> Time;

    /// Listen on `address` and report what comes as `Engine::accepted(listener, ..)`. Returns
    /// the address in force, with the real port when 0 was asked for.
    ///
    /// # Errors
    /// The system's, an address in use above all.
    fn listen(&self, address: &Address, listener: ListenerId) -> io::Result<Address>;

    /// Close the listening socket now, so that the address is free when this returns.
    fn close_listener(&self, listener: ListenerId);

    /// Do `work` in a thread. By default there are none, and it is given back.
    ///
    /// # Errors
    /// What keeps it from being done in a thread. `work` is dropped, or given back.
    fn thread(&self, work: Work) -> Result<(), NotTaken> {
        Err(NotTaken::NoThreads(NoThreads(work)))
    }

    /// A stop is complete, or the engine is at its end: drop what no thread has begun, and wait for
    /// the threads. They may be asked for anew.
    fn join_threads(&self) {}

    /// The number of an interface of the network, by its name. By default there are none.
    fn interface(&self, name: &str) -> Option<u32> {
        let _ = name;
        None
    }

    /// Whether [`calls`](Self::calls) is to be told. Asked once, when an engine is made.
    fn notes_calls(&self) -> bool {
        false
    }

    /// The engine is about to make this callback on a connection: `data_received`, or
    /// `a continuation`. For those who draw what happens.
    fn calls(&self, connection: ConnectionId, place: &'static str) {
        let _ = (connection, place);
    }

    /// A panic of user code was caught. Logs it as an error; a test makes a failure of it.
    fn caught(&self, caught: &Caught) {
        log::error!("{caught}");
    }
}
