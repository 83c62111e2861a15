use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Limits, Time};

use super::fault::ToHosts;
use super::host::Host;
use super::kernel::{Kernel, Shared};
use super::links::Links;
use super::machine::{Machine, Woken};
use super::run;
use super::trace::{Keeps, NOBODY, Trace};
use crate::leaks;
use crate::ledger::{self, Entry};

/// A network of many hosts in one thread, on one virtual clock, from a seed.
///
/// Every host has the engine that runs on sockets and gives a [`Net`](torsade_core::Net), so
/// whatever is written against that runs here unchanged. Between them are links like a kernel's:
/// queues are finite, segments are cut anywhere and take their time. The same seed gives the same
/// run, to the byte.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{ListenError, Net, Protocol, Transport, factory};
/// use torsade_testing::sim::Sim;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// /// The program: nothing in it knows that it is simulated.
/// fn serve(net: &Net) -> Result<(), ListenError> {
///     net.listen("0.0.0.0:7", factory(|_| Echo)).map(drop)
/// }
///
/// struct Hello;
/// impl Protocol for Hello {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("hello");
///     }
///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
///         transport.close();
///     }
/// }
///
/// let mut net = Sim::new(1);
/// net.host("server").run(serve)?;
/// let greeting = net.host("ann").net().connect("server:7", Hello);
/// net.settle();
/// assert!(greeting.try_take().unwrap().is_ok());
/// assert_eq!(net.host("server").net().connections(), 0); // ended
/// # Ok::<(), ListenError>(())
/// ```
///
/// # Time
/// It passes in [`advance`](Self::advance), [`settle`](Self::settle) and the like, and only there.
/// It begins at zero, whatever other fakes of the thread have done, and a turn of a host takes none
/// unless a callback [stalls](crate::Clock::stall).
///
/// # Names
/// A host's name is known to all: `"server:7"` is port 7 of the host `server`, for who connects.
/// [`name`](Sim::name) gives addresses to other names, or others to this one.
///
/// # Panics
/// Dropping it fails the test for what fails a [`MemoryReactor`](crate::MemoryReactor): a panic
/// that was caught in user code, a failed assertion in a protocol above all, an error of a Deferred
/// that nobody took, a timer that is armed for nothing. The end of the [trace](Self::trace) is
/// printed then. [`expect_panic`](Self::expect_panic) and
/// [`expect_unhandled`](Self::expect_unhandled) announce what is meant to happen. Methods that let
/// something happen panic when called from inside a callback.
#[doc(alias = "turmoil")]
#[doc(alias = "madsim")]
pub struct Sim {
    seed: u64,
    kernel: Shared,
    machines: RefCell<Vec<Rc<Machine>>>,
    woken: Woken,
    buffer: RefCell<Vec<u8>>,
    entry: Entry,
}

/// What is kept of a run for people to look at: so many entries and bytes.
const KEPT: Keeps = Keeps::Last(100_000, 16 * 1024 * 1024);

/// What is printed of it when a test fails.
const SHOWN: usize = 60;

/// A run that has done so much without time passing never ends.
const RESTLESS: u64 = 20_000_000;

/// [`Sim::run_until`] waits no longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// Setting it up.
impl Sim {
    /// A network without hosts. Whatever chance decides in it follows from the seed.
    ///
    /// ```
    /// use torsade_core::Time;
    ///
    /// let net = torsade_testing::sim::Sim::new(7);
    /// assert_eq!((net.seed(), net.now()), (7, Time::ZERO));
    /// ```
    pub fn new(seed: u64) -> Self {
        let keeps = run::keeps().unwrap_or(KEPT);
        Self {
            seed,
            kernel: Rc::new(RefCell::new(Kernel::new(seed, keeps))),
            machines: RefCell::default(),
            woken: Woken::default(),
            buffer: RefCell::default(),
            entry: Entry::open(),
        }
    }

