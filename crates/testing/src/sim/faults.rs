use std::time::Duration;

use super::fault::{Fault, ToHosts};
use super::run;
use super::simulation::Sim;
use super::swarm::{self, Faults};
use super::weather::{LookupTrouble, Trouble};

/// Faults: each is in force as long as its guard exists.
impl Sim {
    fn begin(&self, trouble: Trouble) -> Fault {
        let number = self.kernel().borrow_mut().begin_fault(trouble);
        Fault::new(self.kernel(), number)
    }

    /// Nothing gets from any of these hosts to any of those, or back, until the guard is dropped.
    /// Segments that get lost are sent again, so a connection outlives a short partition.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use torsade_core::{Protocol, Transport, factory};
    /// # use torsade_testing::sim::Sim;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut net = Sim::new(1);
    /// net.host("server").net().listen("0.0.0.0:7", factory(|_| Quiet))?;
    /// let cut = net.partition("ann", "server");
    /// let connecting = net.host("ann").net().connect("server:7", Quiet);
    /// net.advance(Duration::from_secs(10));
    /// assert!(!connecting.is_settled());
    /// drop(cut);
    /// net.advance(Duration::from_secs(10)); // the kernel tries again
    /// assert!(connecting.is_settled());
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    #[doc(alias = "netsplit")]
    pub fn partition(&self, these: impl ToHosts, those: impl ToHosts) -> Fault {
        self.begin(Trouble::Partition(self.hosts(&these), self.hosts(&those)))
    }

    /// Nothing gets from these hosts to those, though it does get back.
    pub fn mute(&self, from: impl ToHosts, to: impl ToHosts) -> Fault {
        self.begin(Trouble::Mute(self.hosts(&from), self.hosts(&to)))
    }

    /// Everything takes so much longer from these hosts to those.
    ///
    /// ```
    /// use std::time::Duration;
    /// let net = torsade_testing::sim::Sim::new(1);
    /// let clog = net.clog("ann", ["bob", "carl"], Duration::from_secs(2));
    /// clog.heal();
    /// ```
    pub fn clog(&self, from: impl ToHosts, to: impl ToHosts, by: Duration) -> Fault {
        self.begin(Trouble::Clog(self.hosts(&from), self.hosts(&to), by))
    }

    /// One in so many segments gets lost, and is sent again later: what follows it waits.
    ///
    /// # Panics
    /// If `one_in` is 0.
    pub fn drop_some(&self, from: impl ToHosts, to: impl ToHosts, one_in: u32) -> Fault {
        assert!(one_in > 0, "one in none is nothing");
        let (from, to) = (self.hosts(&from), self.hosts(&to));
        self.begin(Trouble::Drop(from, to, one_in))
    }

    /// One in so many segments arrives with a byte changed, as when checksums fail to see it.
    ///
    /// # Panics
    /// If `one_in` is 0.
    pub fn corrupt(&self, from: impl ToHosts, to: impl ToHosts, one_in: u32) -> Fault {
        assert!(one_in > 0, "one in none is nothing");
        let (from, to) = (self.hosts(&from), self.hosts(&to));
        self.begin(Trouble::Corrupt(from, to, one_in))
    }

    /// Connections to this host are refused, whoever listens.
    pub fn refuse(&self, host: &str) -> Fault {
        self.begin(Trouble::Refuse(self.host(host).number()))
    }

    /// Programs on this host get an error for every name they ask for, as when a name server says
    /// that it cannot tell.
    ///
    /// ```
    /// # use torsade_testing::sim::Sim;
    /// let mut net = Sim::new(1);
    /// net.host("server");
    /// let fault = net.fail_lookups("ann");
    /// let asked = net.host("ann").net().resolve("server");
    /// net.settle();
    /// assert!(asked.try_take().unwrap().is_err());
    /// # drop(fault);
    /// ```
    #[doc(alias = "SERVFAIL")]
    pub fn fail_lookups(&self, host: &str) -> Fault {
        self.lookups(host, LookupTrouble::Fails)
    }

    /// Programs on this host get no answer for the names they ask for. Those asked for in the
    /// meantime are asked for again every five seconds, six times, so that they are answered when
    /// the guard is dropped.
    pub fn silence_lookups(&self, host: &str) -> Fault {
        self.lookups(host, LookupTrouble::Silent)
    }

    /// Programs on this host get their answers for names so much later.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use torsade_testing::sim::Sim;
    /// let mut net = Sim::new(1);
    /// net.host("server");
    /// let slow = net.slow_lookups("ann", Duration::from_secs(2));
    /// let asked = net.host("ann").net().resolve("server");
    /// net.advance(Duration::from_millis(1999));
    /// assert!(!asked.is_settled());
    /// net.advance(Duration::from_millis(1));
    /// assert!(asked.is_settled());
    /// # drop(slow);
    /// ```
    pub fn slow_lookups(&self, host: &str, by: Duration) -> Fault {
        self.lookups(host, LookupTrouble::Slow(by))
    }

    fn lookups(&self, host: &str, trouble: LookupTrouble) -> Fault {
        self.begin(Trouble::Lookups(self.host(host).number(), trouble))
    }

