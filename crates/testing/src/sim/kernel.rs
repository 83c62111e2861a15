use std::cell::RefCell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{ListenOptions, ListenerId, Time};

use super::datagrams::Flight;
use super::end::{End, Holder};
use super::links::Links;
use super::names::Names;
use super::node::{Answer, At, Listening, Node, Power};
use super::random::Random;
use super::slab::{Key, Slab};
use super::trace::{Keeps, NOBODY, Trace, What};
use super::weather::{Trouble, Weather};

/// The kernels of all hosts and the wires between them: everything of a simulated network that is
/// no program.
///
/// It holds no value of a user, so nothing of a user's runs while it is borrowed.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) now: Time,
    seed: u64,
    pub(super) random: Random,
    events: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    /// Events that are no timers of hosts: when there are none, the network is silent.
    pub(super) under_way: usize,
    pub(super) ends: Slab<End>,
    pub(super) nodes: Vec<Node>,
    names: BTreeMap<String, u32>,
    /// What the test said of names.
    pub(super) known: BTreeMap<String, Vec<IpAddr>>,
    /// How many names were asked for.
    pub(super) questions: u64,
    pub(super) unix: Names,
    pub(super) links: Rc<Links>,
    between: BTreeMap<(u32, u32), Rc<Links>>,
    pub(super) free_at: BTreeMap<(u32, u32), Time>,
    pub(super) weather: Weather,
    /// Hosts with something to do.
    ready: Vec<u32>,
    /// Hosts that were killed, or are to be restarted: the simulator sees to their programs.
    pub(super) power: Vec<u32>,
    pub(super) planned: Vec<Planned>,
    pub(super) flows: u32,
    /// Datagrams on their way, by number.
    pub(super) flights: BTreeMap<u64, Flight>,
    pub(super) launched: u64,
    /// Hosts whose programs have spawned processes.
    pub(super) spawners: BTreeSet<u32>,
    pub(super) trace: Trace,
}

pub(super) type Shared = Rc<RefCell<Kernel>>;

/// A fault of a swarm.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) trouble: Trouble,
    pub(super) begin: Time,
    pub(super) end: Time,
    pub(super) state: PlannedState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlannedState {
    ToCome,
    /// Under this number of the weather.
    Begun(u64),
    Over,
}

/// Something that will happen.
#[derive(Debug)]
struct Scheduled {
    at: Time,
    /// What was scheduled first happens first.
    order: u64,
    event: Event,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Syn { from: Key, tries: u8 },
    SynAck { from: Key },
    Refused { to: Key, from: u32 },
    Segment { from: Key, len: usize },
    Fin { from: Key },
    Reset { to: Key, from: u32 },
    Datagram { number: u64 },
    Unreachable { number: u64 },
    LingerOver { end: Key },
    Wake { host: u32 },
    Lookup { host: u32, question: u64, tries: u8 },
    FaultBegins { plan: usize },
    FaultEnds { plan: usize },
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Making one.
impl Kernel {
    pub(super) fn new(seed: u64, keeps: Keeps) -> Self {
        Self {
            now: Time::ZERO,
            seed,
            random: Random::fork(seed, 1),
            events: BinaryHeap::new(),
            scheduled: 0,
            under_way: 0,
            ends: Slab::new(),
            nodes: Vec::new(),
            names: BTreeMap::new(),
            known: BTreeMap::new(),
            questions: 0,
            unix: Names::default(),
            links: Rc::default(),
            between: BTreeMap::new(),
            free_at: BTreeMap::new(),
            weather: Weather::default(),
            ready: Vec::new(),
            power: Vec::new(),
            planned: Vec::new(),
            flows: 0,
            flights: BTreeMap::new(),
            launched: 0,
            spawners: BTreeSet::new(),
            trace: Trace::new(keeps),
        }
    }

    /// What the random numbers of a host's program follow from.
    pub(super) fn seed_of(&self, host: u32) -> u64 {
        /// The first forks are the simulation's own.
        const PROGRAMS: u64 = 1 << 32;
        Random::fork(self.seed, PROGRAMS + u64::from(host)).next()
    }

