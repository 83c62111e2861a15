use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use torsade_deferred::Deferred;

use crate::listener::{Listening, News};
use crate::shared::{Ready, Shared, State, StopAsked};
use crate::timers::Action;
use crate::{
    Address, Command, ConnectError, DatagramOptions, DatagramProtocol, DatagramTransport, Endpoint,
    EndpointError, Factory, Gone, Limits, ListenError, Listener, ListenerId, Netstat, Place,
    Process, ProcessProtocol, ProcessTransport, Protocol, Remote, SpawnError, Time, Timer,
    ToEndpoint, Transport, UnixAddress, UnixListen, connect, datagram, hooks, process,
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
    /// [`ListenError::Endpoint`] if `at` names no address, [`ListenError::Name`] if it is the name
    /// of a host other than `localhost`, [`ListenError::System`] if the system refuses it, because
    /// it is in use for instance.
    #[doc(alias = "listenTCP")]
    #[doc(alias = "create_server")]
    #[doc(alias = "start_serving")]
    #[doc(alias = "serve_forever")]
    #[track_caller]
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
        let endpoint = meant(&at)?;
        for place in endpoint.places() {
            let wanted = &self.here(place)?;
            match shared.host().listen(wanted, endpoint.options(), id) {
                Ok(address) => {
                    let listening = Rc::new(Listening {
                        id,
                        address,
                        endpoint: endpoint.clone(),
                        factory: Box::new(RefCell::new(factory)),
                        open: Cell::new(true),
                        site: Location::caller(),
                    });
                    shared.listening.borrow_mut().insert(Rc::clone(&listening));
                    listening.tell(shared, News::Started);
                    shared.work();
                    return Ok(Listener::new(Rc::clone(shared), listening));
                }
                Err(error) => {
                    refused = Some(ListenError::System {
                        address: wanted.clone(),
                        error,
                    });
                }
            }
        }
        Err(refused.unwrap_or(ListenError::Endpoint(EndpointError::Empty)))
    }

    /// Open a port for datagrams at `at`, and give what comes there to `protocol`.
    ///
    /// Where `at` means several addresses, the first that the system grants is taken. Port 0 takes
    /// a free one: [`DatagramPort::local`](crate::DatagramPort::local) says which. A client binds
    /// to `0.0.0.0:0` or `[::]:0`. `started` is called when the current callback has returned. The
    /// port lives until it is closed, whether its handle is kept or not.
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use torsade_core::{DatagramProtocol, DatagramTransport, ListenError, Net};
    ///
    /// struct Echo;
    /// impl DatagramProtocol for Echo {
    ///     fn datagram_received(
    ///         &mut self,
    ///         transport: &DatagramTransport<Self>,
    ///         data: &[u8],
    ///         from: &SocketAddr,
    ///     ) {
    ///         transport.send_to(data, from);
    ///     }
    /// }
    ///
    /// fn serve(net: &Net) -> Result<DatagramTransport<Echo>, ListenError> {
    ///     net.bind("127.0.0.1:8007", Echo)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ListenError::Endpoint`] if `at` names no address, [`ListenError::System`] if the system
    /// refuses it, because it is in use for instance.
    #[doc(alias = "listenUDP")]
    #[doc(alias = "create_datagram_endpoint")]
    #[track_caller]
    pub fn bind<P: DatagramProtocol>(
        &self,
        at: impl ToEndpoint,
        protocol: P,
    ) -> Result<DatagramTransport<P>, ListenError> {
        self.bind_with(at, &DatagramOptions::new(), protocol)
    }

    /// [`bind`](Self::bind), with options that the socket must have before it has an address.
    ///
    /// ```
    /// use torsade_core::{DatagramOptions, DatagramTransport, Interface, Net};
    /// # use std::net::SocketAddr;
    /// # use torsade_core::DatagramProtocol;
    /// # struct Listener;
    /// # impl DatagramProtocol for Listener {
    /// #     fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {}
    /// # }
    ///
    /// fn hear_services(net: &Net) -> Result<(), Box<dyn std::error::Error>> {
    ///     let shared = DatagramOptions::new().reuse_address(true).reuse_port(true);
    ///     let port = net.bind_with("0.0.0.0:5353", &shared, Listener)?;
    ///     port.join_group("224.0.0.251".parse()?, Interface::Any)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As those of [`bind`](Self::bind).
    #[doc(alias = "listenMulticast")]
    #[track_caller]
    pub fn bind_with<P: DatagramProtocol>(
        &self,
        at: impl ToEndpoint,
        options: &DatagramOptions,
        protocol: P,
    ) -> Result<DatagramTransport<P>, ListenError> {
        let shared = &self.0;
        if !shared.is_alive() {
            return Err(Gone.into());
        }
        let site = Location::caller();
        let mut protocol = Some(protocol);
        let mut refused = ListenError::Endpoint(EndpointError::Empty);
        for place in meant(&at)?.places() {
            let address = self.here(place)?;
            let bound = match address {
                Address::Inet(_) => datagram::bind(shared, &address, options, &mut protocol, site),
                // Those of Unix sockets are for other protocols, whose addresses are such.
                _ => Err(io::ErrorKind::Unsupported.into()),
            };
            match bound {
                Ok(transport) => return Ok(transport),
                Err(error) => {
                    refused = ListenError::System { address, error };
                }
            }
        }
        Err(refused)
    }

    /// Run a program, and give what it writes to `protocol`.
    ///
    /// It is started before this returns; [`connection_made`](ProcessProtocol::connection_made) is
    /// called when the current callback has returned and its pipes are there. Only this process is
    /// ever waited for, so children that others started are theirs. Nothing blocks but the start
    /// itself, until the system has the program.
    ///
    /// ```
    /// use torsade_core::{Command, Net, ProcessProtocol, ProcessTransport, SpawnError};
    ///
    /// struct Shout;
    /// impl ProcessProtocol for Shout {
    ///     fn out_received(&mut self, _: &ProcessTransport<Self>, data: &[u8]) {
    ///         println!("{}", String::from_utf8_lossy(data).to_uppercase());
    ///     }
    /// }
    ///
    /// fn list(net: &Net) -> Result<(), SpawnError> {
    ///     net.spawn_process(&Command::new("ls").arg("-l"), Shout)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::NotFound`] and [`SpawnError::NotPermitted`] for the program, and whatever else
    /// the system has against it.
    #[doc(alias = "spawnProcess")]
    #[doc(alias = "subprocess_exec")]
    #[doc(alias = "subprocess_shell")]
    #[doc(alias = "IReactorProcess")]
    #[track_caller]
    pub fn spawn_process<P: ProcessProtocol>(
        &self,
        command: &Command,
        protocol: P,
    ) -> Result<ProcessTransport<P>, SpawnError> {
        process::spawn(&self.0, command, protocol)
    }

    /// Child processes whose `process_ended` has not been called yet.
    ///
    /// ```
    /// # use torsade_core::{Command, ProcessProtocol};
    /// # struct Quiet;
    /// # impl ProcessProtocol for Quiet {}
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// reactor.net().spawn_process(&Command::new("true"), Quiet)?;
    /// assert_eq!(reactor.net().processes().len(), 1);
    /// # Ok::<(), torsade_core::SpawnError>(())
    /// ```
    pub fn processes(&self) -> Vec<Process> {
        let processes = self.0.processes.borrow();
        processes.values().cloned().map(process::handle).collect()
    }

    /// Open a port for datagrams that is a Unix socket.
    ///
    /// At [`UnixAddress::Unnamed`] it has no name, and nobody can answer to it: that does for those
    /// who only tell. [`UnixListen`] says of what mode the file is, and that one which a killed
    /// program has left is replaced; it goes with the port.
    ///
    /// ```
    /// use torsade_core::{
    ///     DatagramProtocol, DatagramTransport, ListenError, Net, UnixAddress, UnixListen,
    /// };
    ///
    /// struct Log;
    /// impl DatagramProtocol<UnixAddress> for Log {
    ///     fn datagram_received(
    ///         &mut self,
    ///         _: &DatagramTransport<Self, UnixAddress>,
    ///         data: &[u8],
    ///         from: &UnixAddress,
    ///     ) {
    ///         println!("{from}: {}", data.escape_ascii());
    ///     }
    /// }
    ///
    /// fn log(net: &Net) -> Result<(), Box<dyn std::error::Error>> {
    ///     net.bind_unix(UnixListen::at("/run/app/log").mode(0o622).replace_stale(), Log)?;
    ///     // And one who tells. What its peer has no room for waits, within bounds.
    ///     let teller = net.bind_unix(UnixAddress::Unnamed, Log)?;
    ///     teller.connect(UnixAddress::path("/run/app/log"))?;
    ///     teller.write("begun");
    ///     Ok(())
    /// }
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// log(reactor.net()).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ListenError::Endpoint`] for a name that no socket can have, [`ListenError::System`] if the
    /// system refuses it, because it is in use for instance.
    #[doc(alias = "listenUNIXDatagram")]
    #[doc(alias = "connectUNIXDatagram")]
    #[track_caller]
    pub fn bind_unix<P: DatagramProtocol<UnixAddress>>(
        &self,
        at: impl Into<UnixListen>,
        protocol: P,
    ) -> Result<DatagramTransport<P, UnixAddress>, ListenError> {
        let shared = &self.0;
        if !shared.is_alive() {
            return Err(Gone.into());
        }
        let (unix, file) = at.into().into_parts();
        if unix != UnixAddress::Unnamed {
            unix.check()?;
        }
        let (address, options) = (unix.into(), DatagramOptions::new().file(file));
        datagram::bind(
            shared,
            &address,
            &options,
            &mut Some(protocol),
            Location::caller(),
        )
        .map_err(|error| ListenError::System { address, error })
    }

    /// The address of a place to listen at.
    fn here(&self, place: &Place) -> Result<Address, ListenError> {
        match place {
            Place::Address(address) => Ok(address.clone()),
            Place::Scoped { ip, zone, port } => Ok(connect::scoped(&self.0, *ip, zone, *port)?),
            Place::Process(_) => {
                let place = place.to_string();
                Err(EndpointError::Process { place }.into())
            }
            Place::Name { host, port } => Err(ListenError::Name {
                host: host.as_ref().into(),
                port: *port,
            }),
        }
    }

    /// Connect `protocol` to `to`: to the first of its places that answers.
    ///
    /// Names are [looked up](Self::resolve). Addresses are tried in order, those of one name with
    /// the families by turns, and raced as RFC 8305 has it: the next one is tried when one has
    /// failed, or has not answered within `Limits::connect_attempt_delay`, and the first connection
    /// ends the other attempts. A name that has no answer yet delays the places behind it no longer
    /// than that either. Filters are no part of the race: if a handshake fails then, that is the
    /// outcome.
    ///
    /// Resolves with the transport after `connection_made` has returned. Cancelling it gives
    /// everything up, look-ups too. All of it together has `Limits::connect_timeout`, up to the
    /// connection; the handshakes of filters have their own. If nobody answers, the Deferred is
    /// rejected with what came of [each place](ConnectError::attempts), and the protocol dropped
    /// without a callback.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_testing::MemoryReactor;
    ///
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut reactor = MemoryReactor::new();
    /// reactor.name("example.org", ["2001:db8::1", "192.0.2.1"].map(|ip| ip.parse().unwrap()));
    /// let connecting = reactor.net().connect("example.org:80", Quiet);
    /// assert_eq!(reactor.pending_connects().len(), 1); // to the IPv6 address, which is silent
    /// reactor.advance(Duration::from_millis(250));
    /// let other = reactor.pending_connects().pop().unwrap();
    /// assert_eq!(other.address().to_string(), "192.0.2.1:80");
    /// let server = other.succeed();
    /// assert!(connecting.try_take().unwrap().is_ok());
    /// assert!(reactor.pending_connects().is_empty());
    /// # drop(server);
    /// ```
    #[doc(alias = "connectTCP")]
    #[doc(alias = "HostnameEndpoint.connect")]
    #[doc(alias = "interleave")]
    #[doc(alias = "create_connection")]
    #[doc(alias = "ClientFactory")]
    #[doc(alias = "ClientCreator")]
    #[track_caller]
    pub fn connect<P: Protocol>(
        &self,
        to: impl ToEndpoint,
        protocol: P,
    ) -> Deferred<Transport<P>, ConnectError> {
        match meant(&to) {
            Ok(endpoint) => connect::connect(&self.0, endpoint, protocol),
            Err(error) => Deferred::fail(error.into()),
        }
    }

    /// Run `f` after this long. It belongs to no connection; see
    /// [`Transport::call_later`] for one that does.
    ///
    /// Never early. Equal deadlines run in the order in which they were set; a zero duration
    /// waits for a turn of input and output. What is still armed when a stop is complete is
    /// dropped unrun.
    #[doc(alias = "callLater")]
    #[doc(alias = "call_at")]
    #[track_caller]
    pub fn call_later(&self, after: Duration, f: impl FnOnce(&Self) + 'static) -> Timer {
        let action = Action::Free(self.0.actions.put(f), Location::caller());
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

    /// Stop the reactor. Returns at once itself; what follows happens in this order:
    ///
    /// 1. The hooks of [`before_stop`](Self::before_stop) are called, and what they returned is
    ///    waited for, for at most `Limits::before_stop_timeout`. Everything else goes on meanwhile.
    /// 2. Listeners accept what the system has queued for them and are closed; attempts to
    ///    connect are given up and end `Abandoned`.
    /// 3. Every connection is told `stopping` and has `Limits::stop_timeout` to end; those that
    ///    remain are aborted. Every one is told `connection_lost`.
    /// 4. What callbacks have begun meanwhile is given up too: listeners and attempts, timers
    ///    that belong to no connection, posted calls. They are dropped unrun, so Deferreds that
    ///    waited for them end `Abandoned`.
    ///
    /// Then `run` returns; the reactor can be run again. Asking for a stop while one is under way
    /// changes nothing.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_testing::StringTransport;
    ///
    /// struct Polite;
    /// impl Protocol for Polite {
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    ///     fn stopping(&mut self, transport: &Transport<Self>) {
    ///         transport.write("421 going down\r\n");
    ///         transport.close();
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Polite);
    /// t.net().stop();
    /// assert_eq!(t.take_sent(), b"421 going down\r\n");
    /// assert!(t.lost().is_some());
    /// ```
    pub fn stop(&self) {
        self.0.ask_stop(StopAsked::Gently);
    }

    /// Do something before the reactor stops, and have the stop wait for it: tell a service
    /// registry, finish a transaction, let the load balancer notice.
    ///
    /// When a [`stop`](Self::stop) begins, `hook` is called, once, before anything of the stop:
    /// listeners still accept and nobody was told `stopping`. The stop goes on when the Deferreds
    /// of all hooks have results. Hooks are called in the order in which they were added, without
    /// waiting for each other. One that is added while others are being waited for is called and
    /// waited for too; one that is added later than that belongs to the next stop.
    ///
    /// An error does not keep the stop from going on, and neither does a panic: they are
    /// reported, as an error of a Deferred that nobody took, or a panic of a timer, is. A hook
    /// without a result after `Limits::before_stop_timeout` is cancelled, and so it is by a second
    /// signal. If the reactor is dropped without a stop, hooks are dropped uncalled.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    /// use torsade_core::{Net, Protocol, Transport};
    /// use torsade_deferred::Deferred;
    /// use torsade_testing::StringTransport;
    ///
    /// /// Lets the load balancer look once more before connections are closed.
    /// fn drain(net: &Net) {
    ///     let timers = net.clone();
    ///     net.before_stop(move || {
    ///         let (resolver, waited) = Deferred::<(), Infallible>::new();
    ///         timers.call_later(Duration::from_secs(2), |_| resolver.resolve(()));
    ///         waited
    ///     });
    /// }
    ///
    /// struct Quiet;
    /// impl Protocol for Quiet {
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    ///
    /// let mut t = StringTransport::serve(Quiet);
    /// drain(&t.net());
    /// t.net().stop();
    /// t.advance(Duration::from_millis(1999));
    /// assert!(t.lost().is_none());
    /// t.advance(Duration::from_millis(1));
    /// assert!(t.lost().is_some());
    /// ```
    #[doc(alias = "addSystemEventTrigger")]
    pub fn before_stop<E: fmt::Display + 'static>(
        &self,
        hook: impl FnOnce() -> Deferred<(), E> + 'static,
    ) {
        let hook = hooks::hook(hook);
        if self.is_alive() {
            self.0.hooks.add(hook);
            self.0.work();
        }
    }

    /// Everything that is open, listed for people or for a status page, as it is when the callbacks
    /// under way have returned.
    ///
    /// Every connection is looked at, so it is nothing to ask for a thousand times a second.
    pub fn netstat(&self) -> Deferred<Netstat, Infallible> {
        let (resolver, listing) = Deferred::new();
        if self.is_alive() {
            self.0.push_ready(Ready::Netstat(resolver));
        }
        listing
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        self.0.limits()
    }

    /// Connections whose `connection_lost` has not been called yet.
    pub fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Connections that listeners have accepted since the reactor was made, whatever became of
    /// them. Those that were [shed](Self::shed) do not count.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut t = torsade_testing::StringTransport::serve(Quiet);
    /// t.end();
    /// assert_eq!((t.net().accepted(), t.net().connections()), (1, 0));
    /// ```
    pub fn accepted(&self) -> u64 {
        self.0.accepted()
    }

    /// Connections that were accepted only to be closed, because the reactor was full or the
    /// system out of descriptors; see [`WhenFull::Shed`](crate::WhenFull::Shed).
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let t = torsade_testing::StringTransport::serve(Quiet);
    /// assert_eq!(t.net().shed(), 0);
    /// ```
    pub fn shed(&self) -> u64 {
        self.0.shed()
    }

    /// Bytes of output that wait on all connections together.
    pub fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// Writes that came too late and were dropped.
    pub fn dropped_writes(&self) -> u64 {
        self.0.dropped_writes()
    }

    /// Datagram ports whose `stopped` has not been called yet.
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// # use torsade_core::{DatagramProtocol, DatagramTransport};
    /// # struct Quiet;
    /// # impl DatagramProtocol for Quiet {
    /// #     fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {}
    /// # }
    /// let mut port = torsade_testing::FakeDatagrams::bind(Quiet);
    /// assert_eq!(port.net().datagram_ports(), 1);
    /// ```
    pub fn datagram_ports(&self) -> usize {
        self.0.ports.borrow().len()
    }

    /// Datagrams that no port sent, because its queue was full or it was closed.
    pub fn dropped_datagrams(&self) -> u64 {
        self.0.dropped_datagrams()
    }

    /// Callbacks that took longer than [`Limits::slow_callback`]; 0 if that is not set.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_core::{Limits, Protocol, Transport};
    /// use torsade_testing::{Clock, StringTransport};
    ///
    /// struct Ponderous;
    /// impl Protocol for Ponderous {
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
    ///         Clock::stall(Duration::from_millis(150)); // thinks
    ///     }
    /// }
    ///
    /// let mut limits = Limits::default();
    /// limits.slow_callback = Some(Duration::from_millis(100));
    /// let mut t = StringTransport::builder().limits(limits).serve(Ponderous);
    /// t.feed("why?");
    /// assert_eq!(t.net().slow_callbacks(), 1);
    /// ```
    #[doc(alias = "slow_callback_duration")]
    pub fn slow_callbacks(&self) -> u64 {
        self.0.calls.slow()
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

/// What is meant, with names that sockets of this machine can have.
fn meant(to: &impl ToEndpoint) -> Result<Endpoint, EndpointError> {
    let endpoint = to.to_endpoint()?;
    let addresses = endpoint.places().iter().filter_map(Place::address);
    for unix in addresses.filter_map(Address::unix) {
        unix.check()?;
    }
    Ok(endpoint)
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
