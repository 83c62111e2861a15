use std::io;

use crate::datagram::PortSetting;
use crate::guard::Caught;
use crate::process::{Command, Spawned};
use crate::threads::{NoThreads, NotTaken, Work};
use crate::{
    Address, ConnectionId, DatagramOptions, ListenOptions, ListenerId, Net, PortId, Signal, Time,
};

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
    fn listen(
        &self,
        address: &Address,
        options: &ListenOptions,
        listener: ListenerId,
    ) -> io::Result<Address>;

    /// Close the listening socket now, so that the address is free when this returns.
    fn close_listener(&self, listener: ListenerId);

    /// Open a socket for datagrams at `address`, in the driver's poller for input from the start,
    /// and report what comes as `Engine::datagrams(port, ..)`. Returns the address in force. A Unix
    /// socket without a name is one that nobody can send to.
    ///
    /// # Errors
    /// The system's. By default there are no datagrams: `Unsupported`.
    fn bind(
        &self,
        address: &Address,
        options: &DatagramOptions,
        port: PortId,
    ) -> io::Result<Address> {
        let _ = (address, options, port);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Close a port's socket now, so that the address is free when this returns.
    fn close_port(&self, port: PortId) {
        let _ = port;
    }

    /// Fix whom a port talks to. Returns its own address, which that may settle.
    ///
    /// # Errors
    /// The system's, if there is no way there for instance.
    fn connect_port(&self, port: PortId, peer: &Address) -> io::Result<Address> {
        let _ = (port, peer);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Change a port's socket.
    ///
    /// # Errors
    /// The system's.
    fn set_port(&self, port: PortId, setting: &PortSetting) -> io::Result<()> {
        let _ = (port, setting);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Tell by [`signalled`](crate::driver::signalled) whenever this signal comes to the process.
    /// Asked for once, however many hear it.
    ///
    /// # Errors
    /// The system's. By default there are no signals: `Unsupported`.
    fn watch_signal(&self, net: &Net, signal: Signal) -> io::Result<()> {
        let _ = (net, signal);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Nobody hears this signal any more. Asked again of one that is not watched, perhaps.
    fn unwatch_signal(&self, signal: Signal) {
        let _ = signal;
    }

    /// Start a process. What is to be told to the engine later goes by way of `net`.
    ///
    /// # Errors
    /// The system's. By default there are no processes: `Unsupported`.
    fn spawn(&self, net: &Net, command: &Command) -> io::Result<Spawned> {
        let _ = (net, command);
        Err(io::ErrorKind::Unsupported.into())
    }

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

    /// What the numbers of [`Net::random`](crate::Net::random) follow from. Asked once at most. Where
    /// runs must not be alike, it is another one each time; by default they are alike.
    fn seed(&self) -> u64 {
        0
    }

    /// Whether [`calls`](Self::calls) and [`port_calls`](Self::port_calls) are to be told. Asked when an engine is made, and then only if that was so.
    fn notes_calls(&self) -> bool {
        false
    }

    /// The engine is about to make this callback on a connection: `data_received`, or
    /// `a continuation`. For those who draw what happens.
    fn calls(&self, connection: ConnectionId, place: &'static str) {
        let _ = (connection, place);
    }

    /// The same for a datagram port: `datagram_received`, and so on.
    fn port_calls(&self, port: PortId, place: &'static str) {
        let _ = (port, place);
    }

    /// A panic of user code was caught. Logs it as an error; a test makes a failure of it.
    fn caught(&self, caught: &Caught) {
        log::error!("{caught}");
    }
}