    pub(super) fn add_host(&mut self, name: &str, backlog: usize) -> u32 {
        /// Of the last two bytes of an address.
        const EACH: usize = 250;
        let host = self.nodes.len();
        assert!(host < EACH * 256, "a network has at most 64,000 hosts");
        let ip = Ipv4Addr::new(10, 0, (host / EACH) as u8, (host % EACH) as u8 + 1);
        let number = host as u32;
        let ips = (ip, Self::ipv6(number));
        self.nodes.push(Node::new(name, ips, backlog));
        self.names.insert(name.to_owned(), number);
        self.trace
            .hosts
            .push((name.to_owned(), SocketAddr::from((ip, 0))));
        number
    }

    pub(super) fn host(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// The address of a host.
    pub(super) fn ip(&self, host: u32) -> Ipv4Addr {
        self.nodes[host as usize].ip
    }

    pub(super) fn name_of(&self, host: u32) -> String {
        let node = self.nodes.get(host as usize);
        node.map_or_else(|| "-".to_owned(), |node| node.name.clone())
    }

    pub(super) fn host_at(&self, ip: IpAddr) -> Option<u32> {
        let ip = match ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => return self.host_at_ipv6(ip),
        };
        let [ten, zero, high, low] = ip.octets();
        let number = usize::from(high) * 250 + usize::from(low.checked_sub(1)?);
        (ten == 10 && zero == 0 && number < self.nodes.len()).then_some(number as u32)
    }

    pub(super) fn link(&mut self, from: u32, to: u32, links: &Rc<Links>) {
        self.between.insert((from, to), Rc::clone(links));
    }

    pub(super) fn links_between(&self, from: u32, to: u32) -> &Rc<Links> {
        if self.between.is_empty() {
            return &self.links;
        }
        self.between.get(&(from, to)).unwrap_or(&self.links)
    }
}

/// Time and order.
impl Kernel {
    pub(super) fn at(&mut self, at: Time, event: Event) {
        if !matches!(event, Event::Wake { .. } | Event::LingerOver { .. }) {
            self.under_way += 1;
        }
        self.scheduled += 1;
        self.events.push(Reverse(Scheduled {
            at: at.max(self.now),
            order: self.scheduled,
            event,
        }));
    }

    /// When something happens next.
    pub(super) fn next_event(&self) -> Option<Time> {
        self.events.peek().map(|Reverse(next)| next.at)
    }

    /// Whether something happens at this very moment.
    pub(super) fn is_due(&self) -> bool {
        self.next_event().is_some_and(|at| at <= self.now)
    }

    /// Let the next thing happen.
    pub(super) fn happen(&mut self) {
        let Some(Reverse(Scheduled { at, event, .. })) = self.events.pop() else {
            return;
        };
        self.now = self.now.max(at);
        if !matches!(event, Event::Wake { .. } | Event::LingerOver { .. }) {
            self.under_way -= 1;
        }
        match event {
            Event::Wake { host } => self.wake(host, at),
            Event::Lookup {
                host,
                question,
                tries,
            } => self.look_up(host, question, tries),
            Event::FaultBegins { plan } => self.begin_planned(plan),
            Event::FaultEnds { plan } => self.end_planned(plan),
            Event::LingerOver { end } => self.linger_over(end),
            Event::Datagram { number } => self.datagram(number),
            Event::Unreachable { number } => self.unreachable(number),
            other => self.arrive(other),
        }
    }

    fn wake(&mut self, host: u32, at: Time) {
        let node = &mut self.nodes[host as usize];
        if node.armed == Some(at) {
            node.armed = None;
            self.list(host);
        }
    }

    /// Wake a host at this time of the network, and no earlier one that was asked for before.
    pub(super) fn arm(&mut self, host: u32, at: Option<Time>) {
        let at = at.map(|at| at.max(self.now));
        let node = &mut self.nodes[host as usize];
        if node.armed == at {
            return;
        }
        node.armed = at;
        if let Some(at) = at {
            self.at(at, Event::Wake { host });
        }
    }

    /// A host has something to do.
    /// A host whose processes are to be heard.
    pub(super) fn has_processes(&mut self, host: u32) {
        self.spawners.insert(host);
    }

    pub(super) fn list(&mut self, host: u32) {
        let node = &mut self.nodes[host as usize];
        if !node.listed && node.power == Power::On {
            node.listed = true;
            self.ready.push(host);
        }
    }