    /// This host gets so many more descriptors, for connections and listeners, and then none.
    ///
    /// ```
    /// # use torsade_core::{ListenError, Protocol, Transport, factory};
    /// # use torsade_testing::sim::Sim;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let net = Sim::new(1);
    /// let short = net.exhaust("server", 1);
    /// let server = net.host("server").net();
    /// assert!(server.listen("0.0.0.0:7", factory(|_| Quiet)).is_ok());
    /// let refused = server.listen("0.0.0.0:8", factory(|_| Quiet));
    /// assert!(matches!(refused, Err(ListenError::System { .. })));
    /// drop(short);
    /// assert!(server.listen("0.0.0.0:8", factory(|_| Quiet)).is_ok());
    /// ```
    #[doc(alias = "EMFILE")]
    pub fn exhaust(&self, host: &str, left: usize) -> Fault {
        let host = self.host(host).number();
        let open = self.kernel().borrow().nodes[host as usize].open;
        self.begin(Trouble::Exhaust(host, open + left))
    }

    /// This host's program does not read: its queues fill, and then those of who sends to it.
    pub fn pause_reading(&self, host: &str) -> Fault {
        self.begin(Trouble::PauseReading(self.host(host).number()))
    }

    /// One in so many turns of this host takes so long: by its own clock the time passes within
    /// the turn, before the callbacks that its events make.
    ///
    /// # Panics
    /// If `one_in` is 0.
    pub fn stall(&self, host: &str, by: Duration, one_in: u32) -> Fault {
        assert!(one_in > 0, "one in none is nothing");
        self.begin(Trouble::Stall(self.host(host).number(), by, one_in))
    }

    /// This host's clock runs at so many millionths of its speed: 1,000,100 gains 8.6 s a day. It
    /// keeps what it has gained when the guard is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// let mut net = torsade_testing::sim::Sim::new(1);
    /// let fast = net.skew("ann", 2_000_000);
    /// net.advance(Duration::from_secs(60));
    /// let clock = net.host("ann").net();
    /// assert_eq!(clock.now() - net.now(), Duration::from_secs(60));
    /// # drop(fast);
    /// ```
    ///
    /// # Panics
    /// If `pace` is 0: a clock that stands still is a host that hangs.
    pub fn skew(&self, host: &str, pace: u32) -> Fault {
        assert!(pace > 0, "a clock that stands still is no clock");
        self.begin(Trouble::Skew(self.host(host).number(), pace))
    }

    /// This host's program is killed, and started again when the guard is dropped.
    ///
    /// Its kernel closes what it had: peers see an end, or a reset where something was unread, and
    /// who connects is refused. Its protocols are told `ReactorGone`, because what they hold must
    /// go somewhere; nothing of what they do then leaves the host. What was
    /// [booted](super::Host::boot) is run again, with a new `Net`.
    ///
    /// ```
    /// # use torsade_core::{Net, Protocol, Transport, factory};
    /// # use torsade_testing::sim::Sim;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut net = Sim::new(1);
    /// net.host("server").boot(|net: &Net| {
    ///     net.listen("0.0.0.0:7", factory(|_| Quiet)).expect("a free port");
    /// });
    /// let killed = net.kill("server");
    /// let connecting = net.host("ann").net().connect("server:7", Quiet);
    /// net.settle();
    /// assert!(connecting.try_take().unwrap().is_err());
    /// drop(killed);
    /// let connecting = net.host("ann").net().connect("server:7", Quiet);
    /// net.settle();
    /// assert!(connecting.try_take().unwrap().is_ok());
    /// ```
    #[doc(alias = "bounce")]
    pub fn kill(&self, host: &str) -> Fault {
        let fault = self.begin(Trouble::Killed(self.host(host).number()));
        self.follow_power();
        fault
    }

    /// This host loses its power, and gets it back when the guard is dropped.
    ///
    /// Nobody is told: its peers find out when what they send is answered with a reset after the
    /// restart, or by nobody. Otherwise like [`kill`](Self::kill).
    pub fn crash(&self, host: &str) -> Fault {
        let fault = self.begin(Trouble::Crashed(self.host(host).number()));
        self.follow_power();
        fault
    }

    /// Plan faults, as this seed has them: which kinds, how many, when, where.
    ///
    /// The hosts that they may strike are those there are now. In a run of
    /// [`Seeds`](super::Seeds) faults of this plan are left out to find those that matter.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_testing::sim::{Faults, Sim};
    ///
    /// let mut net = Sim::new(3);
    /// net.host("ann");
    /// net.host("bob");
    /// net.swarm(Faults::all().within(Duration::from_secs(60)).about(20));
    /// net.advance(Duration::from_secs(60));
    /// net.calm();
    /// assert!(net.faults() > 0);
    /// ```
    pub fn swarm(&self, faults: Faults) {
        let mut kernel = self.kernel().borrow_mut();
        let hosts = kernel.nodes.len();
        let plan = faults.plan(self.seed(), hosts, kernel.now);
        swarm::begin(&mut kernel, plan, run::omitted());
    }

    /// The faults of a [swarm](Self::swarm) are over, also those to come. Those with a guard are
    /// not.
    pub fn calm(&mut self) {
        self.kernel().borrow_mut().calm();
        self.follow_power();
    }

    /// How many faults have begun so far.
    pub fn faults(&self) -> u64 {
        self.kernel().borrow().weather.begun
    }

    /// How often a fault did harm so far: a segment lost or changed, a connection refused, a turn
    /// stalled.
    pub fn harm(&self) -> u64 {
        self.kernel().borrow().weather.harm
    }
}