    /// The host of this name, which is added if it is new.
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// assert_eq!(net.host("ann").address(), net.host("ann").address());
    /// assert_ne!(net.host("ann").address(), net.host("bob").address());
    /// ```
    ///
    /// # Panics
    /// If there are 64,000 hosts already.
    pub fn host(&self, name: &str) -> Host {
        let known = self.kernel.borrow().host(name);
        match known {
            Some(number) => self.host_number(number),
            None => self.host_with(name, Limits::default()),
        }
    }

    /// A new host, with other bounds than the default ones.
    ///
    /// ```
    /// use torsade_core::Limits;
    ///
    /// let net = torsade_testing::sim::Sim::new(1);
    /// let mut limits = Limits::default();
    /// limits.max_connections = 1;
    /// let server = net.host_with("server", limits);
    /// assert_eq!(server.net().limits().max_connections, 1);
    /// ```
    ///
    /// # Panics
    /// If there is a host of this name, or if there are 64,000.
    pub fn host_with(&self, name: &str, limits: Limits) -> Host {
        assert!(
            self.kernel.borrow().host(name).is_none(),
            "there is a host {name:?} already"
        );
        let backlog = usize::try_from(limits.backlog).unwrap_or(usize::MAX);
        let number = self.kernel.borrow_mut().add_host(name, backlog);
        let machine = Rc::new(Machine::new(&self.kernel, number, limits, &self.woken));
        self.machines.borrow_mut().push(Rc::clone(&machine));
        Host::new(machine)
    }

    fn host_number(&self, number: u32) -> Host {
        Host::new(self.machine(number))
    }

    fn machine(&self, number: u32) -> Rc<Machine> {
        Rc::clone(&self.machines.borrow()[number as usize])
    }

    /// From now on this name has these addresses, on every host. An address that is no host's
    /// answers nobody.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use torsade_core::{Protocol, Transport, factory};
    /// # use torsade_testing::sim::Sim;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut net = Sim::new(1);
    /// let server = net.host("server");
    /// server.net().listen("0.0.0.0:7", factory(|_| Quiet))?;
    /// net.name("www", ["fd00::ffff".parse().unwrap(), server.address()]);
    /// let connecting = net.host("ann").net().connect("www:7", Quiet);
    /// net.advance(Duration::from_millis(300)); // IPv6 leads nowhere
    /// assert!(connecting.try_take().unwrap().is_ok());
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    pub fn name(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().collect();
        self.kernel.borrow_mut().name(name, addresses);
    }

    /// From now on all links are like this, but those that were [linked](Self::link) otherwise.
    ///
    /// ```
    /// use torsade_testing::sim::{Links, Sim};
    ///
    /// let mut slow = Links::default();
    /// slow.latency = std::time::Duration::from_millis(200);
    /// Sim::new(1).links(slow);
    /// ```
    pub fn links(&self, links: Links) {
        self.kernel.borrow_mut().links = Rc::new(links);
    }

    /// From now on latency, jitter and bandwidth between these hosts are those of `links`. What is
    /// said of segments and buffers there is taken from [`links`](Self::links), for all.
    pub fn link(&self, one: impl ToHosts, other: impl ToHosts, links: Links) {
        let (one, other) = (self.hosts(&one), self.hosts(&other));
        let links = Rc::new(links);
        let mut kernel = self.kernel.borrow_mut();
        for (&one, &other) in one
            .iter()
            .flat_map(|one| other.iter().map(move |it| (one, it)))
        {
            kernel.link(one, other, &links);
            kernel.link(other, one, &links);
        }
    }