    /// One of the hosts that have something to do, whichever chance has it: nothing orders what
    /// happens at the same time on two machines.
    pub(super) fn next_ready(&mut self) -> Option<u32> {
        while !self.ready.is_empty() {
            let which = match self.ready.len() {
                1 => 0,
                many => self.random.below(many),
            };
            let host = self.ready.swap_remove(which);
            let now = self.now;
            let node = &mut self.nodes[host as usize];
            node.listed = false;
            if node.power != Power::On {
                continue;
            }
            if node.busy_until > now {
                let until = node.busy_until;
                self.arm(host, Some(until));
                continue;
            }
            return Some(host);
        }
        None
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn host_now(&self, host: u32) -> Time {
        self.nodes[host as usize].clock.now(self.now)
    }
}

/// Listening.
impl Kernel {
    pub(super) fn listen(
        &mut self,
        host: u32,
        wanted: SocketAddr,
        options: &ListenOptions,
        id: ListenerId,
    ) -> io::Result<SocketAddr> {
        if self.is_short(host) {
            return Err(no_descriptors());
        }
        let node = &mut self.nodes[host as usize];
        if node.power != Power::On {
            return Err(io::ErrorKind::NetworkDown.into());
        }
        if !node.has(wanted.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let mut at = At {
            address: wanted,
            dual_stack: options.dual_stack,
        };
        while at.address.port() == 0 || (wanted.port() == 0 && node.is_in_use(at)) {
            at.address.set_port(node.next_port());
        }
        if node.is_in_use(at) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let address = at.address;
        let backlog = options.backlog.and_then(|it| usize::try_from(it).ok());
        let backlog = backlog.unwrap_or_else(|| node.backlog()).max(1);
        node.open += 1;
        node.listening.push(Listening {
            id,
            at,
            backlog,
            queue: Default::default(),
            raw: false,
        });
        Ok(address)
    }

    /// Who waits to be accepted is reset, as a kernel does.
    pub(super) fn close_listener(&mut self, host: u32, id: ListenerId) {
        let node = &mut self.nodes[host as usize];
        let Some(place) = node.listening.iter().position(|it| it.id == id) else {
            return;
        };
        let closed = node.listening.remove(place);
        // Those who wait have no descriptor to give back.
        node.open = (node.open + closed.queue.len()).saturating_sub(1);
        for key in closed.queue {
            self.reset(key);
        }
    }

    /// Whether the program of a host gets no descriptor.
    pub(super) fn is_short(&self, host: u32) -> bool {
        !self.weather.is_fine() && self.nodes[host as usize].open >= self.weather.descriptors(host)
    }

    /// Who has waited longest at this listener, or at any.
    pub(super) fn accept(
        &mut self,
        host: u32,
        listener: Option<ListenerId>,
    ) -> Option<(ListenerId, Key)> {
        let node = &mut self.nodes[host as usize];
        let listening = node.listening.iter_mut().find(|it| {
            !it.queue.is_empty() && listener.map_or(!it.raw, |wanted| wanted == it.id)
        })?;
        let key = listening.queue.pop_front()?;
        let id = listening.id;
        node.open += 1;
        Some((id, key))
    }

    pub(super) fn has_queued(&self, host: u32) -> bool {
        let mut listening = self.nodes[host as usize].listening.iter();
        listening.any(|it| !it.raw && !it.queue.is_empty())
    }
}

/// Faults.
impl Kernel {
    pub(super) fn say(&mut self, host: u32, text: String) {
        let now = self.now;
        self.trace.note(now, host, What::Said(text), &[]);
    }

    fn describe(&self, trouble: &Trouble) -> String {
        trouble.described(&|host| self.name_of(host)).to_string()
    }

    pub(super) fn describe_planned(&self, planned: &Planned) -> String {
        let (begin, end) = (planned.begin - Time::ZERO, planned.end - Time::ZERO);
        let what = self.describe(&planned.trouble);
        format!("{begin:.3?} to {end:.3?}: {what}")
    }

    pub(super) fn begin_fault(&mut self, trouble: Trouble) -> u64 {
        let said = self.describe(&trouble);
        self.say(NOBODY, said);
        let number = self.weather.begin(trouble.clone());
        self.weather_changed(&trouble);
        number
    }

    pub(super) fn end_fault(&mut self, number: u64) {
        if let Some(trouble) = self.weather.end(number) {
            let said = self.describe(&trouble);
            self.say(NOBODY, format!("over: {said}"));
            self.weather_changed(&trouble);
        }
    }

    fn weather_changed(&mut self, trouble: &Trouble) {
        match *trouble {
            Trouble::PauseReading(host) => {
                self.note_all(host);
                self.list(host);
            }
            Trouble::Skew(host, _) => {
                let (now, pace) = (self.now, self.weather.pace(host));
                self.nodes[host as usize].clock.set_pace(now, pace);
                self.list(host);
            }
            Trouble::Exhaust(host, _) => self.list(host),
            Trouble::Killed(host) | Trouble::Crashed(host) => {
                let node = &mut self.nodes[host as usize];
                let power = match (trouble, self.weather.is_down(host)) {
                    (_, false) => Power::On,
                    (Trouble::Crashed(_), true) => Power::Off,
                    (_, true) if node.power == Power::Off => Power::Off,
                    (_, true) => Power::Idle,
                };
                self.set_power(host, power);
            }
            _ => {}
        }
    }

    fn set_power(&mut self, host: u32, power: Power) {
        let before = std::mem::replace(&mut self.nodes[host as usize].power, power);
        if before == power {
            return;
        }
        if power == Power::Off {
            // Nobody is told.
            let gone = self.ends_of(host, |_| true);
            for key in gone {
                self.ends.remove(key);
            }
            self.nodes[host as usize].listening.clear();
            self.nodes[host as usize].ports.clear();
        }
        self.power.push(host);
    }

    pub(super) fn ends_of(&self, host: u32, which: impl Fn(&End) -> bool) -> Vec<Key> {
        let ends = self.ends.iter();
        ends.filter(|(_, end)| end.host == host && which(end))
            .map(|(key, _)| key)
            .collect()
    }

    fn note_all(&mut self, host: u32) {
        for key in self.ends_of(host, |end| end.holder == Holder::Program) {
            self.note(key);
        }
    }

    /// Forget what a killed program was in the middle of, and begin anew.
    pub(super) fn reset_node(&mut self, host: u32) {
        let node = &mut self.nodes[host as usize];
        node.ready.clear();
        node.answers.clear();
        node.attempts.clear();
        node.questions.clear();
        node.ports.clear();
        node.open = 0;
        node.busy_until = Time::ZERO;
        node.armed = None;
        let listeners: Vec<_> = node.listening.iter().map(|it| it.id).collect();
        for id in listeners {
            self.close_listener(host, id);
        }
    }

    /// The answer to a connect, for the host to take.
    pub(super) fn answer(&mut self, host: u32, answer: Answer) {
        self.nodes[host as usize].answers.push_back(answer);
        self.list(host);
    }

    fn begin_planned(&mut self, plan: usize) {
        let planned = &self.planned[plan];
        if planned.state != PlannedState::ToCome {
            return;
        }
        let trouble = planned.trouble.clone();
        let number = self.begin_fault(trouble);
        self.planned[plan].state = PlannedState::Begun(number);
    }

    fn end_planned(&mut self, plan: usize) {
        let state = std::mem::replace(&mut self.planned[plan].state, PlannedState::Over);
        if let PlannedState::Begun(number) = state {
            self.end_fault(number);
        }
    }

    /// No planned fault from now on.
    pub(super) fn calm(&mut self) {
        for plan in 0..self.planned.len() {
            self.end_planned(plan);
        }
    }

    /// How long a turn of a host is to stall.
    pub(super) fn stall(&mut self, host: u32) -> Duration {
        if self.weather.is_fine() {
            return Duration::ZERO;
        }
        let stalls: Vec<_> = self.weather.stalls(host).collect();
        let mut sum = Duration::ZERO;
        for (by, times) in stalls {
            if self.random.one_in(times) {
                self.weather.harm += 1;
                sum += by;
            }
        }
        sum
    }
}

/// What a system says when there are too many files.
pub(super) fn no_descriptors() -> io::Error {
    /// EMFILE, on every Unix.
    const TOO_MANY: i32 = 24;
    io::Error::from_raw_os_error(TOO_MANY)
}