    pub(super) fn hosts(&self, named: &impl ToHosts) -> Vec<u32> {
        let names = named.names();
        let numbers = names.iter().map(|name| self.host(name).number());
        numbers.collect()
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// Letting things happen.
impl Sim {
    /// The time of the network, from zero.
    pub fn now(&self) -> Time {
        self.kernel.borrow().now
    }

    /// This much time passes, and everything that comes due happens at its moment.
    ///
    /// ```
    /// # use std::{cell::Cell, rc::Rc, time::Duration};
    /// # use torsade_testing::sim::Sim;
    /// let mut net = Sim::new(1);
    /// let rang = Rc::new(Cell::new(false));
    /// let bell = Rc::clone(&rang);
    /// net.host("ann").net().call_later(Duration::from_secs(3600), move |_| bell.set(true));
    /// net.advance(Duration::from_secs(3599));
    /// assert!(!rang.get());
    /// net.advance(Duration::from_secs(1));
    /// assert!(rang.get());
    /// ```
    #[doc(alias = "Clock.advance")]
    pub fn advance(&mut self, duration: Duration) {
        let target = self.now() + duration;
        let mut patience = Patience::new(self.now());
        while self.step(Some(target)) {
            patience.check(self.now());
        }
        self.kernel.borrow_mut().now = target;
    }

    /// Let things happen until nothing is on its way and no host has anything to do but to wait for
    /// timers. Time passes as it must.
    ///
    /// What cannot get through is on its way as long as kernels try, a quarter of an hour: during a
    /// partition [`advance`](Self::advance) is what is wanted.
    #[doc(alias = "flush")]
    pub fn settle(&mut self) {
        let mut patience = Patience::new(self.now());
        while self.is_busy() && self.step(None) {
            patience.check(self.now());
        }
    }

    /// Let things happen until this is true.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport, factory};
    /// # use torsade_testing::sim::Sim;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut net = Sim::new(1);
    /// let server = net.host("server").net();
    /// server.listen("0.0.0.0:7", factory(|_| Quiet))?;
    /// net.host("ann").net().connect("server:7", Quiet).detach();
    /// net.run_until(|| server.connections() == 1);
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    ///
    /// # Panics
    /// If nothing is left to happen before it is true, or if it is not within an hour of the
    /// network's time.
    #[track_caller]
    pub fn run_until(&mut self, is_so: impl FnMut() -> bool) {
        self.must_finish("what was waited for", LONGEST, is_so);
    }

    /// The second phase of a test under faults: with the planned ones [over](Self::calm), this must
    /// come true within so much of the network's time.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn must_finish(&mut self, what: &str, within: Duration, is_so: impl FnMut() -> bool) {
        let mut is_so = is_so;
        let until = self.now() + within;
        let mut patience = Patience::new(self.now());
        while !is_so() {
            patience.check(self.now());
            if !self.step(Some(until)) {
                let why = match self.kernel.borrow().next_event() {
                    None => "nothing is left to happen".to_owned(),
                    Some(_) => format!("{within:?} have passed"),
                };
                panic!("{what} does not happen: {why}");
            }
        }
    }

    /// Do one thing, if there is one before `until`.
    fn step(&self, until: Option<Time>) -> bool {
        self.follow_power();
        self.list_woken();
        let ready = self.kernel.borrow_mut().next_ready();
        if let Some(host) = ready {
            let machine = self.machine(host);
            match self.buffer.try_borrow_mut() {
                Ok(mut buffer) => machine.turn(&mut buffer),
                Err(_) => panic!("a simulated network was used inside a callback"),
            }
            return true;
        }
        let mut kernel = self.kernel.borrow_mut();
        let next = kernel.next_event();
        let is_due = next.is_some_and(|at| until.is_none_or(|until| at <= until));
        if is_due {
            kernel.happen();
        }
        is_due
    }

    pub(super) fn follow_power(&self) {
        loop {
            let changed = self.kernel.borrow_mut().power.pop();
            let Some(host) = changed else {
                return;
            };
            self.machine(host).follow_power();
        }
    }

    /// Hosts with something to do that came from outside of the network.
    fn list_woken(&self) {
        for host in self.woken.take() {
            self.kernel.borrow_mut().list(host);
        }
        let spawners = self.kernel.borrow().spawners.clone();
        for host in spawners {
            if self.machine(host).hears_of_processes() {
                self.kernel.borrow_mut().list(host);
            }
        }
    }

    /// Whether anything is to happen that does not wait for a timer.
    fn is_busy(&self) -> bool {
        self.list_woken();
        let kernel = self.kernel.borrow();
        kernel.has_ready()
            || kernel.under_way > 0
            || kernel.is_due()
            || !kernel.power.is_empty()
            || kernel.nodes.iter().any(|node| node.busy_until > kernel.now)
    }
}

/// Watches over a run that does not get on.
struct Patience {
    at: Time,
    steps: u64,
}

impl Patience {
    fn new(at: Time) -> Self {
        Self { at, steps: 0 }
    }

    fn check(&mut self, now: Time) {
        self.steps += 1;
        if now > self.at {
            *self = Self::new(now);
        }
        assert!(
            self.steps < RESTLESS,
            "the network does not come to rest: something calls itself for ever"
        );
    }
}

/// Looking at it.
impl Sim {
    /// What has happened so far. Kept are the last 100,000 entries with at most 16 MiB.
    pub fn trace(&self) -> Trace {
        self.kernel.borrow().trace.clone()
    }

    /// Keep nothing of what happens from now on: for networks of a million connections.
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// net.keep_no_trace();
    /// net.say("hello");
    /// assert_eq!(net.trace().to_string(), "");
    /// ```
    pub fn keep_no_trace(&self) {
        self.kernel.borrow_mut().trace.keep(Keeps::Nothing);
    }

    /// Put a line of your own into the trace.
    pub fn say(&self, text: &str) {
        self.kernel.borrow_mut().say(NOBODY, text.to_owned());
    }

    /// Ends of connections that kernels have, also of those that programs have closed.
    pub fn ends(&self) -> usize {
        self.kernel.borrow().ends.len()
    }

    /// A panic whose report contains this text is part of the test. The test fails if it does not
    /// happen.
    pub fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }

    /// A Deferred error that nobody takes and whose report contains this text is part of the test.
    /// The test fails if it does not happen.
    pub fn expect_unhandled(&mut self, text: &str) {
        ledger::expect(text);
    }

    pub(super) fn kernel(&self) -> &Shared {
        &self.kernel
    }
}

/// The end of a run.
impl Sim {
    pub(crate) fn shut_down(&self) {
        let machines = self.machines.borrow().clone();
        for machine in machines {
            machine.shut_down();
        }
    }

    fn finish(&self) -> Vec<String> {
        let mut complaints = self.entry.complaints();
        for machine in self.machines.borrow().iter() {
            complaints.extend(machine.left_timers());
        }
        let machines = self.machines.borrow();
        leaks::note(machines.iter().flat_map(|it| it.left()).collect());
        drop(machines);
        self.shut_down();
        // Losses at the end are callbacks too.
        complaints.extend(self.entry.complaints());
        complaints
    }

    fn report(&self) -> String {
        let kernel = self.kernel.borrow();
        let planned = kernel.planned.iter();
        let faults: BTreeSet<String> = planned
            .map(|planned| kernel.describe_planned(planned))
            .collect();
        let trace = kernel.trace.clone().last(SHOWN);
        let faults: String = faults.iter().map(|fault| format!("  {fault}\n")).collect();
        format!("seed {}; the end of the trace:\n{trace}{faults}", self.seed)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        {
            let kernel = self.kernel.borrow();
            let planned = kernel.planned.iter();
            let planned = planned.map(|planned| kernel.describe_planned(planned));
            run::record(&kernel.trace, planned.collect());
        }
        if std::thread::panicking() {
            if !run::is_under_way() {
                eprintln!("{}", self.report());
            }
            self.shut_down();
            return;
        }
        let report = self.report();
        let complaints = self.finish();
        if !complaints.is_empty() {
            let complaints = complaints.join("\n  ");
            if run::is_under_way() {
                panic!("the simulated network saw what no assertion did:\n  {complaints}");
            }
            panic!("the simulated network saw what no assertion did:\n  {complaints}\n{report}");
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kernel = self.kernel.borrow();
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("now", &kernel.now)
            .field("hosts", &kernel.nodes.len())
            .field("ends", &kernel.ends.len())
            .finish()
    }
}
